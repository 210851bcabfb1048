"""What one change costs in API calls, and what still holds although it reads so little."""

import pytest

from pagerforce.model.ids import Side
from pagerforce.model.verdict import Delivered, RetryLater, Skipped, Unknown
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.salesforce.troubles import Trouble
from salesforce.kit import INCIDENT, SHORT, START, STATUS, sandboxed
from salesforce.test_set_field import DO, MARKED, find, prepared, put, sent, task


async def attempt(box, one):
    """One attempt, as the daemon makes it; returns its verdicts and operations."""
    before = len(sent(box))
    await box.handlers[DO].expectations(one)
    verdicts = await box.handlers[DO].deliver(one)
    return verdicts, sent(box)[before:]


STATUS_AND_OWNER = (
    find(STATUS, Name="RESOLVED"),
    find("OwnerId", Email="raj.patel@example.com"),
)


@pytest.mark.parametrize(
    ("later", "calls", "cold", "warm"),
    [
        (60, STATUS_AND_OWNER[:1], ["query", "update"], ["update"]),
        (60, STATUS_AND_OWNER, ["query", "update"], ["update"]),
        (20, STATUS_AND_OWNER[:1], ["query", "update"], ["query", "update"]),
        (20, STATUS_AND_OWNER, ["query", "update"], ["query", "update"]),
    ],
)
async def test_a_change_takes_at_most_two_calls(later, calls, cold, warm):
    async with sandboxed({INCIDENT: frozenset({SHORT, STATUS, "OwnerId"})}) as box:
        row_id, snapshot = await prepared(box, later=later)
        verdicts, used = await attempt(
            box, task(row_id, snapshot, *calls, at=box.clock.now(), key="first")
        )
        assert all(isinstance(verdict, Delivered) for verdict in verdicts), verdicts
        assert used == cold
        row_id, snapshot = await prepared(box, later=later)
        verdicts, used = await attempt(
            box, task(row_id, snapshot, *calls, at=box.clock.now(), key="second")
        )
        assert all(isinstance(verdict, Delivered) for verdict in verdicts), verdicts
        assert used == warm


async def test_an_edit_after_the_look_that_came_with_a_lookup_is_kept():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, later=20)
        wanted = (find(STATUS, Name="RESOLVED"), put(SHORT, "by us"))
        one = task(row_id, snapshot, *wanted, at=box.clock.now())
        await box.handlers[DO].expectations(one)
        box.clock.advance(5)
        box.write(row_id, **{SHORT: "by a person"})
        status, short = await box.handlers[DO].deliver(one)
        assert isinstance(status, Delivered)
        assert isinstance(short, Skipped)
        assert box.world.row(INCIDENT, row_id)[SHORT] == "by a person"


@pytest.mark.parametrize("is_edited", [True, False])
async def test_a_write_makes_the_snapshot_newer_only_if_it_has_all_earlier_changes(is_edited):
    """Otherwise the guard of the next write would not find the earlier change."""
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, later=20)
        if is_edited:
            box.write(row_id, **{SHORT: "by a person"})
            box.clock.advance(5)
        one = task(row_id, snapshot, find(STATUS, Name="RESOLVED"), at=box.clock.now())
        verdict = await box.deliver(one)
        (effect,) = verdict.effects
        assert (effect.modified_at is None) is is_edited


async def test_a_write_that_is_found_done_does_not_make_the_snapshot_newer():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, later=20)
        box.write(row_id, **{SHORT: "by a person"})
        box.faults.add(Fault(FaultKind.DROP_AFTER, method="PATCH"))
        calls = [put(STATUS, box.world.find_id("BMCServiceDesk__Status__c", Name="RESOLVED"))]
        one = task(row_id, snapshot, *calls, at=box.clock.now())
        assert isinstance(await box.deliver(one), Unknown)
        again = task(row_id, snapshot, *calls, at=box.clock.now(), is_uncertain=True)
        (effect,) = (await box.deliver(again)).effects
        assert (effect.fields[STATUS], effect.modified_at) == (calls[0]["value"], None)


async def test_a_look_is_used_by_its_own_attempt_only():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, later=20, **{SHORT: "wanted"})
        one = task(row_id, snapshot, find(STATUS, Name="NEW"), put(SHORT, "wanted"), at=START)
        await box.handlers[DO].expectations(one)  # this attempt ends before it is made
        box.write(row_id, **{SHORT: "by a person"})
        box.clock.advance(5)
        again = task(row_id, snapshot, *one.calls, at=box.clock.now())
        await attempt(box, again)
        assert box.world.row(INCIDENT, row_id)[SHORT] == "wanted"


async def test_a_snapshot_that_has_the_value_already_is_no_reason_to_skip():
    """The older edit is not read yet, so only the record itself shows that it lost the value."""
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, **{SHORT: "wanted"})
        box.write(row_id, **{SHORT: "by a person"})
        box.clock.advance(10)
        verdict = await box.deliver(
            task(row_id, snapshot, put(SHORT, "wanted"), at=box.clock.now())
        )
        assert isinstance(verdict, Delivered)
        assert verdict.winner is Side.PAGERDUTY
        assert box.world.row(INCIDENT, row_id)[SHORT] == "wanted"


async def test_a_refusal_that_shows_that_the_record_is_gone_is_looked_into():
    """Deleted within the second of its snapshot, so that the write's guard does not see it."""
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, later=0)
        box.world.delete(INCIDENT, row_id)
        box.clock.advance(60)
        box.poller.plan.note_polled([INCIDENT], box.clock.now())
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert await box.deliver(one) == Skipped(f"{INCIDENT} {row_id} is deleted")
        assert sent(box)[-2:] == ["update", "query"]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_text_that_looks_like_a_reference_is_written_as_it_is(number):
    async with sandboxed() as box:
        tasks = []
        for place in range(number):
            row_id, snapshot = await prepared(box)
            text = MARKED if place == 0 else "plain"
            tasks.append(
                task(row_id, snapshot, put(SHORT, text), at=box.clock.now(), key=f"task {place}")
            )
        verdicts = await box.handlers[DO].deliver_batch(tasks)
        assert all(isinstance(verdict, Delivered) for (verdict,) in verdicts), verdicts
        texts = [box.world.row(INCIDENT, one.record_id)[SHORT] for one in tasks]
        assert texts == [MARKED, "plain"][:number]


@pytest.mark.parametrize("status", [408, 500, 502, 503])
async def test_an_error_of_the_whole_request_is_searched_for(status):
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.faults.add(Fault(FaultKind.ERROR_AFTER, method="PATCH", status=status))
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert isinstance(await box.deliver(one), Unknown)
        again = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now(), is_uncertain=True)
        verdict = await box.deliver(again)
        assert isinstance(verdict, Delivered)
        assert sent(box).count("update") == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("row_lock_in_nested_triggers", RetryLater),
        ("record_currently_unavailable", RetryLater),
        ("read_only_maintenance", RetryLater),
    ],
)
async def test_a_part_that_is_refused_for_a_while_is_tried_again(name, kind):
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.world.troubles.add(Trouble(name, "update", INCIDENT))
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert isinstance(await box.deliver(one), kind)
        assert isinstance(await box.deliver(one), Delivered)
