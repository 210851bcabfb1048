from datetime import timedelta

import anyio
import jwt
import pytest
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from pagerforce.errors import (
    CredentialsError,
    MalformedError,
    TransientError,
    WrongOrgError,
)
from pagerforce.salesforce.login import check_instance, make_assertion
from salesforce.kit import ORG, US, key_pair, scripted


def claims_of(login):
    return jwt.decode(
        login["assertion"],
        key_pair()[1],
        algorithms=["RS256"],
        options={"verify_aud": False, "verify_exp": False},
    )


def refusal(error, description=None, status=400):
    body = {"error": error}
    if description is not None:
        body["error_description"] = description
    return JSONResponse(body, status_code=status)


async def test_the_assertion_carries_exactly_what_the_flow_wants():
    async with scripted() as (org, line):
        access = await line.session.access()
        login = org.logins[0]
        assert login["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert claims_of(login) == {
            "iss": "sandbox-consumer-key",
            "sub": "integration@example.com",
            "aud": line.settings.login_url,
            "exp": int((line.clock.now() + timedelta(seconds=150)).timestamp()),
        }
        assert (access.org_id, access.user_id) == (ORG, US)
        assert "token-1" not in repr(access)
        assert line.observer.requests == [("login", "200")]


async def test_a_configured_audience_is_independent_of_the_token_host():
    async with scripted(audience="https://login.salesforce.com") as (org, line):
        await line.session.access()
        assert claims_of(org.logins[0])["aud"] == "https://login.salesforce.com"


async def test_many_callers_share_one_login():
    async with scripted() as (org, line):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(line.session.access)
        assert len(org.logins) == 1


async def refused_access(session, failed):
    with pytest.raises(TransientError):
        await session.access()
    failed.append(1)


async def test_many_callers_share_one_failed_login():
    async with scripted() as (org, line):
        org.login_answers = [JSONResponse({}, status_code=503) for _ in range(10)]
        failed = []
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(refused_access, line.session, failed)
        assert len(failed) == 5
        assert len(org.logins) == 1
        await refused_access(line.session, failed)
        assert len(org.logins) == 2


async def test_a_caller_that_comes_during_a_failing_login_shares_it():
    async with scripted() as (org, line):
        failed = []
        async with anyio.create_task_group() as tasks:

            def refuse():
                tasks.start_soon(refused_access, line.session, failed)
                return JSONResponse({}, status_code=503)

            org.login_answers = [refuse, JSONResponse({}, status_code=503)]
            tasks.start_soon(refused_access, line.session, failed)
        assert (len(failed), len(org.logins)) == (2, 1)


@pytest.mark.parametrize("wanted", [ORG, ORG[:15]])
async def test_the_pinned_org_may_be_written_with_15_or_18_characters(wanted):
    async with scripted(org_id=wanted) as (_, line):
        assert (await line.session.access()).org_id == ORG


async def test_another_org_is_refused():
    async with scripted(org_id="00D000000000009EAA") as (_, line):
        with pytest.raises(WrongOrgError, match="00D000000000009EAA"):
            await line.session.access()
        assert line.session.known is None


@pytest.mark.parametrize(
    ("error", "description", "advice"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "pre-authorized"),
        ("invalid_grant", "invalid assertion", "certificate"),
        ("invalid_grant", "audience is invalid", "salesforce.audience"),
        ("invalid_grant", "expired authorization code", "clock"),
        ("invalid_client_id", "client identifier invalid", "consumer_key"),
        ("invalid_app_access", "user is not admin approved to access this app", "permission set"),
        ("app_not_found", "External client app is not installed in this org", "My Domain"),
        ("invalid_grant", None, "login_url"),
    ],
)
async def test_a_refused_login_says_what_to_do_and_no_secret(error, description, advice):
    async with scripted() as (org, line):
        org.login_answers = [refusal(error, description)]
        with pytest.raises(CredentialsError, match=advice) as caught:
            await line.session.access()
        assert caught.value.code == error
        assert org.logins[0]["assertion"] not in str(caught.value)


