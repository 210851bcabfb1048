from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pagerforce.diff.fold import Held, changed_fields, find_reopening, find_unlogged, fold
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Person, Ref

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ID = IncidentId("PABC")
JANE, SAM = Person("PJANE01", "Jane"), Person("PSAMLE1", "Sam")
OPEN = Incident(
    ID,
    title="Down",
    status=IncidentStatus.TRIGGERED,
    urgency="high",
    created_at=T0,
    assignees=(JANE,),
)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def entry(kind, seconds=10, current=OPEN, **values):
    return LogEntry(f"R{kind}{seconds}", kind, at(seconds), ID, current=current, **values)


def held(seconds=5, **values):
    return Held(replace(OPEN, **values), at(seconds))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("acknowledge", IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED),
        ("unacknowledge", IncidentStatus.ACKNOWLEDGED, IncidentStatus.TRIGGERED),
        ("resolve", IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED),
        ("annotate", IncidentStatus.ACKNOWLEDGED, IncidentStatus.ACKNOWLEDGED),
        ("never_heard_of", IncidentStatus.TRIGGERED, IncidentStatus.TRIGGERED),
    ],
)
def test_status_follows_the_entry_not_the_present(kind, before, after):
    resolved = Incident(ID, status=IncidentStatus.RESOLVED)
    folded = fold(held(status=before), entry(kind, current=resolved))
    assert folded.type == kind
    assert folded.before.status is before
    assert folded.after.status is after
    assert folded.held.incident is folded.after


def test_first_trigger_knows_nothing_before_and_later_ones_are_updates():
    now = Incident(ID, status=IncidentStatus.RESOLVED, created_at=T0, title="Down")
    first = fold(None, entry("trigger", 0, current=now))
    assert (first.type, first.before, first.after.status) == (
        "trigger",
        None,
        IncidentStatus.TRIGGERED,
    )
    acknowledged = fold(first.held, entry("acknowledge", 5))
    again = fold(acknowledged.held, entry("trigger", 60))
    assert (again.type, again.after.status) == ("update", IncidentStatus.ACKNOWLEDGED)


def test_trigger_that_becomes_visible_late_is_still_the_first():
    seen = fold(None, entry("acknowledge", 20))
    late = fold(seen.held, entry("trigger", 0))
    assert (late.type, late.before) == ("trigger", None)
    assert late.held.incident.status is IncidentStatus.ACKNOWLEDGED, "not moved back"


def test_late_entry_does_not_move_the_snapshot_back():
    now = held(100, status=IncidentStatus.RESOLVED)
    folded = fold(now, entry("acknowledge", 50))
    assert folded.after.status is IncidentStatus.ACKNOWLEDGED
    assert folded.held is now


def test_resolve_empties_the_assignees_and_shows_a_merge():
    merged = Incident(ID, status=IncidentStatus.RESOLVED, merged_into=IncidentId("PBIG"))
    folded = fold(held(), entry("resolve", current=merged))
    assert (folded.type, folded.after.assignees, folded.after.merged_into) == ("merge", (), "PBIG")


@pytest.mark.parametrize("kind", ["escalate", "delegate", "assign"])
def test_who_hands_an_incident_on_ends_its_acknowledgement(kind):
    acknowledged = held(status=IncidentStatus.ACKNOWLEDGED)
    folded = fold(acknowledged, entry(kind, assignees=(SAM,), agent_type="user"))
    assert (folded.after.status, folded.after.assignees) == (IncidentStatus.TRIGGERED, (SAM,))
    assert folded.after.status_changed_at == at(10)
    assert {"status", "assignees"} <= changed_fields(folded.before, folded.after)


def test_what_the_service_assigns_by_itself_ends_no_acknowledgement():
    acknowledged = held(status=IncidentStatus.ACKNOWLEDGED)
    automatic = entry("assign", assignees=(SAM,), agent_type="service", channel="auto")
    assert fold(acknowledged, automatic).after.status is IncidentStatus.ACKNOWLEDGED


def test_a_reassignment_of_a_resolved_incident_shows_a_reopening():
    resolved = held(status=IncidentStatus.RESOLVED, status_changed_at=at(5))
    opened = find_reopening(resolved, entry("assign", assignees=(SAM,), agent_type="user"))
    assert opened is not None
    assert opened.status is IncidentStatus.TRIGGERED


