"""Back up, let the daemon continue, restore, start: nothing is done twice, and nothing is lost."""

from contextlib import asynccontextmanager

import pytest
from anyio.to_thread import run_sync

from pagerforce.config.load import load_config
from pagerforce.own_writes.whose import FORGOTTEN
from pagerforce.service.catalog import CATALOG
from pagerforce.service.state import find_state
from rig import INCIDENT, JANE, SAM, open_rig


def state(rig):
    return find_state(load_config(rig.desk.config, catalog=CATALOG, environ={}).config, {})


async def save(rig):
    target = rig.desk.folder / "saved.db"
    await run_sync(state(rig).back_up, target, rig.host.now())
    return target


@asynccontextmanager
async def restarted(rig, saved, *, turns=12, after=600):
    """The daemon once more, that many seconds later, from the backup; it has caught up."""
    rig.advance(after)
    await run_sync(state(rig).restore, saved, rig.host.now())
    async with rig.daemon() as daemon:
        await daemon.step(turns, seconds=20)
        yield daemon


def world(rig):
    """The content of both sides that would show a duplicate."""
    return {
        "incidents": sorted((x["title"], x["status"]) for x in rig.incidents()),
        "notes": sorted(note for x in rig.incidents() for note in rig.notes_of(x["id"])),
        "records": sorted(
            (rig.record(x["Id"])["BMCServiceDesk__shortDescription__c"], rig.status_of(x["Id"]))
            for x in rig.sf.rows(INCIDENT)
        ),
        "comments": sorted(
            comment for x in rig.sf.rows(INCIDENT) for comment in rig.comments_of(x["Id"])
        ),
    }


async def test_what_was_done_since_the_backup_is_not_done_again(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            old_record, old_incident = await rig.paged(daemon, "known to the backup")
            saved = await save(rig)
            new_record, new_incident = await rig.paged(daemon, "after the backup")
            rig.pd.acknowledge(new_incident, by=JANE)
            rig.pd.annotate(old_incident, "on my way", by=JANE)
            rig.comment(old_record, "second floor too")
            rig.comment(new_record, "third floor too")
            rig.pd.trigger("PDBA001", "Replication lag")
            await daemon.step(4)
            rig.pd.resolve(new_incident, by=JANE)
            await daemon.step(4)
            before = world(rig)
            assert [len(before[key]) for key in before] == [3, 3, 3, 3]
            links = await daemon.links()
        async with restarted(rig, saved, after=3600) as daemon:
            assert world(rig) == before
            assert await daemon.links() == links
            assert await daemon.dead_letters() == []
            rig.comment(old_record, "and it goes on")
            rig.pd.annotate(old_incident, "indeed", by=JANE)
            await daemon.step(4)
            assert rig.notes_of(old_incident)[-1] == "[Raj Patel] and it goes on"
            assert rig.comments_of(old_record)[-1] == "[PagerDuty - Jane Doe] indeed"


async def test_what_happened_while_nothing_ran_is_done_once(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record, incident = await rig.paged(daemon)
            saved = await save(rig)
        rig.pd.acknowledge(incident, by=JANE)
        rig.comment(record, "anybody there?")
        rig.raise_to_1(rig.open_record("nobody was told of this"))
        rig.pd.trigger("PDBA001", "nor of this")
        async with restarted(rig, saved, after=3600) as daemon:
            assert rig.status_of(record) == "ACKNOWLEDGED"
            assert rig.notes_of(incident) == ["[Raj Patel] anybody there?"]
            assert len(rig.incidents()) == 3
            assert len(rig.sf.rows(INCIDENT)) == 3
            assert await daemon.dead_letters() == []


async def test_a_resolved_incident_is_not_created_again(tmp_path):
    """Its record has changed since, so that its event, and with it its key, is another one now."""
    rules = """
[[objects]]
preset = "remedyforce-incident"
fields = ["BMCServiceDesk__shortDescription__c"]
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "page again whenever the last page is over"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKPriority__r.Name", op = "equals", value = "1" }]
actions = [{ do = "pagerduty.create_incident", title = "x", unless_linked = "open" }]
"""
    async with open_rig(tmp_path, rules) as rig:
        async with rig.daemon() as daemon:
            record = rig.open_record("Core switch down")
            await daemon.step()
            saved = await save(rig)
            rig.raise_to_1(record)
            await daemon.step()
            (incident,) = rig.incidents()
            rig.pd.resolve(incident["id"], by=JANE)
            await daemon.step()
        rig.advance(60)
        rig.change(record, shortDescription="Core switch down, still")
        async with restarted(rig, saved, after=3600) as daemon:
            assert len(rig.incidents()) == 1
            skipped = [x["reason"] for x in await daemon.actions() if x["outcome"] == "skipped"]
            assert skipped == [f"incident {incident['id']} was created for it before the restore"]
            # The next one is a new one.
            rig.advance(60)
            rig.change(record, shortDescription="Core switch down, again")
            await daemon.step(3)
            assert len(rig.incidents()) == 2


async def test_what_waited_in_the_backup_is_searched_for(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record, incident = await rig.paged(daemon)
            rig.comment(record, "only once")
            rig.pd.annotate(incident, "this too", by=JANE)
            rig.raise_to_1(rig.open_record("a second page"))
            rig.advance(5)
            await daemon.poll()
            saved = await save(rig)
            await daemon.deliver()
            await daemon.step(3)
            before = world(rig)
        async with restarted(rig, saved, after=0) as daemon:
            assert world(rig) == before
            assert await daemon.dead_letters() == []


async def test_a_person_with_the_integrations_account_causes_events(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record, incident = await rig.paged(daemon)
            saved = await save(rig)
            rig.comment(record, "copied by us")
            await daemon.step(3)
            rig.pd.annotate(incident, "typed by a person", by="PINTEG1")
        async with restarted(rig, saved) as daemon:
            assert rig.comments_of(record) == [
                "copied by us",
                "[PagerDuty - Integration] typed by a person",
            ]
            assert rig.notes_of(incident) == ["[Raj Patel] copied by us", "typed by a person"]


PAGE = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "page"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "event.type", op = "equals", value = "create" }]
actions = [{ do = "pagerduty.create_incident", title = "x" }]
"""
WORKFLOW = (
    PAGE
    + """
[[rulesets.rules]]
name = "workflow"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "acknowledge" }]
actions = [{ do = "pagerduty.run_workflow", workflow = "PWFLOW1" }]
"""
)


async def test_a_workflow_is_not_run_again_but_reported(tmp_path):
    async with open_rig(tmp_path, WORKFLOW) as rig:
        async with rig.daemon() as daemon:
            rig.open_record()
            await daemon.step()
            (incident,) = rig.incidents()
            saved = await save(rig)
            rig.pd.acknowledge(incident["id"], by=JANE)
            await daemon.step(3)
            runs = rig.pd.workflow_runs
            assert len(runs) == 1
        async with restarted(rig, saved, turns=8) as daemon:
            assert rig.pd.workflow_runs == runs
            (letter,) = await daemon.dead_letters()
            assert "restore" in letter["reason"]
            # Everything from now on is without doubt.
            other = rig.pd.trigger("PNET001", "another")["id"]
            rig.advance(5)
            rig.pd.acknowledge(other, by=JANE)
            await daemon.step(3)
            assert len(rig.pd.workflow_runs) == 2


CLOSING = (
    PAGE
    + """
