import pytest

from sandbox_pagerduty import BOT, DATABASE, JANE, NETWORK, SAM


def assignees(incident):
    return [item["assignee"]["id"] for item in incident["assignments"]]


async def test_a_new_incident_goes_to_whoever_the_services_policy_calls(account):
    incident = await account.create(urgency="low")
    assert (incident["status"], incident["urgency"]) == ("triggered", "low")
    assert (assignees(incident), incident["assigned_via"]) == ([JANE], "escalation_policy")
    assert incident["summary"] == "[#1] Disk full"
    assert incident["created_at"] == "2026-11-24T12:00:00Z"
    assert incident["service"]["type"] == "service_reference"
    assert account.types() == ["trigger", "assign"]
    trigger = account.world.entries()[0]
    assert trigger["agent"]["id"] == BOT


async def test_times_have_whole_seconds_whatever_the_clock_shows(account):
    account.clock.advance(0.75)
    incident = await account.create()
    assert incident["created_at"] == "2026-11-24T12:00:00Z"


async def test_who_assigns_to_themselves_has_acknowledged_and_is_not_notified(account):
    assigned = [{"assignee": {"id": BOT, "type": "user_reference"}}]
    incident = await account.create(assignments=assigned)
    assert incident["status"] == "acknowledged"
    assert "notify_log_entry" not in [entry["type"] for entry in account.world.entries()]
    other = [{"assignee": {"id": SAM, "type": "user_reference"}}]
    assert (await account.create(assignments=other))["status"] == "triggered"


async def test_a_key_of_an_open_incident_is_refused_until_it_is_resolved(account):
    first = await account.create(incident_key="k")
    body = {
        "type": "incident",
        "title": "again",
        "service": {"id": NETWORK, "type": "service_reference"},
        "incident_key": "k",
    }
    error = await account.refused("POST", "/incidents", 400, {"incident": body})
    assert error["code"] == 2002
    assert error["message"] == "Arguments Caused Error"
    assert error["errors"] == [
        "Open incident with matching dedup key already exists on this service"
    ]
    assert (await account.create(service=DATABASE, incident_key="k"))["id"] != first["id"]
    await account.update(first["id"], status="resolved")
    second = await account.create(incident_key="k")
    assert second["id"] != first["id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"title": None}, 2001),
        ({"title": " "}, 2001),
        ({"type": "incident_reference"}, 2001),
        ({"service": None}, 2001),
        ({"service": {"id": "PNONE", "type": "service_reference"}}, 5002),
        ({"priority": {"id": "PNONE", "type": "priority_reference"}}, 1020),
        ({"urgency": "medium"}, 2001),
        ({"incident_key": 5}, 2001),
        ({"body": {"type": "incident_body", "details": {"a": 1}}}, 2001),
        ({"escalation_policy": {"id": "PNONE"}}, 1014),
        ({"assignments": [{"assignee": {"id": "PNONE"}}]}, 1007),
        ({"assignments": [{"assignee": {"id": JANE}}, {"assignee": {"id": SAM}}]}, 2001),
        (
            {
                "assignments": [{"assignee": {"id": JANE}}],
                "escalation_policy": {"id": "PEPDBA1"},
            },
            2001,
        ),
    ],
)
async def test_an_impossible_incident_is_refused_and_not_made(account, change, code):
    body = {
        "type": "incident",
        "title": "t",
        "service": {"id": NETWORK, "type": "service_reference"},
        **change,
    }
    error = await account.refused("POST", "/incidents", 400, {"incident": body})
    assert error["code"] == code
    assert account.world.incidents() == []


async def test_unknown_fields_of_a_body_are_ignored(account):
    assert (await account.create(colour="red"))["title"] == "Disk full"


async def test_acknowledging_through_the_api_assigns_to_the_sender(account):
    incident = await account.create()
    changed = await account.update(incident["id"], status="acknowledged")
    assert (changed["status"], assignees(changed)) == ("acknowledged", [BOT])
    assert [item["acknowledger"]["id"] for item in changed["acknowledgements"]] == [BOT]
    assert account.types()[-2:] == ["assign", "acknowledge"]
    companion = account.world.entries(incident["id"])[-2]
    assert (companion["agent"]["type"], companion["channel"]["type"]) == (
        "service_reference",
        "auto",
    )


