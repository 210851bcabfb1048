from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    RefusedError,
    TransientError,
)
from pagerforce.model.ports import Position
from pagerforce.salesforce.source import SalesforcePoller
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.kit import (
    CATEGORY,
    HISTORY,
    INCIDENT,
    SHORT,
    START,
    STATUS,
    config_for,
    sandboxed,
    scripted,
)

FROM_START = Position(START - timedelta(minutes=1))


def everywhere(position=FROM_START, *feeds):
    return dict.fromkeys(feeds or (INCIDENT, "Case", HISTORY, "CaseComment"), position)


async def read(poller, positions=None, overlap=0.0):
    wanted = everywhere() if positions is None else positions
    batches = [b async for b in poller.iter_changes(wanted, overlap_seconds=overlap)]
    records = [record for batch in batches for record in batch.records]
    comments = [comment for batch in batches for comment in batch.comments]
    positions = {}
    for batch in batches:
        positions |= batch.positions
    return records, comments, positions


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


async def test_what_is_refused_for_one_object_does_not_hide_the_others():
    async with sandboxed(where="No_such_field__c = 1") as box:
        row_id = box.world.insert("Case", {"Subject": "a"})
        batches = []

        async def gather():
            async for batch in box.poller.iter_changes(everywhere(), overlap_seconds=0):
                batches.append(batch)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(RefusedError, match=rf"{INCIDENT}.*where.*No_such_field__c") as caught:
            await gather()
        assert [r.id for batch in batches for r in batch.records] == [row_id]
        assert all(INCIDENT not in batch.positions for batch in batches)
        assert caught.value.code == "INVALID_FIELD"
        assert box.poller.not_read.halted.keys() == {INCIDENT}
        await gather()  # the others go on; it is told again in five minutes
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
async def test_a_disturbed_poll_raises_and_the_next_one_reads_everything(kind, error):
    async with sandboxed() as box:
        box.incident()
        await box.line.session.access()
        await box.poller.plan.feed(INCIDENT)
        box.faults.add(Fault(kind, path="/composite"))
        with pytest.raises(error):
            await read(box.poller)
        records, _, _ = await read(box.poller)
        assert len(records) == 1


# A scripted org, for what the sandbox does not do.

DESCRIBE = {
    "name": INCIDENT,
    "fields": [
        {"name": "Id", "type": "id"},
        {"name": "SystemModstamp", "type": "datetime"},
        {"name": SHORT, "type": "string", "length": 255},
    ],
}


def row(number, second):
    stamp = datetime(2026, 11, 24, 10, 0, second, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "attributes": {"type": INCIDENT},
        "Id": f"a0R{number:012d}AAA",
        "SystemModstamp": f"{stamp}.000+0000",
    }


def page(*rows, done=True):
    body = {"totalSize": len(rows), "done": done, "records": list(rows)}
    if not done:
        body["nextRecordsUrl"] = "/services/data/v62.0/query/01g-2000"
    return {"httpStatusCode": 200, "httpHeaders": {}, "referenceId": "part0", "body": body}


def part_error(code, status=400):
    body = [{"errorCode": code, "message": "said so"}]
    return {"httpStatusCode": status, "httpHeaders": {}, "referenceId": "part0", "body": body}


def say_parts(org, *parts):
    org.say(200, {"compositeResponse": list(parts)})


def scripted_poller(line):
    config = config_for(line.settings.login_url, comments=None, service_id_path="")
    config = config.model_copy(update={"objects": config.objects[:1]})
    return SalesforcePoller(line.client, line.schema, config, {}, line.clock)


def soql_of(seen):
    return [unquote(part["url"].partition("?q=")[2]) for part in seen.json["compositeRequest"]]


