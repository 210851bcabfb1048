"""Somebody changes a record between a write of pagerforce's and the read that follows it."""

import pytest
from msgspec.structs import replace

from rig import INCIDENT, JANE, P, after, before, between, held, open_rig
from rules.kit import PAGE, is_, rule, toml

ACKNOWLEDGED = rule(
    "acknowledged",
    "pagerduty",
    [is_("event.type", "equals", "acknowledge")],
    {"do": "salesforce.set_field", "field": f"{P}FKStatus__c", "lookup": {"Name": "ACKNOWLEDGED"}},
)
TOLD = rule(
    "told", "salesforce", [is_(f"record.{P}FKStatus__r.Name", "changed_to", "x")], stop=True
)
STATUS = toml(PAGE, ACKNOWLEDGED, TOLD)


def crowded(parts):
    """As if a quarter of an hour of rows were too much to read with every poll."""
    parts.salesforce_reader.sweep = replace(parts.salesforce_reader.sweep, cheap=-1)


def updates(log):
    """Reported changes in Salesforce that are not own writes."""
    return [x for x in log if x["event"] == "update" and not x["echo_of"]]


async def test_a_value_that_replaces_an_own_write_before_the_read_is_an_event(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        told = len(updates(await daemon.log()))

        def overwrite():
            assert rig.status_of(record_id) == "ACKNOWLEDGED"
            rig.advance(1)
            rig.set_status(record_id, "CLOSED")

        between(rig.sf, INCIDENT, overwrite)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(3)
        assert rig.status_of(record_id) == "CLOSED"
        assert len(updates(await daemon.log())) == told + 1
        assert rig.pd.incident(incident_id)["status"] == "resolved", "a rule saw it"


async def test_the_old_value_restored_before_the_own_write_is_read_is_an_event(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        told = len(updates(await daemon.log()))

        def put_back():
            rig.advance(1)
            rig.set_status(record_id, "NEW")

        between(rig.sf, INCIDENT, put_back)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(3)
        assert rig.status_of(record_id) == "NEW"
        assert len(updates(await daemon.log())) == told + 1


async def an_edit_that_is_read_while_we_write(rig, daemon):
    """A record whose newest row is older than the range of the next poll, and that must be read again.

    The only poll that reads it does so during an attempt of pagerforce's, which then writes nothing:
    Raj's status is newer.
    """
    record_id, incident_id = await rig.paged(daemon)
    await daemon.step(2, seconds=60)  # the attempt will not need to read the record
    rig.pd.acknowledge(incident_id, by=JANE)
    rig.advance(5)
    rig.set_status(record_id, "IN PROGRESS")
    rig.advance(200)
    rig.open_record("Something else")
    rig.advance(1)
    await daemon.parts.pagerduty_reader.poll()
    async with held(rig.desk.salesforce_faults, "GET", "/query", daemon.deliver):
        await daemon.parts.salesforce_reader.poll()
    assert rig.status_of(record_id) == "IN PROGRESS"
    return record_id


async def told_of(daemon, record_id):
    """The statuses that resulted from changes by others, in order."""
    return [
        x["recorded"]["event"]["record"][f"{P}FKStatus__r.Name"]
        for x in updates(await daemon.log())
        if x["record"] == record_id and f"{P}FKStatus__c" in x["recorded"]["event"]["changed"]
    ]


async def test_a_row_that_was_read_during_a_write_is_read_again(tmp_path):
    async with open_rig(tmp_path, STATUS) as rig, rig.daemon(prepare=crowded) as daemon:
        record_id = await an_edit_that_is_read_while_we_write(rig, daemon)
        assert await told_of(daemon, record_id) == []
        await daemon.step(3)
        assert await told_of(daemon, record_id) == ["IN PROGRESS"]


@pytest.mark.parametrize("moment", [before, after])
async def test_what_somebody_does_while_it_is_read_again_is_an_event_as_well(tmp_path, moment):
    async with open_rig(tmp_path, STATUS) as rig, rig.daemon(prepare=crowded) as daemon:
        record_id = await an_edit_that_is_read_while_we_write(rig, daemon)
        rig.advance(2)
        moment(
            rig.desk.salesforce_faults,
            "GET",
            "/query",
            lambda: rig.set_status(record_id, "ASSIGNED"),
        )
        await daemon.step(3)
        told = await told_of(daemon, record_id)
        assert told == (["ASSIGNED"] if moment is before else ["IN PROGRESS", "ASSIGNED"])
        assert rig.status_of(record_id) == "ASSIGNED"
