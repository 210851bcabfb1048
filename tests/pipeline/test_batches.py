"""Many links at once: their writes go out together, and each still stands by itself."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import JANE, open_rig

FULL = 25


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        yield opened


async def paged(rig, daemon, number):
    """Records that have their incidents, and have not changed for a while."""
    records = [rig.open_record(f"ticket {place}", priority="1") for place in range(number)]
    await daemon.step(5)
    await daemon.step(2, seconds=120)
    links = {record: incident for incident, record, _ in await daemon.links()}
    return {record: links[record] for record in records}


async def acknowledge(rig, daemon, incidents):
    for incident in incidents:
        rig.pd.acknowledge(incident, by=JANE)
    await daemon.step(4)


def calls(daemon, operation):
    labels = {"system": "salesforce", "operation": operation}
    codes = ("200", "500", "503", "error")
    found = (daemon.sample("api_requests_total", **labels, code=code) for code in codes)
    return sum(value or 0 for value in found)


async def heard(daemon):
    """What was taken for a change of somebody else's since the incidents were acknowledged."""
    log = await daemon.log()
    first = next(i for i, item in enumerate(log) if item["event"] == "acknowledge")
    return [item for item in log[first:] if item["source"] == "salesforce" and not item["echo_of"]]


async def test_a_full_batch_is_one_request_and_nothing_of_it_comes_back(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        before = calls(daemon, "update"), calls(daemon, "query")
        await acknowledge(rig, daemon, linked.values())
        assert {rig.status_of(record) for record in linked} == {"ACKNOWLEDGED"}
        assert calls(daemon, "update_many") == 1
        assert calls(daemon, "update") == before[0]
        assert await heard(daemon) == []
        await daemon.step(2, seconds=60)
        assert await heard(daemon) == []


async def test_a_batch_with_room_reads_what_followed_in_the_same_request(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, 12)
        await acknowledge(rig, daemon, linked.values())
        assert {rig.status_of(record) for record in linked} == {"ACKNOWLEDGED"}
        assert calls(daemon, "update_many") == 1
        assert await heard(daemon) == []


async def test_what_a_person_does_right_after_a_full_batch_is_heard(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        for incident in linked.values():
            rig.pd.acknowledge(incident, by=JANE)
        rig.advance(2)
        await daemon.poll()
        await daemon.deliver()
        first, second, *_ = linked
        rig.change(first, shortDescription="changed by Raj")
        rig.set_status(second, "IN PROGRESS")
        await daemon.step(3)
        found = {(item["record"], item["event"]) for item in await heard(daemon)}
        assert found == {(first, "update"), (second, "update")}
        assert rig.status_of(second) == "IN PROGRESS"
        rig.set_status(second, "ACKNOWLEDGED")
        await daemon.step(2)
        assert len(await heard(daemon)) == 3, "the value we once wrote, now set by a person"


async def test_a_newer_edit_stands_and_the_rest_of_the_batch_is_written(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        edited, *others = linked
        for incident in linked.values():
            rig.pd.acknowledge(incident, by=JANE)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        rig.advance(2)
        rig.set_status(edited, "IN PROGRESS")  # after the rows were read
        await daemon.deliver()
        assert rig.status_of(edited) == "IN PROGRESS"
        assert {rig.status_of(record) for record in others} == {"ACKNOWLEDGED"}
        await daemon.step(3)
        assert rig.status_of(edited) == "IN PROGRESS"
        assert [item["record"] for item in await heard(daemon)] == [edited]


async def test_a_refused_write_does_not_keep_the_batch_back(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        closed, *others = linked
        rig.set_status(closed, "CLOSED")
        await acknowledge(rig, daemon, linked.values())
        assert {rig.status_of(record) for record in others} == {"ACKNOWLEDGED"}
        assert rig.status_of(closed) == "CLOSED"


@pytest.mark.parametrize(
    "kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE]
)
async def test_a_lost_answer_doubles_and_loses_nothing(rig, kind):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        for incident in linked.values():
            rig.pd.acknowledge(incident, by=JANE)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        rig.desk.salesforce_faults.add(Fault(kind, count=1, method="POST", path="composite"))
        await daemon.deliver()
        await daemon.step(4, seconds=60)
        assert {rig.status_of(record) for record in linked} == {"ACKNOWLEDGED"}
        assert await heard(daemon) == []
        assert await daemon.dead_letters() == []
