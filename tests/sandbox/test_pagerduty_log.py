from zoneinfo import ZoneInfo

import pytest

from pagerforce.sandbox.pagerduty import EntryOrder
from sandbox_pagerduty import JANE, NETWORK, SAM


async def types(account, path="/log_entries", **params):
    rows = (await account.get(path, limit=100, **params))["log_entries"]
    return [row["type"].removesuffix("_log_entry") for row in rows]


async def test_the_log_is_newest_first_for_the_account_and_for_one_incident(account):
    world = account.world
    first = world.trigger(NETWORK, "a")["id"]
    account.clock.advance(1)
    world.acknowledge(first, JANE)
    account.clock.advance(1)
    world.trigger(NETWORK, "b")
    opened = ["notify", "assign", "trigger"]
    assert await types(account) == [*opened, "acknowledge", *opened]
    assert (await types(account, f"/incidents/{first}/log_entries"))[0] == "acknowledge"


@pytest.mark.parametrize("order", list(EntryOrder))
async def test_the_order_is_a_knob_and_never_loses_a_row(account, order):
    for number in range(5):
        account.world.trigger(NETWORK, str(number))
        account.clock.advance(1)
    account.world.order_entries(order)
    rows = (await account.get("/log_entries", limit=100))["log_entries"]
    assert len({row["id"] for row in rows}) == 15
    times = [row["created_at"] for row in rows]
    assert times == sorted(times, reverse=order is not EntryOrder.OLDEST_FIRST)
    within = [row["type"] for row in rows]
    causal = ["notify_log_entry", "assign_log_entry", "trigger_log_entry"] * 5
    if order is EntryOrder.OLDEST_FIRST:
        causal.reverse()
    assert (within == causal) is (order is not EntryOrder.TIES_SHUFFLED)


async def test_since_and_until_meet_the_time_of_creation(account):
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.clock.advance(10)
    account.world.acknowledge(incident, JANE)
    edge = "2026-11-24T12:00:10Z"
    assert await types(account, since=edge) == ["acknowledge"]
    assert "acknowledge" in await types(account, until=edge)
    account.world.knobs.until_inclusive = False
    assert "acknowledge" not in await types(account, until=edge)
    assert (await account.refused("GET", "/log_entries", 400, since="soon"))["code"] == 2004


async def test_an_entry_belongs_to_the_whole_second_it_shows(account):
    account.clock.advance(0.75)
    account.world.trigger(NETWORK, "a")
    assert "trigger" in await types(account, until="2026-11-24T12:00:00Z")


async def test_a_hidden_entry_appears_later_with_its_own_time(account):
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.world.hide_new_entries(300)
    account.world.acknowledge(incident, JANE)
    account.world.hide_new_entries(0)
    account.clock.advance(60)
    account.world.resolve(incident, SAM)
    assert await types(account) == ["resolve", "notify", "assign", "trigger"]
    hidden = account.world.entries(incident)[-2]
    await account.refused("GET", f"/log_entries/{hidden['id']}", 404)
    account.clock.advance(240)
    assert await types(account) == ["resolve", "acknowledge", "notify", "assign", "trigger"]
    shown = (await account.get(f"/log_entries/{hidden['id']}"))["log_entry"]
    assert shown["created_at"] == "2026-11-24T12:00:00Z"


async def test_channels_and_incidents_are_in_full_only_when_included(account):
    incident = account.world.trigger(NETWORK, "Disk full", "k", details={"disk": "sda"})["id"]
    account.world.annotate(incident, "on it", JANE)
    row = (await account.get("/log_entries"))["log_entries"][0]
    assert row["channel"] == {"type": "note"}
    assert row["incident"]["type"] == "incident_reference"
    account.world.resolve(incident, JANE)
    params = {"include": ["channels", "incidents", "services"]}
    rows = (await account.get("/log_entries", **params))["log_entries"]
    assert rows[1]["channel"] == {"type": "note", "summary": "on it"}
    assert "id" not in rows[1]["channel"]
    assert rows[1]["agent"]["id"] == JANE
    assert {row["incident"]["status"] for row in rows} == {"resolved"}  # the current incident
    assert rows[-1]["channel"]["details"] == {"disk": "sda"}
    assert rows[-1]["service"]["name"] == "Network"


async def test_the_overview_leaves_the_important_ones(account):
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.world.notify(incident, JANE, times=30)
    assert await types(account, is_overview="true") == ["assign", "trigger"]
    assert len(await types(account)) == 33


async def test_times_are_in_the_accounts_zone_unless_another_is_asked_for(account):
    account.world.trigger(NETWORK, "a")
    account.world.knobs.account_zone = ZoneInfo("America/Lima")
    rows = (await account.get("/log_entries"))["log_entries"]
    assert rows[0]["created_at"] == "2026-11-24T07:00:00-05:00"
    rows = (await account.get("/log_entries", time_zone="UTC"))["log_entries"]
    assert rows[0]["created_at"] == "2026-11-24T12:00:00Z"


