from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from pagerforce.errors import (
    CredentialsError,
    MalformedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.salesforce.usage import CallUsage, OrgUsage, parse_limit_info
from salesforce.kit import INCIDENT, START, scripted

ROW = "a0R000000000001AAA"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


async def test_every_request_has_the_required_headers():
    async with scripted() as (org, line):
        org.say(201, {"id": ROW[:15], "success": True, "errors": []})
        assert (await line.client.create(INCIDENT, {"A__c": True}))[:15] == ROW[:15]
        (seen,) = org.seen
        assert (seen.method, seen.path) == ("POST", f"/services/data/v62.0/sobjects/{INCIDENT}")
        assert seen.json == {"A__c": True}
        assert seen.headers["authorization"] == "Bearer token-1"
        assert seen.headers["sforce-auto-assign"] == "FALSE"
        assert seen.headers["sforce-call-options"] == "client=pagerforce"


async def test_an_ended_session_is_renewed_once_and_the_request_sent_again():
    async with scripted() as (org, line):
        org.say(401, EXPIRED)
        org.say(204)
        assert await line.client.update(INCIDENT, ROW, {"A__c": 1})
        assert len(org.logins) == 2
        assert [seen.headers["authorization"] for seen in org.seen] == [
            "Bearer token-1",
            "Bearer token-2",
        ]
        assert line.client.usage.calls_made == 2


async def test_a_session_refused_twice_is_not_tried_for_ever():
    async with scripted() as (org, line):
        for _ in range(2):
            org.say(401, EXPIRED)
        with pytest.raises(CredentialsError):
            await line.client.query("SELECT Id FROM Case")
        for _ in range(3):
            with pytest.raises(CredentialsError):
                await line.client.query("SELECT Id FROM Case")
        assert len(org.logins) == 2
        assert len(org.seen) == 2
        line.clock.advance(31)
        org.say(200, {"done": True, "records": []})
        assert (await line.client.query("SELECT Id FROM Case")).rows == ()


@pytest.mark.parametrize(
    "message",
    [
        "Connected app is not attached to Agent",
        "This session is not valid for use with the REST API",
    ],
)
async def test_what_a_login_does_not_cure_is_not_sent_again(message):
    async with scripted() as (org, line):
        org.say(401, [{"message": message, "errorCode": "INVALID_SESSION_ID"}])
        with pytest.raises(CredentialsError, match=message):
            await line.client.query("SELECT Id FROM Case")
        assert len(org.logins) == 1
        assert len(org.seen) == 1


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ("api-usage=18/5000", 4982.0),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=x)", 4975.0),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", 4975.0),
        ("api-usage=5001/5000", 0.0),
    ],
)
async def test_the_rest_of_the_daily_limit_is_reported(header, remaining):
    async with scripted() as (org, line):
        org.say(200, {"done": True, "records": []}, Sforce_Limit_Info=header)
        await line.client.query("SELECT Id FROM Case")
        assert line.observer.budgets == [remaining]


@pytest.mark.parametrize("text", [None, "", "per-app-api-usage=17/250(appName=x)", "nonsense"])
def test_an_unusable_limit_header_is_ignored(text):
    assert parse_limit_info(text) is None


def test_the_daemons_own_calls_are_counted_over_a_rolling_day():
    usage = CallUsage()
    for hour in range(30):
        for _ in range(10):
            usage.count(START + timedelta(hours=hour))
    now = START + timedelta(hours=29)
    assert usage.calls_made == 300
    assert usage.calls_in_last_day(now) == 250
    assert usage.calls_in_last_day(now + timedelta(days=2)) == 0
    usage.note_org(OrgUsage(5, 10))
    usage.note_org(None)
    assert usage.org.remaining == 5


async def test_limits_have_the_budget_and_any_answer_has_the_time():
    async with scripted() as (org, line):
        org.date_offset = timedelta(seconds=90)
        org.say(200, {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}})
        await line.client.fetch_limits()
        assert line.observer.budgets == [14998.0]
        assert await line.client.fetch_server_time() == START + timedelta(seconds=90)
        org.say(200, {"DailyApiRequests": None})
        assert await line.client.fetch_limits() == {"DailyApiRequests": None}


async def test_a_query_too_long_for_a_uri_goes_in_a_body():
    async with scripted() as (org, line):
        soql = f"SELECT {', '.join(f'Field_{n}__c' for n in range(900))} FROM Case"
        body = {"done": True, "records": [{"Id": ROW}]}
        org.say(200, {"compositeResponse": [{"httpStatusCode": 200, "body": body}]})
        assert (await line.client.query(soql)).rows == ({"Id": ROW},)
        (part,) = org.seen[0].json["compositeRequest"]
        assert unquote(part["url"]).endswith(soql)
        assert org.seen[0].json["allOrNone"] is False
        error = [{"errorCode": "INVALID_FIELD", "message": "no"}]
        org.say(200, {"compositeResponse": [{"httpStatusCode": 400, "body": error}]})
        with pytest.raises(RefusedError):
            await line.client.query(soql)


