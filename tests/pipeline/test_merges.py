"""Merges during a write of pagerforce's: cases that the simulation found."""

import pytest

from pagerforce.errors import RefusedError
from pagerforce.pipeline.lookups import ODD_ANSWERS
from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, open_rig
from rules.kit import is_, rule, toml

CLOSE = {
    "do": "salesforce.set_field",
    "field": "BMCServiceDesk__FKStatus__c",
    "lookup": {"Name": "CLOSED"},
}
RECORD = {
    "do": "salesforce.create_record",
    "fields": {"BMCServiceDesk__shortDescription__c": "{{ incident.title }}"},
}
MERGE_RULES = (
    rule("record", "pagerduty", [is_("event.type", "equals", "trigger")], RECORD),
    rule("close", "pagerduty", [is_("incident.status", "changed_to", "resolved")], CLOSE),
)


async def a_page_whose_answer_was_lost(rig, daemon):
    """An incident of monitoring, the created incident, and its record."""
    other = rig.pd.trigger("PNET001", "Switch flaps")["id"]
    await daemon.step()
    record_id = rig.open_record()
    await daemon.step()
    rig.desk.pagerduty_faults.add(
        Fault(FaultKind.DROP_AFTER, count=1, method="POST", path=r"/incidents$")
    )
    rig.raise_to_1(record_id)
    rig.advance(2)
    await daemon.parts.salesforce_reader.poll()
    await daemon.deliver()
    page = rig.incidents()[-1]["id"]
    return other, page, record_id


