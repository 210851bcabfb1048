"""Entries and rows that polls had read before an attempt began are not results of that attempt."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pipeline.test_lost_answers import one_attempt, states
from rig import HISTORY, INTEGRATION, JANE, open_rig

COMMENT = "salesforce.add_comment"


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_persons_comment_with_the_integrations_account_causes_doubt_only_if_not_read_before(
    tmp_path, is_read
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.comment(record_id, "as agreed on the phone", by=INTEGRATION)
        if is_read:
            await daemon.step(1)
        rig.desk.salesforce_faults.add(Fault(FaultKind.DROP_BEFORE, method="POST", path=HISTORY))
        rig.pd.annotate(incident_id, "on my way", by=JANE)
        await one_attempt(rig, daemon)
        assert await states(daemon, COMMENT) == [("pending", True)]
        await daemon.step(4, seconds=70)
        copies = [text for text in rig.comments_of(record_id) if "on my way" in text]
        if is_read:
            assert copies == ["[PagerDuty - Jane Doe] on my way"]
            assert await states(daemon, COMMENT) == [("delivered", False)]
        else:
            assert copies == []
            ((state, _),) = await states(daemon, COMMENT)
            assert state == "dead_letter"