async def test_pages_are_followed_to_the_end_and_never_elsewhere():
    async with scripted() as (org, line):
        next_path = "/services/data/v62.0/query/01g000-2"
        org.say(200, {"done": False, "records": [{"Id": 1}], "nextRecordsUrl": next_path})
        org.say(200, {"done": True, "records": [{"Id": 2}]})
        rows = await line.client.query_to_end("SELECT Id FROM Case")
        assert rows == ({"Id": 1}, {"Id": 2})
        assert org.seen[1].path == next_path
        for bad in ("https://evil.example.com/x", None, "//evil.example.com/"):
            org.say(200, {"done": False, "records": [], "nextRecordsUrl": bad})
            with pytest.raises(MalformedError):
                await line.client.query_to_end("SELECT Id FROM Case")
        for _ in range(2):
            org.say(200, {"done": False, "records": [], "nextRecordsUrl": next_path})
        with pytest.raises(MalformedError, match="back to one another"):
            await line.client.query_to_end("SELECT Id FROM Case")


async def test_an_update_may_be_conditional():
    async with scripted() as (org, line):
        org.say(204)
        org.say(412, [{"errorCode": "PRECONDITION_FAILED", "message": "changed"}])
        since = datetime(2026, 11, 5, 9, 8, 7, 650000, tzinfo=UTC)
        assert await line.client.update(INCIDENT, ROW, {"A__c": None}, unmodified_since=since)
        assert not await line.client.update(INCIDENT, ROW, {"A__c": None}, unmodified_since=since)
        assert org.seen[0].headers["if-unmodified-since"] == "Thu, 05 Nov 2026 09:08:07 GMT"
        assert org.seen[0].json == {"A__c": None}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"id": ROW, "success": True, "created": True}, (ROW, True, 1)),
        (201, {"id": ROW, "success": True}, (ROW, True, 1)),
        (200, {"id": ROW, "success": True, "created": False}, (ROW, False, 1)),
        (204, None, (None, False, 1)),
        (300, ["/services/data/a", "/services/data/b"], (None, None, 2)),
    ],
)
async def test_an_upsert_answers_in_many_ways(status, body, expected):
    async with scripted() as (org, line):
        org.say(status, body)
        done = await line.client.upsert(INCIDENT, "Key__c", "pd:P/1 ä", {"A__c": 1})
        assert (done.id, done.created, done.matches) == expected
        assert org.seen[0].path.endswith(f"/{INCIDENT}/Key__c/pd%3AP%2F1%20%C3%A4")
        assert org.seen[0].method == "PATCH"


@pytest.mark.parametrize("body", ["<html>ok</html>", {"success": True}, {"id": "?"}, [1]])
async def test_a_create_whose_answer_makes_no_sense_is_unknown(body):
    async with scripted() as (org, line):
        org.say(201, body)
        with pytest.raises(UnknownOutcomeError):
            await line.client.create(INCIDENT, {})


async def test_a_page_of_a_proxy_confirms_no_update():
    async with scripted() as (org, line):
        org.say(200, "<html>please log in</html>")
        with pytest.raises(UnknownOutcomeError):
            await line.client.update(INCIDENT, ROW, {})


async def test_reads_that_make_no_sense_are_malformed():
    async with scripted() as (org, line):
        for body in ([], {"records": 5}, {"done": True}, "<html/>"):
            org.say(200, body)
            with pytest.raises(MalformedError):
                await line.client.query("SELECT Id FROM Case")
        org.say(200, {"compositeResponse": []})
        with pytest.raises(MalformedError):
            await line.client.send_composite(["/x"])


async def test_updated_reads_what_it_can():
    async with scripted() as (org, line):
        org.say(200, {"ids": [ROW, "?", 5], "latestDateCovered": "2026-11-24T10:00:00.000+0000"})
        answer = await line.client.fetch_updated(INCIDENT, START - timedelta(minutes=5), START)
        assert answer.ids == (ROW,)
        assert answer.covered_to == START
        org.say(200, {"ids": None, "latestDateCovered": "soon"})
        answer = await line.client.fetch_updated(INCIDENT, START - timedelta(minutes=5), START)
        assert (answer.ids, answer.covered_to) == ((), None)


@pytest.mark.parametrize("count", [0, 26])
async def test_a_composite_request_has_a_size(count):
    async with scripted() as (org, line):
        with pytest.raises(ValueError, match="1 to 25"):
            await line.client.send_composite(["/x"] * count)
        assert org.seen == []


async def test_a_host_that_is_not_there_is_transient():
    async with scripted() as (org, line):
        await line.session.access()
        org.instance_url = "http://127.0.0.1:1"
        org.say(401, EXPIRED)
        with pytest.raises(TransientError):
            await line.client.create(INCIDENT, {})
