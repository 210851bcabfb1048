"""Limits and rights in an org: sessions, daily calls, and what the integration user may see and do."""

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
)


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


async def test_query_timeouts_by_knob(org: Org):
    org.world.knobs.query_timeouts = 1
    assert error_of(await org.query("SELECT Id FROM Case")) == (400, "QUERY_TIMEOUT")
    assert (await org.query("SELECT Id FROM Case")).status_code == 200


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
