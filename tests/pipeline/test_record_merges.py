"""A record that is merged into another one is not deleted: its links follow."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.store import links
from rig import JANE, RAJ, open_rig

RULES = """
[[objects]]
preset = "case"
on_delete = "resolve"

[[rulesets]]
name = "Cases"

[[rulesets.rules]]
name = "Page"
object = "Case"
run_on = "salesforce"
conditions = [ { field = "record.Priority", op = "changed_to", value = "High" } ]
actions = [ { do = "pagerduty.create_incident", title = "{{ record.Subject }}", service = "PNET001" } ]

[[rulesets.rules]]
name = "Deleted"
object = "Case"
run_on = "salesforce"
conditions = [ { field = "event.type", op = "equals", value = "delete" } ]
actions = [ { do = "pagerduty.resolve" } ]

[[rulesets.rules]]
name = "Acknowledged"
object = "Case"
run_on = "pagerduty"
conditions = [ { field = "event.type", op = "equals", value = "acknowledge" } ]
actions = [ { do = "salesforce.set_field", field = "Status", value = "Working" } ]
"""


async def paged(rig, daemon, subject):
    before = {item["id"] for item in rig.incidents()}
    case = rig.sf.insert("Case", {"Subject": subject, "Priority": "Low", "Status": "New"}, by=RAJ)
    await daemon.step()
    rig.sf.update("Case", case, {"Priority": "High"}, by=RAJ)
    await daemon.step()
    (incident,) = {item["id"] for item in rig.incidents()} - before
    return case, incident


def plain_case(rig, subject="Portal down"):
    return rig.sf.insert("Case", {"Subject": subject, "Priority": "Low", "Status": "New"}, by=RAJ)


async def merged(rig, daemon, turns=2):
    """A record with an incident that was merged into one without."""
    loser, incident = await paged(rig, daemon, "Mail down")
    master = plain_case(rig)
    await daemon.step()
    rig.sf.merge("Case", master, loser, by=RAJ)
    await daemon.step(turns)
    return loser, incident, master


async def test_links_follow_the_master_and_the_incident_stays_open(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        _, incident, master = await merged(rig, daemon, turns=3)
        assert await daemon.links() == [(incident, master, "active")]
        assert rig.pd.incident(incident)["status"] == "triggered", "it was not deleted"
        (note,) = rig.notes_of(incident)
        assert master in note or "merged into" in note
        assert rig.sf.rows("CaseComment") == [], "pagerforce's own note is not copied"
        rig.pd.acknowledge(incident, by=JANE)
        await daemon.step()
        assert rig.sf.row("Case", master)["Status"] == "Working"
        rig.pd.annotate(incident, "Looking into it", by=JANE)
        await daemon.step()
        (comment,) = rig.sf.rows("CaseComment")
        assert comment["ParentId"] == master
        assert await daemon.dead_letters() == []


async def test_the_journal_says_that_it_was_a_merge(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, _, master = await merged(rig, daemon)
        (entry,) = [x for x in await daemon.log() if x["event"] == "delete"]
        assert entry["record"] == loser
        assert entry["recorded"]["event"]["merged_into"] == master
        (resolve,) = [x for x in entry["actions"] if x["action"] == "pagerduty.resolve"]
        assert resolve["outcome"] == "skipped"
        assert "merged" in resolve["reason"]


async def test_a_rule_that_uses_the_master_is_carried_out(tmp_path):
    asked = '{ field = "record.MasterRecordId", op = "is_not_empty" }'
    rules = RULES.replace('value = "delete" }', f'value = "delete" }}, {asked}')
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        _, incident, _ = await merged(rig, daemon)
        assert rig.pd.incident(incident)["status"] == "resolved"


async def test_an_undelete_of_the_loser_does_not_take_the_links_back(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident, master = await merged(rig, daemon)
        rig.sf.undelete("Case", loser, by=RAJ)
        await daemon.step(3)
        assert await daemon.links() == [(incident, master, "active")]
        assert [x["event"] for x in await daemon.log() if x["record"] == loser][-1] == "undelete"
        rig.sf.delete("Case", loser, by=RAJ)
        await daemon.step()
        assert rig.pd.incident(incident)["status"] == "triggered"


async def test_a_master_that_is_linked_already_keeps_one_link_for_each_incident(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        master, other = await paged(rig, daemon, "Portal down")
        async with daemon.parts.database.write() as tx:
            at = links.LinkTime(rig.remote.now(), rig.remote.now())
            await links.put_link(tx, incident, "Case", master, at)
        rig.sf.merge("Case", master, loser, by=RAJ)
        await daemon.step(3)
        assert sorted(await daemon.links()) == sorted(
            [(incident, master, "active"), (other, master, "active")]
        )


@pytest.mark.parametrize("is_master_first", [True, False])
async def test_the_masters_own_change_in_the_same_poll_sees_the_links(tmp_path, is_master_first):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        master = plain_case(rig)
        await daemon.step()
        if is_master_first:
            rig.sf.update("Case", master, {"Priority": "High"}, by=RAJ)
        rig.sf.merge("Case", master, loser, by=RAJ)
        if not is_master_first:
            rig.sf.update("Case", master, {"Priority": "High"}, by=RAJ)
        await daemon.step(3)
        assert len(rig.incidents()) == 1, "an incident exists already"
        assert await daemon.links() == [(incident, master, "active")]


async def test_merges_of_merges_end_at_the_last_master(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        middle, last = plain_case(rig, "b"), plain_case(rig, "c")
        await daemon.step()
        rig.sf.merge("Case", middle, loser, by=RAJ)
        rig.sf.merge("Case", last, middle, by=RAJ)
        await daemon.step(3)
        assert await daemon.links() == [(incident, last, "active")]


async def test_a_page_that_waited_for_the_loser_is_linked_to_the_master(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, master = plain_case(rig, "Mail down"), plain_case(rig)
        await daemon.step()
        fault = Fault(FaultKind.DROP_AFTER, count=1, method="POST", path=r"/incidents$")
        rig.desk.pagerduty_faults.add(fault)
        rig.sf.update("Case", loser, {"Priority": "High"}, by=RAJ)
        await daemon.step(turns=1)
        rig.sf.merge("Case", master, loser, by=RAJ)
        await daemon.step(turns=1)
        rig.advance(120)
        await daemon.step(3)
        (incident,) = rig.incidents()
        assert await daemon.links() == [(incident["id"], master, "active")]


async def test_what_waits_for_the_losers_link_is_delivered_to_the_master(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        master = plain_case(rig)
        await daemon.step()
        rig.pd.annotate(incident, "Looking into it", by=JANE)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()  # decided, and not delivered yet
        rig.sf.merge("Case", master, loser, by=RAJ)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        (comment,) = rig.sf.rows("CaseComment")
        assert comment["ParentId"] == master


async def test_a_comment_on_the_loser_still_reaches_its_incident(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        master, other = await paged(rig, daemon, "Portal down")
        rig.advance(5)
        comment = {"ParentId": loser, "CommentBody": "Customer called"}
        rig.sf.insert("CaseComment", comment, by=RAJ)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        rig.sf.merge("Case", master, loser, by=RAJ)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        assert any("Customer called" in x for x in rig.notes_of(incident))
        assert not any("Customer called" in x for x in rig.notes_of(other))
        await daemon.step(3)
        assert len([x for x in rig.notes_of(incident) if "Customer called" in x]) == 1


async def test_a_master_outside_the_filter_keeps_the_link(tmp_path):
    rules = RULES.replace('preset = "case"\n', 'preset = "case"\nwhere = "Status != \'Private\'"\n')
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        loser, incident = await paged(rig, daemon, "Mail down")
        master = plain_case(rig)
        rig.sf.update("Case", master, {"Status": "Private"}, by=RAJ)
        await daemon.step()
        rig.sf.merge("Case", master, loser, by=RAJ)
        await daemon.step(2)
        assert await daemon.links() == [(incident, master, "active")]
        rig.pd.acknowledge(incident, by=JANE)
        await daemon.step(2)
        assert rig.sf.row("Case", master)["Status"] == "Working"