async def test_who_acknowledges_what_is_theirs_changes_no_assignment(account):
    incident = account.world.trigger(NETWORK, "Disk full")
    before = account.types()
    changed = account.world.acknowledge(incident["id"], JANE)
    assert assignees(changed) == [JANE]
    assert account.types() == [*before, "acknowledge"]


async def test_a_person_who_acknowledges_takes_the_incident(account):
    incident = account.world.trigger(NETWORK, "Disk full")
    changed = account.world.acknowledge(incident["id"], SAM)
    assert assignees(changed) == [SAM]
    assert account.types()[-2:] == ["assign", "acknowledge"]


@pytest.mark.parametrize(
    "act",
    [
        lambda world, incident: world.escalate(incident, 1, by=SAM),
        lambda world, incident: world.escalate(incident, 1),
        lambda world, incident: world.delegate(incident, "PEPDBA1", SAM),
        lambda world, incident: world.reassign(incident, [JANE, SAM], SAM),
    ],
)
async def test_who_hands_an_incident_on_ends_its_acknowledgement(account, act):
    incident = account.world.trigger(NETWORK, "Disk full")["id"]
    account.world.acknowledge(incident, JANE)
    account.clock.advance(60)
    changed = act(account.world, incident)
    assert (changed["status"], changed["acknowledgements"]) == ("triggered", [])
    assert changed["last_status_change_at"] == "2026-11-24T12:01:00Z"
    assert changed["last_status_change_by"]["type"] == "service_reference"


async def test_only_the_timer_writes_an_unacknowledge_entry(account):
    incident = account.world.trigger(NETWORK, "Disk full")["id"]
    account.world.acknowledge(incident, JANE)
    account.world.escalate(incident, 1, by=SAM)
    assert "unacknowledge" not in account.types()
    account.world.acknowledge(incident, JANE)
    account.world.escalate(incident, 1)
    assert account.types()[-2:] == ["unacknowledge", "escalate"]
    escalated = account.world.entries(incident)
    by_timeout = [entry for entry in escalated if entry["type"] == "escalate_log_entry"][-1]
    assert by_timeout["channel"]["type"] == "timeout"


async def test_an_assignment_by_the_service_leaves_the_acknowledgement(account):
    incident = account.world.trigger(NETWORK, "Disk full")["id"]
    account.world.acknowledge(incident, JANE)
    assert account.world.reassign(incident, [SAM])["status"] == "acknowledged"


async def test_resolving_empties_assignments_and_keeps_the_resolution_in_the_entry(account):
    incident = await account.create()
    account.clock.advance(5)
    changed = await account.update(incident["id"], status="resolved", resolution="Replaced it")
    assert (changed["assignments"], changed["acknowledgements"]) == ([], [])
    assert changed["resolved_at"] == "2026-11-24T12:00:05Z"
    assert changed["last_status_change_by"]["id"] == BOT
    assert changed["pending_actions"] == []
    assert account.world.entries()[-1]["note"] == "Replaced it"


@pytest.mark.parametrize(
    ("status", "change", "code"),
    [
        ("resolved", {"status": "resolved"}, 1001),
        ("resolved", {"escalation_level": 2}, 1001),
        ("acknowledged", {"status": "acknowledged"}, 1002),
        ("triggered", {"status": "open"}, 1003),
        ("triggered", {"escalation_level": 3}, 1006),
        ("triggered", {"escalation_level": "2"}, 2001),
        ("triggered", {"priority": "P9"}, 1020),
        ("triggered", {"service": {"id": "PNONE", "type": "service_reference"}}, 5002),
        ("triggered", {"incident_type": {"name": "none"}}, 2001),
        ("triggered", {"conference_bridge": "x"}, 2001),
        ("triggered", {"assignments": {}}, 2001),
        ("triggered", {"type": "thing", "title": "x"}, 2001),
    ],
)
async def test_an_impossible_change_is_refused(account, status, change, code):
    incident = await account.create()
    if status != "triggered":
        await account.update(incident["id"], status=status)
    before = account.world.incident(incident["id"])
    body = {"incident": {"type": "incident_reference", **change}}
    error = await account.refused("PUT", f"/incidents/{incident['id']}", 400, body)
    assert error["code"] == code
    assert account.world.incident(incident["id"]) == before


