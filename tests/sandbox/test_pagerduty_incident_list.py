"""Finding incidents: one by one, in pages, by filters, with the objects they refer to."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sandbox_pagerduty import DATABASE, JANE, NETWORK


async def test_an_incident_is_found_by_id_and_by_number(account):
    incident = await account.create()
    for path in (incident["id"], str(incident["incident_number"])):
        assert (await account.get(f"/incidents/{path}"))["incident"]["id"] == incident["id"]
    assert (await account.refused("GET", "/incidents/QNONE", 404))["code"] == 2100
    await account.refused("GET", "/incidents/99", 404)


async def test_the_list_has_a_window_of_a_month_unless_all_is_asked_for(account):
    old = await account.create("old")
    account.clock.advance(timedelta(days=40).total_seconds())
    new = await account.create("new")

    async def ids(**params):
        return [one["id"] for one in (await account.get("/incidents", **params))["incidents"]]

    assert await ids() == [new["id"]]
    assert await ids(date_range="all") == [old["id"], new["id"]]
    assert await ids(since="2026-11-24", until="2026-11-25T00:00:00Z") == [old["id"]]
    error = await account.refused("GET", "/incidents", 400, since="2026-01-01T00:00:00Z")
    assert error["code"] == 2005
    error = await account.refused("GET", "/incidents", 400, since="yesterday")
    assert error["code"] == 2004


async def test_filters_and_together_and_their_values_or(account):
    network = await account.create("a")
    database = await account.create("b", DATABASE, urgency="low")
    done = await account.create("c")
    await account.update(done["id"], status="resolved")

    async def ids(**params):
        return [one["id"] for one in (await account.get("/incidents", **params))["incidents"]]

    assert await ids(statuses=["triggered", "acknowledged"]) == [network["id"], database["id"]]
    assert await ids(statuses=["triggered"], service_ids=[DATABASE]) == [database["id"]]
    assert await ids(urgencies=["low"]) == [database["id"]]
    assert await ids(user_ids=[JANE]) == [network["id"]]
    assert await ids(team_ids=["PTEAM"]) == []
    assert await ids(sort_by="incident_number:desc") == [
        done["id"],
        database["id"],
        network["id"],
    ]
    assert await ids(sort_by="resolved_at,incident_number:desc") == [
        done["id"],
        database["id"],
        network["id"],
    ]
    for bad in ({"statuses": ["open"]}, {"sort_by": "updated_at"}, {"sort_by": "a,b,c"}):
        await account.refused("GET", "/incidents", 400, **bad)
    account.world.plan.abilities.clear()
    for needing in ({"urgencies": ["low"]}, {"team_ids": ["P"]}, {"sort_by": "urgency"}):
        assert (await account.refused("GET", "/incidents", 402, **needing))["code"] == 2014


async def test_the_key_filter_meets_own_keys_and_those_of_alerts_and_is_none_when_empty(account):
    made = await account.create(incident_key="mine")
    monitored = account.world.trigger(NETWORK, "Disk full", "theirs")
    assert monitored["incident_key"] is None

    async def ids(key):
        found = await account.get("/incidents", incident_key=key)
        return [one["id"] for one in found["incidents"]]

    assert await ids("mine") == [made["id"]]
    assert await ids("theirs") == [monitored["id"]]
    assert await ids("nobody") == []
    assert await ids("") == [made["id"], monitored["id"]]


async def test_pages_are_counted_and_capped(account):
    for number in range(3):
        await account.create(str(number))
    page = await account.get("/incidents", limit=2, offset=0)
    assert (page["limit"], page["offset"], page["more"], page["total"]) == (2, 0, True, None)
    last = await account.get("/incidents", limit=2, offset=2, total="true")
    assert (len(last["incidents"]), last["more"], last["total"]) == (1, False, 3)
    assert (await account.get("/incidents", limit=3))["more"] is False
    assert (await account.get("/incidents"))["limit"] == 25
    assert (await account.get("/incidents", limit=500))["limit"] == 100
    assert (await account.get("/incidents", limit=100, offset=9900))["incidents"] == []
    error = await account.refused("GET", "/incidents", 400, limit=100, offset=9901)
    assert error["code"] == 2002
    assert error["errors"][0].startswith("Offset+limit exceeds maximum allowed value of 10000")
    await account.refused("GET", "/incidents", 400, limit="many")
    await account.refused("GET", "/incidents", 400, total="True")


async def test_includes_expand_references(account):
    incident = await account.create(
        body={"type": "incident_body", "details": "long story"},
        priority={"id": "PPRIO01", "type": "priority_reference"},
        conference_bridge={"conference_number": "+1", "conference_url": "https://example.com"},
    )
    await account.update(incident["id"], status="acknowledged")
    path = f"/incidents/{incident['id']}"
    plain = (await account.get(path))["incident"]
    assert not {"custom_fields", "conference_bridge", "body"} & set(plain)
    names = ["acknowledgers", "agents", "assignees", "conference_bridge", "custom_fields"]
    names += ["escalation_policies", "first_trigger_log_entries", "priorities", "services", "body"]
    full = (await account.get(path, include=names))["incident"]
    assert full["assignments"][0]["assignee"]["email"] == "integration@example.com"
    assert full["acknowledgements"][0]["acknowledger"]["type"] == "user"
    assert full["last_status_change_by"]["type"] == "user"
    assert full["service"]["name"] == "Network"
    assert full["escalation_policy"]["escalation_rules"]
    assert full["priority"]["name"] == "P1"
    assert full["first_trigger_log_entry"]["created_at"]
    assert full["conference_bridge"]["conference_number"] == "+1"
    assert full["body"]["details"] == "long story"
    assert full["custom_fields"][0]["name"] == "ticket"
    listed = await account.get("/incidents", include=["custom_fields", "assignees"])
    assert "custom_fields" not in listed["incidents"][0]
    assert listed["incidents"][0]["assignments"][0]["assignee"]["type"] == "user"


async def test_a_zoneless_window_is_read_in_the_accounts_zone(account):
    account.world.knobs.account_zone = ZoneInfo("America/Lima")
    incident = await account.create()  # 12:00 UTC is 07:00 in Lima

    async def ids(**params):
        return [one["id"] for one in (await account.get("/incidents", **params))["incidents"]]

    window = {"since": "2026-11-24T06:30:00", "until": "2026-11-24T07:30:00"}
    assert await ids(**window) == [incident["id"]]
    assert await ids(**window, time_zone="UTC") == []
    shown = (await account.get("/incidents"))["incidents"][0]
    assert shown["created_at"] == "2026-11-24T12:00:00Z"
    await account.refused("GET", "/incidents", 400, time_zone="Mars/Olympus")


async def test_an_incident_that_is_hidden_is_missing_everywhere(account):
    incident = await account.create()
    account.world.hide_incident(incident["id"])
    await account.refused("GET", f"/incidents/{incident['id']}", 404)
    assert (await account.get("/incidents"))["incidents"] == []
    assert (await account.get("/log_entries"))["log_entries"] == []
    assert account.world.resolve(incident["id"], JANE)["status"] == "resolved"
