"""The sandbox's sObject resources over real HTTP, against docs/vendors/salesforce.md#rest and #errors."""

from urllib.parse import quote

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from sandbox_salesforce import (
    BASE,
    INCIDENT,
    INTEGRATION_ID,
    NETWORK,
    Org,
    new_incident,
)

ROWS = f"{BASE}/sobjects/{INCIDENT}"
EVENT = "BMCServiceDesk__Event_ID__c"
SHORT = "BMCServiceDesk__shortDescription__c"
CATEGORY = "BMCServiceDesk__FKCategory__c"


def error_of(answer) -> tuple[int, str]:
    body = answer.json()
    assert isinstance(body, list)
    return answer.status_code, body[0]["errorCode"]


async def create(org: Org, **fields: object) -> str:
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.json()["success"] is True
    return answer.json()["id"]


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


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD"),
        ({"BMCServiceDesk__Status_ID__c": "NEW"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"CreatedDate": "2020-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({SHORT: "x" * 256}, "STRING_TOO_LONG"),
        ({"BMCServiceDesk__FKPriority__c": "a0P000000000099EAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"BMCServiceDesk__FKPriority__c": NETWORK}, "MALFORMED_ID"),
        ({"BMCServiceDesk__FKPriority__c": "high"}, "MALFORMED_ID"),
        ({"BMCServiceDesk__FKPriority__c": "a0P000000000001AAA"}, "MALFORMED_ID"),
        ({"BMCServiceDesk__Client_Type__c": "Robot"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"BMCServiceDesk__state__c": "maybe"}, "JSON_PARSER_ERROR"),
        ({"BMCServiceDesk__dueDateTime__c": "soon"}, "JSON_PARSER_ERROR"),
        ({"BMCServiceDesk__TotalWorkTime__c": "many"}, "JSON_PARSER_ERROR"),
        ({SHORT: 5}, "JSON_PARSER_ERROR"),
    ],
)
async def test_bad_value_is_refused(org: Org, fields: dict[str, object], code: str):
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK, **fields})
    assert error_of(answer) == (400, code)
    assert org.world.rows(INCIDENT) == []


async def test_required_field_is_named(org: Org):
    answer = await org.http.post(f"{BASE}/sobjects/CaseComment", json={"CommentBody": "x"})
    assert answer.json() == [
        {
            "message": "Required fields are missing: [ParentId]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["ParentId"],
        }
    ]


async def test_empty_text_is_stored_as_null_and_field_names_take_any_spelling(org: Org):
    row_id = await create(org, **{SHORT.upper(): ""})
    assert org.world.row(INCIDENT, row_id)[SHORT] is None


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


async def test_uri_longer_than_the_limit(org: Org):
    assert (await org.query("SELECT Id FROM Case " + "x" * 16_384)).status_code == 414


async def test_unknown_or_expired_token(org: Org):
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200
    org.world.expire_tokens()
    answer = await org.http.get(f"{BASE}/limits")
    assert answer.status_code == 401
    assert answer.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


async def test_idle_session_ends(org: Org):
    org.clock.advance(7000)
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200
    org.clock.advance(7000)
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200
    org.clock.advance(7201)
    assert (await org.http.get(f"{BASE}/limits")).status_code == 401


async def test_versions_need_no_login(org: Org):
    answer = await org.http.get("/services/data/", headers={"Authorization": ""})
    assert {"label": "62.0", "url": "/services/data/v62.0", "version": "62.0"} in answer.json()


async def test_every_answer_says_how_much_was_used(org: Org):
    first = await org.http.get(f"{BASE}/limits")
    assert first.headers["Sforce-Limit-Info"] == "api-usage=1/15000"
    assert first.json()["DailyApiRequests"] == {"Max": 15000, "Remaining": 14999}
    refused = await org.query("SELECT")
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=2/15000"
    org.clock.advance(86_400)
    later = await org.http.get(f"{BASE}/limits", headers={"Authorization": ""})
    assert later.headers["Sforce-Limit-Info"] == "api-usage=0/15000"
    org.world.quota.app_name = "pagerforce"
    named = await org.http.get(f"{BASE}/limits", headers={"Authorization": ""})
    assert "per-app-api-usage=0/15000(appName=pagerforce)" in named.headers["Sforce-Limit-Info"]


async def test_used_up_quota_refuses_until_the_day_has_passed(org: Org):
    org.world.set_remaining_calls(1)
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200
    answer = await org.http.get(f"{BASE}/limits")
    assert error_of(answer) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert answer.json()[0]["message"] == "TotalRequests Limit exceeded."
    org.world.set_remaining_calls(500)
    assert (await org.http.get(f"{BASE}/limits")).status_code == 200


async def test_lock_knob_refuses_the_next_writes_only(org: Org):
    row_id = await create(org)
    org.world.knobs.lock_errors = 2
    for _ in range(2):
        answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})
        assert error_of(answer) == (400, "UNABLE_TO_LOCK_ROW")
    assert (await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})).status_code == 204


