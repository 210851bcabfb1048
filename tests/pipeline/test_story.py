"""The main job, in both directions, as the daemon's users see it."""

import pytest

from pagerforce.salesforce import schema
from rig import INCIDENT, INTEGRATION, JANE, RAJ, P, open_rig


async def test_first_start_is_silent(tmp_path):
    async with open_rig(tmp_path) as rig:
        old = rig.open_record("old one", priority="1")
        rig.pd.trigger("PNET001", "old incident")
        rig.advance(60)
        async with rig.daemon() as daemon:
            await daemon.step(4)
            assert len(rig.incidents()) == 1
            assert len(rig.sf.rows(f"{P}Incident__c")) == 1
            assert await daemon.log() == []
            # ... but the old values are known: a change shows the value before.
            rig.change(old, shortDescription="still old")
            await daemon.step()
            entry = (await daemon.log())[0]
            assert (entry["event"], entry["record"]) == ("update", old)
            assert len(rig.incidents()) == 2, "its priority is 1 when it changes"


async def test_priority_1_pages_the_service_of_the_category(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        incident = rig.pd.incident(incident_id)
        assert incident["service"]["id"] == "PNET001"
        assert incident["urgency"] == "high"
        assert incident["title"] == f"{rig.record(record_id)['Name']}: Core switch down"
        assert await daemon.links() == [(incident_id, record_id, "active")]
        assert await daemon.dead_letters() == []


async def test_service_mapping_is_used_where_the_category_has_no_service(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.open_record("Paper jam of the century", category="Printing", priority="1")
        await daemon.step()
        (incident,) = rig.incidents()
        assert incident["service"]["id"] == "PNET001"


async def test_acknowledge_sets_status_and_owner(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step()
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        owner = rig.sf.row("User", rig.record(record_id)["OwnerId"])
        assert owner["Email"] == "jane.doe@example.com"


async def test_notes_travel_both_ways_once(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.annotate(incident_id, "Replacing the line card", by=JANE)
        rig.comment(record_id, "Second floor is back")
        await daemon.step(6)
        assert rig.comments_of(record_id) == [
            "Second floor is back",
            "[PagerDuty - Jane Doe] Replacing the line card",
        ]
        assert rig.notes_of(incident_id) == [
            "Replacing the line card",
            "[Raj Patel] Second floor is back",
        ]


async def test_two_equal_notes_are_two_comments(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        for _ in range(2):
            rig.pd.annotate(incident_id, "ok", by=JANE)
        await daemon.step(4)
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] ok"] * 2


async def test_comments_from_before_the_link_stay_where_they_are(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        rig.comment(record_id, "written before the page")
        rig.advance(5)
        rig.raise_to_1(record_id)
        await daemon.step(4)
        (incident,) = rig.incidents()
        assert rig.notes_of(incident["id"]) == []


async def test_monitoring_creates_and_links_a_record(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident = rig.pd.trigger("PDBA001", "Replication lag")
        await daemon.step(4)
        (record,) = rig.sf.rows(f"{P}Incident__c")
        assert record[f"{P}shortDescription__c"] == "Replication lag"
        assert record[f"{P}FKCategory__c"] == rig.id_of("Category", "Database")
        assert await daemon.links() == [(incident["id"], record["Id"], "active")]
        assert len(rig.incidents()) == 1, "pagerforce's own record must not create an incident"


async def test_resolve_closes_the_record_and_the_close_is_no_event(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        before = len(await daemon.log())
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(5)
        assert rig.status_of(record_id) == "CLOSED"
        assert rig.record(record_id)[f"{P}state__c"] is False
        assert [x["event"] for x in (await daemon.log())[before:]] == ["resolve"]


async def test_closing_the_record_resolves_the_incident_once(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.set_status(record_id, "CLOSED")
        await daemon.step(5)
        assert rig.pd.incident(incident_id)["status"] == "resolved"
        outcomes = await daemon.outcomes()
        assert outcomes["pagerduty.resolve delivered"] == 1
        assert not [key for key in outcomes if key.startswith("salesforce.set_field")]


async def test_three_entries_of_one_poll_show_three_states(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        rig.advance(1)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.advance(1)
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(4)
        async with daemon.parts.database.read() as tx:
            status = "json_extract(data, '$.incident.status')"
            rows = await tx.rows(
                f"SELECT type, {status} FROM event WHERE source = 'pagerduty' ORDER BY seq"
            )
        states = [row for row in rows if row[0] in ("trigger", "acknowledge", "resolve")]
        assert states == [
            ("trigger", "triggered"),
            ("acknowledge", "acknowledged"),
            ("resolve", "resolved"),
        ]


async def test_title_change_is_found_by_the_reconcile(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.set_title(incident_id, "A better title")
        await daemon.step(1, seconds=400)
        entry = (await daemon.log())[-1]
        assert (entry["event"], entry["incident"]) == ("update", incident_id)
        before = len(await daemon.log())
        await daemon.step(2, seconds=400)
        assert len(await daemon.log()) == before, "found once"
        assert record_id


async def test_reopening_is_found_by_the_reconcile(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step()
        rig.advance(120)
        rig.pd.reopen(incident_id, by=JANE)
        await daemon.step(1, seconds=400)
        assert "reopen" in [entry["event"] for entry in await daemon.log()]


async def test_merge_moves_the_link_to_the_survivor(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        rig.pd.merge(survivor, [incident_id], by=JANE)
        await daemon.step(3)
        links = [(incident, record) for incident, record, _ in await daemon.links()]
        assert (survivor, record_id) in links
        assert incident_id not in [incident for incident, _ in links]
        name = rig.record(record_id)["Name"]
        (note,) = rig.notes_of(survivor)
        assert note.startswith("Incident #")
        assert note.endswith(f"was merged into this one; linked here now: {name}")
        assert rig.comments_of(record_id) == [], "pagerforce's own note is not copied"
        assert "merge" in [entry["event"] for entry in await daemon.log()]


async def test_acts_of_a_person_with_the_integrations_account_are_events(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.comment(record_id, "typed by hand in the integration account", by=INTEGRATION)
        rig.set_status(record_id, "CLOSED", by=INTEGRATION)
        await daemon.step(3)
        assert rig.notes_of(incident_id) == [
            "[Integration] typed by hand in the integration account"
        ]
        assert rig.pd.incident(incident_id)["status"] == "resolved"


async def test_delete_unlinks_and_undelete_links_again(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.sf.delete(f"{P}Incident__c", record_id, by=RAJ)
        await daemon.step()
        assert await daemon.links() == [(incident_id, record_id, "inactive")]
        rig.sf.undelete(f"{P}Incident__c", record_id, by=RAJ)
        await daemon.step()
        assert await daemon.links() == [(incident_id, record_id, "active")]


async def test_shadow_mode_writes_to_neither_side(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon(is_shadow=True) as daemon:
        rig.open_record(priority="1")
        rig.pd.trigger("PDBA001", "Replication lag")
        await daemon.step(4)
        assert len(rig.incidents()) == 1
        assert len(rig.sf.rows(f"{P}Incident__c")) == 1
        assert await daemon.outcomes() == {
            "pagerduty.create_incident shadowed": 1,
            "salesforce.create_record shadowed": 1,
        }
        assert (
            daemon.sample("actions_total", action="pagerduty.create_incident", outcome="shadowed")
            == 1
        )


COMPUTED = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "page for a priority 1, however it came about"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKPriority__r.Name", op = "changed_to", value = "1" }]
actions = [{ do = "pagerduty.create_incident", title = "computed" }]
[[rulesets.rules]]
name = "impact and urgency, of which the package computes the priority"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__shortDescription__c", op = "changed_to", value = "everything is down" }]
actions = [
  { do = "salesforce.set_field", field = "BMCServiceDesk__FKImpact__c", lookup = { Name = "HIGH" } },
  { do = "salesforce.set_field", field = "BMCServiceDesk__FKUrgency__c", lookup = { Name = "HIGH" } },
]
"""


async def test_what_automation_makes_of_an_own_write_is_a_change_of_its_own(tmp_path):
    async with open_rig(tmp_path, COMPUTED) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.change(record_id, shortDescription="everything is down")
        await daemon.step(3)
        (incident,) = rig.incidents()
        assert incident["title"] == "computed"
        assert await daemon.dead_letters() == []


async def test_a_field_that_changes_by_itself_is_no_event(tmp_path, monkeypatch):
    monkeypatch.setattr(
        schema, "CHANGED_BY_TIME", {INCIDENT: frozenset({f"{P}shortDescription__c"})}
    )
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        before = len(await daemon.log())
        rig.change(record_id, shortDescription="as if time had passed")
        await daemon.step(3)
        assert len(await daemon.log()) == before


DELETED = """
[[objects]]
preset = "remedyforce-incident"
on_delete = "%s"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "page"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKPriority__r.Name", op = "changed_to", value = "1" }]
actions = [{ do = "pagerduty.create_incident", title = "{{ record.Name }}" }]
[[rulesets.rules]]
name = "say that it was deleted"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "event.type", op = "equals", value = "delete" }]
actions = [{ do = "pagerduty.add_note", text = "record {{ record.Name }} was deleted" }]
"""


@pytest.mark.parametrize(("policy", "status"), [("unlink", "triggered"), ("resolve", "resolved")])
async def test_a_deleted_record_is_reported_and_resolved_as_configured(tmp_path, policy, status):
    async with open_rig(tmp_path, DELETED % policy) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        name = rig.record(record_id)["Name"]
        rig.sf.delete(INCIDENT, record_id, by=RAJ)
        await daemon.step(3)
        assert rig.notes_of(incident_id) == [f"record {name} was deleted"]
        assert rig.pd.incident(incident_id)["status"] == status
        assert await daemon.links() == [(incident_id, record_id, "inactive")]
