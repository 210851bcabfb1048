"""What one change in PagerDuty costs in Salesforce calls, besides the polls."""

from collections import Counter

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pipeline.test_overwritten import ACKNOWLEDGED, STATUS, TOLD, updates
from rig import INCIDENT, JANE, P, open_rig
from rules.kit import PAGE, is_, rule, toml

NOTED = toml(
    PAGE,
    ACKNOWLEDGED,
    rule(
        "noted",
        "pagerduty",
        [is_("event.type", "equals", "annotate")],
        {"do": "salesforce.set_field", "field": f"{P}incidentResolution__c", "value": "noted"},
    ),
    TOLD,
)


def calls(daemon):
    """Calls of Salesforce's API so far, by operation."""
    found = Counter()
    for family in daemon.parts.metrics.registry.collect():
        for sample in family.samples if family.name == "pagerforce_api_requests" else ():
            if sample.name.endswith("_total") and sample.labels["system"] == "salesforce":
                found[sample.labels["operation"]] += int(sample.value)
    return found


async def acknowledged(rig, daemon, incident_id):
    """The calls of an acknowledge's delivery."""
    rig.pd.acknowledge(incident_id, by=JANE)
    rig.advance(2)
    await daemon.parts.pagerduty_reader.poll()
    before = calls(daemon)
    await daemon.deliver()
    return calls(daemon) - before


@pytest.mark.parametrize("is_settled", [True, False])
async def test_one_acknowledge_takes_at_most_two_calls(tmp_path, is_settled):
    """Cold, it has to find the Id of the status; a record that just changed is read before."""
    async with open_rig(tmp_path, STATUS) as rig, rig.daemon() as daemon:
        used = []
        for text in ("cold", "warm"):
            record_id, incident_id = await rig.paged(daemon, text)
            if is_settled:
                await daemon.step(2, seconds=60)
            told = len(updates(await daemon.log()))
            used.append(await acknowledged(rig, daemon, incident_id))
            assert rig.status_of(record_id) == "ACKNOWLEDGED"
            await daemon.step(2)
            assert len(updates(await daemon.log())) == told, "its echo is no event"
        cold, warm = used
        assert cold == {"query": 1, "update": 1}
        assert warm == ({"update": 1} if is_settled else {"query": 1, "update": 1})


async def test_a_record_that_no_poll_has_read_again_is_read_before_it_is_written(tmp_path):
    """Somebody may have changed it in the second of the last read."""
    async with open_rig(tmp_path, STATUS) as rig, rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon, "cold")
        await acknowledged(rig, daemon, incident_id)
        _, incident_id = await rig.paged(daemon)
        rig.advance(120)
        assert await acknowledged(rig, daemon, incident_id) == {"query": 1, "update": 1}
        await daemon.step()
        _, incident_id = await rig.paged(daemon)
        await daemon.step(2, seconds=60)
        assert await acknowledged(rig, daemon, incident_id) == {"update": 1}


async def test_a_persons_change_is_reported_although_two_writes_come_before_the_next_poll(tmp_path):
    """The second writes the value that the person set, and would be taken for its origin."""
    async with open_rig(tmp_path, NOTED) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        await daemon.step(2, seconds=60)
        told = len(updates(await daemon.log()))
        rig.set_status(record_id, "ACKNOWLEDGED")
        rig.advance(5)
        rig.pd.annotate(incident_id, "seen", by=JANE)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        assert rig.record(record_id)[f"{P}incidentResolution__c"] == "noted"
        rig.advance(600)
        await acknowledged(rig, daemon, incident_id)
        await daemon.step(2)
        assert len(updates(await daemon.log())) == told + 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_a_lost_answer_to_a_write_without_a_read_before_it_happens_once(tmp_path, kind):
    async with open_rig(tmp_path, STATUS) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        await daemon.step(2, seconds=60)
        told = len(updates(await daemon.log()))
        rig.desk.salesforce_faults.add(Fault(kind, method="PATCH", path=INCIDENT))
        await acknowledged(rig, daemon, incident_id)
        assert rig.desk.salesforce_faults.armed() == ()
        stamp = rig.record(record_id)["LastModifiedDate"]
        await daemon.step(3, seconds=70)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        is_once = rig.record(record_id)["LastModifiedDate"] == stamp
        assert is_once is (kind is FaultKind.DROP_AFTER)
        assert len(updates(await daemon.log())) == told
        assert await daemon.dead_letters() == []
