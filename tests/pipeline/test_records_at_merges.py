"""Merges while the creation of a record waits: which records an incident gets."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pipeline.test_lost_answers import one_attempt
from pipeline.test_merges import MERGE_RULES, RECORD, two_incidents
from rig import HISTORY, INCIDENT, JANE, open_rig
from rules.kit import is_, rule, toml

RECORD_PER_NOTE = rule("again", "pagerduty", [is_("event.type", "equals", "annotate")], RECORD)


async def test_an_incident_whose_record_waits_gets_it_though_a_merge_brought_another(tmp_path):
    """The merged incident closes the record that it brought; the open one needs its own."""
    async with open_rig(tmp_path, toml(*MERGE_RULES)) as rig, rig.daemon() as daemon:
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await daemon.step()
        ((_, moved, _),) = await daemon.links()
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.parts.pagerduty_reader.poll()  # its record waits
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.step(3)
        links = await daemon.links()
        assert len(links) == 2
        assert {incident for incident, _, _ in links} == {survivor}
        (own,) = {record for _, record, _ in links} - {moved}
        assert rig.status_of(moved) == "CLOSED"
        assert rig.status_of(own) == "NEW"


async def test_a_record_that_is_wanted_after_a_merge_is_the_one_that_it_brought(tmp_path):
    first = rule(
        "record", "pagerduty", [is_("incident.title", "equals", "Replication lag")], RECORD
    )
    async with open_rig(tmp_path, toml(first, RECORD_PER_NOTE)) as rig, rig.daemon() as daemon:
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        merged = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await daemon.step()
        rig.pd.merge(survivor, [merged], by=JANE)
        rig.advance(5)
        rig.pd.annotate(survivor, "A disk is full", by=JANE)
        await daemon.step(3)
        assert len(rig.sf.rows(INCIDENT)) == 1


async def test_no_second_record_is_wanted_for_an_incident_that_was_merged_twice(tmp_path):
    rules = toml(MERGE_RULES[0], RECORD_PER_NOTE)
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        (merged, moved), (second, _) = await two_incidents(rig, daemon)
        survivor = rig.pd.trigger("PNET001", "The biggest")["id"]
        await daemon.step()
        rig.pd.annotate(merged, "A disk is full", by=JANE)
        for source, target in ((merged, second), (second, survivor)):
            rig.advance(5)
            await daemon.parts.pagerduty_reader.poll()
            rig.pd.merge(target, [source], by=JANE)
        rig.advance(5)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.step(3)
        log = [x for x in await daemon.log() if x["incident"] == merged]
        (note,) = [x for x in log if x["event"] == "annotate"]
        again, _ = note["actions"]
        assert (again["outcome"], again["reason"]) == (
            "skipped",
            f"already linked to record {moved}",
        )


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_a_comment_whose_answer_was_lost_is_on_each_record_once_after_a_merge(tmp_path, kind):
    """It was sent to the survivor's record; the older record of the merged incident comes first."""
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (survivor, own) = await two_incidents(rig, daemon)
        rig.desk.salesforce_faults.add(Fault(kind, method="POST", path=HISTORY))
        rig.pd.annotate(survivor, "A disk is full", by=JANE)
        await one_attempt(rig, daemon)
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.step(4, seconds=70)
        for record_id in (moved, own):
            assert len([x for x in rig.comments_of(record_id) if "A disk is full" in x]) == 1
