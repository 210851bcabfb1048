"""Delivery of actions: their expectations, the user who writes, and the meaning of refusals."""

import pytest
from msgspec.structs import replace

from pagerduty_actions import (
    ACKNOWLEDGE,
    BOT,
    CREATE,
    JANE,
    LOST,
    NOTE,
    PAGE,
    PRIORITY,
    REASSIGN,
    RESOLVE,
    SAM,
    note_id,
    reason,
)
from pagerforce.model.expectation import EntryExpected
from pagerforce.model.incident import Person
from pagerforce.model.verdict import (
    Delivered,
    HaltSide,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
)
from pagerforce.pagerduty.actions import CATALOG
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import USER_KEY

WORKFLOW = "pagerduty.run_workflow"
PLAY = "pagerduty.run_response_play"


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


# Actions without a search after a lost answer


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
async def test_nobody_is_called_for_a_resolved_incident(rig, do, args):
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


# The writing user


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
    assert {item.actor_id for item in expected} == {BOT}, "its entries will be recognised as own"
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
async def test_every_caused_entry_has_an_expectation(rig, do, args):
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


async def test_several_that_are_refused_together_are_asked_for_in_smaller_groups(rig):
    incidents = [rig.trigger() for _ in range(3)]
    tasks = [rig.task(RESOLVE, {}, incident_id=incident) for incident in incidents]
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, method="PUT", status=400, count=2))
    verdicts = await rig.handler(RESOLVE).deliver_batch(tasks)
    assert [type(verdict) for (verdict,) in verdicts] == [Rejected, Delivered, Delivered]
    states = [rig.world.incident(incident)["status"] for incident in incidents]
    assert states == ["triggered", "resolved", "resolved"]


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
