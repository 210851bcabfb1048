"""The request headers that change the effect of a write: on each kind of write, over HTTP."""

import pytest

from pagerforce.errors import RefusedError
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.client import Update
from salesforce.kit import INCIDENT, START, scripted

ROW = "a0N000000000001AAA"
ALLOW = "allowSave=true"
HEADER = "Sforce-Duplicate-Rule-Header"
VALUES = {"A__c": "x"}
DUPLICATE = {
    "errorCode": "DUPLICATES_DETECTED",
    "message": "Use one of these records?",
    "fields": [],
    "duplicateResut": {"allowSave": True, "duplicateRule": "Same_subject"},
}


def alerting(done):
    """An org with a duplicate rule that alerts: it saves if the caller says so."""

    def answer(seen):
        if seen.headers.get(HEADER.lower()) == ALLOW:
            return done
        return (400, [DUPLICATE], {})

    return answer


async def create(client):
    await client.create(INCIDENT, VALUES)


async def upsert(client):
    await client.upsert(INCIDENT, "Key__c", "pd:1", VALUES)


async def update(client):
    await client.update(INCIDENT, ROW, VALUES)


async def create_many(client):
    await client.create_many(INCIDENT, [VALUES])


MADE = {"id": ROW, "success": True, "errors": []}
WRITES = [
    (create, (201, MADE, {})),
    (upsert, (201, {**MADE, "created": True}, {})),
    (update, (204, None, {})),
    (create_many, (200, [MADE], {})),
]


@pytest.mark.parametrize(("write", "done"), WRITES)
async def test_an_alert_of_a_duplicate_rule_stops_no_write(write, done):
    async with scripted() as (org, line):
        org.answers = [alerting(done)]
        await write(line.client)
        headers = org.seen[-1].headers
        assert headers["sforce-auto-assign"] == "FALSE"
        assert headers["sforce-mru"] == "updateMru=false"
        assert headers["sforce-call-options"] == "client=pagerforce"


@pytest.mark.parametrize(("write", "done"), WRITES)
async def test_it_stops_them_where_that_is_configured(write, done):
    async with scripted(allow_duplicates=False) as (org, line):
        org.answers = [alerting(done)]
        with pytest.raises(RefusedError, match="DUPLICATES_DETECTED"):
            await write(line.client)


async def test_each_part_of_a_composite_request_carries_them():
    part = {"body": None, "httpHeaders": {}, "httpStatusCode": 204, "referenceId": "part0"}
    async with scripted() as (org, line):
        org.say(200, {"compositeResponse": [part]})
        await line.client.update_many([Update(INCIDENT, ROW, VALUES, START)])
        (sent,) = org.seen[-1].json["compositeRequest"]
        assert sent["httpHeaders"] == {
            "Sforce-Auto-Assign": "FALSE",
            "Sforce-Mru": "updateMru=false",
            HEADER: ALLOW,
            "If-Unmodified-Since": "Tue, 24 Nov 2026 10:00:00 GMT",
        }


async def test_a_reading_request_carries_none_of_them():
    async with scripted() as (org, line):
        org.say(200, {"done": True, "records": []})
        await line.client.query("SELECT Id FROM Case")
        assert HEADER.lower() not in org.seen[-1].headers


async def test_a_rule_that_blocks_is_a_refusal_that_an_administrator_understands():
    body = [{**DUPLICATE, "duplicateResut": {"allowSave": False}}]
    async with scripted() as (org, line):
        org.say(400, body)
        with pytest.raises(VendorRefusedError) as caught:
            await create(line.client)
    reason = to_verdict(caught.value).reason
    assert "Setup, Duplicate Rules" in reason
    assert "salesforce.allow_duplicates" in reason
