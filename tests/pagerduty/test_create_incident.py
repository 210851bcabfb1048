"""Creating incidents: one per action, on the right service, with the available fields."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pagerduty_actions import BOT, CREATE, JANE, LOST, PAGE, SAM, reason
from pagerforce.model.expectation import PageExpected
from pagerforce.model.incident import Person
from pagerforce.model.mapping import ResolvedMapping
from pagerforce.model.record import Record
from pagerforce.model.value import parse_instant
from pagerforce.model.verdict import (
    Delivered,
    IncidentMade,
    Unknown,
)
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty.state import Alert

CATEGORY = "BMCServiceDesk__FKCategory__c"


def made(verdict):
    assert isinstance(verdict, Delivered), verdict
    (effect,) = verdict.effects
    assert isinstance(effect, IncidentMade)
    return effect.incident


def mapping(value, service="PDBA001", **more):
    row = ResolvedMapping(
        name="m",
        object="BMCServiceDesk__Incident__c",
        field=CATEGORY,
        value=value,
        service=service,
        inbound=True,
        outbound=True,
    )
    return replace(row, **more)


def record(**fields):
    moment = parse_instant("2026-11-24T12:00:00Z")
    return Record(
        "BMCServiceDesk__Incident__c", "a0B000000000001EAA", fields, moment, moment, moment
    )


KEY = "pagerforce:BMCServiceDesk__Incident__c:a0B000000000001EAA:event-1/0"


async def test_an_incident_is_created_as_ordered(rig):
    verdict = await rig.deliver(
        CREATE,
        {
            "title": "INC-1: disk full",
            "service": "network",
            "urgency": "LOW",
            "priority": "p2",
            "body": " line 1\nline 2 ",
            "assignees": ["Sam.Lee@example.com"],
        },
    )
    incident = made(verdict)
    shown = rig.world.incident(incident.id)
    assert incident.incident_key == KEY
    assert (shown["title"], shown["urgency"]) == ("INC-1: disk full", "low")
    assert shown["service"]["id"] == "PNET001"
    assert shown["priority"]["summary"] == "P2"
    assert [item["assignee"]["id"] for item in shown["assignments"]] == [SAM]
    assert rig.world.state.incidents[incident.id].body == " line 1\nline 2 "


async def test_an_incident_can_go_to_an_escalation_policy_by_name(rig):
    verdict = await rig.deliver(CREATE, {**PAGE, "escalation_policy": "Database on call"})
    assert rig.world.incident(made(verdict).id)["escalation_policy"]["id"] == "PEPDBA1"


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_creates_no_second_incident(rig, kind):
    rig.faults.add(Fault(kind, method="POST", path="^/incidents$"))
    assert isinstance(await rig.deliver(CREATE, PAGE), Unknown)
    incident = made(await rig.deliver(CREATE, PAGE, is_uncertain=True))
    assert [shown["id"] for shown in rig.world.incidents()] == [incident.id]


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
async def test_an_incident_resolved_before_the_retry_is_not_opened_again(rig, kind):
    rig.faults.add(Fault(kind, method="POST", path="^/incidents$"))
    await rig.deliver(CREATE, PAGE)
    (shown,) = rig.world.incidents()
    rig.clock.advance(20)
    rig.world.resolve(shown["id"], JANE)
    rig.clock.advance(20)
    first = rig.clock.now() - timedelta(seconds=40)
    verdict = await rig.deliver(CREATE, PAGE, is_uncertain=True, first_attempt_at=first)
    assert made(verdict).id == shown["id"]
    assert len(rig.world.incidents()) == 1


async def test_a_key_that_is_open_already_is_adopted(rig):
    first = made(await rig.deliver(CREATE, PAGE))
    again = made(await rig.deliver(CREATE, PAGE))
    assert again.id == first.id
    assert len(rig.world.incidents()) == 1


async def test_an_old_incident_with_the_same_key_is_not_mistaken_for_a_new_one(rig):
    old = made(await rig.deliver(CREATE, PAGE))
    rig.world.resolve(old.id, JANE)
    rig.clock.advance(86_400)
    verdict = await rig.deliver(CREATE, PAGE, is_uncertain=True)
    assert made(verdict).id != old.id


async def test_a_search_that_fails_leaves_the_outcome_uncertain(rig):
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, method="GET", path="^/incidents$"))
    verdict = await rig.deliver(CREATE, PAGE, is_uncertain=True)
    assert isinstance(verdict, Unknown)
    assert rig.world.incidents() == []


async def test_who_creates_and_is_assigned_would_not_be_woken(rig, configure):
    """Fact: `pagerduty.creator-assigned-acknowledges`."""
    configure(act_as="actor")
    task = {"actor": Person(email="jane.doe@example.com")}
    page = {**PAGE, "assignees": ["jane.doe@example.com"]}
    incident = made(await rig.deliver(CREATE, page, **task))
    assert rig.world.incident(incident.id)["status"] == "triggered"
    expected = await rig.handler(CREATE).expectations(rig.task(CREATE, page, **task))
    assert [item.actor_id for item in expected] == [BOT]


async def test_an_incident_assigned_to_the_integration_says_that_nobody_was_woken(rig):
    verdict = await rig.deliver(CREATE, {**PAGE, "assignees": [BOT]})
    assert rig.world.incident(made(verdict).id)["status"] == "acknowledged"
    assert "acknowledged from the start" in verdict.detail


async def test_the_creation_is_expected_by_its_key(rig):
    expected = await rig.handler(CREATE).expectations(rig.task(CREATE, PAGE))
    assert list(expected) == [PageExpected(KEY, "INC-1: disk full", BOT)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"title": "  "}, "the title was empty"),
        ({"urgency": "urgent"}, "without urgency: it is neither high nor low"),
        ({"priority": "P9"}, "without priority: PagerDuty has no priority 'P9'"),
        ({"escalation_policy": "Nobody"}, "no escalation policy 'Nobody'"),
        ({"assignees": ["nobody@example.com"]}, "no PagerDuty user has the e-mail nobody@"),
        ({"assignees": [JANE, SAM]}, "assigned to the first of 2 assignees"),
        ({"assignees": ["PNOBODY"]}, "without assignments (refused: code 1007)"),
    ],
)
async def test_an_incident_is_created_without_what_cannot_be_found(rig, args, said):
    verdict = await rig.deliver(CREATE, {**PAGE, **args})
    assert isinstance(verdict, Delivered)
    assert said in verdict.detail
    assert "retry it" not in verdict.detail
    (incident,) = rig.world.incidents()
    assert incident["assignments"], "somebody is assigned"


async def test_a_page_without_a_service_says_what_to_do(rig):
    text = reason(await rig.deliver(CREATE, {**PAGE, "service": "Nowhere"}))
    assert "no service 'Nowhere'" in text
    assert text.endswith("retry it")
    assert rig.world.incidents() == []


async def test_empty_arguments_count_as_not_given(rig):
    empty = {"urgency": "", "priority": " ", "body": "", "assignees": ["", " "]}
    verdict = await rig.deliver(CREATE, {**PAGE, **empty, "escalation_policy": ""})
    assert rig.world.incident(made(verdict).id)["urgency"] == "high"


# Which service


@pytest.mark.parametrize(
    ("value", "mapped", "fits"),
    [
        ("a0C00000000000A", "a0C00000000000AEAQ", True),
        ("a0C00000000000AEAQ", "a0C00000000000A", True),
        ("a0C00000000000a", "a0C00000000000A", False),
        ("network", "Network", True),
        ("INFRASTRUCTURES", "Infrastructures", True),
        (True, True, True),
        (True, 1, False),
        (3, 3.0, True),
        (None, "Network", False),
    ],
)
async def test_the_service_mapping_decides_by_the_fields_value(rig, value, mapped, fits):
    rig.mappings.rows = [mapping(mapped)]
    verdict = await rig.deliver(CREATE, {"title": "t"}, event_record={CATEGORY: value})
    if fits:
        assert made(verdict).service.id == "PDBA001"
    else:
        assert "service mapping" in reason(verdict)


async def test_mappings_are_tried_in_order_and_only_outbound_ones_of_the_object(rig):
    rig.mappings.rows = [
        mapping("x", "PNONE01", outbound=False),
        mapping("x", "PNONE02", object="Case"),
        mapping("y", "PNONE03"),
        mapping("x", "PDBA001"),
        mapping("x", "PNET001"),
    ]
    verdict = await rig.deliver(CREATE, {"title": "t"}, event_record={CATEGORY: "x"})
    assert made(verdict).service.id == "PDBA001"


async def test_the_record_as_of_the_event_decides_before_the_present_one(rig):
    rig.mappings.rows = [mapping("then", "PDBA001"), mapping("now", "PNET001")]
    present = record(**{CATEGORY: "now"})
    both = {"event_record": {CATEGORY: "then"}, "record": present}
    assert made(await rig.deliver(CREATE, {"title": "t"}, **both)).service.id == "PDBA001"
    later = {"event_record": None, "record": present, "key": "event-2/0"}
    assert made(await rig.deliver(CREATE, {"title": "t"}, **later)).service.id == "PNET001"


async def test_the_category_beats_the_mapping_and_the_argument_beats_both(rig, configure):
    path = "BMCServiceDesk__FKCategory__r.PagerDuty_Service_ID__c"
    configure(objects=[{"name": "BMCServiceDesk__Incident__c", "service_id_path": path}])
    rig.mappings.rows = [mapping("x", "PDBA001")]
    fields = {"event_record": {CATEGORY: "x", path: " PNET001 "}}
    assert made(await rig.deliver(CREATE, {"title": "t"}, **fields)).service.id == "PNET001"
    named = {"title": "t", "service": "Database"}
    verdict = await rig.deliver(CREATE, named, **fields, key="event-2/0")
    assert made(verdict).service.id == "PDBA001"
    empty = {"event_record": {CATEGORY: "x", path: ""}, "key": "event-3/0"}
    assert made(await rig.deliver(CREATE, {"title": "t"}, **empty)).service.id == "PDBA001"
    nothing = await rig.deliver(CREATE, {"title": "t"}, event_record={}, key="event-4/0")
    assert path in reason(nothing)


@pytest.mark.parametrize("limit", [255, 300])
async def test_a_title_that_is_refused_as_too_long_is_cut_and_the_page_goes_out(rig, limit):
    rig.world.plan.title_limit = limit
    verdict = await rig.deliver(CREATE, {**PAGE, "title": "t" * 500})
    assert made(verdict).title == "t" * 254 + "…"
    assert "title cut to 255 characters" in verdict.detail


async def test_a_cut_title_is_found_after_a_lost_answer(rig):
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, method="POST", path="^/incidents$", status=413))
    rig.faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path="^/incidents$"))
    order = {**PAGE, "title": "t" * 500}
    assert isinstance(await rig.deliver(CREATE, order), Unknown)
    (shown,) = rig.world.incidents()
    incident = rig.world.state.incidents[shown["id"]]
    key, at = incident.incident_key, incident.created_at
    alert = Alert("QALERT1", key, incident.id, "PNET001", "t", "critical", at, {}, "R1")
    incident.alerts.append(alert)  # it shows no key any more: the title identifies it
    found = made(await rig.deliver(CREATE, order, is_uncertain=True))
    assert (found.id, len(rig.world.incidents())) == (shown["id"], 1)


async def test_a_page_without_key_and_title_is_found_behind_a_storm_by_how_it_began(rig):
    rig.faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path="^/incidents$"))
    assert isinstance(await rig.deliver(CREATE, PAGE), Unknown)
    (shown,) = rig.world.incidents()
    incident = rig.world.state.incidents[shown["id"]]
    key, at = incident.incident_key, incident.created_at
    alert = Alert("QALERT1", key, incident.id, "PNET001", "t", "critical", at, {}, "R1")
    incident.alerts.append(alert)
    rig.world.set_title(incident.id, "The core switch, really")
    rig.clock.advance(60)
    for number in range(120):  # more than a page of the list, and none of them pagerforce's
        rig.world.trigger("PNET001", f"Switch {number} flaps")
    found = made(await rig.deliver(CREATE, PAGE, is_uncertain=True, first_attempt_at=at))
    assert (found.id, len(rig.world.incidents())) == (shown["id"], 121)
    assert rig.observer.count("log_entries.get") == 1, "the entries of that time are read first"
