"""``assign_to`` of an acknowledgement: who is assigned, however PagerDuty handles both in one write.

The whole way: decided by a rule, written over HTTP, and recognised as an own write.
"""

from contextlib import asynccontextmanager

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import edits
from pagerforce.sandbox.pagerduty.edits import Both
from pagerforce.store import snapshots
from rig import JANE, SAM
from rules.kit import PAGE, SHORT, is_, rule, staged

BOT = "PINTEG1"
KEEPING = [Both.KEEPS, Both.KEEPS_LAST]
ONCE_MORE = [Both.ENDS, Both.ASSIGNS]
PUT = {"method": "PUT", "path": "^/incidents"}


@asynccontextmanager
async def paged(folder, assign_to, *, both=Both.KEEPS, holders=(JANE, SAM), objects=1):
    """Records, each with an incident assigned to these people, and a rule that acknowledges them."""
    acknowledge = {"do": "pagerduty.acknowledge", "assign_to": assign_to}
    go = [is_(f"record.{SHORT}", "changed_to", "go")]
    async with staged(folder, PAGE, rule("take", "salesforce", go, acknowledge)) as (rig, daemon):
        rig.pd.knobs.acknowledge_with_assignments = both.value
        pairs = [await rig.paged(daemon) for _ in range(objects)]
        for _, incident_id in pairs:
            rig.pd.reassign(incident_id, [*holders], by=JANE)
        await daemon.step()
        yield rig, daemon, pairs


async def take(rig, daemon, pairs, by="raj.patel@example.com"):
    """The outcome of each acknowledgement, and the requests that wrote to PagerDuty."""
    for record_id, _ in pairs:
        rig.change(record_id, by=by, shortDescription="go")
    await daemon.step(4)
    done = [one for one in await daemon.actions() if one["action"] == "pagerduty.acknowledge"]
    return done if len(pairs) > 1 else done[0]


def holders_of(rig, incident_id):
    shown = rig.pd.incident(incident_id)["assignments"]
    return {one["assignee"]["id"] for one in shown}


def entries_of(rig, incident_id, kind):
    return [
        entry
        for entry in rig.pd.entries()
        if entry["type"] == f"{kind}_log_entry" and entry["incident"]["id"] == incident_id
    ]


async def is_settled(rig, daemon, incident_id, since):
    """No event resulted, and the stored incident is what PagerDuty shows."""
    daemon.parts.pagerduty_reader.reconcile_soon()
    rig.advance(90)
    await daemon.step(2)
    heard = [x for x in await daemon.log() if x["incident"] == incident_id and not x["echo_of"]]
    told = [x["event"] for x in heard if x["event"] not in ("trigger", "notify", "create")]
    assert told == since
    async with daemon.parts.database.read() as tx:
        known = await snapshots.find_incident(tx, incident_id)
    shown = rig.pd.incident(incident_id)
    assert known.status.value == shown["status"]
    assert {one.id for one in known.assignees} == holders_of(rig, incident_id)
    assert not daemon.sample("contradictions_total", what="status")


@pytest.mark.parametrize("both", [*Both])
@pytest.mark.parametrize("holders", [(JANE,), (JANE, SAM)])
async def test_unchanged_acknowledges_whatever_pagerduty_makes_of_it(tmp_path, both, holders):
    async with paged(tmp_path, "unchanged", both=both, holders=holders) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        done = await take(rig, daemon, pairs)
        assert done["outcome"] == "delivered"
        assert rig.pd.incident(incident_id)["status"] == "acknowledged"
        is_kept = both in KEEPING
        assert holders_of(rig, incident_id) == (set(holders) if is_kept else {BOT})
        assert ("not keep" in done["reason"] or "not be kept" in done["reason"]) is not is_kept
        writes = 2 if both in (*ONCE_MORE, Both.REFUSES) else 1
        assert sum("incidents.update" in one for one in await requests(daemon)) == writes
        await is_settled(rig, daemon, incident_id, ["assign"] * len(holders))


async def requests(daemon):
    """The requests of the acknowledgement, as ``why`` shows them."""
    async with daemon.parts.database.read() as tx:
        rows = await tx.rows(
            "SELECT requests FROM attempt JOIN action ON action.id = attempt.action_id "
            """WHERE action."do" = 'pagerduty.acknowledge'"""
        )
    return [part for (text,) in rows for part in (text or "").split("]") if part]


