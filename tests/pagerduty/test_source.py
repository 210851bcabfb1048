"""Reading the log and the incidents: nothing is missed, whatever the lists look like."""

from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    PacedError,
    TransientError,
)
from pagerforce.pagerduty.rate import RateClass
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty.journal import EntryOrder

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ORDERS = list(EntryOrder)


async def test_the_servers_clock_is_read_with_the_credentials(rig):
    rig.clock.advance(123)
    assert await rig.poller().fetch_server_time() == rig.clock.now()


@pytest.mark.parametrize("api_key", ["wrong"])
async def test_a_wrong_key_is_a_credentials_error(rig):
    with pytest.raises(CredentialsError):
        await rig.poller().fetch_server_time()


@pytest.mark.parametrize("order", [EntryOrder.NEWEST_FIRST, EntryOrder.OLDEST_FIRST])
@pytest.mark.parametrize("rounds", [1, 60])
async def test_entries_of_one_second_keep_the_order_of_the_log(rig, order, rounds):
    rig.world.order_entries(order)
    rig.trigger()
    rig.clock.advance(5)
    incident = rig.world.trigger("PNET001", "Disk full")["id"]
    rig.world.annotate(incident, "looking", "PJANE01")
    rig.world.acknowledge(incident, "PJANE01")
    for number in (1, 4, 2, 5, 3) * rounds:
        rig.world.set_priority(incident, f"P{number}", "PJANE01")
    rig.world.resolve(incident, "PJANE01", "done")
    happened = [entry["id"] for entry in rig.world.entries(incident)]
    entries = [entry for entry in await rig.entries() if entry.incident_id == incident]
    assert [entry.id for entry in entries] == happened
    assert [entry.place for entry in entries] == list(range(len(happened)))


async def test_a_quiet_poll_keeps_the_cursor_where_it_was(rig):
    rig.clock.advance(3600)
    (batch,) = await rig.read()
    assert batch.entries == ()
    assert batch.read_to == rig.clock.now() - timedelta(seconds=3600)


async def test_the_cursor_is_the_newest_entry_and_not_the_clock(rig):
    rig.clock.advance(10)
    rig.trigger()
    rig.clock.advance(600)
    (batch,) = await rig.read()
    assert batch.read_to == max(entry.at for entry in batch.entries)
    assert batch.read_to == rig.clock.now() - timedelta(seconds=610)


async def test_an_entry_of_the_present_second_is_seen(rig):
    rig.clock.advance(0.9)
    rig.world.trigger("PNET001", "Disk full")
    assert "trigger" in [entry.type for entry in await rig.entries()]


async def test_a_late_entry_is_found_by_the_overlap(rig):
    rig.world.hide_new_entries(300)
    rig.world.trigger("PNET001", "late")
    rig.world.hide_new_entries(0)
    rig.clock.advance(60)
    rig.world.trigger("PNET001", "prompt")
    first = await rig.read(overlap=3600)
    assert {entry.current.title for entry in first[-1].entries} == {"prompt"}
    rig.clock.advance(300)
    again = await rig.entries(first[-1].read_to, overlap=3600)
    assert "late" in {entry.current.title for entry in again}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("inclusive", [True, False])
async def test_a_long_backlog_is_read_in_windows_without_a_gap(rig, order, inclusive):
    rig.world.order_entries(order)
    rig.world.knobs.until_inclusive = inclusive
    rig.world.knobs.requests_per_minute = 100_000
    incident = rig.trigger()
    for number in range(1500):
        rig.world.add_entry(incident, "custom_log_entry", f"{number}")
        rig.clock.advance(0.5 if number < 700 else 7)
    made = {entry["id"] for entry in rig.world.entries()}
    batches = await rig.read()
    seen = [entry.id for batch in batches for entry in batch.entries]
    assert len(batches) > 1
    assert len(seen) == len(set(seen))
    assert set(seen) == made
    times = [entry.at for batch in batches for entry in batch.entries]
    assert times == sorted(times)
    cursors = [batch.read_to for batch in batches]
    assert cursors == sorted(cursors)
    assert all(
        batch.read_to <= max(times) and not batch.flaws and len(batch.entries) <= 1100
        for batch in batches
    )


@pytest.fixture
def shallow(monkeypatch):
    """An API that pages through 400 rows, with windows of at most 100: the same rules, a faster test."""
    for module in (
        "pagerduty.client",
        "pagerduty.entries",
        "pagerduty.source",
        "sandbox.pagerduty.paging",
    ):
        monkeypatch.setattr(f"pagerforce.{module}.MAX_DEPTH", 400)
    for module in ("entries", "source"):
        monkeypatch.setattr(f"pagerforce.pagerduty.{module}.WANTED_ENTRIES", 100)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("inclusive", [True, False])
