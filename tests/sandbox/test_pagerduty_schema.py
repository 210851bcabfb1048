import pytest

from openapi import Schema, ValidatingApp
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import USER_KEY
from published import SCHEMA_FILE, needs_schema
from sandbox_pagerduty import DATABASE, JANE, NETWORK, SAM, headers, open_account

pytestmark = needs_schema

INCIDENT_INCLUDES = [
    "acknowledgers",
    "agents",
    "assignees",
    "conference_bridge",
    "escalation_policies",
    "first_trigger_log_entries",
    "priorities",
    "services",
    "teams",
    "users",
]


@pytest.fixture(scope="module")
def schema():
    assert SCHEMA_FILE is not None
    return Schema(SCHEMA_FILE)


@pytest.fixture
async def account(schema):
    watched = []

    def wrap(app):
        watched.append(ValidatingApp(app, schema))
        return watched[0]

    async with open_account(wrap) as account:
        account.watched = watched[0]
        yield account


def reference(identifier, kind):
    return {"id": identifier, "type": f"{kind}_reference"}


async def live(account):
    """A day with everything that can happen."""
    world = account.world
    api = await account.create(
        incident_key="k",
        body={"type": "incident_body", "details": "text"},
        priority=reference("PPRIO02", "priority"),
        conference_bridge={"conference_number": "+1", "conference_url": "https://example.com"},
        assignments=[{"assignee": reference(JANE, "user")}],
    )
    monitored = world.trigger(NETWORK, "Link down", "link", details={"port": "7"})
    other = world.trigger(DATABASE, "Slow", "slow", severity="warning")
    for one in (api, monitored):
        path = f"/incidents/{one['id']}"
        await account.update(one["id"], status="acknowledged")
        await account.post(f"{path}/snooze", {"duration": 60})
        await account.update(one["id"], priority="P1", urgency="low", title="Worse")
        await account.update(one["id"], escalation_level=2)
        await account.update(one["id"], escalation_policy=reference("PEPDBA1", "escalation_policy"))
        await account.update(one["id"], service=reference(DATABASE, "service"))
        await account.update(one["id"], assignments=[{"assignee": reference(SAM, "user")}])
        note = (await account.post(f"{path}/notes", {"note": {"content": "hi"}}))["note"]
        await account.put(f"{path}/notes/{note['id']}", {"note": {"content": "hello"}})
        await account.get(f"{path}/notes")
        await account.post(f"{path}/status_updates", {"message": "m", "subject": "s"})
        values = {"custom_fields": [{"name": "ticket", "value": "T-1"}]}
        await account.put(f"{path}/custom_fields/values", values)
        await account.get(f"{path}/custom_fields/values")
        asked = {
            "requester_id": JANE,
            "message": "help",
            "responder_request_targets": [
                {"responder_request_target": reference(SAM, "user")},
            ],
        }
        await account.post(f"{path}/responder_requests", asked)
        cancelled = {"requester_id": JANE, "responder_request_targets": [reference(SAM, "user")]}
        await account.put(f"{path}/responder_requests/cancel", cancelled)
        await account.get(path, include=[*INCIDENT_INCLUDES, "custom_fields"])
        started = {"incident_workflow_instance": {"incident": reference(one["id"], "incident")}}
        await account.post("/incident_workflows/PWFLOW1/instances", started)
        await account.post(
            "/response_plays/PPLAY01/run", {"incident": reference(one["id"], "incident")}
        )
        await account.client.delete(f"{path}/notes/{note['id']}")
    await do_the_rest(account, api, monitored, other)


async def do_the_rest(account, api, monitored, other):
    world = account.world
    world.custom_action(api["id"], "Restart", JANE)
    world.unacknowledge(api["id"])
    world.notify(api["id"], SAM)
    for kind in ("exhaust_escalation_path", "reach_ack_limit", "brand_new"):
        world.add_entry(api["id"], f"{kind}_log_entry", "?")
    alert = (await account.get(f"/incidents/{other['id']}/alerts"))["alerts"][0]
    await account.get(f"/incidents/{other['id']}/alerts/{alert['id']}")
    path = f"/incidents/{other['id']}/alerts"
    await account.put(f"{path}/{alert['id']}", {"alert": {"status": "resolved"}})
    source = {"source_incidents": [reference(monitored["id"], "incident")]}
    await account.put(f"/incidents/{other['id']}/merge", source)
    done = {"id": api["id"], "type": "incident_reference", "status": "resolved", "resolution": "r"}
    await account.put("/incidents", {"incidents": [done]})
    await account.update(api["id"], status="triggered")
    await account.get("/incidents", include=INCIDENT_INCLUDES, date_range="all", total="true")
    entry = api["first_trigger_log_entry"]["id"]
    body = {"channel": {"type": "web_trigger", "details": "d"}}
    await account.client.put(f"/log_entries/{entry}/channel", json=body)
    for place in ("", f"/incidents/{api['id']}", f"/incidents/{monitored['id']}"):
        for include in ([], ["incidents", "services", "channels", "teams"]):
            await account.get(f"{place}/log_entries", include=include, time_zone="UTC", limit=100)
    await account.get(f"/log_entries/{entry}", include=["channels"])


async def test_everything_the_sandbox_answers_is_what_the_schema_says(account):
    await live(account)
    await read_the_directory(account)
    assert account.watched.violations == []
    assert len(account.watched.calls) >= 40