async def test_unchanged_in_a_burst_does_the_same_for_each(tmp_path):
    for both in Both:
        folder = tmp_path / both.value
        folder.mkdir()
        async with paged(folder, "unchanged", both=both, objects=4) as (rig, daemon, pairs):
            done = await take(rig, daemon, pairs)
            assert {one["outcome"] for one in done} == {"delivered"}
            for _, incident_id in pairs:
                assert rig.pd.incident(incident_id)["status"] == "acknowledged"
                wanted = {JANE, SAM} if both in KEEPING else {BOT}
                assert holders_of(rig, incident_id) == wanted
                await is_settled(rig, daemon, incident_id, ["assign", "assign"])


LOST = [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE]


@pytest.mark.parametrize("both", [*Both])
@pytest.mark.parametrize("kind", LOST)
async def test_unchanged_after_a_lost_answer(tmp_path, both, kind):
    async with paged(tmp_path, "unchanged", both=both) as (rig, daemon, pairs):
        rig.desk.pagerduty_faults.add(Fault(kind, **PUT))
        await recovers(rig, daemon, pairs)


@pytest.mark.parametrize("both", [*ONCE_MORE, Both.REFUSES])
@pytest.mark.parametrize("kind", LOST)
async def test_unchanged_after_a_lost_answer_to_the_second_write(tmp_path, monkeypatch, both, kind):
    async with paged(tmp_path, "unchanged", both=both) as (rig, daemon, pairs):
        faults = [Fault(kind, **PUT)]

        def arm(_state):
            """While the first write is answered: the answer to the next one will be lost."""
            while faults:
                rig.desk.pagerduty_faults.add(faults.pop())
            return both

        monkeypatch.setattr(edits, "both_in_one", arm)
        await recovers(rig, daemon, pairs)
        assert not faults
        assert not rig.desk.pagerduty_faults.armed()


async def recovers(rig, daemon, pairs):
    """It is acknowledged in the end, with the minimum number of writes."""
    ((_, incident_id),) = pairs
    await take(rig, daemon, pairs)
    rig.advance(60)
    await daemon.step(2)
    (done,) = [x for x in await daemon.actions() if x["action"] == "pagerduty.acknowledge"]
    assert done["outcome"] == "delivered", done
    assert rig.pd.incident(incident_id)["status"] == "acknowledged"
    assert len(entries_of(rig, incident_id, "acknowledge")) <= 2
    await is_settled(rig, daemon, incident_id, ["assign", "assign"])


async def test_unchanged_after_a_lost_answer_keeps_what_somebody_undid(tmp_path):
    async with paged(tmp_path, "unchanged") as (rig, daemon, pairs):
        ((record_id, incident_id),) = pairs
        rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_AFTER, **PUT))
        rig.change(record_id, shortDescription="go")
        await daemon.step(1)
        rig.advance(1)
        rig.pd.reassign(incident_id, [SAM], by=JANE)
        rig.advance(60)
        await daemon.step(3)
        assert rig.pd.incident(incident_id)["status"] == "triggered"
        await is_settled(rig, daemon, incident_id, ["assign"] * 3)


async def test_unchanged_after_an_attempt_that_never_arrived_expects_no_assignments(tmp_path):
    """The next attempt is plain; a later assignment to the same person is another act."""
    async with paged(tmp_path, "unchanged") as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_BEFORE, **PUT))
        await take(rig, daemon, pairs)
        rig.advance(60)
        await daemon.step(2)
        assert holders_of(rig, incident_id) == {BOT}
        rig.pd.reassign(incident_id, [JANE], by=BOT)
        await is_settled(rig, daemon, incident_id, ["assign"] * 3)
        assert rig.pd.incident(incident_id)["status"] == "triggered"


async def test_unchanged_with_only_the_integration_user_is_the_plain_write(tmp_path):
    async with paged(tmp_path, "unchanged", holders=(BOT,)) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        assigned = len(entries_of(rig, incident_id, "assign"))
        done = await take(rig, daemon, pairs)
        assert done["outcome"] == "delivered"
        assert len(entries_of(rig, incident_id, "assign")) == assigned
        await is_settled(rig, daemon, incident_id, ["assign"])


