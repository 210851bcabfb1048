"""An incident whose creation had to wait, however shortly, is evaluated again before it is created."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, RAJ, open_rig

PAGE = "pagerduty.create_incident"


BUSY = Fault(FaultKind.TOO_MANY, method="POST", path=r"/incidents$", seconds=5)
LOST = Fault(FaultKind.DROP_BEFORE, method="POST", path=r"/incidents$")


@pytest.mark.parametrize("fault", [BUSY, LOST], ids=["not done", "uncertain"])
@pytest.mark.parametrize("over", ["closed", "lowered", "deleted", "not over"])
async def test_seconds_after_a_failed_attempt_nobody_is_paged_for_a_closed_record(
    tmp_path, over, fault
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(fault)
        rig.raise_to_1(record_id)
        rig.advance(2)
        await daemon.poll()
        await daemon.deliver()
        if over == "closed":
            rig.set_status(record_id, "CLOSED")
        elif over == "lowered":
            rig.change(record_id, FKPriority=rig.id_of("Priority", "4"))
        elif over == "deleted":
            rig.sf.delete(INCIDENT, record_id, by=RAJ)
        else:
            rig.change(record_id, shortDescription="still burning")
        await daemon.step(8, seconds=3)
        assert len(rig.incidents()) == (1 if over == "not over" else 0)
        page, *_ = [x for x in await daemon.actions() if x["action"] == PAGE]
        assert page["outcome"] == ("delivered" if over == "not over" else "skipped")
