"""A refused field of a write does not stop the other fields."""

import pytest

from pagerforce.model.verdict import Delivered, Rejected
from salesforce.automation import refusing
from salesforce.kit import INCIDENT, SHORT, make_task, sandboxed
from salesforce.test_create_record import creating

DO = "salesforce.set_field"
NOTE = "BMCServiceDesk__note__c"
OWNER = "OwnerId"
RESOLUTION = "BMCServiceDesk__incidentResolution__c"
QUEUE = "BMCServiceDesk__queueName__c"


def setting(row_id, **values):
    calls = [{"field": name, "value": value} for name, value in values.items()]
    return make_task(DO, *calls, record_id=row_id)


def refuse(box, *rules):
    box.world.dml.rules[INCIDENT] = [*box.world.dml.rules.get(INCIDENT, ()), *rules]


async def write(box, task):
    return await box.handlers[DO].deliver(task)


@pytest.mark.parametrize("code", ["INACTIVE_OWNER_OR_USER", "CANNOT_EXECUTE_FLOW_TRIGGER"])
async def test_a_refusal_that_names_no_field_keeps_only_the_bad_one_back(code):
    async with sandboxed() as box:
        refuse(box, refusing(code, lambda draft: draft.values[QUEUE] == "gone"))
        row_id = box.incident()
        values = {SHORT: "new", QUEUE: "gone", NOTE: "a note", RESOLUTION: "done"}
        verdicts = await write(box, setting(row_id, **values))
        assert [type(verdict) for verdict in verdicts] == [
            Delivered,
            Rejected,
            Delivered,
            Delivered,
        ]
        row = box.world.row(INCIDENT, row_id)
        assert (row[SHORT], row[QUEUE], row[NOTE]) == ("new", None, "a note")
        assert code in verdicts[1].reason


async def test_a_field_that_needs_another_is_tried_again_once_that_is_written():
    async with sandboxed() as box:
        refuse(
            box,
            refusing("INACTIVE_OWNER_OR_USER", lambda draft: draft.values[QUEUE] == "gone"),
            refusing(
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                lambda draft: draft.values[SHORT] == "closing" and not draft.values[RESOLUTION],
            ),
        )
        row_id = box.incident()
        values = {SHORT: "closing", RESOLUTION: "done", QUEUE: "gone"}
        order = [SHORT, QUEUE, RESOLUTION]
        verdicts = await write(box, setting(row_id, **{name: values[name] for name in order}))
        assert [type(verdict) for verdict in verdicts] == [Delivered, Rejected, Delivered]
        assert box.world.row(INCIDENT, row_id)[SHORT] == "closing"


async def test_the_number_of_refused_writes_is_bounded():
    async with sandboxed() as box:
        refuse(box, refusing("CANNOT_EXECUTE_FLOW_TRIGGER", lambda draft: draft.before is not None))
        row_id = box.incident()
        names = [
            name
            for name, info in (await box.line.schema.describe(INCIDENT)).fields.items()
            if info.type in ("string", "textarea") and info.is_updateable
        ]
        assert len(names) > 5
        before = sum(operation == "update" for operation, _ in box.line.observer.requests)
        verdicts = await write(box, setting(row_id, **dict.fromkeys(names, "x")))
        assert all(isinstance(verdict, Rejected) for verdict in verdicts)
        sent = sum(operation == "update" for operation, _ in box.line.observer.requests) - before
        assert 1 < sent <= 16


async def test_a_field_that_was_deleted_in_the_org_keeps_only_itself_back():
    async with sandboxed() as box:
        row_id = box.incident()
        await box.line.schema.describe(INCIDENT)
        del box.world.schema.get(INCIDENT).fields[NOTE.lower()]
        verdicts = await write(box, setting(row_id, **{SHORT: "new", NOTE: "a note"}))
        assert [type(verdict) for verdict in verdicts] == [Delivered, Rejected]
        assert NOTE in verdicts[1].reason
        assert box.world.row(INCIDENT, row_id)[SHORT] == "new"


async def test_what_concerns_the_whole_record_is_not_split():
    async with sandboxed() as box:
        refuse(box, refusing("ENTITY_IS_LOCKED", lambda draft: draft.before is not None))
        row_id = box.incident()
        await write(box, setting(row_id, **{SHORT: "new", NOTE: "a note"}))
        assert [x for x, _ in box.line.observer.requests].count("update") == 1


async def test_a_record_with_a_bad_field_is_not_made_and_says_which():
    async with sandboxed() as box:
        refuse(box, refusing("INACTIVE_OWNER_OR_USER", lambda draft: draft.values[QUEUE] == "gone"))
        verdict = await box.deliver(creating(fields={SHORT: "x", QUEUE: "gone"}))
        assert isinstance(verdict, Rejected)
        assert QUEUE in verdict.reason
        await box.line.schema.describe(INCIDENT)
        del box.world.schema.get(INCIDENT).fields[NOTE.lower()]
        verdict = await box.deliver(creating(fields={SHORT: "x", NOTE: "a note"}))
        assert isinstance(verdict, Rejected)
        assert NOTE in verdict.reason
        assert box.world.rows(INCIDENT) == []
