"""Answers in the form of real orgs: each is sent over HTTP to pagerforce's own client.

``salesforce/NAME.json`` is a status and a body, or a describe; ``NAME.expected.json`` has the expected
``meaning``, and in ``sandbox`` the name by which the sandbox gives the same answer.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from pagerforce.errors import CredentialsError, RemoteError
from pagerforce.model.verdict import HaltSide, RetryLater, Unknown
from pagerforce.salesforce.client import Update
from pagerforce.sandbox.salesforce.refusals import REFUSALS
from pagerforce.wire.verdicts import verdict_of
from salesforce.kit import INCIDENT, START, scripted

FOLDER = Path(__file__).parent / "salesforce"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json"))
ROW = "a0R000000000001AAA"
STAYS = 6
"""Number of pages of the edge after which a new login must have been tried."""


def load(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    recorded, expected = (
        json.loads((FOLDER / f"{name}{end}.json").read_text()) for end in ("", ".expected")
    )
    return recorded, expected


def cases(*meanings: str):
    found = [name for name in NAMES if load(name)[1]["meaning"] in meanings]
    assert found
    return found


# How a request gets an answer: alone, as one row of a collection, as a part of a composite. -------


async def query(org, line, case):
    org.say(case["status"], case["body"])
    await line.client.query("SELECT Id FROM Case")


async def create(org, line, case):
    org.say(case["status"], case["body"])
    await line.client.create(INCIDENT, {"A__c": "x"})


async def update(org, line, case):
    org.say(case["status"], case["body"])
    await line.client.update(INCIDENT, ROW, {"A__c": "x"})


async def collection(org, line, case):
    errors = [
        {"statusCode": item["errorCode"], **{k: v for k, v in item.items() if k != "errorCode"}}
        for item in case["body"]
    ]
    org.say(200, [{"success": False, "errors": errors}])
    (result,) = await line.client.create_many(INCIDENT, [{"A__c": "x"}])
    raise result


async def part(org, line, case):
    item = {"httpStatusCode": case["status"], "body": case["body"], "referenceId": "part0"}
    org.say(200, {"compositeResponse": [item]})
    (result,), _ = await line.client.update_many([Update(INCIDENT, ROW, {"A__c": "x"}, START)])
    raise result.error


Way = Callable[[Any, Any, dict[str, Any]], Awaitable[None]]
WAYS: list[Way] = [query, create, update, collection, part]
ALONE: list[Way] = [query, create, update]


async def met(way: Way, org, line, case) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await way(org, line, case)
    return caught.value


def test_every_case_has_an_expected_result():
    given = {path.stem for path in FOLDER.glob("sf-*.json") if ".expected" not in path.name}
    assert given == set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if "sandbox" in load(name)[1]])
def test_sandbox_gives_the_same_answer(name):
    case, expected = load(name)
    refusal = REFUSALS[expected["sandbox"]]
    assert (refusal.status, refusal.body) == (case["status"], case["body"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", cases("retry"))
async def test_lock_is_tried_again(name, way):
    case, _ = load(name)
    async with scripted() as (org, line):
        error = await met(way, org, line, case)
        assert isinstance(verdict_of(error), RetryLater)
        assert len(org.logins) == 1


@pytest.mark.parametrize("way", [create, update, collection, part])
@pytest.mark.parametrize("name", cases("retry slowly"))
async def test_maintenance_is_waited_out(name, way):
    """Nothing is lost and nobody has to act, whether one action waits or the whole side."""
    case, _ = load(name)
    async with scripted() as (org, line):
        error = await met(way, org, line, case)
        assert isinstance(verdict_of(error), RetryLater | HaltSide)
        assert not isinstance(error, CredentialsError)
        assert len(org.logins) == 1


@pytest.mark.parametrize("way", ALONE)
@pytest.mark.parametrize("name", cases("log in anew"))
async def test_moved_instance_is_found_through_the_login_host(name, way):
    """At once, or before the next attempt; then it works. A search may precede a repeated write."""
    case, _ = load(name)
    async with scripted() as (org, line):
        org.say(case["status"], case["body"])
        answers = {query: (200, {"done": True, "records": []}), update: (204, None)}
        status, body = answers.get(way, (201, {"id": ROW, "success": True, "errors": []}))
        good = {"status": status, "body": body}
        early: list[RemoteError] = []
        try:
            await way(org, line, good)
        except RemoteError as error:
            early.append(error)
            org.answers.clear()
            await way(org, line, good)
        assert all(isinstance(verdict_of(error), RetryLater | Unknown) for error in early)
        assert len(org.logins) == 2


@pytest.mark.parametrize("way", ALONE)
@pytest.mark.parametrize("name", cases("retry, log in anew if it stays"))
async def test_page_of_the_edge_is_no_answer(name, way):
    """A search may also follow the lost answer of a write."""
    case, _ = load(name)
    async with scripted() as (org, line):
        for _ in range(STAYS):
            for _ in range(2):  # a client that logs in again may send it twice
                org.say(case["status"], case["body"])
            error = await met(way, org, line, case)
            assert isinstance(verdict_of(error), RetryLater | Unknown)
            org.answers.clear()
            line.clock.advance(60)
        assert len(org.logins) > 1


@pytest.mark.parametrize("name", cases("passing"))
async def test_login_that_is_refused_for_now_is_no_wrong_key(name):
    case, _ = load(name)
    async with scripted() as (org, line):
        org.login_answers = [JSONResponse(case["body"], status_code=case["status"])]
        with pytest.raises(RemoteError) as caught:
            await line.session.access()
        assert isinstance(verdict_of(caught.value), RetryLater)
        line.clock.advance(900)
        assert (await line.session.access()).token == "token-2"


@pytest.mark.parametrize("name", cases("no path"))
async def test_reference_without_a_name_is_empty(name):
    case, expected = load(name)
    async with scripted() as (org, line):
        described = {"name": expected["object"], "fields": case["fields"]}
        org.say(200, described)
        for path in expected["paths"]:
            assert await line.schema.find_field(expected["object"], path) is None
        field = case["fields"][0]["name"]
        assert (await line.schema.find_field(expected["object"], field)).type == "reference"