[[rulesets.rules]]
name = "acknowledge"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKStatus__r.Name", op = "changed_to", value = "IN PROGRESS" }]
actions = [{ do = "pagerduty.acknowledge" }]
[[rulesets.rules]]
name = "resolve"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKStatus__r.Name", op = "changed_to", value = "CLOSED" }]
actions = [{ do = "pagerduty.resolve" }]
"""
)


@pytest.mark.parametrize("status", ["IN PROGRESS", "CLOSED"])
async def test_what_people_undid_since_stays_undone(tmp_path, status):
    async with open_rig(tmp_path, CLOSING) as rig:
        async with rig.daemon() as daemon:
            record = rig.open_record()
            await daemon.step()
            (incident,) = rig.incidents()
            saved = await save(rig)
            rig.set_status(record, status)
            await daemon.step(3)
            assert rig.pd.incident(incident["id"])["status"] != "triggered"
            rig.advance(60)
            if status == "CLOSED":
                rig.pd.reopen(incident["id"], by=SAM)
            else:
                rig.pd.unacknowledge(incident["id"])
        async with restarted(rig, saved, turns=10) as daemon:
            assert rig.pd.incident(incident["id"])["status"] == "triggered"


async def test_what_is_treated_as_own_is_in_the_journal(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record = rig.open_record()
            await daemon.step()
            saved = await save(rig)
            rig.raise_to_1(record)
            await daemon.step()
        async with restarted(rig, saved, turns=8) as daemon:
            echoes = [x["event"] for x in await daemon.log() if x["echo_of"] == FORGOTTEN]
            assert "trigger" in echoes


TELLING = (
    PAGE
    + """
[[rulesets.rules]]
name = "tell of each status"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKStatus__r.Name", op = "changed" }]
actions = [{ do = "salesforce.add_comment", text = "now {{ record.BMCServiceDesk__FKStatus__r.Name }}" }]
"""
)


async def test_an_own_comment_without_an_expectation_is_no_event(tmp_path):
    """Two changes of a record are read as one after the restore: one of two comments has no cause."""
    async with open_rig(tmp_path, TELLING) as rig:
        async with rig.daemon() as daemon:
            record = rig.open_record()
            await daemon.step()
            (incident,) = rig.incidents()
            saved = await save(rig)
            for status in ("IN PROGRESS", "ACKNOWLEDGED"):
                rig.set_status(record, status)
                await daemon.step(3)
            before = world(rig)
            assert before["comments"] == ["now ACKNOWLEDGED", "now IN PROGRESS"]
            assert before["notes"] == []
        async with restarted(rig, saved, turns=10) as daemon:
            assert world(rig) == before
            assert await daemon.links() == [(incident["id"], record, "active")]
