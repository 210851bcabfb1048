"""The sandbox's sObject resources over real HTTP, against docs/vendors/salesforce.md#rest and #errors."""

from urllib.parse import quote

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from sandbox_salesforce import (
    BASE,
    CATEGORY,
    EVENT,
    INCIDENT,
    INTEGRATION_ID,
    NETWORK,
    ROWS,
    SHORT,
    Org,
    create,
    error_of,
    new_incident,
)


async def test_created_row_is_read_back_with_platform_values(org: Org):
    row_id = await create(org, **{SHORT: "Link down"})
    row = (await org.http.get(f"{ROWS}/{row_id}")).json()
    assert row["attributes"] == {"type": INCIDENT, "url": f"{ROWS}/{row_id}"}
    assert row["Name"] == "00000001"
    assert row["CreatedDate"] == row["SystemModstamp"] == "2026-11-24T12:00:05.000+0000"
    assert row["CreatedById"] == row["LastModifiedById"] == row["OwnerId"] == INTEGRATION_ID
    assert row["BMCServiceDesk__state__c"] is True
    assert row["BMCServiceDesk__Category_ID__c"] == "Network"
    assert row["IsDeleted"] is False


async def test_update_answers_204_and_moves_the_stamps(org: Org):
    row_id = await create(org)
    org.clock.advance(61.7)
    answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "New"})
    assert (answer.status_code, answer.content) == (204, b"")
    row = (
        await org.http.get(f"{ROWS}/{row_id}", params={"fields": f"{SHORT},SystemModstamp"})
    ).json()
    assert row[SHORT] == "New"
    assert row["SystemModstamp"] == "2026-11-24T12:01:06.000+0000"
    assert set(row) == {"attributes", SHORT, "SystemModstamp"}


async def test_fifteen_character_id_is_the_same_row(org: Org):
    row_id = await create(org)
    assert (await org.http.get(f"{ROWS}/{row_id[:15]}")).json()["Id"] == row_id


async def test_patch_through_a_proxy_that_blocks_it(org: Org):
    row_id = await create(org)
    answer = await org.http.post(f"{ROWS}/{row_id}?_HttpMethod=PATCH", json={SHORT: "Via POST"})
    assert answer.status_code == 204
    assert org.world.row(INCIDENT, row_id)[SHORT] == "Via POST"


async def test_deleted_row_is_gone_and_says_so(org: Org):
    row_id = await create(org)
    assert (await org.http.delete(f"{ROWS}/{row_id}")).status_code == 204
    assert error_of(await org.http.delete(f"{ROWS}/{row_id}")) == (404, "ENTITY_IS_DELETED")
    assert error_of(await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})) == (
        404,
        "ENTITY_IS_DELETED",
    )
    assert (await org.http.get(f"{ROWS}/{row_id}")).status_code == 404


async def test_upsert_creates_then_updates_by_a_key_with_a_slash(org: Org):
    path = f"{ROWS}/{EVENT}/{quote('pd:Q1/2 x', safe='')}"
    created = await org.http.patch(path, json={CATEGORY: NETWORK})
    assert created.status_code == 201
    assert created.json()["created"] is True
    row_id = created.json()["id"]
    assert org.world.row(INCIDENT, row_id)[EVENT] == "pd:Q1/2 x"
    updated = await org.http.patch(path.replace("pd", "PD"), json={SHORT: "again"})
    assert updated.status_code == 200
    assert updated.json() == {"id": row_id, "success": True, "errors": [], "created": False}
    assert (await org.http.get(path)).json()[SHORT] == "again"
    older = await org.http.patch(path.replace("v62.0", "v45.0"), json={SHORT: "older"})
    assert (older.status_code, older.content) == (204, b"")
    assert len(org.world.rows(INCIDENT)) == 1


async def test_upsert_with_update_only_does_not_create(org: Org):
    answer = await org.http.patch(f"{ROWS}/{EVENT}/pd:1?updateOnly=true", json={CATEGORY: NETWORK})
    assert error_of(answer) == (404, "NOT_FOUND")
    assert org.world.rows(INCIDENT) == []


