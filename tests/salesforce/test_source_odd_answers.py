"""A poll of a scripted org, for what the sandbox does not do."""

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from pagerforce.errors import (
    CredentialsError,
    MalformedError,
    RefusedError,
    TransientError,
)
from pagerforce.salesforce.source import SalesforcePoller
from salesforce.kit import (
    FROM_START,
    INCIDENT,
    SHORT,
    START,
    STATUS,
    config_for,
    everywhere,
    read,
    sandboxed,
    scripted,
)

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
        with pytest.raises(MalformedError, match="does not move the cursor"):
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
        with pytest.raises(MalformedError, match="does not move the cursor"):
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
