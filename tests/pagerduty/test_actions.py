"""Delivering actions: nothing twice, nothing reopened, nobody woken for what is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pagerforce.model.expectation import EntryExpected, PageExpected
from pagerforce.model.ids import Side
from pagerforce.model.incident import Person
from pagerforce.model.mapping import ResolvedMapping
from pagerforce.model.record import Record
from pagerforce.model.value import parse_instant
from pagerforce.model.verdict import (
    Delivered,
    HaltSide,
    IncidentMade,
    NoteMade,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
)
from pagerforce.pagerduty.actions import CATALOG
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import USER_KEY
from pagerforce.sandbox.pagerduty.state import Alert

BOT, JANE, SAM = "PINTEG1", "PJANE01", "PSAMLE1"
CREATE = "pagerduty.create_incident"
ACKNOWLEDGE = "pagerduty.acknowledge"
RESOLVE = "pagerduty.resolve"
PRIORITY = "pagerduty.set_priority"
REASSIGN = "pagerduty.reassign"
NOTE = "pagerduty.add_note"
WORKFLOW = "pagerduty.run_workflow"
PLAY = "pagerduty.run_response_play"
PAGE = {"title": "INC-1: disk full", "service": "PNET001"}
LOST = [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER]
CATEGORY = "BMCServiceDesk__FKCategory__c"


def made(verdict):
    assert isinstance(verdict, Delivered), verdict
    (effect,) = verdict.effects
    assert isinstance(effect, IncidentMade)
    return effect.incident


def reason(verdict, kind=Rejected):
    assert isinstance(verdict, kind), verdict
    return verdict.reason


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


def test_the_catalog_is_as_promised():
    assert {spec.do.removeprefix("pagerduty.") for spec in CATALOG} == {
        "create_incident",
        "acknowledge",
        "resolve",
        "set_priority",
        "run_response_play",
        "run_workflow",
        "reassign",
        "add_note",
    }
    assert {spec.do for spec in CATALOG if not spec.is_repeatable} == {PLAY, WORKFLOW}
    assert {spec.do for spec in CATALOG if spec.is_page} == {CREATE}


# Creating


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


async def test_an_old_incident_with_the_same_key_is_not_taken_for_a_new_one(rig):
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


async def test_the_creation_is_announced_by_its_key(rig):
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
async def test_a_page_goes_out_without_what_cannot_be_had(rig, args, said):
    verdict = await rig.deliver(CREATE, {**PAGE, **args})
    assert isinstance(verdict, Delivered)
    assert said in verdict.detail
    assert "retry it" not in verdict.detail
    (incident,) = rig.world.incidents()
    assert incident["assignments"], "somebody is called"


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


# Acknowledging and resolving


async def test_acknowledging(rig):
    incident = rig.trigger()
    assert isinstance(await rig.deliver(ACKNOWLEDGE, {}, incident_id=incident), Delivered)
    assert rig.world.incident(incident)["status"] == "acknowledged"


@pytest.mark.parametrize("uncertain", [False, True])
async def test_an_old_acknowledge_never_reopens(rig, uncertain):
    incident = rig.trigger()
    rig.world.resolve(incident, JANE)
    verdict = await rig.deliver(ACKNOWLEDGE, {}, incident_id=incident, is_uncertain=uncertain)
    assert "reopen" in reason(verdict, Skipped)
    assert rig.world.incident(incident)["status"] == "resolved"
    assert rig.writes() == []


async def test_a_resolve_between_look_and_write_wins_in_the_end(rig):
    incident = rig.trigger()
    rig.on("GET", f"^/incidents/{incident}$", lambda: rig.world.resolve(incident, JANE), after=True)
    verdict = await rig.deliver(ACKNOWLEDGE, {}, incident_id=incident)
    assert isinstance(verdict, Delivered)
    assert "resolved meanwhile" in verdict.detail
    assert rig.world.incident(incident)["status"] == "resolved"


@pytest.mark.parametrize("seconds", [0, 5])
async def test_an_incident_reopened_by_a_person_stays_open_when_acknowledged(rig, seconds):
    incident = rig.trigger()
    rig.world.resolve(incident, JANE)
    rig.clock.advance(seconds)
    rig.world.reopen(incident, JANE)
    rig.clock.advance(5)
    assert isinstance(await rig.deliver(ACKNOWLEDGE, {}, incident_id=incident), Delivered)
    assert rig.world.incident(incident)["status"] == "acknowledged"


@pytest.mark.parametrize(("do", "act"), [(ACKNOWLEDGE, "acknowledge"), (RESOLVE, "resolve")])
async def test_what_is_done_already_is_ours_only_after_a_lost_answer(rig, do, act):
    incident = rig.trigger()
    getattr(rig.world, act)(incident, JANE)
    assert isinstance(await rig.deliver(do, {}, incident_id=incident), Skipped)
    verdict = await rig.deliver(do, {}, incident_id=incident, is_uncertain=True)
    assert isinstance(verdict, Delivered)
    assert rig.writes() == []


async def test_resolving_with_a_resolution(rig):
    incident = rig.trigger()
    verdict = await rig.deliver(RESOLVE, {"resolution": "fixed"}, incident_id=incident)
    assert isinstance(verdict, Delivered)
    (entry,) = [e for e in await rig.entries() if e.type == "resolve"]
    assert (entry.note, entry.agent.id) == ("fixed", BOT)


async def test_a_resolve_that_came_first_is_no_failure(rig):
    incident = rig.trigger()
    rig.on("PUT", f"^/incidents/{incident}$", lambda: rig.world.resolve(incident, JANE))
    verdict = await rig.deliver(RESOLVE, {}, incident_id=incident)
    assert "resolved already" in reason(verdict, Skipped)


@pytest.mark.parametrize("do", [ACKNOWLEDGE, RESOLVE])
@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_to_a_status_write(rig, do, kind):
    incident = rig.trigger()
    rig.faults.add(Fault(kind, method="PUT"))
    assert isinstance(await rig.deliver(do, {}, incident_id=incident), Unknown)
    again = await rig.deliver(do, {}, incident_id=incident, is_uncertain=True)
    assert isinstance(again, Delivered)
    name = do.removeprefix("pagerduty.") + "_log_entry"
    assert sum(entry["type"] == name for entry in rig.world.entries(incident)) == 1


@pytest.mark.parametrize("do", [ACKNOWLEDGE, RESOLVE])
async def test_an_incident_out_of_sight(rig, do):
    incident = rig.trigger()
    rig.world.hide_incident(incident)
    assert "out of the API key's sight" in reason(await rig.deliver(do, {}, incident_id=incident))


# Priority and assignment


async def test_setting_the_priority(rig):
    incident = rig.trigger()
    args = {"priority": "P1"}
    assert isinstance(await rig.deliver(PRIORITY, args, incident_id=incident), Delivered)
    assert rig.world.incident(incident)["priority"]["summary"] == "P1"
    same = {"priority": "PPRIO01"}
    assert isinstance(await rig.deliver(PRIORITY, same, incident_id=incident), Skipped)
    after = await rig.deliver(PRIORITY, same, incident_id=incident, is_uncertain=True)
    assert isinstance(after, Delivered)
    assert rig.writes() == ["incidents.update"]


async def test_a_resolved_incident_keeps_its_priority_and_assignment(rig):
    incident = rig.trigger()
    rig.world.resolve(incident, JANE)
    for do, args in ((PRIORITY, {"priority": "P1"}), (REASSIGN, {"assignees": [SAM]})):
        assert isinstance(await rig.deliver(do, args, incident_id=incident), Skipped)
    assert rig.writes() == []


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("seconds", [0, 5])
async def test_an_old_priority_never_overwrites_a_newer_one_of_a_person(rig, uncertain, seconds):
    incident = rig.trigger()
    at = rig.clock.now()
    rig.clock.advance(seconds)
    rig.world.set_priority(incident, "P1", by=JANE)
    rig.clock.advance(5)
    more = {"incident_id": incident, "event_at": at, "is_uncertain": uncertain}
    verdict = await rig.deliver(PRIORITY, {"priority": "P5"}, **more)
    assert isinstance(verdict, Skipped)
    assert "newer priority" in verdict.reason
    assert rig.world.incident(incident)["priority"]["summary"] == "P1"


async def test_a_priority_older_than_the_event_is_overwritten(rig):
    incident = rig.trigger()
    rig.world.set_priority(incident, "P1", by=JANE)
    rig.clock.advance(5)
    verdict = await rig.deliver(PRIORITY, {"priority": "P5"}, incident_id=incident)
    assert isinstance(verdict, Delivered)
    assert rig.world.incident(incident)["priority"]["summary"] == "P5"


async def test_a_rule_may_answer_a_priority_with_another(rig):
    incident = rig.trigger()
    rig.world.set_priority(incident, "P1", by=JANE)
    more = {"incident_id": incident, "event_source": Side.PAGERDUTY}
    verdict = await rig.deliver(PRIORITY, {"priority": "P5"}, **more)
    assert isinstance(verdict, Delivered), "the entry of the event itself is no newer change"


async def test_late_priorities_arrive_in_their_order(rig):
    incident = rig.trigger()
    first = rig.clock.now()
    rig.clock.advance(60)
    for number, wanted in enumerate(("P5", "P3", "P5")):
        more = {"event_at": first + timedelta(seconds=number), "is_uncertain": number == 2}
        verdict = await rig.deliver(PRIORITY, {"priority": wanted}, incident_id=incident, **more)
        assert isinstance(verdict, Delivered)
        rig.clock.advance(2)
    assert rig.world.incident(incident)["priority"]["summary"] == "P5"


@pytest.mark.parametrize(
    ("do", "args", "undo"),
    [
        (PRIORITY, {"priority": "P5"}, lambda w, i: w.set_priority(i, "P1", by=JANE)),
        (REASSIGN, {"assignees": [SAM]}, lambda w, i: w.reassign(i, [JANE], by=JANE)),
        (ACKNOWLEDGE, {}, lambda w, i: w.unacknowledge(i)),
        (RESOLVE, {}, lambda w, i: w.reopen(i, by=JANE)),
    ],
)
async def test_what_a_lost_answer_did_and_people_undid_is_not_done_again(rig, do, args, undo):
    incident = rig.trigger()
    if do == REASSIGN:
        rig.world.acknowledge(incident, by=JANE)
    at = rig.clock.now()
    more = {"incident_id": incident, "event_at": at}
    assert isinstance(await rig.deliver(do, args, **more), Delivered)
    rig.clock.advance(5)
    undo(rig.world, incident)
    before = {**rig.world.incident(incident)}
    rig.clock.advance(5)
    verdict = await rig.deliver(do, args, is_uncertain=True, **more)
    assert isinstance(verdict, Delivered)
    assert "since by others" in verdict.detail
    assert rig.world.incident(incident) == before
    assert rig.writes() == ["incidents.update"]


async def test_an_old_assignment_never_overwrites_a_newer_one_of_a_person(rig):
    incident = rig.trigger()
    at = rig.clock.now()
    rig.clock.advance(5)
    rig.world.reassign(incident, [SAM], by=JANE)
    rig.clock.advance(5)
    args = {"escalation_policy": "Database on call"}
    verdict = await rig.deliver(REASSIGN, args, incident_id=incident, event_at=at)
    assert isinstance(verdict, Skipped)
    assert rig.world.incident(incident)["assignments"][0]["assignee"]["id"] == SAM


async def test_an_escalation_by_the_policy_does_not_stand_in_the_way_of_an_assignment(rig):
    incident = rig.trigger()
    at = rig.clock.now()
    rig.clock.advance(5)
    rig.world.escalate(incident)
    rig.clock.advance(5)
    verdict = await rig.deliver(REASSIGN, {"assignees": [JANE]}, incident_id=incident, event_at=at)
    assert isinstance(verdict, Delivered)


async def test_an_account_without_priorities_is_told_so(rig):
    incident = rig.trigger()
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, path="^/priorities", status=402))
    verdict = await rig.deliver(PRIORITY, {"priority": "P1"}, incident_id=incident)
    assert "plan lacks" in reason(verdict)


async def test_reassigning_to_users_and_to_a_policy(rig):
    incident = rig.trigger()
    both = {"assignees": ["sam.lee@example.com", JANE, SAM]}
    assert isinstance(await rig.deliver(REASSIGN, both, incident_id=incident), Delivered)
    shown = rig.world.incident(incident)
    assert {item["assignee"]["id"] for item in shown["assignments"]} == {SAM, JANE}
    assert isinstance(await rig.deliver(REASSIGN, both, incident_id=incident), Skipped)
    policy = {"escalation_policy": "Database on call"}
    assert isinstance(await rig.deliver(REASSIGN, policy, incident_id=incident), Delivered)
    assert rig.world.incident(incident)["escalation_policy"]["id"] == "PEPDBA1"
    assert isinstance(await rig.deliver(REASSIGN, policy, incident_id=incident), Skipped)


async def test_reassigning_to_nobody_is_refused(rig):
    incident = rig.trigger()
    verdict = await rig.deliver(REASSIGN, {"assignees": [""]}, incident_id=incident)
    assert "after rendering" in reason(verdict)


# Notes


def note_id(verdict):
    assert isinstance(verdict, Delivered), verdict
    (effect,) = verdict.effects
    assert isinstance(effect, NoteMade)
    return effect.id


async def test_a_note_is_added_verbatim_also_to_a_resolved_incident(rig):
    incident = rig.trigger()
    rig.world.resolve(incident, JANE)
    text = "  [Ada] first\n\nsecond 🔥 "
    verdict = await rig.deliver(NOTE, {"text": text}, incident_id=incident)
    (note,) = rig.world.state.incidents[incident].notes
    assert (note.id, note.content) == (note_id(verdict), text)


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_answer_makes_no_second_note(rig, kind):
    incident = rig.trigger()
    rig.faults.add(Fault(kind, method="POST"))
    args = {"text": "hello\r\nworld"}
    assert isinstance(await rig.deliver(NOTE, args, incident_id=incident), Unknown)
    verdict = await rig.deliver(NOTE, args, incident_id=incident, is_uncertain=True)
    (note,) = rig.world.notes(incident)
    assert note["id"] == note_id(verdict)


LONG = " ".join(f"word{number}é" for number in range(400))
"""Some 3,600 characters: four parts."""


def joined(notes):
    """The text of numbered parts, without their numbers."""
    assert [note.split(" ")[0] for note in notes] == ["(1/4)", "(2/4)", "(3/4)", "(4/4)"]
    return "".join(note.split(" ", 1)[1] for note in notes)


def contents(rig, incident):
    return [note["content"] for note in rig.world.notes(incident)]


@pytest.mark.parametrize("limit", [None, 1000, 1024])
async def test_a_note_goes_on_in_parts_only_where_it_is_refused_as_too_long(rig, limit):
    incident = rig.trigger()
    rig.world.plan.note_limit = limit
    verdict = await rig.deliver(NOTE, {"text": LONG}, incident_id=incident)
    assert isinstance(verdict, Delivered)
    notes = rig.world.notes(incident)
    assert [effect.id for effect in verdict.effects] == [note["id"] for note in notes]
    if limit is None:
        assert contents(rig, incident) == [LONG]
    else:
        assert joined(contents(rig, incident)) == LONG


async def test_what_a_front_end_refuses_as_too_large_goes_on_in_parts(rig):
    incident = rig.trigger()
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, method="POST", path="/notes$", status=413))
    await rig.deliver(NOTE, {"text": LONG}, incident_id=incident)
    assert joined(contents(rig, incident)) == LONG


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_lost_answer_to_a_part_makes_no_part_twice(rig, kind, times):
    incident = rig.trigger()
    args = {"text": LONG}
    for turn in range(times):
        if not contents(rig, incident):  # the note as a whole is tried first
            rig.faults.add(Fault(FaultKind.ERROR_BEFORE, method="POST", path="/notes$", status=413))
        rig.faults.add(Fault(kind, method="POST", path="/notes$"))
        again = turn > 0
        assert isinstance(
            await rig.deliver(NOTE, args, incident_id=incident, is_uncertain=again), Unknown
        )
    rig.world.plan.note_limit = 1000
    verdict = await rig.deliver(NOTE, args, incident_id=incident, is_uncertain=True)
    assert joined(contents(rig, incident)) == LONG
    ids = [note["id"] for note in rig.world.notes(incident)]
    assert [effect.id for effect in verdict.effects] == ids


async def test_a_part_that_can_never_be_written_is_said_with_how_many_are(rig):
    incident = rig.trigger()
    rig.world.plan.note_limit = 1000
    rig.world.annotate(incident, "one of many", JANE)
    notes = rig.world.state.incidents[incident].notes
    notes.extend(notes * 1997)  # two places are left
    args = {"text": LONG}
    first = await rig.deliver(NOTE, args, incident_id=incident)
    assert isinstance(first, Unknown), "the parts that are written must be known for ours"
    assert "2 of 4 parts are written" in first.reason
    second = await rig.deliver(NOTE, args, incident_id=incident, is_uncertain=True)
    assert isinstance(second, Rejected)
    assert "2 of 4 parts are written, the next was refused" in second.reason
    assert "free some room in PagerDuty" in second.reason


async def test_a_limit_too_small_for_parts_is_a_refusal(rig):
    incident = rig.trigger()
    rig.world.plan.note_limit = 100
    verdict = await rig.deliver(NOTE, {"text": LONG}, incident_id=incident)
    assert isinstance(verdict, Rejected)
    assert "too long" in verdict.reason
    assert contents(rig, incident) == []


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
    incident.alerts.append(alert)  # it shows no key of its own by now: the title tells
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
    for number in range(120):  # more than a page, and none of them ours
        rig.world.trigger("PNET001", f"Switch {number} flaps")
    found = made(await rig.deliver(CREATE, PAGE, is_uncertain=True, first_attempt_at=at))
    assert (found.id, len(rig.world.incidents())) == (shown["id"], 121)
    assert rig.observer.count("log_entries.get") == 1, "what was made at the time is asked first"


async def test_a_note_of_another_action_or_person_or_time_is_not_ours(rig):
    incident = rig.trigger()
    rig.world.annotate(incident, "hello", BOT)  # long ago
    rig.clock.advance(7200)
    known = rig.world.annotate(incident, "hello", BOT)["id"]
    rig.world.annotate(incident, "hello", JANE)
    rig.world.annotate(incident, "hello there", BOT)
    verdict = await rig.deliver(
        NOTE,
        {"text": "hello"},
        incident_id=incident,
        is_uncertain=True,
        known_ids=frozenset({known}),
    )
    assert note_id(verdict) == rig.world.notes(incident)[-1]["id"]
    assert len(rig.world.notes(incident)) == 5


async def test_an_empty_note_is_not_sent(rig):
    incident = rig.trigger()
    assert isinstance(await rig.deliver(NOTE, {"text": " \n"}, incident_id=incident), Skipped)


# What can't be looked for


async def test_workflows_and_plays_are_started(rig):
    incident = rig.trigger()
    done = await rig.deliver(WORKFLOW, {"workflow": "bridge call"}, incident_id=incident)
    assert isinstance(done, Delivered)
    assert [run.of for run in rig.world.workflow_runs] == ["PWFLOW1"]
    done = await rig.deliver(PLAY, {"response_play": "PPLAY01"}, incident_id=incident)
    assert isinstance(done, Delivered)
    assert [run.of for run in rig.world.play_runs] == ["PPLAY01"]


@pytest.mark.parametrize(
    ("do", "args"), [(WORKFLOW, {"workflow": "PWFLOW1"}), (PLAY, {"response_play": "PPLAY01"})]
)
@pytest.mark.parametrize("kind", LOST)
async def test_an_unknown_outcome_is_not_tried_again(rig, do, args, kind):
    incident = rig.trigger()
    rig.faults.add(Fault(kind, method="POST"))
    verdict = await rig.deliver(do, args, incident_id=incident)
    assert "outcome is unknown" in reason(verdict)


@pytest.mark.parametrize(
    ("do", "args"), [(WORKFLOW, {"workflow": "PWFLOW1"}), (PLAY, {"response_play": "PPLAY01"})]
)
async def test_nobody_is_called_for_what_is_over(rig, do, args):
    incident = rig.trigger()
    rig.world.resolve(incident, JANE)
    assert isinstance(await rig.deliver(do, args, incident_id=incident), Skipped)
    assert rig.writes() == []


async def test_a_response_play_is_run_by_name(rig):
    incident = rig.trigger()
    done = await rig.deliver(PLAY, {"response_play": "major INCIDENT"}, incident_id=incident)
    assert isinstance(done, Delivered)
    assert [run.of for run in rig.world.play_runs] == ["PPLAY01"]
    verdict = await rig.deliver(PLAY, {"response_play": "Minor incident"}, incident_id=incident)
    assert "Minor incident does not exist" in reason(verdict)
    rig.world.plan.response_plays = False
    verdict = await rig.deliver(PLAY, {"response_play": "Other incident"}, incident_id=incident)
    assert "pagerduty.run_workflow" in reason(verdict)
    assert len(rig.world.play_runs) == 1


async def test_response_plays_that_are_gone_point_to_workflows(rig):
    incident = rig.trigger()
    verdict = await rig.deliver(PLAY, {"response_play": "PGONE01"}, incident_id=incident)
    assert "pagerduty.run_workflow" in reason(verdict)


# As whom


@pytest.mark.parametrize(
    ("act_as", "email", "writer"),
    [
        ("integration", "jane.doe@example.com", BOT),
        ("actor", "Jane.Doe@example.com", JANE),
        ("actor", "stranger@example.com", BOT),
        ("actor", "jürgen@example.com", BOT),
        ("actor", None, BOT),
    ],
)
async def test_who_writes(rig, configure, act_as, email, writer):
    configure(act_as=act_as)
    incident = rig.trigger()
    task = {"incident_id": incident, "actor": Person(email=email)}
    (expected,) = await rig.handler(NOTE).expectations(rig.task(NOTE, {"text": "hi"}, **task))
    assert expected.not_before is not None
    wanted = EntryExpected("annotate", incident, writer, text="hi")
    assert replace(expected, not_before=None) == wanted
    await rig.deliver(NOTE, {"text": "hi"}, **task)
    assert rig.world.notes(incident)[0]["user"]["id"] == writer


ALL_WRITES = [
    (CREATE, PAGE),
    (ACKNOWLEDGE, {}),
    (RESOLVE, {}),
    (PRIORITY, {"priority": "P3"}),
    (REASSIGN, {"assignees": [SAM]}),
    (NOTE, {"text": "hi"}),
]


@pytest.mark.parametrize(("do", "args"), ALL_WRITES)
async def test_the_integration_user_stands_in_for_whom_pagerduty_refuses(rig, configure, do, args):
    configure(act_as="actor")
    rig.world.knobs.refused_requesters.add(JANE)
    task = {"actor": Person(email="jane.doe@example.com")}
    if do != CREATE:
        task["incident_id"] = rig.trigger()
    refused = await rig.deliver(do, args, **task)
    assert isinstance(refused, RetryLater)
    assert JANE in refused.reason
    expected = await rig.handler(do).expectations(rig.task(do, args, **task))
    assert {item.actor_id for item in expected} == {BOT}, "its entries will be known as ours"
    assert isinstance(await rig.deliver(do, args, **task), Delivered)


async def test_who_was_refused_is_tried_again_after_an_hour(rig, configure):
    configure(act_as="actor")
    rig.world.knobs.refused_requesters.add(JANE)
    task = {"incident_id": rig.trigger(), "actor": Person(email="jane.doe@example.com")}
    await rig.deliver(NOTE, {"text": "one"}, **task)
    rig.world.knobs.refused_requesters.clear()
    await rig.deliver(NOTE, {"text": "one"}, **task)
    rig.clock.advance(3700)
    await rig.deliver(NOTE, {"text": "two"}, **task)
    writers = [note["user"]["id"] for note in rig.world.notes(task["incident_id"])]
    assert writers == [BOT, JANE]


@pytest.mark.parametrize("api_key", [USER_KEY])
async def test_with_a_persons_key_it_is_not_certain_who_writes(rig):
    incident = rig.trigger()
    expected = await rig.handler(RESOLVE).expectations(rig.task(RESOLVE, {}, incident_id=incident))
    assert [item.actor_id for item in expected] == [None]
    rig.faults.add(Fault(FaultKind.ERROR_AFTER, method="POST"))
    await rig.deliver(NOTE, {"text": "hi"}, incident_id=incident)
    verdict = await rig.deliver(NOTE, {"text": "hi"}, incident_id=incident, is_uncertain=True)
    assert note_id(verdict) == rig.world.notes(incident)[0]["id"]
    assert len(rig.world.notes(incident)) == 1


@pytest.mark.parametrize(
    ("do", "args"),
    [
        (ACKNOWLEDGE, {}),
        (RESOLVE, {"resolution": "fixed"}),
        (PRIORITY, {"priority": "P3"}),
        (REASSIGN, {"assignees": [SAM]}),
        (REASSIGN, {"escalation_policy": "PEPDBA1"}),
        (NOTE, {"text": "hi"}),
    ],
)
async def test_every_entry_we_cause_was_announced(rig, do, args):
    incident = rig.trigger()
    before = {entry["id"] for entry in rig.world.entries()}
    expected = await rig.handler(do).expectations(rig.task(do, args, incident_id=incident))
    assert isinstance(await rig.deliver(do, args, incident_id=incident), Delivered)
    caused = [entry for entry in await rig.entries() if entry.id not in before]
    caused = [entry for entry in caused if entry.type != "notify"]
    assert caused
    for entry in caused:
        fitting = next(item for item in expected if item.type == entry.type)
        assert fitting.incident_id == entry.incident_id
        assert entry.is_automatic or fitting.actor_id == entry.agent.id
        assert fitting.text in (None, entry.note)
        if fitting.assignee is not None:
            assert fitting.assignee in {person.id for person in entry.assignees}
        if fitting.priority is not None:
            assert fitting.priority == entry.priority.name


# Refusals of every kind


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(FaultKind.TOO_MANY, method="PUT", seconds=9), HaltSide),
        (Fault(FaultKind.TOO_MANY, method="PUT"), HaltSide),
        (Fault(FaultKind.ERROR_BEFORE, method="PUT", status=401), HaltSide),
        (Fault(FaultKind.ERROR_BEFORE, method="PUT", status=403), Rejected),
        (Fault(FaultKind.ERROR_BEFORE, method="PUT", status=404), Rejected),
        (Fault(FaultKind.ERROR_BEFORE, method="PUT", status=400), Rejected),
        (Fault(FaultKind.ERROR_BEFORE, method="PUT", status=500), Unknown),
        (Fault(FaultKind.MALFORMED, method="PUT"), Unknown),
        (Fault(FaultKind.ERROR_BEFORE, method="GET", path="/incidents/", status=503), RetryLater),
    ],
)
async def test_what_refusals_mean(rig, fault, kind):
    incident = rig.trigger()
    rig.faults.add(fault)
    verdict = await rig.deliver(RESOLVE, {}, incident_id=incident)
    assert isinstance(verdict, kind)
    if isinstance(verdict, HaltSide) and fault.seconds:
        assert verdict.after_seconds == 9
    if isinstance(verdict, Rejected):
        assert verdict.reason.endswith("then retry it")
    if fault.kind is not FaultKind.MALFORMED:
        assert rig.world.incident(incident)["status"] == "triggered"


@pytest.mark.parametrize("api_key", ["sandbox-read-only-key"])
async def test_a_key_that_may_only_read(rig):
    incident = rig.trigger()
    verdict = await rig.deliver(RESOLVE, {}, incident_id=incident)
    assert "give the API key the right" in reason(verdict)


async def test_an_unknown_integration_user_is_named(rig, configure):
    configure(from_email="nobody@example.com")
    incident = rig.trigger()
    verdict = await rig.deliver(RESOLVE, {}, incident_id=incident)
    assert "pagerduty.from_email" in reason(verdict)
