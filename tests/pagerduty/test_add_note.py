"""Adding notes: each once and complete, also after a lost answer."""

import pytest

from pagerduty_actions import BOT, JANE, LOST, NOTE, note_id
from pagerforce.model.verdict import (
    Delivered,
    Rejected,
    Skipped,
    Unknown,
)
from pagerforce.sandbox.faults import Fault, FaultKind


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
async def test_a_note_is_sent_in_parts_only_where_it_is_refused_as_too_long(rig, limit):
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


async def test_what_a_front_end_refuses_as_too_large_is_sent_in_parts(rig):
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


async def test_a_part_that_can_never_be_written_is_reported_with_the_number_of_written_ones(rig):
    incident = rig.trigger()
    rig.world.plan.note_limit = 1000
    rig.world.annotate(incident, "one of many", JANE)
    notes = rig.world.state.incidents[incident].notes
    notes.extend(notes * 1997)  # two notes still fit
    args = {"text": LONG}
    first = await rig.deliver(NOTE, args, incident_id=incident)
    assert isinstance(first, Unknown), "the written parts must be recognised as own"
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


async def test_a_note_of_another_action_or_person_or_time_is_not_its_own(rig):
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
