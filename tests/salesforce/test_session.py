"""A session that is questioned, logins that are counted, and moods of the login host, over HTTP."""

import pytest
from starlette.responses import JSONResponse

from pagerforce.errors import CredentialsError, TransientError, UnknownOutcomeError, WrongOrgError
from pagerforce.salesforce.login_budget import LoginBudget
from salesforce.kit import HandClock, scripted

QUERY = "SELECT Id FROM Case"
NOTHING = {"done": True, "records": []}
PAGE = "<html>URL No Longer Exists</html>"
NOT_RESET = [{"errorCode": "URL_NOT_RESET", "message": "Destination URL not reset"}]


async def fail(line, times=1):
    for _ in range(times):
        with pytest.raises(TransientError):
            await line.client.query(QUERY)


async def test_two_pages_in_a_row_have_the_login_host_asked():
    async with scripted() as (org, line):
        org.answers += [(404, PAGE, {}), (301, None, {"Location": "/x"}), (200, NOTHING, {})]
        await fail(line, 2)
        assert len(org.logins) == 1
        await line.client.query(QUERY)
        assert len(org.logins) == 2
        assert org.seen[-1].headers["authorization"] == "Bearer token-2"


async def test_an_instance_that_stays_away_is_not_asked_for_at_every_request():
    async with scripted() as (org, line):
        org.answers += [(503, PAGE, {})] * 40
        for _ in range(40):
            await fail(line)
            line.clock.advance(15)
        assert 9 <= len(org.logins) <= 12  # ten minutes


async def test_the_old_session_stays_while_the_login_host_is_silent():
    async with scripted() as (org, line):
        org.answers += [(503, PAGE, {}), (503, PAGE, {}), (200, NOTHING, {})]
        await fail(line, 2)
        org.login_answers = [JSONResponse({}, status_code=503)]
        await line.client.query(QUERY)
        assert org.seen[-1].headers["authorization"] == "Bearer token-1"
        assert len(org.logins) == 2


async def test_refusals_of_the_api_do_not_question_it():
    refusal = [{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable"}]
    async with scripted() as (org, line):
        org.answers += [(400, refusal, {})] * 5
        await fail(line, 5)
        assert len(org.logins) == 1


async def test_a_new_instance_of_another_org_is_refused():
    async with scripted() as (org, line):
        org.answers += [(503, PAGE, {}), (503, PAGE, {})]
        await fail(line, 2)
        org.identity = org.identity.replace("00D000000000001EAA", "00D000000000009EAA")
        with pytest.raises(WrongOrgError, match="was created with org 00D000000000001EAA"):
            await line.client.query(QUERY)


async def test_a_url_that_is_not_reset_is_logged_in_for_at_once():
    async with scripted() as (org, line):
        org.answers += [(400, NOT_RESET, {}), (200, NOTHING, {})]
        await line.client.query(QUERY)
        assert len(org.logins) == 2
        org.answers += [(400, NOT_RESET, {})] * 2
        await fail(line)
        assert len(org.logins) == 3


async def test_logins_have_a_budget():
    async with scripted() as (org, line):
        org.answers += [(400, NOT_RESET, {})] * 200
        for _ in range(60):
            await fail(line)
        assert len(org.logins) == 20
        line.clock.advance(60)
        await fail(line, 10)
        assert len(org.logins) == 23


def test_the_budget_fills_again_by_itself():
    clock = HandClock()
    budget = LoginBudget(clock)
    assert [budget.take() for _ in range(20)] == [0.0] * 20
    assert budget.take() == 20
    clock.advance(15)
    assert budget.take() == 5
    clock.advance(5)
    assert budget.take() == 0
    clock.advance(1e6)
    assert [budget.take() == 0 for _ in range(21)].count(True) == 20


async def test_a_login_rate_that_is_exceeded_is_waited_out():
    mood = {"error": "invalid_grant", "error_description": "login rate exceeded"}
    async with scripted() as (org, line):
        org.login_answers = [JSONResponse(mood, status_code=400)]
        await fail(line, 5)
        assert len(org.logins) == 1
        line.clock.advance(59)
        await fail(line)
        line.clock.advance(2)
        org.say(200, NOTHING)
        await line.client.query(QUERY)
        assert len(org.logins) == 2


async def test_an_account_is_tried_again_at_least_every_two_minutes():
    locked = [{"errorCode": "ORG_LOCKED", "message": "locked"}]
    async with scripted() as (org, line):
        org.answers += [(403, locked, {})] * 100
        for _ in range(60):
            with pytest.raises(CredentialsError, match="owner"):
                await line.client.query(QUERY)
            line.clock.advance(10)
        assert 6 <= len(org.seen) <= 15
        line.clock.advance(80)
        org.answers = [(200, NOTHING, {})]
        await line.client.query(QUERY)


async def test_a_page_that_says_404_is_no_deletion():
    async with scripted() as (org, line):
        org.answers += [(404, PAGE, {})]
        with pytest.raises(UnknownOutcomeError):
            await line.client.delete("Case", "500000000000001AAA")
        gone = [{"errorCode": "NOT_FOUND", "message": "gone"}]
        org.answers += [(404, gone, {})]
        await line.client.delete("Case", "500000000000001AAA")