def test_an_entry_that_others_of_its_second_overtook_moves_nothing():
    known = held(10, status=IncidentStatus.TRIGGERED)
    late = fold(known, entry("acknowledge", 10), is_overtaken=True)
    assert late.after.status is IncidentStatus.ACKNOWLEDGED
    assert late.held == known


def test_priority_takes_its_id_from_the_present_where_the_name_fits():
    current = Incident(ID, priority=Ref("PPRIO01", "P1"))
    folded = fold(
        held(), entry("priority_change", current=current, priority=Ref("", "P1"), had_priority=True)
    )
    assert folded.after.priority == Ref("PPRIO01", "P1")
    cleared = fold(folded.held, entry("priority_change", 11, current=current, had_priority=True))
    assert cleared.after.priority is None


def test_changed_fields_are_named_as_conditions_name_them():
    before = Incident(ID, status=IncidentStatus.TRIGGERED, custom_fields={"a": 1, "b": 2})
    after = Incident(ID, status=IncidentStatus.ACKNOWLEDGED, custom_fields={"a": 1, "b": 3})
    assert changed_fields(before, after) == {"status", "custom_fields", "custom_fields.b"}
    assert changed_fields(None, after) == frozenset()


GRACE = timedelta(seconds=60)


def drift(now, known=None, seconds=1000):
    return find_unlogged(known or held(), now, server_now=at(seconds), grace=GRACE)


def test_title_is_taken_at_once_but_a_status_only_after_its_entry_had_time():
    fresh = replace(OPEN, title="Up", status=IncidentStatus.ACKNOWLEDGED, updated_at=at(990))
    kind, after = drift(fresh)
    assert (kind, after.title, after.status) == ("update", "Up", IncidentStatus.TRIGGERED)
    settled = replace(fresh, updated_at=at(900))
    assert drift(settled)[1].status is IncidentStatus.ACKNOWLEDGED
    assert drift(replace(OPEN, updated_at=at(900))) is None


def test_a_merge_is_reported_by_its_entry_or_after_that_had_time_and_never_without_its_status():
    merged = replace(
        OPEN,
        title="Up",
        status=IncidentStatus.RESOLVED,
        resolve_reason="merge_resolve_reason",
        merged_into=IncidentId("PBIG"),
        updated_at=at(990),
    )
    kind, after = drift(merged)
    assert (kind, after.title, after.status) == ("update", "Up", IncidentStatus.TRIGGERED)
    assert (after.merged_into, after.resolve_reason) == (None, None)
    assert drift(replace(merged, title="Down")) is None
    kind, after = drift(replace(merged, updated_at=at(900)))
    assert (kind, after.merged_into, after.status) == ("merge", "PBIG", IncidentStatus.RESOLVED)


def test_reopened_at_once_but_not_by_a_list_that_lags_behind_the_resolve():
    resolved = held(status=IncidentStatus.RESOLVED, status_changed_at=at(980))
    lagging = replace(OPEN, status_changed_at=at(0))
    assert drift(lagging, resolved) is None
    reopened = replace(OPEN, status_changed_at=at(985))
    assert drift(reopened, resolved)[0] == "reopen"


@pytest.mark.parametrize("known", [True, None])
def test_a_first_trigger_that_shows_after_a_later_entry_is_a_trigger(known):
    before = fold(None, entry("acknowledge", 5)).held
    folded = fold(before, entry("trigger", 0, is_first=known))
    assert (folded.type, folded.before) == ("trigger", None)
    assert folded.after.status is IncidentStatus.TRIGGERED
    assert folded.held == before, "and the snapshot does not go back"


def test_a_first_trigger_that_shows_after_another_entry_of_its_second_is_a_trigger():
    before = fold(None, entry("acknowledge", 0)).held
    folded = fold(before, entry("trigger", 0, is_first=True))
    assert (folded.type, folded.held) == ("trigger", before)


def test_a_second_alert_in_the_second_of_the_first_is_an_update():
    before = fold(None, entry("trigger", 0, is_first=True)).held
    assert fold(before, entry("trigger", 0, is_first=False)).type == "update"
