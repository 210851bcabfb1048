from datetime import timedelta

import pytest

from pagerforce.errors import (
    BudgetError,
    MalformedError,
    RefusedError,
    TransientError,
)
from pagerforce.model.ports import Position
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.kit import (
    CATEGORY,
    FROM_START,
    HISTORY,
    INCIDENT,
    SHORT,
    START,
    everywhere,
    read,
    sandboxed,
)


async def test_a_poll_of_four_feeds_is_one_call():
    async with sandboxed() as box:
        box.incident(**{SHORT: "down"})
        await read(box.poller)
        before = box.line.client.usage.calls_made
        records, _, _ = await read(box.poller)
        assert box.line.client.usage.calls_made == before + 1
        assert [r.fields[SHORT] for r in records] == ["down"]
        assert box.poller.feeds == (INCIDENT, "Case", HISTORY, "CaseComment")


async def test_a_record_is_read_with_parents_people_and_canonical_values():
    async with sandboxed() as box:
        row_id = box.incident(**{SHORT: "down"})
        (record,), _, positions = await read(box.poller)
        assert record.id == row_id
        assert len(record.id) == 18
        assert record.fields["BMCServiceDesk__FKCategory__r.Name"] == "Network"
        assert record.fields["BMCServiceDesk__FKCategory__r.PagerDuty_Service_ID__c"] == "PNET001"
        assert record.fields["BMCServiceDesk__state__c"] is True
        assert record.fields["CreatedDate"] == "2026-11-24T10:00:00Z"
        assert "SystemModstamp" not in record.fields
        assert record.stamp == record.modified_at == record.created_at == START
        assert record.modified_by.email == "jane.doe@example.com"
        assert record.created_by.name == "Jane Doe"
        assert positions[INCIDENT] == Position(START, row_id)
        assert positions["Case"] == FROM_START


async def test_an_empty_parent_reads_as_none_and_not_as_unread():
    async with sandboxed() as box:
        row_id = box.incident()
        box.write(row_id, **{CATEGORY: None, "BMCServiceDesk__contactType__c": "Event"})
        (record,), _, _ = await read(box.poller)
        assert record.fields["BMCServiceDesk__FKCategory__r.Name"] is None
        assert record.fields[CATEGORY] is None


async def test_rows_of_one_second_are_all_found_over_batch_boundaries():
    async with sandboxed() as box:
        made = {box.incident(**{SHORT: f"n{n}"}) for n in range(23)}
        box.world.knobs.batch_size = 5
        records, _, positions = await read(box.poller)
        assert len(records) == 23
        assert {r.id for r in records} == made
        assert positions[INCIDENT] == Position(START, records[-1].id)


async def test_a_row_that_becomes_visible_late_is_found_by_the_overlap():
    async with sandboxed() as box:
        box.world.begin_late(30)
        late = box.incident(**{SHORT: "late"})
        box.clock.advance(5)
        newer = box.incident(**{SHORT: "newer"})
        records, _, positions = await read(box.poller)
        assert [r.id for r in records] == [newer]
        box.clock.advance(60)
        records, _, _ = await read(box.poller, positions, overlap=0)
        assert late not in {r.id for r in records}
        records, _, after = await read(box.poller, positions, overlap=900)
        assert late in {r.id for r in records}
        assert after[INCIDENT] == positions[INCIDENT]


async def test_a_position_never_goes_back_while_the_overlap_is_read_again():
    async with sandboxed() as box:
        for n in range(6):
            box.incident(**{SHORT: f"n{n}"})
            box.clock.advance(10)
        box.world.knobs.batch_size = 2
        _, _, positions = await read(box.poller)
        stamps = [
            batch.positions[INCIDENT].stamp
            async for batch in box.poller.iter_changes(positions, overlap_seconds=900)
            if INCIDENT in batch.positions
        ]
        assert len(stamps) > 1
        assert set(stamps) == {positions[INCIDENT].stamp}


async def test_deleted_and_undeleted_rows_are_seen():
    async with sandboxed() as box:
        row_id = box.incident()
        box.clock.advance(1)
        box.world.delete(INCIDENT, row_id)
        (record,), _, _ = await read(box.poller)
        assert record.is_deleted
        box.clock.advance(1)
        box.world.undelete(INCIDENT, row_id)
        (record,), _, _ = await read(box.poller)
        assert not record.is_deleted