async def test_a_burst_around_one_second_splits_down_to_it(rig, shallow, order, inclusive):
    rig.world.order_entries(order)
    rig.world.knobs.until_inclusive = inclusive
    rig.world.knobs.requests_per_minute = 100_000
    incident = rig.trigger()
    for second in range(3):
        for number in range(300):
            rig.world.add_entry(incident, "custom_log_entry", f"{second} {number}")
        rig.clock.advance(1)
    batches = await rig.read()
    ids = {entry.id for batch in batches for entry in batch.entries}
    assert ids == {entry["id"] for entry in rig.world.entries()}
    assert all(not batch.flaws for batch in batches)


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("before", range(5))
async def test_a_dense_second_is_not_read_again_for_each_of_its_neighbours(
    rig, shallow, before, inclusive
):
    rig.world.knobs.until_inclusive = inclusive
    incident = rig.trigger()
    rig.clock.advance(60 + before)
    for number in range(350):  # four pages
        rig.world.add_entry(incident, "custom_log_entry", str(number))
    rig.clock.advance(120)
    read = rig.observer.count("log_entries.list")
    batches = await rig.read(rig.clock.now(), overlap=240)
    assert sum(len(batch.entries) for batch in batches) > 350
    # Some windows are too full, and the last may end beside the dense second.
    assert rig.observer.count("log_entries.list") - read <= 25


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("inclusive", [True, False])
async def test_a_second_with_more_than_the_api_lists_is_reported(rig, shallow, order, inclusive):
    rig.world.order_entries(order)
    rig.world.knobs.until_inclusive = inclusive
    rig.world.knobs.requests_per_minute = 100_000
    incident = rig.trigger()
    for number in range(450):
        rig.world.add_entry(incident, "custom_log_entry", str(number))
    full = rig.clock.now()
    rig.clock.advance(30)
    rig.world.resolve(incident, "PJANE01")
    batches = await rig.read(rig.clock.now(), overlap=45)
    flaws = [flaw for batch in batches for flaw in batch.flaws]
    assert [flaw.where for flaw in flaws] == [f"log entries of {full.isoformat()}"]
    seen = [entry for batch in batches for entry in batch.entries]
    assert sum(entry.at == full for entry in seen) == 400
    assert "resolve" in [entry.type for entry in seen]


@pytest.mark.parametrize("order", ORDERS)
async def test_rows_that_move_between_pages_are_not_missed(rig, order):
    """A row that appears while pages are read moves other rows, and is itself skipped."""
    rig.world.order_entries(order)
    incident = rig.trigger()
    for number in range(250):
        rig.world.add_entry(incident, "custom_log_entry", str(number))
        rig.clock.advance(1)

    def appear() -> None:
        entry = rig.world.add_entry(incident, "annotate_log_entry", "late", by="PJANE01")
        # as if created in the middle, and visible only now
        rig.world.state.journal.redate(entry["id"], 125)

    rig.on("GET", "^/log_entries$", appear, after=True, count=2)
    seen = [entry.id for entry in await rig.entries()]
    assert len(seen) == len(set(seen))
    missed = {entry["id"] for entry in rig.world.entries()} - set(seen)
    assert len(missed) == 0


async def test_pages_shorter_than_asked_for_leave_nothing_out(rig, monkeypatch):
    monkeypatch.setattr("pagerforce.sandbox.pagerduty.paging.MAX_LIMIT", 40)
    for number in range(60):
        rig.trigger(str(number))
    assert {entry.id for entry in await rig.entries()} == {
        entry["id"] for entry in rig.world.entries()
    }
    assert len(await rig.poller().fetch_open_incidents()) == 60


async def test_malformed_and_unknown_entries_stop_nothing(rig):
    incident = rig.trigger()
    stamp = "2026-11-24T12:00:05Z"
    rig.world.add_raw_entry(incident, {"id": "RNOTYPE", "created_at": stamp})
    rig.world.add_raw_entry(incident, {"id": "RNOTIME", "type": "resolve_log_entry"})
    rig.world.add_raw_entry(incident, {"type": "resolve_log_entry", "created_at": stamp})
    bare = {"id": "RBARE", "type": "moon_phase_log_entry", "created_at": stamp, "agent": None}
    rig.world.add_raw_entry(incident, {**bare, "incident": None, "channel": None})
    (batch,) = await rig.read()
    kept = next(entry for entry in batch.entries if entry.id == "RBARE")
    assert (kept.type, kept.incident_id, kept.agent.id) == ("moon_phase", None, None)
    assert "trigger" in [entry.type for entry in batch.entries]
    assert {(flaw.where, flaw.what) for flaw in batch.flaws} == {
        ("log entry RNOTYPE", "has no type"),
        ("log entry RNOTIME", "has no time"),
        ("log entry without an id", "has no id"),
    }


