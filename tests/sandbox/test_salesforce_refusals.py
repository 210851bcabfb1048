"""How the org refuses: named answers as faults and as troubles of one operation.

Facts: docs/vendors/salesforce.md#errors.
"""

import httpx
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind, Faults
from pagerforce.sandbox.salesforce.refusals import REFUSALS
from pagerforce.sandbox.salesforce.troubles import Trouble
from sandbox_salesforce import BASE, JANE_ID, Org

CASES = f"{BASE}/sobjects/Case"
TOKEN = "/services/oauth2/token"
LOGINS = [name for name, item in REFUSALS.items() if isinstance(item.body, dict)]
OPERATIONS = [name for name, item in REFUSALS.items() if item.as_error() is not None]


async def arm(org: Org, **fault: object) -> httpx.Response:
    return await org.http.post("/__sandbox__/faults", json={"kind": "error_before", **fault})


async def refuse(org: Org, name: str, **more: object) -> None:
    answer = await org.http.post("/__sandbox__/knobs", json={"refuse": {"name": name, **more}})
    assert answer.status_code == 204, answer.text


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


@pytest.mark.parametrize("name", REFUSALS)
async def test_fault_gives_the_named_answer_once(org: Org, name: str):
    wanted = REFUSALS[name]
    assert (await arm(org, answer=name)).status_code == 201
    answer = await org.http.get(f"{BASE}/limits")
    assert answer.status_code == wanted.status
    if isinstance(wanted.body, str):
        assert answer.headers["content-type"] == "text/html;charset=UTF-8"
        assert answer.text == wanted.body
    else:
        assert answer.json() == wanted.body
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200


@pytest.mark.parametrize("name", LOGINS)
async def test_token_endpoint_refuses_with_an_object(org: Org, name: str):
    await arm(org, answer=name, path=TOKEN)
    answer = await org.http.post(TOKEN, data={})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "error_description"}


def test_lock_of_nested_triggers_is_named_beyond_500_characters():
    message = REFUSALS["row_lock_in_nested_triggers"].body[0]["message"]
    assert "UNABLE_TO_LOCK_ROW" not in message[:500]
    assert "UNABLE_TO_LOCK_ROW" in message


async def test_answer_after_the_effect(org: Org):
    org.faults.add(Fault(FaultKind.ERROR_AFTER, answer="no_longer_exists", method="POST"))
    assert (await org.http.post(CASES, json={"Subject": "x"})).status_code == 404
    assert [row["Subject"] for row in org.world.rows("Case")] == ["x"]


async def test_unknown_answer_is_refused(org: Org):
    answer = await arm(org, answer="earthquake")
    assert (answer.status_code, "unknown answer" in answer.json()["error"]) == (400, True)
    answer = await org.http.post(
        "/__sandbox__/faults", json={"kind": "latency", "answer": "row_lock"}
    )
    assert "for error_before and error_after only" in answer.json()["error"]
    with pytest.raises(ValueError, match="known: none here"):
        Faults().add(Fault(FaultKind.ERROR_BEFORE, answer="row_lock"))


@pytest.mark.parametrize("name", OPERATIONS)
async def test_write_meets_the_refusal_alone_in_a_composite_and_in_a_collection(org: Org, name):
    wanted = REFUSALS[name]
    (said,) = wanted.body
    await refuse(org, name, count=3, object="Case")
    alone = await org.http.post(CASES, json={"Subject": "x"})
    assert (alone.status_code, alone.json()) == (wanted.status, wanted.body)
    parts = [
        {"method": "POST", "url": CASES, "referenceId": "a", "body": {"Subject": "x"}},
        {"method": "GET", "url": f"{BASE}/query?q=SELECT+Id+FROM+Case", "referenceId": "b"},
    ]
    outer = await org.http.post(f"{BASE}/composite", json={"compositeRequest": parts})
    first, second = outer.json()["compositeResponse"]
    assert outer.status_code == second["httpStatusCode"] == 200
    assert (first["httpStatusCode"], first["body"]) == (wanted.status, wanted.body)
    records = [{"attributes": {"type": "Case"}, "Subject": text} for text in "xy"]
    rows = (await org.http.post(f"{BASE}/composite/sobjects", json={"records": records})).json()
    assert rows[0]["errors"] == [
        {"statusCode": said["errorCode"], "message": said["message"], "fields": []}
    ]
    assert rows[1]["success"] is True
    assert len(org.world.rows("Case")) == 1


