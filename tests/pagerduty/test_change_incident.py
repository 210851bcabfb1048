"""Changing incidents: nothing reopened, and nothing of a person overwritten by what is older."""

from datetime import timedelta

import pytest

from pagerduty_actions import ACKNOWLEDGE, BOT, JANE, LOST, PRIORITY, REASSIGN, RESOLVE, SAM, reason
from pagerforce.model.ids import Side
from pagerforce.model.verdict import (
    Delivered,
    Skipped,
    Unknown,
)
from pagerforce.sandbox.faults import Fault, FaultKind

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
    assert "not visible to the API key" in reason(await rig.deliver(do, {}, incident_id=incident))


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
    assert "others have " in verdict.detail
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