async def test_unchanged_keeps_those_who_have_it_just_before(tmp_path):
    """Somebody reassigned it after the last poll: the new people, once a poll has seen it."""
    async with paged(tmp_path, "unchanged") as (rig, daemon, pairs):
        ((record_id, incident_id),) = pairs
        rig.change(record_id, shortDescription="go")
        await daemon.parts.salesforce_reader.poll()
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        rig.pd.reassign(incident_id, [SAM], by=JANE)
        await daemon.deliver()
        assert rig.pd.incident(incident_id)["status"] == "triggered"
        await daemon.step(4)
        assert rig.pd.incident(incident_id)["status"] == "acknowledged"
        assert holders_of(rig, incident_id) == {SAM}
        await is_settled(rig, daemon, incident_id, ["assign"] * 3)


async def test_unchanged_does_not_wait_long_for_polls(tmp_path):
    async with paged(tmp_path, "unchanged") as (rig, daemon, pairs):
        ((record_id, incident_id),) = pairs
        rig.change(record_id, shortDescription="go")
        for _ in range(2):
            rig.advance(2)
            await daemon.parts.salesforce_reader.poll()
        rig.pd.reassign(incident_id, [SAM], by=JANE)
        for _ in range(10):
            await daemon.deliver()
            rig.advance(3)
        (done,) = [x for x in await daemon.actions() if x["action"] == "pagerduty.acknowledge"]
        assert done["outcome"] == "delivered"
        assert "could not be kept" in done["reason"]
        assert rig.pd.incident(incident_id)["status"] == "acknowledged"


async def test_what_was_resolved_meanwhile_is_not_opened_by_the_second_write(tmp_path):
    async with paged(tmp_path, "unchanged", both=Both.REFUSES) as (rig, daemon, pairs):
        ((record_id, incident_id),) = pairs
        rig.change(record_id, shortDescription="go")
        for _ in range(2):
            rig.advance(2)
            await daemon.parts.salesforce_reader.poll()
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(3)
        assert rig.pd.incident(incident_id)["status"] == "resolved"
        assert entries_of(rig, incident_id, "acknowledge") == []


@pytest.mark.parametrize(
    ("by", "writer"),
    [("jane.doe@example.com", JANE), ("raj.patel@example.com", BOT)],
)
async def test_actor_assigns_it_to_the_author_of_the_change(tmp_path, by, writer):
    async with paged(tmp_path, "actor", holders=(SAM,)) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        done = await take(rig, daemon, pairs, by=by)
        assert done["outcome"] == "delivered"
        assert holders_of(rig, incident_id) == {writer}
        (entry,) = entries_of(rig, incident_id, "acknowledge")
        assert entry["agent"]["id"] == writer
        await is_settled(rig, daemon, incident_id, ["assign"])


async def test_actor_whom_pagerduty_refuses_is_replaced(tmp_path):
    async with paged(tmp_path, "actor", holders=(SAM,)) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        rig.pd.knobs.refused_requesters.add(JANE)
        done = await take(rig, daemon, pairs, by="jane.doe@example.com")
        assert done["outcome"] == "delivered"
        assert holders_of(rig, incident_id) == {BOT}
        await is_settled(rig, daemon, incident_id, ["assign"])


@pytest.mark.parametrize("assign_to", ["writer", "{{ 'everybody' }}"])
async def test_writer_is_the_plain_write_and_an_invalid_word_stops_nothing(tmp_path, assign_to):
    async with paged(tmp_path, assign_to) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        done = await take(rig, daemon, pairs)
        assert done["outcome"] == "delivered"
        assert ("is none of" in done["reason"]) is (assign_to != "writer")
        assert holders_of(rig, incident_id) == {BOT}
        await is_settled(rig, daemon, incident_id, ["assign", "assign"])


@pytest.mark.parametrize("both", [Both.KEEPS, Both.IGNORES, Both.REFUSES])
async def test_a_person_with_the_integrations_account_is_an_event_afterwards(tmp_path, both):
    async with paged(tmp_path, "unchanged", both=both) as (rig, daemon, pairs):
        ((_, incident_id),) = pairs
        await take(rig, daemon, pairs)
        rig.advance(400)
        await daemon.step(2)
        known = len(await daemon.log())
        rig.pd.reassign(incident_id, [JANE], by=BOT)
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=BOT)
        await daemon.step(2)
        heard = [x["event"] for x in (await daemon.log())[known:] if not x["echo_of"]]
        assert heard == ["assign", "acknowledge"]