@pytest.mark.parametrize(("status", "assigned"), [("triggered", JANE), ("acknowledged", BOT)])
async def test_setting_an_open_status_reopens_without_any_entry(account, status, assigned):
    incident = await account.create()
    await account.update(incident["id"], status="resolved")
    before = account.types()
    changed = await account.update(incident["id"], status=status)
    assert (changed["status"], changed["resolved_at"]) == (status, None)
    assert assignees(changed) == [assigned]
    assert account.types() == before


async def test_reopening_assigns_as_asked(account):
    incident = await account.create()
    await account.update(incident["id"], status="resolved")
    asked = [{"assignee": {"id": SAM, "type": "user_reference"}}]
    changed = await account.update(incident["id"], status="triggered", assignments=asked)
    assert assignees(changed) == [SAM]


async def test_changes_that_leave_no_entry_bump_the_time_of_update(account):
    incident = await account.create()
    before = account.types()
    account.clock.advance(60)
    service = {"id": DATABASE, "type": "service_reference"}
    changed = await account.update(incident["id"], title="New", service=service)
    assert (changed["title"], changed["service"]["id"]) == ("New", DATABASE)
    assert changed["updated_at"] == "2026-11-24T12:01:00Z"
    assert account.types() == before


async def test_assigning_delegating_and_escalating_have_their_entries(account):
    incident = (await account.create())["id"]
    sam = [{"assignee": {"id": SAM, "type": "user_reference"}}]
    assert assignees(await account.update(incident, assignments=sam)) == [SAM]
    policy = {"id": "PEPDBA1", "type": "escalation_policy_reference"}
    delegated = await account.update(incident, escalation_policy=policy)
    assert delegated["escalation_policy"]["id"] == "PEPDBA1"
    assert assignees(await account.update(incident, escalation_level=2)) == [JANE]
    assert account.types()[-4:] == ["assign", "delegate", "assign", "escalate"]
    assert "assignees" not in account.world.entries()[-4]
    assert account.world.entries()[-2]["assignees"][0]["id"] == JANE


async def test_a_priority_can_be_given_by_name_or_reference(account):
    incident = (await account.create())["id"]
    changed = await account.update(incident, priority="P2")
    assert (changed["priority"]["type"], changed["priority"]["summary"]) == (
        "priority_reference",
        "P2",
    )
    await account.update(incident, priority={"id": "PPRIO01", "type": "priority_reference"})
    entry = account.world.entries()[-1]
    assert entry["type"] == "priority_change_log_entry"
    assert entry["channel"]["old_priority"]["name"] == "P2"
    assert entry["channel"]["new_priority"]["name"] == "P1"
    assert entry["summary"] == 'Priority changed from "P2" to "P1"'


async def test_urgency_has_its_entry_once(account):
    incident = (await account.create())["id"]
    for _ in range(2):
        assert (await account.update(incident, urgency="low"))["urgency"] == "low"
    assert account.types().count("urgency_change") == 1


async def test_a_bulk_update_changes_all(account):
    ids = [(await account.create(str(number)))["id"] for number in range(3)]
    items = [{"id": one, "type": "incident_reference", "status": "resolved"} for one in ids]
    changed = (await account.put("/incidents", {"incidents": items}))["incidents"]
    assert [(one["id"], one["status"]) for one in changed] == [(one, "resolved") for one in ids]


@pytest.mark.parametrize(
    ("bad", "code"),
    [({"id": "QNONE", "status": "resolved"}, 1004), ({"status": "closed"}, 1003)],
)
async def test_a_bulk_update_with_one_bad_item_changes_nothing(account, bad, code):
    ids = [(await account.create(str(number)))["id"] for number in range(2)]
    good = {"id": ids[0], "type": "incident_reference", "status": "resolved"}
    items = [good, {"id": ids[1], "type": "incident_reference", **bad}]
    error = await account.refused("PUT", "/incidents", 400, {"incidents": items})
    assert error["code"] == code
    assert {one["status"] for one in account.world.incidents()} == {"triggered"}


async def test_a_bulk_update_moves_no_service(account):
    incident = await account.create()
    service = {"id": DATABASE, "type": "service_reference"}
    item = {"id": incident["id"], "type": "incident_reference", "service": service}
    changed = await account.put("/incidents", {"incidents": [item]})
    assert changed["incidents"][0]["service"]["id"] == NETWORK


async def test_more_than_250_items_are_413(account):
    items = [{"id": "Q", "type": "incident_reference"}] * 251
    await account.refused("PUT", "/incidents", 413, {"incidents": items})
