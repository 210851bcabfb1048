"""A field that a query refuses is found, left out, and read again later, in the sandbox's org."""

import pytest

from pagerforce.errors import RefusedError
from pagerforce.model.ports import Position
from salesforce.kit import HISTORY, INCIDENT, NOTE, SHORT, START, sandboxed

LOST = "BMCServiceDesk__incidentResolution__c"
OTHER = "BMCServiceDesk__contactType__c"
HIDDEN_PARENT = "BMCServiceDesk__FKCategory__r.Name"


def hide(box, field, name=INCIDENT):
    box.world.access.hidden.add((name.lower(), field.lower()))


def fields(*names):
    return {INCIDENT: frozenset({SHORT, *names})}


async def poll(box):
    records, comments = [], []
    positions = {feed: Position(START) for feed in box.poller.feeds}
    async for batch in box.poller.iter_changes(positions, overlap_seconds=0):
        records += batch.records
        comments += batch.comments
    return records, comments


def left_out(box, name=INCIDENT):
    return set(box.poller.not_read.columns.get(name, ()))


async def test_the_object_is_read_without_a_lost_field_in_the_same_poll():
    async with sandboxed(fields(LOST)) as box:
        row_id = box.incident(**{SHORT: "a"})
        await poll(box)
        hide(box, LOST)
        box.write(row_id, **{SHORT: "b"})
        (record,), _ = await poll(box)
        assert record.fields[SHORT] == "b"
        assert LOST not in record.fields
        assert left_out(box) == {LOST}
        assert "incidentResolution__c" in box.poller.not_read.columns[INCIDENT][LOST].why


async def test_several_lost_fields_are_found_at_once_and_the_rest_is_read():
    more = [f"No_such_{number}__c" for number in range(7)]
    async with sandboxed(fields(LOST, OTHER, *more)) as box:
        box.incident(**{SHORT: "a", OTHER: "Event"})
        hide(box, LOST)
        (record,), _ = await poll(box)
        assert record.fields[OTHER] == "Event"
        assert left_out(box) == {LOST, *more}
        await poll(box)
        calls = len(box.line.observer.requests)
        await poll(box)
        assert len(box.line.observer.requests) == calls + 1, "afterwards it costs nothing"


@pytest.mark.parametrize("field", ["Owner.Department", "Owner.Manager.Name"])
async def test_what_no_query_accepts_behind_an_owner_is_left_out(field):
    async with sandboxed(fields(field, "Owner.Name")) as box:
        box.incident()
        (record,), _ = await poll(box)
        assert record.fields["Owner.Name"]
        assert left_out(box) == {field}


async def test_a_lost_parent_path_is_left_out():
    async with sandboxed(fields(HIDDEN_PARENT)) as box:
        box.incident()
        await poll(box)
        hide(box, "Name", "BMCServiceDesk__Category__c")
        (record,), _ = await poll(box)
        assert HIDDEN_PARENT not in record.fields
        assert left_out(box) == {HIDDEN_PARENT}


async def test_a_field_that_returns_is_asked_for_again_with_its_type():
    async with sandboxed(fields(LOST)) as box:
        row_id = box.incident(**{SHORT: "a", LOST: "done"})
        hide(box, LOST)
        await poll(box)
        box.world.access.restore()
        await poll(box)
        assert left_out(box) == {LOST}, "it is not requested with every poll"
        box.clock.advance(301)
        records, _ = await poll(box)
        assert left_out(box) == set()
        assert (await box.read(row_id)).fields[LOST] == "done"
        assert [record.id for record in records] == [row_id]


async def test_single_records_and_all_rows_are_read_without_a_lost_field_too():
    async with sandboxed(fields(LOST)) as box:
        row_id = box.incident(**{SHORT: "a"})
        await poll(box)
        hide(box, LOST)
        assert (await box.read(row_id)).fields[SHORT] == "a"
        box.world.access.restore()
        box.poller.plan.take_back(INCIDENT, [LOST])
        await poll(box)
        hide(box, LOST)
        batches = [batch async for batch in box.poller.iter_all(INCIDENT, None)]
        assert [record.id for batch in batches for record in batch.records] == [row_id]
        assert left_out(box) == {LOST}


async def test_a_lost_author_of_comments_keeps_no_comment_back():
    async with sandboxed(fields()) as box:
        await poll(box)
        record = box.incident()
        box.world.insert(
            HISTORY,
            {
                "BMCServiceDesk__FKIncident__c": record,
                "BMCServiceDesk__FKAction__c": box.world.find_id(
                    "BMCServiceDesk__Action__c", Name="Notes"
                ),
                NOTE: "look",
            },
        )
        hide(box, "Email", "User")
        _, (comment,) = await poll(box)
        assert comment.body == "look"


async def test_comments_without_their_text_halt_and_say_so():
    async with sandboxed(fields()) as box:
        await poll(box)
        hide(box, NOTE, HISTORY)
        row_id = box.incident()
        seen = []

        async def gather():
            positions = {feed: Position(START) for feed in box.poller.feeds}
            async for batch in box.poller.iter_changes(positions, overlap_seconds=0):
                seen.extend(batch.records)

        with pytest.raises(RefusedError, match=HISTORY):
            await gather()
        assert [record.id for record in seen] == [row_id]
        assert box.poller.not_read.halted.keys() == {HISTORY}
        box.world.access.restore()
        await gather()
        assert not box.poller.not_read.halted
