import httpx
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import READ_ONLY_KEY, USER_KEY
from sandbox_pagerduty import NETWORK, headers

NEW = {
    "incident": {
        "type": "incident",
        "title": "t",
        "service": {"id": NETWORK, "type": "service_reference"},
    }
}


@pytest.mark.parametrize(
    "header",
    [None, "", "sandbox-account-key", "Token sandbox-account-key", "Token token=wrong", "Bearer x"],
)
async def test_bad_credentials_are_401(account, header):
    sent = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(base_url=account.client.base_url) as client:
        answer = await client.get("/incidents", headers=sent)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 2006


async def test_a_read_only_key_may_only_read(account):
    sent = headers(READ_ONLY_KEY)
    assert (await account.client.get("/incidents", headers=sent)).status_code == 200
    answer = await account.client.post("/incidents", headers=sent, json=NEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 2010)
    assert account.world.incidents() == []


async def test_an_account_key_needs_from_and_the_answer_says_so(account):
    del account.client.headers["From"]
    error = await account.refused("POST", "/incidents", 400, NEW)
    assert 'email address in the "From" header' in error["message"]


async def test_an_unknown_requester_is_1008(account):
    account.client.headers["From"] = "nobody@example.com"
    error = await account.refused("POST", "/incidents", 400, NEW)
    assert (error["code"], error["message"]) == (1008, "Requester User Not Found")


async def test_a_user_key_acts_as_its_user_without_from(account):
    sent = headers(USER_KEY, sender=None)
    answer = await account.client.post("/incidents", headers=sent, json=NEW)
    assert answer.status_code == 201
    assert account.world.entries()[0]["agent"]["id"] == "PJANE01"


async def test_from_is_met_in_any_case(account):
    account.client.headers["From"] = "Integration@Example.com"
    await account.create()
    assert account.world.entries()[0]["agent"]["id"] == "PINTEG1"


async def test_users_me_returns_users_and_a_plain_text_for_account_keys(account):
    answer = await account.client.get("/users/me")
    assert answer.status_code == 400
    assert "account-level access token" in answer.json()["error"]
    answer = await account.client.get("/users/me", headers=headers(USER_KEY))
    assert answer.json()["user"]["email"] == "jane.doe@example.com"


async def test_every_answer_has_an_id_a_date_and_the_state_of_the_limit(account):
    answers = [await account.client.get("/abilities") for _ in range(2)]
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]
    assert answers[0].headers["date"] == "Tue, 24 Nov 2026 12:00:00 GMT"
    standing = [answer.headers["ratelimit-remaining"] for answer in answers]
    assert (answers[0].headers["ratelimit-limit"], standing) == ("960", ["959", "958"])


async def test_the_limit_counts_per_key_and_minute(account):
    account.world.knobs.requests_per_minute = 2
    assert [(await account.client.get("/abilities")).status_code for _ in range(2)] == [200, 200]
    account.clock.advance(20)
    answer = await account.client.get("/abilities")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, 2020)
    assert (answer.headers["ratelimit-remaining"], answer.headers["ratelimit-reset"]) == ("0", "40")
    other = await account.client.get("/abilities", headers=headers(USER_KEY))
    assert other.status_code == 200
    account.clock.advance(40)
    assert (await account.client.get("/abilities")).status_code == 200


async def test_a_429_comes_with_everything_or_with_nothing(account):
    account.faults.add(Fault(FaultKind.TOO_MANY))
    account.faults.add(Fault(FaultKind.TOO_MANY, seconds=12))
    bare, full = [await account.client.get("/abilities") for _ in range(2)]
    assert (bare.status_code, bare.content) == (429, b"")
    assert not [name for name in bare.headers if name.startswith("ratelimit")]
    assert full.headers["ratelimit-reset"] == "12"
    assert full.json()["error"] == {"message": "Rate Limit Exceeded", "code": 2020}


async def test_an_internal_error_is_json_and_one_before_it_is_not(account):
    account.faults.add(Fault(FaultKind.ERROR_BEFORE, status=500))
    account.faults.add(Fault(FaultKind.ERROR_BEFORE, status=502))
    error = await account.refused("GET", "/abilities", 500)
    assert error["code"] == 2000
    assert "json" not in (await account.client.get("/abilities")).headers["content-type"]


async def test_an_answer_lost_after_the_effect_leaves_the_effect(account):
    account.faults.add(Fault(FaultKind.DROP_AFTER, method="POST"))
    with pytest.raises(httpx.RemoteProtocolError):
        await account.create(incident_key="k")
    assert [incident["title"] for incident in account.world.incidents()] == ["Disk full"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("GET", "/"), ("DELETE", "/incidents")]
)
async def test_unknown_paths_are_404_in_json(account, method, path):
    error = await account.refused(method, path, 404)
    assert error["code"] == 2100


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"null", b""])
async def test_a_body_that_is_not_the_wrapper_is_400(account, content):
    answer = await account.client.post("/incidents", content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 2001)


async def test_a_body_without_end_is_cut_off(account):
    answer = await account.client.post("/incidents", content=b" " * (10 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_events_by_hand_trigger_acknowledge_and_resolve(account):
    event = {
        "service_id": NETWORK,
        "dedup_key": "disk",
        "event_action": "trigger",
        "payload": {"summary": "Disk full", "severity": "warning"},
    }
    statuses = []
    for action in ("trigger", "trigger", "acknowledge", "resolve"):
        answer = await account.client.post(
            "/__sandbox__/events", json={**event, "event_action": action}
        )
        assert answer.status_code == 202
        statuses.append(answer.json()["status"])
    assert statuses == ["triggered", "triggered", "acknowledged", "resolved"]
    assert account.types() == ["trigger", "assign", "trigger", "acknowledge", "resolve"]
    answer = await account.client.post(
        "/__sandbox__/events", json={**event, "event_action": "resolve"}
    )
    assert "no open incident" in answer.json()["message"]


@pytest.mark.parametrize(
    "event",
    [
        [],
        {"event_action": "explode", "service_id": NETWORK},
        {"event_action": "trigger", "service_id": "PNOTHERE", "payload": {"summary": "s"}},
        {"event_action": "trigger", "service_id": NETWORK},
        {"event_action": "trigger", "service_id": NETWORK, "payload": {"summary": 1}},
        {"event_action": "trigger", "service_id": NETWORK, "payload": []},
        {"event_action": "trigger", "service_id": NETWORK, "payload": 5},
        {"event_action": "resolve", "service_id": NETWORK, "dedup_key": 7},
    ],
)
async def test_what_is_not_an_event_is_refused(account, event):
    answer = await account.client.post("/__sandbox__/events", json=event)
    assert answer.status_code == 400
    assert account.world.incidents() == []
