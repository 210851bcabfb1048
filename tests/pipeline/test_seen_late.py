"""Changes that are seen later than their consequences: cases that the simulation found."""

import pytest
from msgspec.structs import replace

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, SAM, before, open_rig


async def test_a_comment_on_a_record_of_pagerforce_that_comes_on_a_later_page_is_copied(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        others = [rig.open_record(f"n{n}") for n in range(3)]
        rig.desk.salesforce_faults.add(Fault(FaultKind.DROP_AFTER, count=1, method="PATCH"))
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        (made,) = {row["Id"] for row in rig.sf.rows(INCIDENT)} - {*others}
        rig.advance(6)
        rig.change(made, shortDescription="It does flap")
        rig.comment(made, "Have a look at port 3")
        rig.sf.knobs.batch_size = 1
        await daemon.parts.salesforce_reader.poll()
        await daemon.step(3)
        assert len(rig.sf.rows(INCIDENT)) == 4
        assert [note for note in rig.notes_of(incident_id) if "port 3" in note]


@pytest.mark.parametrize("seconds", [0, 5])
async def test_an_acknowledge_seen_after_the_resolve_it_came_before_opens_no_record(
    tmp_path, seconds
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.advance(5)
        rig.pd.hide_new_entries(30)
        rig.pd.acknowledge(incident_id, by=SAM)
        rig.pd.hide_new_entries(0)
        rig.advance(seconds)
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step()
        assert rig.status_of(record_id) == "CLOSED"
        await daemon.step(3, seconds=15)
        assert "acknowledge" in [x["event"] for x in await daemon.log()]
        assert rig.status_of(record_id) == "CLOSED"
        events = [x for x in await daemon.log() if x["incident"] == incident_id]
        assert "reopen" not in [x["event"] for x in events]


async def test_an_acknowledge_seen_late_opens_no_record_that_was_closed_already(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step()
        rig.advance(5)
        rig.pd.reopen(incident_id, by=JANE)
        rig.pd.hide_new_entries(30)
        rig.pd.acknowledge(incident_id, by=SAM)
        rig.pd.hide_new_entries(0)
        rig.advance(5)
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step()
        await daemon.step(3, seconds=15)
        assert "acknowledge" in [x["event"] for x in await daemon.log()]
        assert rig.status_of(record_id) == "CLOSED"


_STATUS_RULES = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "PagerDuty to Remedyforce"
[[rulesets.rules]]
name = "Record for what monitoring found"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "trigger" }]
actions = [
  { do = "salesforce.create_record", fields = { BMCServiceDesk__shortDescription__c = "{{ incident.title }}", BMCServiceDesk__FKStatus__c = { lookup = { Name = "NEW" } } } },
]
[[rulesets.rules]]
name = "Acknowledged"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "acknowledge" }]
actions = [{ do = "salesforce.set_field", field = "BMCServiceDesk__FKStatus__c", lookup = { Name = "ACKNOWLEDGED" } }]
[[rulesets.rules]]
name = "Opened again"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "reopen" }]
actions = [{ do = "salesforce.set_field", field = "BMCServiceDesk__FKStatus__c", lookup = { Name = "ASSIGNED" } }]
[[rulesets.rules]]
name = "Resolved"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "resolve" }]
actions = [{ do = "salesforce.set_field", field = "BMCServiceDesk__FKStatus__c", lookup = { Name = "CLOSED" } }]
[[rulesets.rules]]
name = "Acknowledge when work begins"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKStatus__r.Name", op = "changed_to", value = "IN PROGRESS" }]
actions = [{ do = "pagerduty.acknowledge" }]
"""


async def test_in_a_backlog_what_happened_before_undoes_nothing(tmp_path):
    async with open_rig(tmp_path, _STATUS_RULES) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        ((_, record_id, _),) = await daemon.links()
        rig.advance(5)
        rig.pd.hide_new_entries(30)
        rig.pd.acknowledge(incident_id, by=SAM)
        rig.pd.hide_new_entries(0)
        rig.advance(5)
        rig.pd.resolve(incident_id, by=JANE)
        for _ in range(5):
            rig.advance(20)
            await daemon.parts.pagerduty_reader.poll()
        await daemon.step()
        assert rig.status_of(record_id) == "CLOSED"


def _told(log, incident_id):
    kinds = ("acknowledge", "resolve", "reopen")
    return [x["event"] for x in log if x["incident"] == incident_id and x["event"] in kinds]


async def test_an_acknowledge_shows_a_reopening_that_no_reconcile_saw(tmp_path):
    async with open_rig(tmp_path, _STATUS_RULES) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        rig.pd.resolve(incident_id, by=JANE)
        rig.advance(5)
        rig.pd.reopen(incident_id, by=JANE)
        rig.advance(5)
        rig.pd.acknowledge(incident_id, by=SAM)
        await daemon.step(3)
        assert _told(await daemon.log(), incident_id) == ["resolve", "reopen", "acknowledge"]
        ((_, record_id, _),) = await daemon.links()
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_a_reopening_is_an_event_although_pagerforce_acknowledged_next(tmp_path):
    async with open_rig(tmp_path, _STATUS_RULES) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        ((_, record_id, _),) = await daemon.links()
        rig.set_status(record_id, "IN PROGRESS")
        rig.advance(5)
        rig.pd.resolve(incident_id, by=JANE)
        rig.advance(5)
        rig.pd.reopen(incident_id, by=JANE)
        rig.advance(5)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        assert rig.pd.incident(incident_id)["status"] == "acknowledged"
        await daemon.step(3)
        assert _told(await daemon.log(), incident_id) == ["resolve", "reopen", "acknowledge"]
        assert rig.status_of(record_id) == "ASSIGNED", "neither closed nor unchanged"


async def test_a_reopening_behind_an_acknowledge_that_is_not_settled_is_left_to_the_reconcile(
    tmp_path,
):
    async with open_rig(tmp_path, _STATUS_RULES) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        ((_, record_id, _),) = await daemon.links()
        rig.set_status(record_id, "IN PROGRESS")
        rig.advance(5)
        rig.pd.resolve(incident_id, by=JANE)
        rig.advance(5)
        rig.pd.reopen(incident_id, by=JANE)
        rig.advance(5)
        rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_AFTER, count=1, method="PUT"))
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        await daemon.parts.pagerduty_reader.poll()
        assert _told(await daemon.log(), incident_id) == ["resolve", "acknowledge"]
        daemon.parts.pagerduty_reader.reconcile_soon()
        await daemon.step(3)
        assert _told(await daemon.log(), incident_id) == ["resolve", "acknowledge", "reopen"]
        assert rig.status_of(record_id) == "ASSIGNED"


async def test_an_acknowledge_that_crossed_a_resolve_and_lost_its_answer_is_a_reopening(
    tmp_path,
):
    async with open_rig(tmp_path, _STATUS_RULES) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        ((_, record_id, _),) = await daemon.links()

        def resolve():
            rig.advance(2)
            rig.pd.resolve(incident_id, by=JANE)
            rig.advance(2)

        rig.set_status(record_id, "IN PROGRESS")
        rig.advance(1)
        rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_AFTER, count=1, method="PUT"))
        await daemon.parts.salesforce_reader.poll()
        before(
            rig.desk.pagerduty_faults, "PUT", "/incidents", resolve
        )  # after pagerforce has read the incident
        await daemon.deliver()
        await daemon.step()
        daemon.parts.pagerduty_reader.reconcile_soon()
        await daemon.step(2)
        assert rig.pd.incident(incident_id)["status"] == "acknowledged", "open is the safe side"
        assert _told(await daemon.log(), incident_id) == ["resolve", "reopen"]
        assert rig.status_of(record_id) == "ASSIGNED"


def _crowded(parts):
    """As if the log of an hour, or the rows of a quarter, were too much to read with every poll."""
    parts.pagerduty_reader.sweep = replace(parts.pagerduty_reader.sweep, cheap=-1)
    parts.salesforce_reader.sweep = replace(parts.salesforce_reader.sweep, cheap=-1)


async def _minutes_with_news(rig, daemon, *minutes):
    """This number of minutes passes before each poll, and each finds something: the cursor moves."""
    for passed in minutes:
        rig.advance(60 * passed)
        rig.pd.trigger("PNET001", "Something else")
        rig.open_record("Something else")
        rig.advance(1)
        await daemon.poll()


async def test_an_entry_that_shows_right_after_a_long_overlap_is_found_by_the_next(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon(prepare=_crowded) as daemon:
        rig.pd.hide_new_entries(50 * 60)
        incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        rig.pd.hide_new_entries(0)
        await _minutes_with_news(rig, daemon, 49, 14, 2)
        assert incident_id in [x["incident"] for x in await daemon.log()]


async def test_an_entry_that_shows_while_the_daemon_is_down_is_found_by_the_next_life(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon(prepare=_crowded) as daemon:
            rig.pd.hide_new_entries(59 * 60)
            incident_id = rig.pd.trigger("PNET001", "Switch flaps")["id"]
            rig.pd.hide_new_entries(0)
            await _minutes_with_news(rig, daemon, 49, 14)
        rig.advance(60 * 2)
        async with rig.daemon(prepare=_crowded) as daemon:
            assert incident_id in [x["incident"] for x in await daemon.log()]


async def test_a_row_that_shows_right_after_a_long_overlap_is_found_by_the_next(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon(prepare=_crowded) as daemon:
        rig.advance(30)
        rig.sf.begin_late(14 * 60)
        record_id = rig.open_record("Long in coming")
        await _minutes_with_news(rig, daemon, 13, 4, 2)
        assert record_id in [x["record"] for x in await daemon.log()]