async def test_a_page_that_is_not_done_is_continued_by_the_keyset():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        say_parts(org, page(row(1, 0), row(2, 5), done=False))
        say_parts(org, page(row(3, 5)))
        records, _, positions = await read(
            scripted_poller(line), everywhere(FROM_START, INCIDENT), overlap=60
        )
        assert len(records) == 3
        assert positions[INCIDENT].id == "a0R000000000003AAA"
        first, second = (soql_of(seen)[0] for seen in org.seen[1:])
        assert "WHERE SystemModstamp >= 2026-11-24T09:58:00Z" in first
        assert "Id >" not in first
        assert "SystemModstamp > 2026-11-24T10:00:05Z OR" in second
        assert "Id > 'a0R000000000002AAA'" in second
        assert first.endswith("ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000")
        assert "/queryAll?q=" in org.seen[1].json["compositeRequest"][0]["url"]


async def test_a_server_that_gives_the_same_page_again_does_not_hang_the_poll():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        for _ in range(2):
            say_parts(org, page(row(1, 0), done=False))
        with pytest.raises(MalformedError, match="leads no further"):
            await read(scripted_poller(line), everywhere(FROM_START, INCIDENT))


async def test_a_malformed_row_is_a_flaw_and_the_rest_goes_on():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        bad = {"Id": "a0R000000000009AAA", "SystemModstamp": None, SHORT: "private words"}
        say_parts(org, page(row(1, 0), bad, {"Id": 5}, "nonsense", {**row(2, 1), SHORT: ["x"]}))
        poller = scripted_poller(line)
        poller.use_fields({INCIDENT: frozenset({SHORT})})
        batches = [
            b
            async for b in poller.iter_changes(everywhere(FROM_START, INCIDENT), overlap_seconds=0)
        ]
        (batch,) = batches
        assert [r.id for r in batch.records] == ["a0R000000000001AAA", "a0R000000000002AAA"]
        assert len(batch.flaws) == 4
        assert batch.positions[INCIDENT].id == "a0R000000000002AAA"
        assert "private" not in str(batch.flaws)


async def test_a_query_that_takes_too_long_is_asked_for_in_smaller_pages():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        for _ in range(2):
            say_parts(org, part_error("QUERY_TIMEOUT"))
        say_parts(org, page(row(1, 0)))
        records, _, _ = await read(scripted_poller(line), everywhere(FROM_START, INCIDENT))
        assert len(records) == 1
        limits = [soql_of(seen)[0].rpartition(" ")[2] for seen in org.seen[1:]]
        assert limits == ["2000", "1000", "500"]


async def test_a_feed_that_was_slow_is_read_in_small_pages_for_a_while():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        say_parts(org, part_error("QUERY_TIMEOUT"))
        poller = scripted_poller(line)
        for pause in (0, 3599, 2):
            line.clock.advance(pause)
            say_parts(org, page())
            await read(poller, everywhere(FROM_START, INCIDENT))
        queries = [soql_of(seen)[0] for seen in org.seen if seen.json]
        assert [q.rpartition(" ")[2] for q in queries] == ["2000", "1000", "1000", "2000"]


async def test_the_baseline_too_goes_on_in_smaller_pages():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        org.say(400, [{"errorCode": "QUERY_TIMEOUT", "message": "slow"}])
        org.say(200, {"done": True, "records": [row(1, 0)]})
        batches = [b async for b in scripted_poller(line).iter_all(INCIDENT, None)]
        assert len(batches) == 1
        assert org.seen[-1].query["q"].endswith("ORDER BY Id ASC LIMIT 1000")


async def test_a_baseline_that_leads_no_further_ends():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        for _ in range(2):
            path = "/services/data/v62.0/query/01g-2"
            org.say(200, {"done": False, "records": [row(1, 0)], "nextRecordsUrl": path})
        with pytest.raises(MalformedError, match="leads no further"):
            async for _ in scripted_poller(line).iter_all(INCIDENT, None):
                pass


async def test_a_parent_that_is_hidden_costs_one_call_and_not_one_per_poll():
    async with scripted() as (org, line):
        created_by = {
            "name": "CreatedById",
            "type": "reference",
            "referenceTo": ["User"],
            "relationshipName": "CreatedBy",
        }
        org.say(200, {"fields": [*DESCRIBE["fields"], created_by]})
        org.say(404, [{"errorCode": "NOT_FOUND", "message": "no User here"}])
        poller = scripted_poller(line)
        for _ in range(3):
            say_parts(org, page(row(1, 0)))
            records, _, _ = await read(poller, everywhere(FROM_START, INCIDENT))
            assert records[0].created_by.name is None
        assert "CreatedBy.Name" in soql_of(org.seen[-1])[0], "it can't be judged, so it is tried"
        assert len(org.seen) == 5