async def read_the_directory(account):
    for path in (
        "/users",
        f"/users/{JANE}",
        "/services",
        f"/services/{NETWORK}",
        "/escalation_policies",
        "/escalation_policies/PEPNET1",
        "/priorities",
        "/teams",
        "/abilities",
        "/incident_workflows",
        "/incident_workflows/PWFLOW1",
        "/incident_workflows/triggers",
        "/incidents/types",
        "/incidents/types/incident_default/custom_fields",
        "/incidents/custom_fields",
    ):
        await account.get(path)
    await account.client.get("/abilities/teams")
    await account.client.get("/users/me", headers=headers(USER_KEY))


async def test_refusals_are_what_the_schema_and_the_facts_say(account):
    incident = await account.create(incident_key="k")
    path = f"/incidents/{incident['id']}"
    await account.refused("GET", "/incidents/QNONE", 404)
    await account.refused("GET", "/users/me", 400)
    await account.refused("GET", "/abilities/none", 402)
    await account.refused("POST", f"{path}/snooze", 400, {"duration": 60})
    account.world.plan.priorities = False
    await account.refused("GET", "/priorities", 402)
    for fault in (Fault(FaultKind.TOO_MANY), Fault(FaultKind.TOO_MANY, seconds=1)):
        account.faults.add(fault)
        await account.client.get("/abilities")
    for status in (500, 503):
        account.faults.add(Fault(FaultKind.ERROR_BEFORE, status=status))
        await account.client.get("/abilities")
    assert account.watched.violations == []


async def test_a_malformed_answer_is_a_violation_of_the_answers_only(account):
    account.faults.add(Fault(FaultKind.MALFORMED))
    await account.client.get("/abilities")
    assert account.watched.request_violations == []
    assert len(account.watched.answer_violations) == 1


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "complaint"),
    [
        ("GET", "/nothing", [], None, "no such operation"),
        ("PATCH", "/incidents", [], None, "no such operation"),
        ("GET", "/incidents", [("status", "triggered")], None, "not a documented parameter"),
        ("GET", "/incidents", [("statuses[]", "open")], None, "is none of"),
        ("GET", "/incidents", [("limit", "x")], None, "not an integer"),
        ("GET", "/incidents", [("limit", "101")], None, "beyond 100"),
        ("GET", "/incidents", [("limit", "100"), ("offset", "9901")], None, "beyond 10000"),
        ("GET", "/incidents", [("total", "True")], None, "not a lowercase boolean"),
        ("GET", "/incidents", [("since", "a"), ("since", "b")], None, "given 2 times"),
        ("GET", "/incidents", [("sort_by", "a,b,c")], None, "more than 2"),
        ("GET", "/log_entries", [("sort_by", "created_at")], None, "not a documented parameter"),
        ("GET", "/log_entries", [("since", "1h")], None, "not a date"),
        ("GET", "/log_entries", [], {}, "a body where none"),
        ("POST", "/incidents", [], {"incident": {"type": "incident"}}, "'title' is a required"),
        ("PUT", "/incidents/Q", [], {"incident": {"status": "resolved"}}, "'type' is a required"),
        (
            "PUT",
            "/incidents/Q",
            [],
            {"incident": {"type": "incident_reference", "priority": {"id": "P"}}},
            "priority",
        ),
        (
            "PUT",
            "/incidents/Q",
            [],
            {"incident": {"type": "incident_reference", "colour": "red"}},
            "'colour' was unexpected",
        ),
        ("POST", "/incidents/Q/snooze", [], {"duration": 0}, "less than the minimum"),
        ("PUT", "/incidents/Q/custom_fields/values", [], {"custom_fields": [{}]}, "'value'"),
    ],
)
def test_requests_that_break_the_schema_are_seen(schema, method, path, query, body, complaint):
    problems = schema.check_request(method, path, query, None, body)
    assert any(complaint in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"Authorization": "Token x"}, "Authorization is malformed"),
        ({"Accept": "application/json"}, "version 2"),
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"From": ""}, "From is missing"),
    ],
)
def test_headers_that_are_missing_are_seen(schema, change, complaint):
    sent = {name.lower(): value for name, value in {**headers(), **change}.items()}
    body = {"note": {"content": "c"}}
    problems = schema.check_request("POST", "/incidents/Q/notes", [], sent, body)
    assert len(problems) == 1
    assert complaint in problems[0]


ENTRY = {
    "id": "R1",
    "type": "acknowledge_log_entry",
    "created_at": "2026-11-24T12:00:00Z",
    "channel": {"type": "website"},
    "agent": {"id": "P1", "type": "user_reference"},
    "incident": {"id": "Q1", "type": "incident_reference"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "acknowledged"},
        {"created_at": "2026-11-24T12:00:00.123Z"},
        {"created_at": "2026-11-24T12:00:00"},
        {"agent": {"id": "P1", "type": "person"}},
        {"channel": {}},
        {"id": 5},
    ],
)
def test_answers_that_break_the_schema_are_seen(schema, change):
    def problems(entry):
        return schema.check_answer("GET", "/log_entries", 200, {"log_entries": [entry]})

    assert problems(ENTRY) == []
    assert problems({**ENTRY, **change}) != []


def test_a_status_and_a_body_that_are_not_documented_are_seen(schema):
    assert schema.check_answer("GET", "/abilities", 201, {"abilities": []}) != []
    assert schema.check_answer("GET", "/abilities", 418, {"error": {}}) != []
    assert schema.check_answer("GET", "/abilities", 404, b"") != []
    assert schema.check_answer("GET", "/abilities", 404, {"message": "no"}) != []
    assert schema.check_answer("GET", "/abilities/teams", 204, {"a": 1}) != []
    assert schema.check_answer("GET", "/abilities", 200, b"<html>") != []
