"""Entries that PagerDuty writes for one act of a person."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pagerforce.diff.acts import gather
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import LogEntry, Person

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ONE, OTHER = IncidentId("PONE"), IncidentId("POTHER")
JANE, SAM, OURS = (Person(key) for key in ("PJANE", "PSAM", "POURS"))
SERVICE = Person("PSERVICE")


def entry(key, kind, by=JANE, to=None, *, incident=ONE, seconds=0, channel="website"):
    is_service = by is SERVICE
    return LogEntry(
        key,
        kind,
        AT + timedelta(seconds=seconds),
        incident,
        agent=by,
        agent_type="service" if is_service else "user",
        channel="auto" if is_service and channel == "website" else channel,
        assignees=None if to is None else tuple(to),
    )


def auto(key, *to, **more):
    return entry(key, "assign", SERVICE, to, **more)


def told(entries):
    return [
        (x.id, [person.id for person in x.assignees or ()], x.cause_id) for x in gather(entries)
    ]


def test_each_target_of_one_act_sees_the_whole_set():
    acts = [entry("a", "assign", JANE, [JANE]), entry("b", "assign", JANE, [SAM])]
    assert told(acts) == [("a", ["PJANE", "PSAM"], None), ("b", ["PJANE", "PSAM"], None)]


def test_notifications_between_do_not_part_an_act():
    acts = [
        entry("t", "trigger", SERVICE),
        auto("a", JANE),
        entry("n", "notify"),
        auto("b", SAM),
    ]
    assert told(acts)[1][1] == told(acts)[3][1] == ["PJANE", "PSAM"]


def test_acts_of_two_people_or_two_seconds_are_two():
    by_two = [entry("a", "assign", JANE, [JANE]), entry("b", "assign", SAM, [SAM])]
    later = [entry("a", "escalate", JANE, [JANE]), entry("b", "escalate", JANE, [SAM], seconds=1)]
    for acts in (by_two, later):
        assert told(acts) == [("a", ["PJANE"], None), ("b", ["PSAM"], None)]


def test_what_the_service_assigns_with_an_acknowledge_follows_from_it():
    acts = [auto("a", SAM), entry("k", "acknowledge", SAM)]
    assert told(acts) == [("k", ["PSAM"], None), ("a", ["PSAM"], "k")]


def test_what_the_service_assigns_after_a_delegate_follows_from_it():
    acts = [entry("d", "delegate", SAM), auto("a", JANE), auto("b", SAM)]
    both = ["PJANE", "PSAM"]
    assert told(acts) == [("d", both, None), ("a", both, "d"), ("b", both, "d")]


def test_what_the_service_assigns_keeps_its_cause_when_somebody_is_notified_of_it():
    acts = [entry("d", "delegate", SAM), auto("a", JANE), entry("n", "notify")]
    assert told(acts) == [("d", ["PJANE"], None), ("a", ["PJANE"], "d"), ("n", [], None)]


def test_what_the_service_assigns_after_a_trigger_names_the_trigger():
    acts = [entry("t", "trigger", SERVICE), auto("a", SAM), entry("k", "acknowledge", SAM)]
    assert told(acts) == [("t", [], None), ("a", ["PSAM"], "t"), ("k", [], None)]
    assert [x.cause_type for x in gather(acts)] == [None, "trigger", None]


def test_who_takes_it_within_the_second_of_the_first_call_is_not_called_with_the_others():
    acts = [
        entry("t", "trigger", SERVICE),
        auto("a", SAM),
        entry("n", "notify"),
        auto("b", JANE),
        entry("k", "acknowledge", JANE),
    ]
    assert told(acts) == [
        ("t", [], None),
        ("a", ["PSAM"], "t"),
        ("n", [], None),
        ("k", ["PJANE"], None),
        ("b", ["PJANE"], "k"),
    ]


def test_who_is_assigned_with_others_by_a_person_and_then_takes_it_was_assigned_with_them():
    acts = [
        entry("a", "assign", SAM, [JANE]),
        entry("b", "assign", SAM, [SAM]),
        entry("k", "acknowledge", SAM),
    ]
    both = ["PJANE", "PSAM"]
    assert told(acts) == [("a", both, None), ("b", both, None), ("k", [], None)]


def test_two_who_take_it_within_a_second_are_two_acts():
    acts = [
        auto("a", SAM),
        entry("k", "acknowledge", SAM),
        auto("b", JANE),
        entry("l", "acknowledge", JANE),
    ]
    assert told(acts) == [
        ("k", ["PSAM"], None),
        ("a", ["PSAM"], "k"),
        ("l", ["PJANE"], None),
        ("b", ["PJANE"], "l"),
    ]


def test_a_service_that_assigns_somebody_else_acts_by_itself():
    acts = [auto("a", JANE), entry("k", "acknowledge", SAM)]
    assert told(acts) == [("a", ["PJANE"], None), ("k", [], None)]


def test_incidents_do_not_mix_and_keep_their_places():
    acts = [
        auto("a", SAM),
        entry("x", "assign", JANE, [JANE], incident=OTHER),
        entry("k", "acknowledge", SAM),
        entry("y", "assign", JANE, [SAM], incident=OTHER),
    ]
    assert [x.id for x in gather(acts)] == ["k", "x", "a", "y"]
    assert told(acts)[1][1] == ["PJANE", "PSAM"]


def note_of(*entries):
    return gather(entries)[-1].note


def test_a_note_typed_with_a_resolve_is_the_resolves_note():
    note = replace(entry("n", "annotate", SAM), note="Disk replaced")
    resolve = entry("r", "resolve", SAM, seconds=1)
    assert note_of(note, resolve) == "Disk replaced"
    assert note_of(note, replace(resolve, note="its own")) == "its own"
    assert note_of(note, entry("r", "resolve", JANE, seconds=1)) is None
    assert note_of(note, entry("r", "resolve", SAM, seconds=2)) is None
    assert note_of(note, entry("r", "resolve", SAM, seconds=1, incident=OTHER)) is None


def test_the_first_call_may_have_the_second_after_its_trigger():
    trigger = entry("t", "trigger", SERVICE)
    assert gather([trigger, auto("a", SAM, seconds=1)])[1].cause_id == "t"
    assert gather([trigger, auto("a", SAM, seconds=2)])[1].cause_id is None
    assert gather([trigger, auto("a", SAM, seconds=1, incident=OTHER)])[1].cause_id is None


def test_an_assignment_shows_whether_its_user_acknowledged_in_that_second():
    acts = [
        entry("a", "assign", OURS, [OURS]),
        entry("b", "acknowledge", OURS),
        entry("c", "assign", JANE, [OURS]),
        entry("d", "assign", OURS, [OURS], seconds=1),
    ]
    assert [x.id for x in gather(acts) if x.is_with_acknowledge] == ["a"]