async def test_hidden_field_is_as_if_it_were_not_there(org: Org):
    row_id = await create(org, **{EVENT: "pd:1"})
    org.world.access.hidden.add((INCIDENT, EVENT))
    assert error_of(await org.query(f"SELECT {EVENT} FROM {INCIDENT}")) == (400, "INVALID_FIELD")
    assert error_of(await org.http.patch(f"{ROWS}/{row_id}", json={EVENT: "x"}))[1] == (
        "INVALID_FIELD"
    )
    described = (await org.http.get(f"{ROWS}/describe")).json()
    assert EVENT not in {field["name"] for field in described["fields"]}
    assert EVENT not in (await org.http.get(f"{ROWS}/{row_id}")).json()


async def test_formula_shows_what_its_reader_may_not_read(org: Org):
    await create(org)
    org.world.access.deny("BMCServiceDesk__Category__c", "read")
    records = await org.records(f"SELECT BMCServiceDesk__Category_ID__c FROM {INCIDENT}")
    assert records[0]["BMCServiceDesk__Category_ID__c"] == "Network"
    answer = await org.query("SELECT Id FROM BMCServiceDesk__Category__c")
    assert error_of(answer) == (400, "INVALID_TYPE")


async def test_denied_rights(org: Org):
    row_id = await create(org)
    org.world.access.deny(INCIDENT, "edit")
    org.world.access.deny(INCIDENT, "create")
    answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})
    assert error_of(answer) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK})
    assert error_of(answer) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    described = (await org.http.get(f"{ROWS}/describe")).json()
    assert (described["createable"], described["updateable"]) == (False, False)
    assert (await org.http.delete(f"{ROWS}/{row_id}")).status_code == 204


async def test_row_that_is_not_shared_looks_missing(org: Org):
    row_id = await create(org)
    org.world.access.unshared.add(row_id)
    assert await org.records(f"SELECT Id FROM {INCIDENT}") == []
    assert (await org.http.get(f"{ROWS}/{row_id}")).status_code == 404
    answer = await org.http.patch(f"{ROWS}/{row_id}", json={SHORT: "x"})
    assert error_of(answer) == (404, "NOT_FOUND")


async def test_case_goes_to_the_default_owner_unless_told_not_to(org: Org):
    queue = org.world.find_id("Group", Name="Service Desk")
    org.world.knobs.default_case_owner = queue
    cases = f"{BASE}/sobjects/Case"
    taken = (await org.http.post(cases, json={"Subject": "a"})).json()["id"]
    kept = (
        await org.http.post(cases, json={"Subject": "b"}, headers={"Sforce-Auto-Assign": "FALSE"})
    ).json()["id"]
    assert org.world.row("Case", taken)["OwnerId"] == queue
    assert org.world.row("Case", kept)["OwnerId"] == INTEGRATION_ID


async def test_describe_names_types_targets_and_keys(org: Org):
    described = (await org.http.get(f"{ROWS}/describe")).json()
    assert described["keyPrefix"] == "a0R"
    assert described["replicateable"] is True
    fields = {field["name"]: field for field in described["fields"]}
    assert fields[EVENT]["externalId"] is True
    assert fields["OwnerId"]["referenceTo"] == ["User", "Group"]
    assert fields["OwnerId"]["relationshipName"] == "Owner"
    assert fields[CATEGORY]["relationshipName"] == "BMCServiceDesk__FKCategory__r"
    assert fields["BMCServiceDesk__incidentDescription__c"]["filterable"] is False
    assert fields["BMCServiceDesk__Status_ID__c"]["calculated"] is True
    assert fields["BMCServiceDesk__Status_ID__c"]["updateable"] is False
    assert fields["Name"]["autoNumber"] is True
    picklist = fields["BMCServiceDesk__Client_Type__c"]
    assert [v["value"] for v in picklist["picklistValues"]] == ["User", "Contact", "Lead"]
    children = {child["relationshipName"] for child in described["childRelationships"]}
    assert "BMCServiceDesk__Incident_Histories__r" in children


async def test_describe_is_answered_304_until_something_changes(org: Org):
    since = {"If-Modified-Since": "Tue, 24 Nov 2026 12:00:06 GMT"}
    assert (await org.http.get(f"{ROWS}/describe", headers=since)).status_code == 304
    org.world.access.hidden.add((INCIDENT, EVENT))
    assert (await org.http.get(f"{ROWS}/describe", headers=since)).status_code == 200


async def test_global_describe_lists_the_objects(org: Org):
    listed = (await org.http.get(f"{BASE}/sobjects")).json()["sobjects"]
    assert {INCIDENT, "Case", "User", "Change_Window__c"} <= {item["name"] for item in listed}


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


async def test_half_a_character_is_read_as_a_replacement(org: Org):
    raw, headers = '{"Name": "\\ud83d!"}', {"Content-Type": "application/json"}
    path = f"{BASE}/sobjects/Change_Window__c"
    row_id = (await org.http.post(path, content=raw, headers=headers)).json()["id"]
    assert "\\ufffd!" in (await org.http.get(f"{path}/{row_id}")).text