async def test_a_merged_case_names_the_survivor():
    async with sandboxed() as box:
        winner, loser = (box.world.insert("Case", {"Subject": s}) for s in "ab")
        box.clock.advance(1)
        box.world.merge("Case", winner, loser)
        records, _, _ = await read(box.poller)
        merged = {r.id: r.merged_into for r in records if r.is_deleted}
        assert merged == {loser: winner}


async def test_comments_are_filtered_and_carry_author_and_parent():
    async with sandboxed() as box:
        row_id = box.incident()
        for action, text in (("Notes", "please look"), ("Email Sent", "not a note")):
            action_id = box.world.find_id("BMCServiceDesk__Action__c", Name=action)
            box.world.insert(
                HISTORY,
                {
                    "BMCServiceDesk__FKIncident__c": row_id,
                    "BMCServiceDesk__FKAction__c": action_id,
                    "BMCServiceDesk__note__c": text,
                },
            )
        _, (comment,), _ = await read(box.poller)
        assert comment.body == "please look"
        assert comment.parent_id == row_id
        assert comment.parent_object == INCIDENT
        assert comment.author.name == "Jane Doe"


def _noted(box, row_id, text):
    values = {
        "BMCServiceDesk__FKIncident__c": row_id,
        "BMCServiceDesk__FKAction__c": box.world.find_id("BMCServiceDesk__Action__c", Name="Notes"),
        "BMCServiceDesk__note__c": text,
    }
    return box.world.insert(HISTORY, values)


async def test_comments_come_once_all_records_of_their_object_have():
    async with sandboxed() as box:
        made = [box.incident(**{SHORT: f"n{n}"}) for n in range(5)]
        noted = [_noted(box, row_id, "please look") for row_id in reversed(made)]
        case = box.world.insert("Case", {"Subject": "a"})
        said = box.world.insert("CaseComment", {"ParentId": case, "CommentBody": "hello"})
        box.world.knobs.batch_size = 2
        seen, missing = set(), {}
        async for batch in box.poller.iter_changes(everywhere(), overlap_seconds=0):
            seen |= {record.id for record in batch.records}
            missing |= {item.id: item.parent_id not in seen for item in batch.comments}
        assert missing == dict.fromkeys([*noted, said], False)


async def test_comments_of_records_that_cannot_be_read_wait_and_others_do_not():
    async with sandboxed() as box:
        box.world.access.deny("Case", "read")
        case = box.world.insert("Case", {"Subject": "a"})
        box.world.insert("CaseComment", {"ParentId": case, "CommentBody": "hello"})
        noted = _noted(box, box.incident(), "please look")
        comments, positions = [], {}

        async def gather():
            async for batch in box.poller.iter_changes(everywhere(), overlap_seconds=0):
                comments.extend(batch.comments)
                positions.update(batch.positions)

        with pytest.raises(RefusedError, match="Case"):
            await gather()
        assert [item.id for item in comments] == [noted]
        assert {name for name in positions if ":" not in name} == {INCIDENT, HISTORY}


async def test_a_filter_of_the_configuration_holds_for_changes_but_not_for_single_records():
    async with sandboxed(where=f"{SHORT} = 'a' OR {SHORT} = 'b'") as box:
        seen = box.incident(**{SHORT: "a"})
        other = box.incident(**{SHORT: "c"})
        records, _, _ = await read(box.poller)
        assert [r.id for r in records] == [seen]
        assert (await box.read(other)).id == other


async def test_a_refusal_for_one_object_does_not_hide_the_others():
    async with sandboxed(where="No_such_field__c = 1") as box:
        row_id = box.world.insert("Case", {"Subject": "a"})
        batches = []

        async def gather():
            async for batch in box.poller.iter_changes(everywhere(), overlap_seconds=0):
                batches.append(batch)  # noqa: PERF401 - rows before the error count

        with pytest.raises(RefusedError, match=rf"{INCIDENT}.*where.*No_such_field__c") as caught:
            await gather()
        assert [r.id for batch in batches for r in batch.records] == [row_id]
        assert all(INCIDENT not in batch.positions for batch in batches)
        assert caught.value.code == "INVALID_FIELD"
        assert box.poller.not_read.halted.keys() == {INCIDENT}
        await gather()  # the others continue; it is reported again in five minutes
        box.clock.advance(301)
        with pytest.raises(RefusedError):
            await gather()


