import pytest

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.pagerduty import seeded_world
from sandbox_pagerduty import BOT, DATABASE, JANE, NETWORK, NOON, SAM


async def test_notes_are_made_listed_changed_and_deleted(account):
    path = f"/incidents/{(await account.create())['id']}/notes"
    note = (await account.post(path, {"note": {"content": "first"}}))["note"]
    assert note["user"]["id"] == BOT
    account.clock.advance(9)
    changed = (await account.put(f"{path}/{note['id']}", {"note": {"content": "edited"}}))["note"]
    assert (changed["content"], changed["updated_at"]) == ("edited", "2026-11-24T12:00:09Z")
    assert (await account.get(path))["notes"] == [changed]
    assert account.types().count("annotate") == 1
    answer = await account.client.delete(f"{path}/{note['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await account.get(path))["notes"] == []
    await account.refused("DELETE", f"{path}/{note['id']}", 404)
    await account.refused("PUT", f"{path}/{note['id']}", 404, {"note": {"content": "x"}})
    assert account.types().count("annotate") == 1


async def test_a_resolved_incident_still_takes_notes(account):
    incident = await account.create()
    await account.update(incident["id"], status="resolved")
    await account.post(f"/incidents/{incident['id']}/notes", {"note": {"content": "after"}})
    assert [note["content"] for note in account.world.notes(incident["id"])] == ["after"]


@pytest.mark.parametrize("note", [{}, {"content": ""}, {"content": None}, "text"])
async def test_an_empty_note_is_refused(account, note):
    incident = await account.create()
    error = await account.refused("POST", f"/incidents/{incident['id']}/notes", 400, {"note": note})
    assert error["code"] == 2001


async def test_two_thousand_notes_are_the_most(account):
    incident = await account.create()
    for number in range(2000):
        account.world.annotate(incident["id"], str(number), JANE)
    body = {"note": {"content": "one more"}}
    error = await account.refused("POST", f"/incidents/{incident['id']}/notes", 400, body)
    assert error["code"] == 2019


async def test_notes_of_an_unknown_incident_are_404(account):
    await account.refused("GET", "/incidents/QNONE/notes", 404)
    await account.refused("POST", "/incidents/QNONE/notes", 404, {"note": {"content": "x"}})


async def test_merging_resolves_the_sources_and_says_where_they_went(account):
    target = account.world.trigger(NETWORK, "a", "ka")["id"]
    source = account.world.trigger(NETWORK, "b", "kb")["id"]
    body = {"source_incidents": [{"id": source, "type": "incident_reference"}]}
    reply = await account.put(f"/incidents/{target}/merge", body)
    assert reply["incident"]["id"] == target
    merged = account.world.incident(source)
    assert merged["status"] == "resolved"
    assert merged["resolve_reason"]["type"] == "merge_resolve_reason"
    assert merged["resolve_reason"]["incident"]["id"] == target
    assert account.types(source)[-1] == "resolve"
    alerts = (await account.get(f"/incidents/{target}/alerts"))["alerts"]
    assert [(alert["alert_key"], alert["status"]) for alert in alerts] == [
        ("ka", "triggered"),
        ("kb", "triggered"),
    ]
    assert account.world.trigger(NETWORK, "b", "kb")["id"] == target
    error = await account.refused("PUT", f"/incidents/{target}/merge", 400, body)
    assert error["code"] == 1019


async def test_an_impossible_merge_is_refused_and_changes_nothing(account):
    world = account.world
    alerting = world.trigger(NETWORK, "a")["id"]
    by_hand = world.create(NETWORK, "b", by=JANE)["id"]
    through_api = (await account.create("c"))["id"]
    done = world.trigger(NETWORK, "d")["id"]
    world.resolve(done, JANE)
    cases = [(alerting, through_api), (alerting, alerting), (done, alerting), (alerting, "QNONE")]
    before = world.incidents()
    for target, source in cases:
        body = {"source_incidents": [{"id": source, "type": "incident_reference"}]}
        await account.refused("PUT", f"/incidents/{target}/merge", 400, body)
    assert world.incidents() == before
    assert world.merge(alerting, [by_hand], JANE)["id"] == alerting


async def test_snoozing_wants_an_acknowledged_incident_and_a_week_at_most(account):
    incident = (await account.create())["id"]
    path = f"/incidents/{incident}/snooze"
    assert (await account.refused("POST", path, 400, {"duration": 60}))["code"] == 1012
    await account.update(incident, status="acknowledged")
    for wrong in (0, 604801, "60", None, True):
        assert (await account.refused("POST", path, 400, {"duration": wrong}))["code"] == 1013
    answer = await account.client.post(path, json={"duration": 60})
    assert answer.status_code == 201
    pending = answer.json()["incident"]["pending_actions"]
    assert {"type": "unacknowledge", "at": "2026-11-24T12:01:00Z"} in pending
    assert account.types()[-1] == "snooze"


async def test_responders_are_asked_by_requester_and_cancelled(account):
    incident = (await account.create())["id"]
    path = f"/incidents/{incident}/responder_requests"
    target = {"responder_request_target": {"id": SAM, "type": "user_reference"}}
    body = {"requester_id": JANE, "message": "help", "responder_request_targets": [target]}
    del account.client.headers["From"]
    reply = (await account.post(path, body))["responder_request"]
    assert reply["requester"]["id"] == JANE
    responders = account.world.incident(incident)["incidents_responders"]
    assert [(one["state"], one["user"]["id"]) for one in responders] == [("pending", SAM)]
    assert account.types()[-1] == "responder_request"
    unwrapped = {**body, "responder_request_targets": [{"id": "PEPDBA1"}]}
    await account.post(path, unwrapped)
    targets = [{"type": "user_reference", "id": SAM}, {"type": "user_reference", "id": BOT}]
    cancel = {"requester_id": JANE, "responder_request_targets": targets}
    reply = await account.put(f"{path}/cancel", cancel)
    results = [one["result"] for one in reply["responder_request_targets"]]
    assert results == ["cancelled", "not_found"]
    assert (await account.refused("POST", path, 400, {**body, "requester_id": None}))[
        "code"
    ] == 2011
    assert (await account.refused("POST", path, 400, {**body, "requester_id": "P"}))["code"] == 1008
    account.world.plan.abilities.discard("coordinated_responding")
    assert (await account.refused("POST", path, 402, body))["code"] == 2014


async def test_a_status_update_is_read_from_its_entry(account):
    incident = (await account.create())["id"]
    body = {"message": "still burning", "subject": "fire"}
    path = f"/incidents/{incident}/status_updates"
    update = (await account.post(path, body))["status_update"]
    assert (update["message"], update["subject"], update["sender"]["id"]) == (
        "still burning",
        "fire",
        BOT,
    )
    entry = account.world.entries(incident)[-1]
    assert (entry["type"], entry["message"]) == ("status_update_log_entry", "still burning")
    await account.refused("POST", path, 400, {})


async def test_custom_fields_are_set_by_name_or_id_without_from(account):
    incident = (await account.create())["id"]
    path = f"/incidents/{incident}/custom_fields/values"
    del account.client.headers["From"]
    for reference in ({"name": "ticket"}, {"id": "PFIELD1"}):
        value = f"T-{len(reference['name' if 'name' in reference else 'id'])}"
        answer = await account.client.put(
            path, json={"custom_fields": [{**reference, "value": value}]}
        )
        assert answer.status_code == 201
        assert (await account.get(path))["custom_fields"][0]["value"] == value
    for wrong in ({"name": "nothing", "value": 1}, {"name": "ticket"}):
        await account.refused("PUT", path, 400, {"custom_fields": [wrong]})
    assert account.world.entries()[-1]["agent"] is None


async def test_alerts_are_listed_resolved_and_moved(account):
    one = account.world.trigger(NETWORK, "a", "ka", severity="warning")["id"]
    two = account.world.trigger(NETWORK, "b", "kb")["id"]
    alert = (await account.get(f"/incidents/{one}/alerts", statuses=["triggered"]))["alerts"][0]
    assert (alert["severity"], alert["incident"]["id"]) == ("warning", one)
    path = f"/incidents/{one}/alerts"
    body = {"alerts": [{"id": alert["id"], "type": "alert", "status": "resolved"}]}
    assert (await account.put(path, body))["alerts"][0]["status"] == "resolved"
    assert account.world.incident(one)["alert_counts"] == {"all": 1, "triggered": 0, "resolved": 1}
    move = {"incident": {"id": two, "type": "incident_reference"}}
    moved = (await account.put(f"{path}/{alert['id']}", {"alert": move}))["alert"]
    assert moved["incident"]["id"] == two
    assert account.world.entries(one)[-1]["linked_incident"]["id"] == two
    await account.refused("GET", f"{path}/{alert['id']}", 404)
    assert (await account.get(f"/incidents/{two}/alerts", alert_key="ka"))["alerts"] == [
        (await account.get(f"/incidents/{two}/alerts/{alert['id']}"))["alert"]
    ]
    await account.refused("PUT", path, 413, {"alerts": [{"id": "x"}] * 251})
    closed = {"alert": {"status": "closed"}}
    await account.refused("PUT", f"/incidents/{two}/alerts/{alert['id']}", 400, closed)


async def test_reference_data_is_found_by_query_name_and_id(account):
    users = (await account.get("/users", query="jane.doe@"))["users"]
    assert [user["id"] for user in users] == [JANE]
    assert (await account.get(f"/users/{JANE}"))["user"]["name"] == "Jane Doe"
    services = (await account.get("/services", include=["escalation_policies"]))["services"]
    assert [service["name"] for service in services] == ["Database", "Network"]
    assert services[0]["escalation_policy"]["escalation_rules"]
    assert (await account.get("/services", name="net"))["services"] == []
    assert len((await account.get("/services", query="net"))["services"]) == 1
    assert (await account.get(f"/services/{DATABASE}"))["service"][
        "acknowledgement_timeout"
    ] == 1800
    policies = (await account.get("/escalation_policies", query="database"))["escalation_policies"]
    rules = policies[0]["escalation_rules"]
    assert [[target["id"] for target in rule["targets"]] for rule in rules] == [[SAM], [JANE]]
    policy = (await account.get("/escalation_policies/PEPNET1"))["escalation_policy"]
    assert [service["id"] for service in policy["services"]] == [NETWORK]
    assert (
        len((await account.get("/escalation_policies", user_ids=["P"]))["escalation_policies"]) == 0
    )
    names = [one["name"] for one in (await account.get("/priorities"))["priorities"]]
    assert names == ["P1", "P2", "P3", "P4", "P5"]
    assert (await account.get("/teams"))["teams"] == []
    for path in ("users", "services", "escalation_policies", "incident_workflows"):
        await account.refused("GET", f"/{path}/PNONE", 404)


async def test_abilities_are_listed_and_tested(account):
    assert "teams" in (await account.get("/abilities"))["abilities"]
    assert (await account.client.get("/abilities/teams")).status_code == 204
    assert (await account.refused("GET", "/abilities/telepathy", 402))["code"] == 2014


async def test_what_the_plan_lacks_is_402_and_a_gone_play_is_404(account):
    incident = await account.create()
    reference = {"incident": {"id": incident["id"], "type": "incident_reference"}}
    account.world.plan.priorities = False
    account.world.plan.workflows = False
    account.world.plan.response_plays = False
    await account.refused("GET", "/priorities", 402)
    body = {"incident": {"type": "incident_reference", "priority": "P1"}}
    await account.refused("PUT", f"/incidents/{incident['id']}", 402, body)
    for path in ("", "/PWFLOW1", "/triggers"):
        await account.refused("GET", f"/incident_workflows{path}", 402)
    await account.refused("POST", "/response_plays/PPLAY01/run", 404, reference)
    for path in ("", "/PPLAY01"):
        await account.refused("GET", f"/response_plays{path}", 404)
    assert account.world.play_runs == ()


async def test_response_plays_are_listed_and_read(account):
    (play,) = (await account.get("/response_plays"))["response_plays"]
    assert (play["id"], play["type"], play["name"]) == (
        "PPLAY01",
        "response_play",
        "Major incident",
    )
    assert (await account.get("/response_plays", query="MAJOR"))["response_plays"] == [play]
    assert (await account.get("/response_plays", query="minor"))["response_plays"] == []
    assert (await account.get("/response_plays/PPLAY01"))["response_play"] == play
    await account.refused("GET", "/response_plays/PNONE", 404)


async def test_workflows_and_plays_run_every_time_they_are_asked_to(account):
    incident = (await account.create())["id"]
    reference = {"incident": {"id": incident, "type": "incident_reference"}}
    start = {"incident_workflow_instance": reference}
    for _ in range(2):
        answer = await account.client.post("/incident_workflows/PWFLOW1/instances", json=start)
        assert answer.status_code == 201
    assert [(run.of, run.incident_id) for run in account.world.workflow_runs] == [
        ("PWFLOW1", incident)
    ] * 2
    assert await account.post("/response_plays/PPLAY01/run", reference) == {"status": "ok"}
    assert [run.of for run in account.world.play_runs] == ["PPLAY01"]
    unknown = {"incident": {"id": "QNONE", "type": "incident_reference"}}
    await account.refused("POST", "/response_plays/PPLAY01/run", 404, unknown)
    await account.refused("POST", "/incident_workflows/PNONE/instances", 404, start)


async def test_triggers_come_by_cursor(account):
    workflows = account.world.state.directory.workflows
    for number in range(3):
        workflows[f"PW{number}"] = type(workflows["PWFLOW1"])(f"PW{number}", f"flow {number}")
    seen, cursor = [], None
    for _ in range(4):
        params = {"limit": 1} if cursor is None else {"limit": 1, "cursor": cursor}
        page = await account.get("/incident_workflows/triggers", **params)
        seen += [one["workflow"]["id"] for one in page["triggers"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (["PWFLOW1", "PW0", "PW1", "PW2"], None)
    path = "/incident_workflows/triggers"
    assert len((await account.get(path, workflow_id="PW1"))["triggers"]) == 1
    assert (await account.get(path, trigger_type="conditional"))["triggers"] == []
    await account.refused("GET", path, 400, incident_id="Q", service_id="P")
    await account.refused("GET", path, 400, cursor="!")


async def test_custom_field_definitions_are_found_by_type(account):
    types = (await account.get("/incidents/types"))["incident_types"]
    for key in (types[0]["id"], types[0]["name"]):
        fields = (await account.get(f"/incidents/types/{key}/custom_fields"))["fields"]
        assert [field["name"] for field in fields] == ["ticket"]
    assert (await account.get("/incidents/custom_fields"))["fields"] == fields
    await account.refused("GET", "/incidents/types/none/custom_fields", 404)


def test_a_world_refuses_what_cannot_happen():
    world = seeded_world(ManualClock(NOON))
    incident = world.trigger(NETWORK, "a")["id"]
    with pytest.raises(LookupError, match="no service"):
        world.trigger("PNONE", "a")
    with pytest.raises(LookupError, match="no user"):
        world.acknowledge(incident, "PNONE")
    with pytest.raises(LookupError, match="no priority"):
        world.set_priority(incident, "P9", JANE)
    with pytest.raises(LookupError, match="no custom field"):
        world.set_custom_field(incident, "none", 1, JANE)
    with pytest.raises(LookupError, match="no incident"):
        world.incident("QNONE")
    with pytest.raises(ValueError, match="is not resolved"):
        world.reopen(incident, JANE)
    world.resolve(incident, JANE)
    with pytest.raises(ValueError, match="is resolved"):
        world.acknowledge(incident, JANE)
    assert world.reopen(incident, JANE)["status"] == "triggered"


def test_what_a_world_returns_is_a_copy():
    world = seeded_world(ManualClock(NOON))
    incident = world.trigger(NETWORK, "a", details={"disk": "sda"})
    world.entries()[0]["channel"]["details"]["disk"] = "changed"
    incident["title"] = "changed"
    assert world.entries()[0]["channel"]["details"]["disk"] == "sda"
    assert world.incident(incident["id"])["title"] == "a"