async def test_people_come_with_name_and_email(rig):
    incident = rig.trigger()
    rig.world.acknowledge(incident, "PJANE01")
    entries = await rig.entries()
    agent = next(entry.agent for entry in entries if entry.type == "acknowledge")
    assert (agent.id, agent.name, agent.email) == ("PJANE01", "Jane Doe", "jane.doe@example.com")
    assert {person.email for person in entries[0].current.assignees} == {"jane.doe@example.com"}
    assert rig.observer.count("users.get") == 1


async def test_people_who_cannot_be_looked_up_keep_what_is_known(rig):
    incident = rig.trigger()
    rig.world.acknowledge(incident, "PJANE01")
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, count=99, path="^/users/"))
    (batch,) = await rig.read()
    agent = next(entry.agent for entry in batch.entries if entry.type == "acknowledge")
    assert (agent.id, agent.name, agent.email) == ("PJANE01", "Jane Doe", None)
    assert [flaw.where for flaw in batch.flaws] == ["users"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.ERROR_BEFORE, path="log_entries", status=500), TransientError),
        (Fault(FaultKind.ERROR_BEFORE, path="log_entries", status=502), TransientError),
        (Fault(FaultKind.ERROR_BEFORE, path="log_entries", status=408), TransientError),
        (Fault(FaultKind.ERROR_BEFORE, path="log_entries", status=401), CredentialsError),
        (Fault(FaultKind.DROP_BEFORE, path="log_entries"), TransientError),
        (Fault(FaultKind.MALFORMED, path="log_entries"), MalformedError),
    ],
)
async def test_a_failed_page_gives_no_batch(rig, fault, error):
    rig.trigger()
    rig.faults.add(fault)
    with pytest.raises(error):
        await rig.read()
    assert "trigger" in [entry.type for entry in await rig.entries()]


async def test_what_was_complete_before_a_failure_is_given(rig):
    rig.world.knobs.requests_per_minute = 100_000
    incident = rig.trigger()
    for number in range(1500):
        rig.world.add_entry(incident, "custom_log_entry", f"{number}")
        rig.clock.advance(1)
    batches = rig.poller().iter_entries(NOON, overlap_seconds=60)
    given = [await anext(batches)]
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, path="log_entries"))
    with pytest.raises(TransientError):
        await anext(batches)
    assert given[0].read_to < rig.clock.now() - timedelta(seconds=60)
    rig.faults.clear()
    rest = await rig.entries(given[0].read_to)
    seen = {entry.id for entry in [*given[0].entries, *rest]}
    assert seen == {entry["id"] for entry in rig.world.entries()}


@pytest.mark.parametrize(("seconds", "wait"), [(17, 17.0), (0, None)])
async def test_too_many_requests_say_when_to_come_back_if_they_know(rig, seconds, wait):
    rig.faults.add(Fault(FaultKind.TOO_MANY, path="log_entries", seconds=seconds))
    with pytest.raises(BudgetError) as caught:
        await rig.read()
    assert caught.value.retry_after_seconds == wait


async def test_the_clock_is_asked_for_only_before_the_first_answer(rig):
    poller = rig.poller()
    await poller.fetch_server_time()
    sent = len(rig.observer.requests)
    rig.clock.advance(90)
    assert await poller.fetch_server_time() == rig.clock.now()
    assert len(rig.observer.requests) == sent


async def test_nothing_is_sent_while_the_limit_is_known_to_be_used_up(rig):
    rig.faults.add(Fault(FaultKind.TOO_MANY, path="services", seconds=40))
    with pytest.raises(BudgetError):
        await rig.client.fetch_server_time()
    sent = len(rig.observer.requests)
    with pytest.raises(BudgetError, match="nothing was sent") as caught:
        await rig.client.fetch_server_time()
    assert caught.value.retry_after_seconds == 40
    assert len(rig.observer.requests) == sent
    rig.clock.advance(41)
    await rig.client.fetch_server_time()


async def test_reading_leaves_a_part_of_the_limit_to_writes(rig):
    rig.world.knobs.requests_per_minute = 50
    incident = rig.trigger()
    with pytest.raises(PacedError, match="nothing was sent"):
        for _ in range(50):
            await rig.client.fetch_server_time()
    left = rig.observer.budgets[-1]
    writer = rig.client.at(RateClass.STATUS)
    await writer.send_update(incident, {"status": "acknowledged"}, "integration@example.com")
    assert rig.observer.budgets[-1] == left - 1 > 0