async def test_teams_have_no_entries_here_and_need_their_ability(account):
    account.world.trigger(NETWORK, "a")
    assert await types(account, team_ids=["PTEAM"]) == []
    account.world.plan.abilities.discard("teams")
    await account.refused("GET", "/log_entries", 402, team_ids=["PTEAM"])


async def test_everything_people_do_has_the_entry_the_facts_name(account):
    world = account.world
    one = world.trigger(NETWORK, "a")["id"]
    world.trigger(NETWORK, "a second event", None)
    world.set_priority(one, "P1", JANE)
    world.set_urgency(one, "low", JANE)
    world.snooze(one, 600, JANE)
    world.unacknowledge(one)
    world.escalate(one)
    world.reassign(one, [JANE, SAM], JANE)
    world.delegate(one, "PEPDBA1", JANE)
    world.annotate(one, "hello", JANE)
    world.set_custom_field(one, "ticket", "T-1", JANE)
    world.custom_action(one, "Restart", JANE)
    world.add_entry(one, "brand_new_log_entry", "?")
    world.set_title(one, "b")
    world.set_conference_bridge(one, "+1", "https://example.com")
    world.resolve(one)
    assert account.types(one) == [
        "trigger",
        "assign",
        "priority_change",
        "urgency_change",
        "acknowledge",
        "snooze",
        "unacknowledge",
        "escalate",
        "assign",
        "assign",
        "delegate",
        "assign",
        "annotate",
        "custom_field_value_change",
        "custom",
        "brand_new",
        "resolve",
    ]
    by_type = {str(entry["type"]).removesuffix("_log_entry"): entry for entry in world.entries(one)}
    assert by_type["unacknowledge"]["channel"]["type"] == "timeout"
    assert by_type["unacknowledge"]["agent"]["type"] == "service_reference"
    assert by_type["snooze"]["channel"]["duration"] == 600
    assert by_type["snooze"]["changed_actions"][0]["at"] == "2026-11-24T12:10:00Z"
    assert by_type["assign"]["agent"]["id"] == NETWORK, (
        "the service decides who gets a delegated one"
    )
    assert by_type["notify"]["channel"]["notification"]["type"] == "email_notification"
    assert by_type["brand_new"]["agent"] is None
    assert by_type["resolve"]["agent"]["id"] == NETWORK


async def test_an_escalation_has_one_entry_for_each_target(account):
    policy = account.world.state.directory.policies["PEPNET1"]
    policy.levels.append((JANE, SAM))
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.world.escalate(incident, level=3)
    targets = [
        [user["id"] for user in entry["assignees"]]
        for entry in account.world.entries(incident)
        if entry["type"] == "escalate_log_entry"
    ]
    assert targets == [[JANE], [SAM]]


async def test_more_events_add_trigger_entries_and_no_incident(account):
    one = account.world.trigger(NETWORK, "a", "k")
    again = account.world.trigger(NETWORK, "a", "k")
    assert (again["id"], len(account.world.incidents())) == (one["id"], 1)
    assert account.types() == ["trigger", "assign", "trigger"]
    account.world.resolve(one["id"], JANE)
    assert account.world.trigger(NETWORK, "a", "k")["id"] != one["id"]


async def test_field_changes_can_be_missing_from_the_accounts_list(account):
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.world.set_custom_field(incident, "ticket", "T-1", JANE)
    assert "custom_field_value_change" in await types(account)
    account.world.knobs.field_changes_in_account_list = False
    assert "custom_field_value_change" not in await types(account)
    path = f"/incidents/{incident}/log_entries"
    assert "custom_field_value_change" in await types(account, path)


async def test_a_raw_row_is_shown_as_it_is(account):
    incident = account.world.trigger(NETWORK, "a")["id"]
    account.world.add_raw_entry(incident, {"id": 7, "type": None})
    assert (await account.get("/log_entries"))["log_entries"][0] == {"id": 7, "type": None}


async def test_the_channel_of_a_web_trigger_can_be_edited(account):
    incident = await account.create()
    entry = incident["first_trigger_log_entry"]["id"]
    body = {"channel": {"type": "web_trigger", "details": "more"}}
    answer = await account.client.put(f"/log_entries/{entry}/channel", json=body)
    assert (answer.status_code, answer.content) == (202, b"")
    assert account.world.entries()[0]["channel"]["details"] == "more"
    body = {"channel": {"type": "note", "details": "more"}}
    await account.refused("PUT", f"/log_entries/{entry}/channel", 400, body)
    body = {"channel": {"type": "mobile", "details": "more"}}
    await account.refused("PUT", f"/log_entries/{entry}/channel", 400, body)


async def test_pages_beyond_ten_thousand_are_refused(account):
    error = await account.refused("GET", "/log_entries", 400, limit=100, offset=9950)
    assert error["errors"][0].startswith("Offset+limit exceeds")


async def test_ids_say_nothing_about_order(account):
    for number in range(20):
        account.world.trigger(NETWORK, str(number))
    ids = [entry["id"] for entry in account.world.entries()]
    assert ids != sorted(ids)
    assert len(set(ids)) == len(ids)