async def test_query_timeouts_by_knob(org: Org):
    org.world.knobs.query_timeouts = 1
    assert error_of(await org.query("SELECT Id FROM Case")) == (400, "QUERY_TIMEOUT")
    assert (await org.query("SELECT Id FROM Case")).status_code == 200


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


async def test_people_are_not_made_by_rest(org: Org):
    answer = await org.http.post(f"{BASE}/sobjects/User", json={"LastName": "x"})
    assert error_of(answer) == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


async def test_the_users_own_permissions_can_be_asked_for(org):
    sets = await org.records(
        "SELECT PermissionSetId, PermissionSet.IsOwnedByProfile FROM PermissionSetAssignment"
        f" WHERE AssigneeId = '{INTEGRATION_ID}'"
    )
    assert [row["PermissionSet"]["IsOwnedByProfile"] for row in sets] == [True, False]
    ids = ", ".join(f"'{row['PermissionSetId']}'" for row in sets)
    rows = await org.records(
        "SELECT SobjectType FROM ObjectPermissions"
        f" WHERE PermissionsViewAllRecords = true AND ParentId IN ({ids})"
    )
    assert {row["SobjectType"] for row in rows} == {INCIDENT, "Case"}


SAMPLER = f"{BASE}/sobjects/Field_Sampler__c"


@pytest.mark.parametrize(
    ("field", "given", "answered"),
    [
        ("Clock__c", "13:14:15.000Z", "13:14:15.000Z"),
        ("Clock__c", "13:14", "13:14:00.000Z"),
        ("Clock__c", "", None),
        ("Money__c", 1999.99, 1999.99),
        ("Money__c", "12.345", 12.35),
        ("Money__c", -0.005, -0.01),
        ("Percent__c", 12.5, 12.5),
        ("Long__c", 9_007_199_254_740_993, 9_007_199_254_740_993),
        ("Int__c", "7", 7),
        ("Phone__c", "+49 30 1", "+49 30 1"),
        ("Regions__c", "emea;APAC", "EMEA;APAC"),
        ("Day__c", "2026-01-02", "2026-01-02"),
        ("Moment__c", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05.000+0000"),
    ],
)
async def test_a_value_is_answered_as_its_type_is(org: Org, field: str, given: object, answered):
    made = await org.http.post(SAMPLER, json={field: given})
    assert made.status_code == 201, made.text
    row = (await org.http.get(f"{SAMPLER}/{made.json()['id']}?fields={field}")).json()
    assert row[field] == answered
    assert type(row[field]) is type(answered)


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        ("Clock__c", "25:00", "JSON_PARSER_ERROR"),
        ("Clock__c", "noon", "JSON_PARSER_ERROR"),
        ("Clock__c", 9, "JSON_PARSER_ERROR"),
        ("Money__c", "12 EUR", "JSON_PARSER_ERROR"),
        ("Percent__c", True, "JSON_PARSER_ERROR"),
        ("Long__c", 1.5, "JSON_PARSER_ERROR"),
        ("Long__c", True, "JSON_PARSER_ERROR"),
        ("Phone__c", "1" * 41, "STRING_TOO_LONG"),
        ("Phone__c", 1, "JSON_PARSER_ERROR"),
    ],
)
async def test_a_value_that_is_not_of_the_type(org: Org, field: str, given: object, code: str):
    assert error_of(await org.http.post(SAMPLER, json={field: given})) == (400, code)


async def test_describe_names_every_type_of_the_sampler(org: Org):
    fields = (await org.http.get(f"{SAMPLER}/describe")).json()["fields"]
    types = {field["type"] for field in fields}
    assert types >= {"id", "string", "textarea", "boolean", "int", "long", "double", "currency"}
    assert types >= {"percent", "date", "datetime", "time", "picklist", "multipicklist"}
    assert types >= {"combobox", "reference", "email", "phone", "url", "encryptedstring"}
    assert next(one for one in fields if one["name"] == "Money__c")["scale"] == 2


async def test_times_and_money_in_where(org: Org):
    for name, clock, money in (("early", "08:00", 5), ("late", "17:30:00.500Z", 9.5)):
        await org.http.post(SAMPLER, json={"Name": name, "Clock__c": clock, "Money__c": money})
    for where, wanted in (
        ("Clock__c > 12:00:00.000Z", ["late"]),
        ("Clock__c = 08:00:00Z", ["early"]),
        ("Money__c <= 5", ["early"]),
    ):
        rows = (await org.query(f"SELECT Name FROM Field_Sampler__c WHERE {where}")).json()
        assert [row["Name"] for row in rows["records"]] == wanted
    for where in ("Clock__c = '08:00'", "Clock__c > 25:00:00Z", "Encrypted__c = 'x'"):
        answer = await org.query(f"SELECT Name FROM Field_Sampler__c WHERE {where}")
        assert answer.status_code == 400