async def test_upsert_refuses_the_key_in_the_body_and_a_field_that_is_no_key(org: Org):
    answer = await org.http.patch(f"{ROWS}/{EVENT}/pd:1", json={EVENT: "pd:1", CATEGORY: NETWORK})
    assert error_of(answer) == (400, "INVALID_FIELD")
    answer = await org.http.patch(f"{ROWS}/{SHORT}/x", json={CATEGORY: NETWORK})
    assert error_of(answer) == (404, "NOT_FOUND")


async def test_upsert_with_several_matches_lists_them_and_writes_nothing(org: Org):
    ids = [org.world.insert("Change_Window__c", {"External_Ref__c": "same"}) for _ in range(2)]
    rows = f"{BASE}/sobjects/Change_Window__c"
    answer = await org.http.patch(f"{rows}/External_Ref__c/same", json={"Name": "x"})
    assert answer.status_code == 300
    assert answer.json() == [f"{rows}/{row_id}" for row_id in ids]
    assert {row["Name"] for row in org.world.rows("Change_Window__c")}.isdisjoint({"x"})


async def test_duplicate_of_a_unique_value_names_the_other_row(org: Org):
    row_id = await create(org, **{EVENT: "pd:Q1"})
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK, EVENT: "PD:q1"})
    assert error_of(answer) == (400, "DUPLICATE_VALUE")
    assert row_id[:15] in answer.json()[0]["message"]


async def test_write_is_guarded_by_if_unmodified_since(org: Org):
    row_id = await create(org)
    before = {"If-Unmodified-Since": "Tue, 24 Nov 2026 12:00:04 GMT"}
    at = {"If-Unmodified-Since": "Tue, 24 Nov 2026 12:00:05 GMT"}
    path = f"{ROWS}/{row_id}"
    assert (await org.http.patch(path, json={SHORT: "x"}, headers=before)).status_code == 412
    assert org.world.row(INCIDENT, row_id)[SHORT] is None
    assert (await org.http.patch(path, json={SHORT: "x"}, headers=at)).status_code == 204
    bad = {"If-Unmodified-Since": "yesterday"}
    assert (await org.http.patch(path, json={SHORT: "y"}, headers=bad)).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{BASE}/nothing", 404, "NOT_FOUND"),
        ("GET", "/elsewhere", 404, "NOT_FOUND"),
        ("GET", "/services/data/v99.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v25.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("GET", f"{BASE}/sobjects/Nope__c/describe", 404, "NOT_FOUND"),
        ("GET", f"{ROWS}/a0R000000000099EAA", 404, "NOT_FOUND"),
        ("PATCH", f"{ROWS}/a0R000000000099AAA", 400, "MALFORMED_ID"),
        ("DELETE", f"{ROWS}/{NETWORK}", 400, "MALFORMED_ID"),
        ("PUT", ROWS, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", f"{BASE}/query", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_wrong_address_or_method(org: Org, method: str, path: str, status: int, code: str):
    assert error_of(await org.http.request(method, path)) == (status, code)


async def test_body_must_be_json_and_an_object(org: Org):
    plain = {"Content-Type": "text/plain"}
    assert error_of(await org.http.post(ROWS, content="x", headers=plain))[0] == 415
    json_type = {"Content-Type": "application/json"}
    answer = await org.http.post(ROWS, content="{", headers=json_type)
    assert error_of(answer) == (400, "JSON_PARSER_ERROR")
    assert error_of(await org.http.post(ROWS, json=[1])) == (400, "JSON_PARSER_ERROR")


async def test_lock_knob_refuses_the_next_writes_only(org: Org):
    row_id = await create(org)
    org.world.knobs.lock_errors = 2
    for _ in range(2):
        answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})
        assert error_of(answer) == (400, "UNABLE_TO_LOCK_ROW")
    assert (await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})).status_code == 204


async def test_case_goes_to_the_default_owner_unless_switched_off(org: Org):
    queue = org.world.find_id("Group", Name="Service Desk")
    org.world.knobs.default_case_owner = queue
    cases = f"{BASE}/sobjects/Case"
    taken = (await org.http.post(cases, json={"Subject": "a"})).json()["id"]
    kept = (
        await org.http.post(cases, json={"Subject": "b"}, headers={"Sforce-Auto-Assign": "FALSE"})
    ).json()["id"]
    assert org.world.row("Case", taken)["OwnerId"] == queue
    assert org.world.row("Case", kept)["OwnerId"] == INTEGRATION_ID


