"""Many links at once: their writes are sent together, and each keeps its own outcome."""

import anyio
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, SAM, P, before, open_rig

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


def read_names(rig):
    """Lets the daemon also read the name of a status, and the effects of its writes on it."""
    config = rig.desk.folder / "rules.d" / "rules.toml"
    preset = 'preset = "remedyforce-incident"'
    fields = f'fields = ["{P}FKStatus__r.Name", "{P}state__c"]'
    config.write_text(config.read_text().replace(preset, f"{preset}\n{fields}", 1))


async def acknowledge(rig, daemon, incidents):
    for incident in incidents:
        rig.pd.acknowledge(incident, by=JANE)
    await daemon.step(4)


async def acknowledge_unread(rig, daemon, incidents):
    """Acknowledges enough to fill a batch: the effects of its writes are not read yet."""
    for incident in incidents:
        rig.pd.acknowledge(incident, by=JANE)
    rig.advance(2)
    await daemon.poll()
    await daemon.deliver()


def calls(daemon, operation):
    labels = {"system": "salesforce", "operation": operation}
    codes = ("200", "500", "503", "error")
    found = (daemon.sample("api_requests_total", **labels, code=code) for code in codes)
    return sum(value or 0 for value in found)


async def heard(daemon):
    """Changes treated as another user's since the incidents were acknowledged."""
    log = await daemon.log()
    first = next(i for i, item in enumerate(log) if item["event"] == "acknowledge")
    return [item for item in log[first:] if item["source"] == "salesforce" and not item["echo_of"]]


async def test_a_full_batch_is_one_request_and_none_of_its_echoes_is_an_event(rig):
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


async def test_what_a_person_does_right_after_a_full_batch_is_an_event(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        await acknowledge_unread(rig, daemon, linked.values())
        first, second, *_ = linked
        rig.change(first, shortDescription="changed by Raj")
        rig.set_status(second, "IN PROGRESS")
        await daemon.step(3)
        found = {(item["record"], item["event"]) for item in await heard(daemon)}
        assert found == {(first, "update"), (second, "update")}
        assert rig.status_of(second) == "IN PROGRESS"
        rig.set_status(second, "ACKNOWLEDGED")
        await daemon.step(2)
        assert len(await heard(daemon)) == 3, "pagerforce's earlier value, now set by a person"


async def test_a_value_restored_right_after_a_full_batch_is_an_event_under_every_name(rig):
    read_names(rig)
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        await acknowledge_unread(rig, daemon, linked.values())
        first = next(iter(linked))
        assert rig.status_of(first) == "ACKNOWLEDGED"
        rig.set_status(first, "NEW")  # as it was before pagerforce's write, which no poll has seen
        await daemon.step(2)
        (entry,) = await heard(daemon)
        changed = entry["recorded"]["event"]["changed"]
        assert changed == [f"{P}FKStatus__c", f"{P}FKStatus__r.Name"]


async def test_what_a_later_own_write_has_replaced_is_no_event_under_any_name(rig):
    read_names(rig)
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, FULL)
        await acknowledge_unread(rig, daemon, linked.values())
        record, incident = next(iter(linked.items()))
        rig.pd.resolve(incident, by=SAM)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        rig.advance(6)  # longer than it waits for other writes
        await daemon.deliver()  # alone: its effects are read before any poll
        assert rig.status_of(record) == "CLOSED"
        await daemon.step(3)
        assert await heard(daemon) == []
        rig.set_status(record, "ASSIGNED")
        await daemon.step(2)
        (entry,) = await heard(daemon)
        assert f"{P}FKStatus__c" in entry["recorded"]["event"]["changed"]


async def test_a_newer_edit_is_kept_and_the_rest_of_the_batch_is_written(rig):
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


async def test_the_notes_of_many_incidents_become_comments_by_one_request(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, 20)
        closed, *others = linked
        rig.set_status(closed, "CLOSED")
        for record, incident in linked.items():
            rig.pd.annotate(incident, f"note on {record}", by=JANE)
        await daemon.step(3)
        assert calls(daemon, "create_many") == 1
        for record in others:
            (text,) = rig.comments_of(record)
            assert text.endswith(f"] note on {record}")
        assert rig.comments_of(closed) == []
        (letter,) = await daemon.dead_letters()
        assert letter["record"] == closed
        assert "This incident is closed" in letter["reason"]
        assert [x for x in await daemon.log() if x["event"] == "comment" and not x["echo_of"]] == []


@pytest.mark.parametrize(
    "kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE]
)
async def test_a_lost_answer_doubles_no_comment_of_a_batch(rig, kind):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, 20)
        for record, incident in linked.items():
            rig.pd.annotate(incident, f"note on {record}", by=JANE)
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        rig.desk.salesforce_faults.add(Fault(kind, method="POST", path="composite/sobjects"))
        await daemon.deliver()
        await daemon.step(4, seconds=60)
        assert all(len(rig.comments_of(record)) == 1 for record in linked)
        assert len(rig.pd.notes(next(iter(linked.values())))) == 1


# PagerDuty: one bulk request for many incidents -----------------------------------------------------

