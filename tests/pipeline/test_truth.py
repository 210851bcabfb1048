"""Incidents that differ from their log entries: they are read again, trusted, counted and logged."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.store import snapshots
from rig import JANE, SAM, open_rig

A_DAY = 86_400


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        yield opened


def contradictions(daemon, what):
    return daemon.sample("contradictions_total", what=what)


async def events_of(daemon, incident_id):
    return [item["event"] for item in await daemon.log() if item["incident"] == incident_id]


async def held_assignees(daemon, incident_id):
    async with daemon.parts.database.read() as tx:
        held = await snapshots.find_incident(tx, incident_id)
    return [person.id for person in held.assignees]


async def handed_on(rig, daemon, *, hidden_seconds):
    """A created incident that was reassigned to Sam; that entry is late, a note's entry is not."""
    _, incident_id = await rig.paged(daemon)
    rig.pd.hide_new_entries(hidden_seconds)
    rig.pd.reassign(incident_id, [SAM], by=JANE)
    rig.pd.hide_new_entries(0)
    rig.pd.annotate(incident_id, "Over to Sam", by=JANE)
    await daemon.step()
    return incident_id


async def test_an_incident_is_trusted_where_its_entries_are_missing(rig):
    async with rig.daemon() as daemon:
        incident_id = await handed_on(rig, daemon, hidden_seconds=A_DAY)
        assert contradictions(daemon, "assignees") == 0, "its entry may be late"
        await daemon.step(2, seconds=15)
        assert contradictions(daemon, "assignees") == 1
        assert (await events_of(daemon, incident_id))[-1] == "update"
        await daemon.step(4, seconds=15)
        assert contradictions(daemon, "assignees") == 1, "once"
        assert (await events_of(daemon, incident_id)).count("update") == 1


async def test_an_entry_that_is_a_little_late_contradicts_nothing(rig):
    async with rig.daemon() as daemon:
        incident_id = await handed_on(rig, daemon, hidden_seconds=8)
        await daemon.step(4, seconds=15)
        assert contradictions(daemon, "assignees") == 0
        events = await events_of(daemon, incident_id)
        assert "update" not in events
        assert events.count("assign") == 2


async def test_a_state_that_agrees_with_the_entries_on_the_second_read_replaces_the_first(rig):
    async with rig.daemon() as daemon:
        incident_id = await handed_on(rig, daemon, hidden_seconds=A_DAY)
        before = await held_assignees(daemon, incident_id)
        rig.pd.hide_new_entries(A_DAY)
        rig.pd.reassign(incident_id, before, by=SAM)
        rig.pd.hide_new_entries(0)
        await daemon.step(2, seconds=15)
        assert contradictions(daemon, "assignees") == 0
        assert "update" not in await events_of(daemon, incident_id)


async def test_one_odd_answer_about_such_an_incident_stops_no_poll(rig, capsys):
    async with rig.daemon() as daemon:
        incident_id = await handed_on(rig, daemon, hidden_seconds=A_DAY)
        fault = Fault(
            FaultKind.MALFORMED, count=99, method="GET", path=f"/incidents/{incident_id}$"
        )
        rig.desk.pagerduty_faults.add(fault)
        other = rig.open_record("Another switch down", priority="1")
        await daemon.step(3, seconds=15)  # a poll that fails raises
        (said,) = [line for line in capsys.readouterr().out.splitlines() if "malformed" in line]
        assert f"incident {incident_id}" in said
        assert contradictions(daemon, "assignees") == 0
        assert other in [record_id for _, record_id, _ in await daemon.links()]
        await daemon.step(4, seconds=120)
        assert contradictions(daemon, "assignees") == 1, "the comparison of open incidents finds it"
