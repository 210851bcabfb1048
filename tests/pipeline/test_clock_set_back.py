"""This host's clock is set back by hours: nothing stored may wait until the clock has caught up."""

from datetime import timedelta

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.store import pauses
from rig import INCIDENT, JANE, RAJ, open_rig

HOURS = 6 * 3600.0


async def test_an_action_that_waits_for_its_next_attempt_goes_out_in_minutes(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.desk.salesforce_faults.add(
            Fault(FaultKind.ERROR_BEFORE, count=50, method="PATCH", path=record_id)
        )
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step()
        assert rig.status_of(record_id) == "NEW"
        rig.desk.salesforce_faults.clear()
        rig.host.set_back(HOURS)
        await daemon.step(4, seconds=90)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_a_page_decided_just_before_goes_out_by_the_next_life(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id = rig.open_record()
            await daemon.step()
            rig.raise_to_1(record_id)
            rig.advance(2)
            await daemon.poll()
        assert rig.incidents() == []
        rig.host.set_back(HOURS)
        async with rig.daemon():
            assert len(rig.incidents()) == 1


async def test_a_side_that_was_halted_is_asked_again(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.TOO_MANY, count=1, method="POST", path=r"/incidents$", seconds=30)
        )
        rig.raise_to_1(record_id)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        assert daemon.parts.deliverer.halted
        rig.host.set_back(HOURS)
        await daemon.step(4, seconds=90)
        assert len(rig.incidents()) == 1


async def test_a_paused_link_continues(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        now = rig.host.now()
        async with daemon.parts.database.write() as tx:
            ((lane,),) = await tx.rows(
                "SELECT lane FROM lane_member WHERE member = ?", (incident_id,)
            )
            await pauses.begin(tx, lane, now, now + timedelta(minutes=15), reason="a loop")
        rig.host.set_back(HOURS)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(2)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_the_daily_comparison_is_not_delayed(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.sf.delete(INCIDENT, record_id, by=RAJ)
        rig.sf.purge(INCIDENT, record_id)
        rig.host.set_back(HOURS)
        await daemon.step(2)
        deletions = [x for x in await daemon.log() if x["event"] == "delete"]
        assert [x["record"] for x in deletions] == [record_id]