BULK = f"""
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "both"
[[rulesets.rules]]
name = "page"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "event.type", op = "equals", value = "create" }}]
actions = [{{ do = "pagerduty.create_incident", title = "{{{{ record.Name }}}}" }}]
[[rulesets.rules]]
name = "in progress"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{P}FKStatus__r.Name", op = "changed_to", value = "IN PROGRESS" }}]
actions = [{{ do = "pagerduty.acknowledge" }}]
[[rulesets.rules]]
name = "closed"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{P}FKStatus__r.Name", op = "changed_to", value = "CLOSED" }}]
actions = [{{ do = "pagerduty.resolve" }}]
"""


@pytest.fixture
async def bulk(tmp_path):
    async with open_rig(tmp_path, BULK) as opened:
        yield opened


def writes(daemon, operation):
    labels = {"system": "pagerduty", "operation": operation}
    found = (daemon.sample("api_requests_total", **labels, code=c) for c in ("200", "400", "503"))
    return sum(value or 0 for value in found)


def statuses(rig, incidents):
    return {rig.pd.incident(incident)["status"] for incident in incidents}


async def test_many_incidents_are_acknowledged_and_resolved_by_one_request_each(bulk):
    async with bulk.daemon() as daemon:
        linked = await paged(bulk, daemon, 30)
        for record in linked:
            bulk.set_status(record, "IN PROGRESS")
        await daemon.step()
        assert statuses(bulk, linked.values()) == {"acknowledged"}
        for record in linked:
            bulk.set_status(record, "CLOSED")
        await daemon.step()
        assert statuses(bulk, linked.values()) == {"resolved"}
        assert writes(daemon, "incidents.update_many") == 2
        assert writes(daemon, "incidents.update") == 0
        await daemon.step(3, seconds=60)
        theirs = [x for x in await daemon.log() if x["source"] == "pagerduty" and not x["echo_of"]]
        assert {x["event"] for x in theirs} <= {"trigger", "assign", "notify", "escalate"}


async def test_an_incident_that_is_resolved_already_is_left_out_and_the_others_are_not(bulk):
    async with bulk.daemon() as daemon:
        linked = await paged(bulk, daemon, 30)
        first, *others = linked.values()
        for record in linked:
            bulk.set_status(record, "IN PROGRESS")
        bulk.advance(2)
        await daemon.parts.salesforce_reader.poll()
        bulk.pd.resolve(first, by=JANE)
        await daemon.deliver()
        assert statuses(bulk, [first]) == {"resolved"}
        assert statuses(bulk, others) == {"acknowledged"}


async def test_one_that_is_refused_has_the_request_cut_until_it_is_alone(bulk):
    async with bulk.daemon() as daemon:
        linked = await paged(bulk, daemon, 20)
        for record in linked:
            bulk.set_status(record, "IN PROGRESS")
        fault = Fault(FaultKind.ERROR_BEFORE, count=2, method="PUT", path="incidents$", status=400)
        bulk.desk.pagerduty_faults.add(fault)
        await daemon.step()
        assert statuses(bulk, linked.values()) == {"acknowledged"}
        assert await daemon.dead_letters() == []


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_BEFORE])
async def test_a_lost_answer_of_a_bulk_request_is_investigated(bulk, kind):
    async with bulk.daemon() as daemon:
        linked = await paged(bulk, daemon, 20)
        for record in linked:
            bulk.set_status(record, "IN PROGRESS")
        bulk.desk.pagerduty_faults.add(Fault(kind, method="PUT", path="incidents$"))
        await daemon.step(4, seconds=60)
        assert statuses(bulk, linked.values()) == {"acknowledged"}
        assert await daemon.dead_letters() == []


async def test_one_that_was_resolved_between_look_and_bulk_write_is_resolved_again(bulk):
    async with bulk.daemon() as daemon:
        linked = await paged(bulk, daemon, 20)
        first, *others = linked.values()
        for record in linked:
            bulk.set_status(record, "IN PROGRESS")
        bulk.advance(2)
        await daemon.parts.salesforce_reader.poll()

        # The list of open incidents is read; then, while the write is pending, Jane resolves one.
        def resolve():
            bulk.advance(2)
            bulk.pd.resolve(first, by=JANE)
            bulk.advance(1)

        before(bulk.desk.pagerduty_faults, "PUT", "/incidents", resolve)
        await daemon.deliver()
        assert statuses(bulk, [first]) == {"resolved"}
        assert statuses(bulk, others) == {"acknowledged"}


async def test_while_much_is_read_few_writes_wait_for_other_writes(rig):
    async with rig.daemon() as daemon:
        linked = await paged(rig, daemon, 12)
        incidents = list(linked.values())
        other = rig.pd.trigger("PNET001", "Switch flaps")["id"]
        await daemon.step(3)
        before = calls(daemon, "query")
        for place in range(0, 12, 4):  # far enough apart for a commit each
            rig.advance(300)
            rig.pd.notify(other, SAM, times=450)
            for incident in incidents[place : place + 4]:
                rig.pd.acknowledge(incident, by=JANE)
            rig.pd.notify(other, SAM, times=450)
        rig.advance(2)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.parts.deliverer.run, lambda: None)
            await daemon.parts.pagerduty_reader.poll()
            daemon.parts.deliverer.stop()
        assert {rig.status_of(record) for record in linked} == {"ACKNOWLEDGED"}
        assert calls(daemon, "update_many") == 1
        assert calls(daemon, "query") - before <= 3, (
            "no searches, only the lookups of status and owner"
        )