async def test_a_parent_path_that_was_only_tried_is_given_up_when_it_is_refused():
    async with scripted() as (org, line):
        created_by = {
            "name": "CreatedById",
            "type": "reference",
            "referenceTo": ["User"],
            "relationshipName": "CreatedBy",
        }
        org.say(200, {"fields": [*DESCRIBE["fields"], created_by]})
        org.say(404, [{"errorCode": "NOT_FOUND", "message": "no User here"}])
        say_parts(org, part_error("INVALID_FIELD"))
        org.say(200, {"fields": [*DESCRIBE["fields"], created_by]})
        org.say(404, [{"errorCode": "NOT_FOUND", "message": "no User here"}])
        say_parts(org, page(), page())
        say_parts(org, page(row(1, 0)))
        poller = scripted_poller(line)
        await read(poller, everywhere(FROM_START, INCIDENT))
        assert "CreatedBy.Name" in soql_of(org.seen[2])[0]
        assert "CreatedBy.Name" not in soql_of(org.seen[-1])[0]
        assert not poller.not_read.columns, "it was only tried"


async def test_a_query_that_always_takes_too_long_ends_the_poll():
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        for _ in range(7):
            say_parts(org, part_error("QUERY_TIMEOUT"))
        with pytest.raises(TransientError, match=INCIDENT):
            await read(scripted_poller(line), everywhere(FROM_START, INCIDENT))
        assert not org.answers


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (part_error("UNABLE_TO_LOCK_ROW"), TransientError),
        (part_error("INVALID_TYPE"), RefusedError),
        (part_error("PROCESSING_HALTED"), TransientError),
        (part_error("INVALID_SESSION_ID", 401), CredentialsError),
        ({"httpStatusCode": 200, "body": {"no": "records"}}, MalformedError),
        ({"body": {}}, MalformedError),
        (None, MalformedError),
    ],
)
async def test_the_status_inside_a_composite_answer_counts(part, kind):
    async with scripted() as (org, line):
        org.say(200, DESCRIBE)
        say_parts(org, part)
        with pytest.raises(kind):
            await read(scripted_poller(line), everywhere(FROM_START, INCIDENT))


async def test_an_object_whose_stamp_cannot_be_filtered_is_ordered_by_what_can():
    async with scripted() as (org, line):
        fields = [
            {"name": "Id", "type": "id"},
            {"name": "SystemModstamp", "type": "datetime", "filterable": False},
            {"name": "LastModifiedDate", "type": "datetime"},
        ]
        org.say(200, {"fields": fields})
        say_parts(org, page())
        await read(scripted_poller(line), everywhere(FROM_START, INCIDENT))
        assert "ORDER BY LastModifiedDate ASC, Id ASC" in soql_of(org.seen[1])[0]


async def test_what_updated_does_not_know_is_left_out():
    async with scripted() as (org, line):
        say_parts(org, part_error("INVALID_REPLICATION_DATE"))
        assert await scripted_poller(line).fetch_low_water(START, START) is None
        (part,) = org.seen[0].json["compositeRequest"]
        assert part["url"] == (
            f"/services/data/v62.0/sobjects/{INCIDENT}/updated/"
            "?start=2026-11-24T09%3A58%3A00%2B00%3A00&end=2026-11-24T10%3A00%3A00%2B00%3A00"
        )


async def test_status_names_are_read_through_the_parent():
    async with sandboxed() as box:
        closed = box.world.find_id("BMCServiceDesk__Status__c", Name="RESOLVED")
        row_id = box.incident()
        box.write(row_id, **{STATUS: closed})
        record = await box.read(row_id)
        assert record.fields["BMCServiceDesk__FKStatus__r.Name"] == "RESOLVED"