async def test_a_refused_login_is_not_repeated_until_the_pause_has_passed():
    async with scripted() as (org, line):
        org.login_answers = [refusal("invalid_grant", "invalid assertion") for _ in range(3)]
        for _ in range(3):
            with pytest.raises(CredentialsError):
                await line.session.access()
        assert len(org.logins) == 1
        line.clock.advance(31)
        with pytest.raises(CredentialsError):
            await line.session.access()
        assert len(org.logins) == 2
        line.clock.advance(31)  # the second pause is longer
        with pytest.raises(CredentialsError):
            await line.session.access()
        assert len(org.logins) == 2
        line.clock.advance(30)
        with pytest.raises(CredentialsError):
            await line.session.access()
        assert len(org.logins) == 3
        line.session.forgive()
        assert (await line.session.access()).token == "token-4"


async def test_a_host_clock_that_is_wrong_is_corrected_by_the_servers():
    async with scripted() as (org, line):
        org.date_offset = timedelta(minutes=10)
        org.login_answers = [refusal("invalid_grant", "expired assertion")]
        await line.session.access()
        first, second = (claims_of(login)["exp"] for login in org.logins)
        assert second - first == 600
        assert line.session.now() - line.clock.now() == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (HTMLResponse("<h1>Bad gateway</h1>", status_code=502), TransientError),
        (JSONResponse({"error": "server_error"}, status_code=400), TransientError),
        (JSONResponse([1, 2], status_code=400), CredentialsError),
        (HTMLResponse("proxy", status_code=403), CredentialsError),
        (RedirectResponse("https://elsewhere.example.com/"), CredentialsError),
        (HTMLResponse("not JSON", status_code=200), MalformedError),
        (JSONResponse({"access_token": "x", "instance_url": "http://127.0.0.1"}), MalformedError),
        (JSONResponse({"access_token": None}), MalformedError),
    ],
)
async def test_odd_login_answers_are_errors_of_their_kind(answer, kind):
    async with scripted() as (org, line):
        org.login_answers = [answer]
        with pytest.raises(kind):
            await line.session.access()


@pytest.mark.parametrize(
    "instance",
    [
        "https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com/",
        "https://na1.salesforce.com",
        "https://acme.file.force.com",
    ],
)
def test_an_instance_of_salesforce_is_trusted(instance):
    assert check_instance(instance, login_url="https://acme.my.salesforce.com") == (
        instance.rstrip("/")
    )


@pytest.mark.parametrize(
    "instance",
    [
        "http://acme.my.salesforce.com",
        "https://evil.example.com",
        "https://salesforce.com.evil.example.com",
        "https://evilsalesforce.com",
        "http://127.0.0.1:8080",
        "ftp://acme.my.salesforce.com",
        "https://[::1",
        "",
        "https://acme.my.salesforce.com:8443",
        "https://user@acme.my.salesforce.com",
        "https://evil.example.com\\@acme.my.salesforce.com",
        "https://acme.my.salesforce.com/services",
        "https://acme.my.salesforce.com?x=1",
        "https://acme.my.salesforce.com#x",
        "https://acme.my.salesforce.com\n.evil.example.com",
        "https://acme\x1b[2J.my.salesforce.com",
        "https://\u0430cme.my.salesforce.com",
        "https://acme.my.salesforce.com\u3002evil.example.com",
        "https://acme_x.my.salesforce.com",
        "https://.salesforce.com",
        "https://a..salesforce.com",
        "https://-a.salesforce.com",
        "https://%61cme.my.salesforce.com",
        "https://" + "a" * 64 + ".salesforce.com",
        "https://" + "a." * 200 + "salesforce.com",
        "https://acme.my.salesforce.com:",
        " https://acme.my.salesforce.com",
        "https:/acme.my.salesforce.com",
    ],
)
def test_the_token_goes_to_no_other_host(instance):
    with pytest.raises(CredentialsError, match="login_url"):
        check_instance(instance, login_url="https://acme.my.salesforce.com")


def test_loopback_leads_to_loopback():
    assert check_instance("http://localhost:81", login_url="http://127.0.0.1:80") == (
        "http://localhost:81"
    )


def test_a_key_that_is_invalid_is_not_quoted():
    with pytest.raises(CredentialsError) as caught:
        make_assertion(
            consumer_key="k",
            username="u",
            audience="a",
            private_key="-----BEGIN secret stuff",
            now=__import__("datetime").datetime(2026, 1, 1),
        )
    assert "secret stuff" not in str(caught.value)
    assert caught.value.__cause__ is None