async def test_a_field_added_later_is_read_once_the_rules_name_it():
    async with sandboxed() as box:
        box.incident(BMCServiceDesk__note__c="x")
        box.poller.use_fields({INCIDENT: frozenset({"BMCServiceDesk__note__c"})})
        (record,), _, _ = await read(box.poller)
        assert record.fields["BMCServiceDesk__note__c"] == "x"
        assert SHORT not in record.fields


async def test_a_feed_without_a_position_waits_for_its_baseline():
    async with sandboxed() as box:
        box.incident()
        records, _, positions = await read(box.poller, everywhere(FROM_START, "Case"))
        assert records == []
        assert set(positions) == {"Case"}


async def test_the_baseline_reads_all_living_rows_and_can_be_resumed():
    async with sandboxed() as box:
        made = sorted(box.incident() for _ in range(7))
        box.world.delete(INCIDENT, made[3])
        box.world.knobs.batch_size = 2
        batches = [b async for b in box.poller.iter_all(INCIDENT, None)]
        ids = [r.id for b in batches for r in b.records]
        assert ids == made[:3] + made[4:]
        assert all(not b.positions for b in batches)
        rest = [r.id async for b in box.poller.iter_all(INCIDENT, ids[2]) for r in b.records]
        assert rest == ids[3:]


async def test_records_are_fetched_in_chunks_and_a_purged_one_is_absent():
    async with sandboxed() as box:
        ids = [box.incident() for _ in range(160)]
        box.world.delete(INCIDENT, ids[0])
        box.world.delete(INCIDENT, ids[1])
        box.world.purge(INCIDENT, ids[1])
        batch = await box.poller.fetch_records(INCIDENT, ids)
        assert len(batch.records) == 159
        assert [r.id for r in batch.records if r.is_deleted] == [ids[0]]


async def test_the_low_water_mark_is_the_start_of_the_oldest_open_transaction():
    async with sandboxed() as box:
        box.clock.advance(600)
        began = box.clock.now()
        box.world.begin_late(300)
        box.clock.advance(120)
        now = await box.poller.fetch_server_time()
        before = box.line.client.usage.calls_made
        mark = await box.poller.fetch_low_water(now - timedelta(minutes=5), now)
        assert mark == began
        assert box.line.client.usage.calls_made == before + 1


async def test_a_span_too_short_or_too_long_is_asked_for_as_one_that_is_allowed():
    async with sandboxed() as box:
        now = await box.poller.fetch_server_time()
        assert await box.poller.fetch_low_water(now, now) is not None
        assert await box.poller.fetch_low_water(now - timedelta(days=90), now) is not None


async def test_server_time_is_the_servers():
    async with sandboxed() as box:
        box.clock.advance(7)
        assert await box.poller.fetch_server_time() == START + timedelta(seconds=7)


async def test_an_ended_session_is_renewed_in_the_middle_of_a_poll():
    async with sandboxed() as box:
        box.incident()
        await read(box.poller)
        box.world.expire_tokens()
        records, _, _ = await read(box.poller)
        assert len(records) == 1
        assert [op for op, _ in box.line.observer.requests].count("login") == 2


async def test_a_used_up_quota_stops_the_poll():
    async with sandboxed() as box:
        await read(box.poller)
        box.world.set_remaining_calls(0)
        with pytest.raises(BudgetError):
            await read(box.poller)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.ERROR_BEFORE, TransientError),
        (FaultKind.DROP_BEFORE, TransientError),
        (FaultKind.DROP_AFTER, TransientError),
        (FaultKind.MALFORMED, MalformedError),
    ],
)
async def test_a_failed_poll_raises_and_the_next_one_reads_everything(kind, error):
    async with sandboxed() as box:
        box.incident()
        await box.line.session.access()
        await box.poller.plan.feed(INCIDENT)
        box.faults.add(Fault(kind, path="/composite"))
        with pytest.raises(error):
            await read(box.poller)
        records, _, _ = await read(box.poller)
        assert len(records) == 1