async def test_trouble_waits_for_its_operation_and_object(org: Org):
    case = org.world.insert("Case", {"Subject": "x"})
    await refuse(org, "server_unavailable", operation="query", object="Account")
    await refuse(org, "query_timeout", operation="describe", object="Case")
    await refuse(org, "row_lock", operation="update", object="Case")
    await refuse(org, "storage_full", operation="create")
    assert (await org.query("SELECT Id FROM Case")).status_code == 200
    assert error_of(await org.query("SELECT Id FROM Account")) == (503, "SERVER_UNAVAILABLE")
    assert error_of(await org.http.get(f"{CASES}/describe")) == (400, "QUERY_TIMEOUT")
    answer = await org.http.patch(f"{CASES}/{case}", json={"Subject": "y"})
    assert error_of(answer) == (400, "UNABLE_TO_LOCK_ROW")
    answer = await org.http.post(CASES, json={"Subject": "y"})
    assert error_of(answer) == (400, "STORAGE_LIMIT_EXCEEDED")
    assert org.world.troubles.on == []


async def test_maintenance_lasts_until_it_is_cleared(org: Org):
    org.world.troubles.add(Trouble("read_only_maintenance", count=None))
    for _ in range(3):
        answer = await org.http.post(CASES, json={"Subject": "x"})
        assert error_of(answer)[1] == "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"
        assert (await org.query("SELECT Id FROM Case")).status_code == 200
    org.world.troubles.clear()
    assert (await org.http.post(CASES, json={"Subject": "x"})).status_code == 201


async def test_record_in_an_approval_is_locked_for_the_api(org: Org):
    case = org.world.insert("Case", {"Subject": "x"})
    other = org.world.insert("Case", {"Subject": "x"})
    await org.http.post("/__sandbox__/knobs", json={"approval": case})
    for method in ("PATCH", "DELETE"):
        body = {"Subject": "y"} if method == "PATCH" else None
        answer = await org.http.request(method, f"{CASES}/{case}", json=body)
        assert answer.status_code == 400
        assert answer.json() == [
            {
                "message": "entity is locked for editing",
                "errorCode": "ENTITY_IS_LOCKED",
                "fields": [],
            }
        ]
    assert (await org.http.patch(f"{CASES}/{other}", json={"Subject": "y"})).status_code == 204
    await org.http.post("/__sandbox__/knobs", json={"end_approval": case})
    assert (await org.http.patch(f"{CASES}/{case}", json={"Subject": "y"})).status_code == 204


async def test_first_bad_field_refuses_the_write_and_may_not_be_named(org: Org):
    case = org.world.insert("Case", {"Subject": "x"})
    for bad in (
        {"field": "Origin", "code": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
        {"field": "Reason", "code": "FIELD_INTEGRITY_EXCEPTION", "is_named": False},
    ):
        await org.http.post("/__sandbox__/knobs", json={"bad_field": {"object": "Case", **bad}})
    both = {"Subject": "y", "Origin": "Web", "Reason": "Other"}
    answer = await org.http.patch(f"{CASES}/{case}", json=both)
    assert (answer.status_code, answer.json()[0]["fields"]) == (400, ["Origin"])
    del both["Origin"]
    answer = await org.http.patch(f"{CASES}/{case}", json=both)
    assert (answer.json()[0]["errorCode"], answer.json()[0]["fields"]) == (
        "FIELD_INTEGRITY_EXCEPTION",
        [],
    )
    assert org.world.row("Case", case)["Subject"] == "x"
    assert (await org.http.patch(f"{CASES}/{case}", json={"Subject": "y"})).status_code == 204


async def test_inactive_user_cannot_become_the_owner(org: Org):
    case = org.world.insert("Case", {"Subject": "x"}, by="sam.lee@example.com")
    await org.http.post("/__sandbox__/knobs", json={"deactivate": "jane.doe@example.com"})
    answer = await org.http.patch(f"{CASES}/{case}", json={"OwnerId": JANE_ID, "Subject": "y"})
    assert answer.status_code == 400
    assert answer.json() == [
        {
            "message": f"operation performed with inactive user [{JANE_ID}] as owner of case",
            "errorCode": "INACTIVE_OWNER_OR_USER",
            "fields": [],
        }
    ]
    assert (await org.http.post(CASES, json={"OwnerId": JANE_ID})).status_code == 400
    assert (await org.http.patch(f"{CASES}/{case}", json={"Subject": "y"})).status_code == 204
