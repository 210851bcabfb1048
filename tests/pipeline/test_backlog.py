"""After an outage: the waiting actions of a link are folded to the last, if that is what a person wants."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pagerforce.model.event import Event
from pagerforce.model.ids import ActionId, EventId, IncidentId, RecordId, Side
from pagerforce.model.outbox import Action, ActionState
from pagerforce.pipeline.folding import WaitingAction, find_undoing, is_foldable
from pagerforce.service.catalog import SPECS
from rig import INCIDENT, JANE, START, P, open_rig

STATUS = f"{P}FKStatus__c"
LATER = timedelta(minutes=5)


async def outcomes_of(daemon, event):
    return [
        (action["outcome"], action["reason"] or "")
        for item in await daemon.log()
        for action in item["actions"]
        if item["event"] == event
    ]


async def acknowledged_and_resolved(rig, pause):
    """Everything that is written to the record when both happen while the daemon is down."""
    async with rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
    rig.pd.acknowledge(incident_id, by=JANE)
    rig.advance(pause)
    rig.pd.resolve(incident_id, by=JANE)
    async with rig.daemon() as daemon:
        await daemon.step()
        assert rig.status_of(record_id) == "CLOSED"
        return await outcomes_of(daemon, "acknowledge"), await outcomes_of(daemon, "resolve")


async def test_a_status_that_a_later_one_replaces_is_left_out_of_a_backlog(tmp_path):
    async with open_rig(tmp_path) as rig:
        acknowledge, resolve = await acknowledged_and_resolved(rig, pause=300)
        assert [outcome for outcome, _ in acknowledge] == ["skipped", "delivered"]
        assert acknowledge[0][1].startswith("undone by a later event's a")
        assert [outcome for outcome, _ in resolve] == ["delivered", "delivered"]


async def test_steps_that_follow_each_other_closely_are_all_seen(tmp_path):
    async with open_rig(tmp_path) as rig:
        acknowledge, resolve = await acknowledged_and_resolved(rig, pause=20)
        assert {outcome for outcome, _ in acknowledge + resolve} == {"delivered"}


def event(number, at=START, incident="P1", source=Side.PAGERDUTY):
    is_theirs = source is Side.PAGERDUTY
    return Event(
        EventId(f"e{number}"),
        source,
        "update",
        at,
        incident_id=IncidentId(incident) if is_theirs else None,
        record_id=None if is_theirs else RecordId(incident),
    )


def action(number, do="salesforce.set_field", **args):
    return Action(
        id=ActionId(f"a{number}"),
        seq=number,
        part=0,
        event_seq=number,
        ruleset="s",
        rule="r",
        position=0,
        do=do,
        object=INCIDENT,
        written={},
        args=args or {"field": STATUS, "value": "x"},
        lane="l",
        is_page=False,
        target=None,
        state=ActionState.PENDING,
        reason=None,
        attempts=0,
        is_uncertain=False,
        first_attempt_at=None,
        incident_id=None,
        record_id=None,
        created_at=START,
        depth=1,
    )


def undoing(head, *behind, events=None, waited=LATER):
    known = {item.event_seq: event(item.event_seq) for item in behind} | (events or {})
    found = find_undoing(
        WaitingAction(head, event(head.event_seq)), behind, known, START + waited, SPECS
    )
    return found.id if found else None


A, B = action(1), action(2)
COMMENT = action(3, "salesforce.add_comment", text="t")


def test_the_same_field_set_later_undoes():
    assert undoing(A, B) == "a2"
    assert undoing(A, action(2, field=STATUS.lower(), lookup={"Name": "CLOSED"})) == "a2"


def test_another_field_does_not():
    assert undoing(A, action(2, field="Other__c", value="x")) is None


def test_a_recent_action_is_not_folded():
    assert undoing(A, B, waited=timedelta(seconds=30)) is None


def test_what_happened_long_before_the_next_is_folded_at_once():
    assert undoing(A, B, events={2: event(2, START + LATER)}, waited=timedelta(0)) == "a2"


@pytest.mark.parametrize(
    "other", [event(2, incident="P2"), event(2, incident="P1", source=Side.SALESFORCE)]
)
def test_another_incident_or_side_does_not_undo(other):
    assert undoing(A, B, events={2: other}) is None


def test_a_comment_between_may_need_the_status_before_it():
    assert undoing(A, COMMENT, B) is None
    assert undoing(A, action(3, "pagerduty.add_note", text="t"), B) == "a2"


def test_a_resolve_undoes_an_acknowledge_and_not_the_other_way():
    acknowledge, resolve = action(1, "pagerduty.acknowledge"), action(2, "pagerduty.resolve")
    assert undoing(acknowledge, COMMENT, resolve) == "a2"
    assert not is_foldable(resolve, SPECS)


@pytest.mark.parametrize("do", ["pagerduty.set_priority", "pagerduty.reassign"])
def test_the_last_priority_and_the_last_assignment_count(do):
    assert undoing(action(1, do, x="1"), action(2, do, x="2")) == "a2"


@pytest.mark.parametrize(
    "one",
    [
        replace(A, is_uncertain=True),
        replace(A, args=None),
        replace(A, target="r1"),
        action(1, "pagerduty.create_incident"),
        action(1, "pagerduty.add_note"),
        action(1, "salesforce.create_record"),
    ],
)
def test_texts_creations_and_actions_that_may_have_taken_effect_are_never_left_out(one):
    assert not is_foldable(one, SPECS)


@pytest.mark.parametrize("later", [replace(B, args=None), replace(B, target="r1")])
def test_what_is_not_known_to_be_the_same_does_not_undo(later):
    assert undoing(A, later) is None


def test_two_of_one_event_are_left_to_the_write_they_share():
    assert undoing(A, replace(B, event_seq=1)) is None