async def test_a_page_whose_answer_was_lost_is_found_after_a_merge_took_its_key(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        other, page, record_id = await a_page_whose_answer_was_lost(rig, daemon)
        rig.pd.merge(page, [other], by=JANE)  # from now on it has alerts, and no key to find it by
        rig.advance(70)
        await daemon.deliver()
        await daemon.step(3)
        assert len(rig.incidents()) == 2, "nobody is paged again"
        assert len(rig.sf.rows(INCIDENT)) == 2
        assert (page, record_id, "active") in await daemon.links()


async def test_a_page_whose_answer_was_lost_is_found_under_another_title_by_how_it_began(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        other, page, record_id = await a_page_whose_answer_was_lost(rig, daemon)
        rig.pd.merge(page, [other], by=JANE)
        rig.pd.set_title(page, "The core switch, really")
        rig.advance(70)
        await daemon.deliver()
        await daemon.step(3)
        assert len(rig.incidents()) == 2, "nobody is paged again"
        assert (page, record_id, "active") in await daemon.links()


async def test_a_page_whose_answer_was_lost_is_found_on_another_service(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.DROP_AFTER, count=1, method="POST", path=r"/incidents$")
        )
        rig.raise_to_1(record_id)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        (page,) = rig.incidents()
        rig.pd.move_service(page["id"], "PDBA001")
        rig.advance(70)
        await daemon.deliver()
        await daemon.step(3)
        assert len(rig.incidents()) == 1


async def test_an_own_incident_is_recognised_by_its_id_once_it_has_alerts(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        other = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step()
        record_id = rig.open_record()
        await daemon.step()
        rig.raise_to_1(record_id)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        page = rig.incidents()[-1]["id"]
        rig.pd.merge(page, [other], by=JANE)
        await daemon.step(2)
        triggers = [
            x for x in await daemon.log() if x["event"] == "trigger" and x["incident"] == page
        ]
        assert [x["rules"] for x in triggers] == [[]], "own writes are not evaluated"


async def test_a_record_made_for_an_incident_that_was_merged_is_linked_to_the_survivor(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        assert {incident for incident, _, _ in await daemon.links()} == {survivor}
        assert len(await daemon.links()) == 2
        rig.pd.resolve(survivor, by=JANE)
        await daemon.step(3)
        assert all(not row["BMCServiceDesk__state__c"] for row in rig.sf.rows(INCIDENT))


@pytest.mark.parametrize("is_shown", [True, False])
async def test_a_merge_is_recognised_whether_or_not_its_entry_shows_the_incident(
    tmp_path, is_shown
):
    """The merged incident's link is closed with it, and continues with the survivor."""
    rules = toml(*MERGE_RULES)
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await daemon.step(3)
        owned = {incident: record for incident, record, _ in await daemon.links()}
        rig.pd.knobs.has_incidents_in_entries = is_shown
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        heard = [x["event"] for x in await daemon.log() if x["incident"] == merged]
        assert [one for one in heard if one in ("merge", "resolve")] == ["merge"]
        assert not rig.record(owned[merged])["BMCServiceDesk__state__c"]
        assert rig.record(owned[survivor])["BMCServiceDesk__state__c"]
        assert {incident for incident, _, _ in await daemon.links()} == {survivor}


async def test_an_incident_that_may_not_be_read_holds_no_other_up(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.pd.knobs.has_incidents_in_entries = False
        first, other = (rig.pd.trigger("PNET001", text)["id"] for text in ("one", "two"))
        await daemon.step(3)
        forbidden = Fault(
            FaultKind.ERROR_BEFORE, count=50, method="GET", path=f"/incidents/{first}$", status=403
        )
        rig.desk.pagerduty_faults.add(forbidden)
        rig.pd.resolve(first, by=JANE)
        rig.pd.resolve(other, by=JANE)
        assert await daemon.failing_polls(RefusedError) < ODD_ANSWERS
        heard = {x["incident"] for x in await daemon.log() if x["event"] == "resolve"}
        assert heard == {first, other}


async def test_a_record_closed_while_its_incident_is_merged_resolves_the_survivor(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        other = rig.pd.trigger("PNET001", "An alert")["id"]
        await daemon.step()
        rig.pd.merge(incident_id, [other], by=JANE)  # only incidents with alerts can be merged
        await daemon.step(2)
        rig.set_status(record_id, "CLOSED")
        rig.pd.merge(survivor, [incident_id], by=JANE)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        await daemon.step(8, seconds=10)
        assert rig.pd.incident(survivor)["status"] == "resolved"


async def note_lost_before_a_merge(rig, daemon, kind):
    """A comment is sent as a note, the answer is lost, and the incident is merged."""
    merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
    survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
    await daemon.step()
    ((_, record_id, _),) = [x for x in await daemon.links() if x[0] == merged]
    rig.advance(5)
    rig.desk.pagerduty_faults.add(Fault(kind, count=1, method="POST", path=r"/notes$"))
    rig.comment(record_id, "Disk is full")
    rig.advance(2)
    await daemon.parts.salesforce_reader.poll()
    await daemon.deliver()
    rig.pd.merge(survivor, [merged], by=JANE)
    rig.advance(70)
    await daemon.poll()
    assert (survivor, record_id, "active") in await daemon.links()
    await daemon.step(3)
    copies = {
        incident_id: [x for x in rig.notes_of(incident_id) if "Disk is full" in x]
        for incident_id in (merged, survivor)
    }
    return record_id, copies[merged], copies[survivor]


async def test_a_note_whose_answer_was_lost_before_a_merge_is_on_one_incident_only(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, there, here = await note_lost_before_a_merge(rig, daemon, FaultKind.DROP_AFTER)
        assert len(there + here) == 1
        assert rig.comments_of(record_id) == ["Disk is full"], "pagerforce's own note is not copied"


async def test_a_note_that_never_arrived_goes_to_the_survivor_of_a_merge(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        _, there, here = await note_lost_before_a_merge(rig, daemon, FaultKind.DROP_BEFORE)
        assert there == []
        assert len(here) == 1


async def test_a_resolve_before_a_reopening_and_a_merge_is_no_merge(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await daemon.step()
        rig.pd.resolve(merged, by=JANE)
        rig.advance(5)
        rig.pd.reopen(merged, by=JANE)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        told = [x["event"] for x in await daemon.log() if x["incident"] == merged]
        assert [kind for kind in told if kind in ("resolve", "merge")] == ["resolve", "merge"]
        assert len(rig.notes_of(survivor)) == 1, "the merge is reported once"


async def two_incidents(rig, daemon):
    """Two incidents, each with the record that was created for it: (to be merged, survivor)."""
    merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
    survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
    await daemon.step()
    records = {incident_id: record_id for incident_id, record_id, _ in await daemon.links()}
    return (merged, records[merged]), (survivor, records[survivor])


async def test_what_was_done_just_before_a_merge_reaches_the_records_that_move_and_no_others(
    tmp_path,
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (survivor, other) = await two_incidents(rig, daemon)
        rig.pd.acknowledge(merged, by=JANE)
        rig.pd.annotate(merged, "A disk is full", by=JANE)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        assert rig.status_of(moved) == "ACKNOWLEDGED"
        assert len([x for x in rig.comments_of(moved) if "A disk is full" in x]) == 1
        assert rig.status_of(other) == "NEW"
        assert rig.comments_of(other) == []


async def test_what_waits_for_salesforce_while_merges_follow_merges_reaches_its_record(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (second, other) = await two_incidents(rig, daemon)
        survivor = rig.pd.trigger("PNET001", "The biggest")["id"]
        await daemon.step()
        rig.pd.annotate(merged, "A disk is full", by=JANE)
        for source, target in ((merged, second), (second, survivor)):
            rig.advance(5)
            await daemon.parts.pagerduty_reader.poll()
            rig.pd.merge(target, [source], by=JANE)
        rig.advance(5)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.step(2)
        assert len([x for x in rig.comments_of(moved) if "A disk is full" in x]) == 1
        assert rig.comments_of(other) == []


async def test_an_acknowledge_reaches_the_record_that_was_made_after_the_merge(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        ((_, other, _),) = await daemon.links()
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        rig.advance(5)
        rig.pd.acknowledge(merged, by=JANE)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        (moved,) = {record_id for _, record_id, _ in await daemon.links()} - {other}
        assert rig.status_of(moved) == "ACKNOWLEDGED"
        assert rig.status_of(other) == "NEW"


async def test_a_note_that_is_seen_after_the_merge_it_came_before_is_copied(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (survivor, other) = await two_incidents(rig, daemon)
        rig.pd.hide_new_entries(30)
        rig.pd.annotate(merged, "A disk is full", by=JANE)
        rig.pd.hide_new_entries(0)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        rig.advance(5)
        rig.pd.annotate(merged, "See the other one", by=JANE)
        await daemon.step()
        await daemon.step(3, seconds=15)
        comments = rig.comments_of(moved)
        assert len([x for x in comments if "A disk is full" in x]) == 1
        assert not [x for x in comments if "See the other one" in x], "it is no longer linked"
        assert rig.comments_of(other) == []
        assert len(rig.notes_of(survivor)) == 1, "the merge is reported once"


async def test_a_merge_shows_a_reopening_that_no_reconcile_saw(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (survivor, _) = await two_incidents(rig, daemon)
        rig.pd.resolve(merged, by=JANE)
        await daemon.step(2)
        assert rig.status_of(moved) == "CLOSED"
        rig.pd.reopen(merged, by=JANE)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.step(3)
        told = [x["event"] for x in await daemon.log() if x["incident"] == merged]
        assert [kind for kind in told if kind in ("resolve", "reopen", "merge")] == [
            "resolve",
            "reopen",
            "merge",
        ]
        assert (survivor, moved, "active") in await daemon.links()


@pytest.mark.parametrize(("deed", "method"), [("acknowledge", "PATCH"), ("note", "POST")])
async def test_a_write_whose_answer_was_lost_is_recognised_after_a_merge_brought_another_record(
    tmp_path, deed, method
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        elder, merged = await rig.paged(daemon, "Disk is slow")
        record_id, survivor = await rig.paged(daemon, "Disk is full")
        rig.desk.salesforce_faults.add(
            Fault(FaultKind.DROP_AFTER, method=method, path="/sobjects/")
        )
        if deed == "note":
            rig.pd.annotate(survivor, "On it", by=JANE)
        else:
            rig.pd.acknowledge(survivor, by=JANE)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        rig.pd.merge(survivor, [merged], by=JANE)
        rig.advance(10)
        await daemon.parts.pagerduty_reader.poll()
        assert (survivor, elder, "active") in await daemon.links()
        rig.sf.knobs.lock_errors = 1  # the part for the older record comes first and has to wait
        before = len(await daemon.log())
        await daemon.deliver()
        assert rig.status_of(elder) != "ACKNOWLEDGED"
        assert rig.comments_of(elder) == []
        await daemon.parts.salesforce_reader.poll()
        await daemon.step(4, seconds=10)
        new = (await daemon.log())[before:]
        assert [x["event"] for x in new if x["source"] == "salesforce" and not x["echo_of"]] == []
        if deed == "note":
            copies = [rig.comments_of(record) for record in (elder, record_id)]
            assert [len(found) for found in copies] == [1, 1]
            assert len(rig.notes_of(survivor)) == 2, "Jane's, and the note about the merge"
        else:
            assert {rig.status_of(record) for record in (elder, record_id)} == {"ACKNOWLEDGED"}


async def test_a_merge_that_a_comparison_found_is_not_reported_again_by_its_late_entry(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon)
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        alert = rig.pd.trigger("PNET001", "An alert")["id"]
        rig.pd.merge(incident_id, [alert], by=JANE)  # only incidents with alerts can be merged
        await daemon.step(2)
        rig.pd.hide_new_entries(900)
        rig.pd.merge(survivor, [incident_id], by=JANE)
        rig.pd.hide_new_entries(0)
        await daemon.step(3, seconds=200)
        told = [x["event"] for x in await daemon.log() if x["incident"] == incident_id]
        assert told.count("merge") == 1
        await daemon.step(3, seconds=300)
        told = [x["event"] for x in await daemon.log() if x["incident"] == incident_id]
        assert (told[-1], told.count("merge")) == ("resolve", 1)
        assert len([x for x in rig.notes_of(survivor) if "was merged" in x]) == 1
