"""Two actions write the same words, and a merge brings both to one incident: each keeps its own entry."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import JANE, open_rig

NOTE = "[Raj Patel] Disk is full"


async def pairs_of(rig, daemon):
    """Two incidents of monitoring, each with its record."""
    incidents = [
        rig.pd.trigger("PDBA001", "Replication lag")["id"],
        rig.pd.trigger("PNET001", "The bigger one")["id"],
    ]
    await daemon.step()
    records = {incident: record for incident, record, _ in await daemon.links()}
    return [(one, records[one]) for one in incidents]


async def say(rig, daemon, record_id):
    rig.advance(2)
    rig.comment(record_id, "Disk is full")
    rig.advance(2)
    await daemon.parts.salesforce_reader.poll()
    await daemon.deliver()


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
@pytest.mark.parametrize("merged_first", [True, False])
async def test_a_lost_note_is_not_mistaken_for_an_equal_one_of_another(
    tmp_path, kind, merged_first
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        (merged, moved), (survivor, other) = await pairs_of(rig, daemon)
        place = f"/incidents/{merged}/notes$"
        rig.desk.pagerduty_faults.add(Fault(kind, method="POST", path=place))
        # None of it is seen before the merge.
        rig.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=100, path=place))
        await say(rig, daemon, moved)
        if merged_first:
            rig.pd.merge(survivor, [merged], by=JANE)
        await say(rig, daemon, other)
        if not merged_first:
            rig.pd.merge(survivor, [merged], by=JANE)
        rig.advance(70)
        await daemon.poll()
        rig.desk.pagerduty_faults.clear()
        await daemon.step(3, seconds=20)
        there, here = ([x for x in rig.notes_of(one) if x == NOTE] for one in (merged, survivor))
        assert (len(there), len(here)) == ((0, 2) if kind is FaultKind.DROP_BEFORE else (1, 1))
        notes = [x for x in await daemon.actions() if x["action"] == "pagerduty.add_note"]
        ours = {x["action_id"] for x in notes if x["outcome"] == "delivered"}
        heard = [x for x in await daemon.log() if x["event"] == "annotate"]
        mine = [x["echo_of"] for x in heard if x["recorded"]["event"]["note"] == NOTE]
        assert set(mine) <= ours
        assert len(mine) == len(set(mine)) == 2, "each entry belongs to its own action"
        for record_id in (moved, other):
            assert rig.comments_of(record_id).count("Disk is full") == 1
            assert not [x for x in rig.comments_of(record_id) if NOTE in x], (
                "no own note is copied back"
            )
        assert await daemon.dead_letters() == []