async def test_answers_are_dated_by_the_org_clock(org: Org):
    answer = await org.http.get(f"{BASE}/limits")
    assert answer.headers.get_list("date") == ["Tue, 24 Nov 2026 12:00:05 GMT"]


async def test_write_takes_effect_although_its_answer_is_an_error(org: Org):
    row_id = await create(org)
    org.faults.add(Fault(FaultKind.ERROR_AFTER, method="PATCH", status=500))
    answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "done"})
    assert error_of(answer) == (500, "UNKNOWN_EXCEPTION")
    assert org.world.row(INCIDENT, row_id)[SHORT] == "done"


async def test_knobs_by_hand(org: Org):
    knobs = "/__sandbox__/knobs"
    for _ in range(3):
        new_incident(org.world)
    assert (await org.http.post(knobs, json={"batch_size": 2})).status_code == 204
    page = (await org.query(f"SELECT Id FROM {INCIDENT}")).json()
    assert (len(page["records"]), page["done"]) == (2, False)
    assert (await org.http.post(knobs, json={"expire_tokens": True})).status_code == 204
    assert (await org.query(f"SELECT Id FROM {INCIDENT}")).status_code == 401
    wrong = await org.http.post(knobs, json={"nonsense": 1})
    assert wrong.status_code == 400
    assert "batch_size" in wrong.json()["error"]
    assert (await org.http.post(knobs, json={"lock_errors": -1})).status_code == 400
    fault = await org.http.post("/__sandbox__/faults", json={"kind": "too_many"})
    assert fault.status_code == 201
    assert (await org.http.get(f"{BASE}/limits")).status_code == 429


@pytest.mark.parametrize(
    "raw",
    [
        '{"Amount__c": NaN}',
        '{"Amount__c": "nan"}',
        '{"Amount__c": 1e999}',
        '{"Amount__c": ' + "9" * 400 + "}",
        '{"Starts__c": "0001-01-01T00:00:00+14:00"}',
        '{"Account__c": "\\ud800"}',
        '{"Name": ' + "[" * 100_000 + "}",
        '"text"',
    ],
)
async def test_hostile_body_is_a_plain_refusal(org: Org, raw: str):
    headers = {"Content-Type": "application/json"}
    path = f"{BASE}/sobjects/Change_Window__c"
    answer = await org.http.post(path, content=raw, headers=headers)
    assert error_of(answer)[0] == 400


async def test_half_a_surrogate_pair_is_read_as_a_replacement(org: Org):
    raw, headers = '{"Name": "\\ud83d!"}', {"Content-Type": "application/json"}
    path = f"{BASE}/sobjects/Change_Window__c"
    row_id = (await org.http.post(path, content=raw, headers=headers)).json()["id"]
    assert "\\ufffd!" in (await org.http.get(f"{path}/{row_id}")).text


async def test_row_by_its_key(org: Org):
    row_id = await create(org, **{EVENT: "pd:1"})
    assert (await org.http.get(f"{ROWS}/{EVENT}/PD:1")).json()["Id"] == row_id
    assert error_of(await org.http.get(f"{ROWS}/{EVENT}/pd:2")) == (404, "NOT_FOUND")
    assert (await org.http.delete(f"{ROWS}/{EVENT}/pd:1")).status_code == 204
    assert error_of(await org.http.delete(f"{ROWS}/{EVENT}/pd:1")) == (404, "NOT_FOUND")


async def test_unchanged_row_is_answered_304(org: Org):
    row_id = await create(org)
    since = {"If-Modified-Since": "Tue, 24 Nov 2026 12:00:05 GMT"}
    assert (await org.http.get(f"{ROWS}/{row_id}", headers=since)).status_code == 304
    org.clock.advance(1)
    await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})
    assert (await org.http.get(f"{ROWS}/{row_id}", headers=since)).status_code == 200
