"""Writes of ours that come back while their outcome is unknown: found by the simulation."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, SAM, open_rig


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
async def test_a_lost_answer_is_no_event_where_another_field_of_the_write_stood_already(
    tmp_path, kind
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step()
        rig.pd.unacknowledge(incident_id)
        rig.pd.acknowledge(incident_id, by=SAM)  # the status stands already, the owner does not
        rig.desk.salesforce_faults.add(Fault(kind, count=1, method="PATCH", path=INCIDENT))
        before = len(await daemon.log())
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        await daemon.parts.salesforce_reader.poll()
        await daemon.step(4)
        new = (await daemon.log())[before:]
        assert {entry["event"] for entry in new} == {"unacknowledge", "acknowledge"}
        assert rig.record(record_id)["OwnerId"] == rig.sf.user_id("sam.lee@example.com")
