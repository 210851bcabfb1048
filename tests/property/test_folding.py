"""Laws of applying log entries to an incident's snapshot."""

from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagerforce.diff.acts import gather
from pagerforce.diff.fold import Held, changed_fields, find_unlogged, fold
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Person
from pagerforce.own_writes.whose import Known
from pagerforce.pipeline.entries import Fresh, plan_entries
from pagerforce.pipeline.ruling import Ruled, World
from property.strategies import PAGE, T0, entries, incidents, known_people, moments, refs

held = st.builds(Held, incidents, st.none() | moments)
FOLDED = ("status", "assignees", "priority", "urgency")


def run(start, batch):
    for entry in batch:
        start = fold(start, entry).held
    return start


@given(held, entries(), st.integers(1, 5))
def test_a_late_entry_never_moves_the_snapshot(held, entry, seconds):
    before = replace(held, entry_at=entry.at + timedelta(seconds=seconds))
    assert fold(before, entry).held == before


@given(st.lists(entries(), min_size=1, max_size=6))
def test_the_snapshot_is_never_older_than_any_entry_it_has_seen(batch):
    after, newest = run(None, batch), max(entry.at for entry in batch)
    incident = after.incident
    # An entry of an open incident is older than an end of it that is known already.
    is_over = incident.status is IncidentStatus.RESOLVED and incident.status_changed_at is not None
    assert after.entry_at == newest or (is_over and incident.status_changed_at >= newest)


@given(st.lists(entries(), min_size=1, max_size=5), st.data())
def test_entries_that_come_late_do_not_change_the_result(batch, data):
    """Entries older than the newest one do not change the snapshot that the newest one left."""
    batch = sorted(batch, key=lambda entry: entry.at)
    newest = replace(batch[-1], at=batch[-1].at + timedelta(seconds=1))
    after = run(None, [*batch, newest])
    late = data.draw(st.permutations(batch))
    assert run(after, late) == after


@given(held, entries())
def test_an_event_has_its_own_state_whatever_the_present_is(before, entry):
    folded = fold(before, entry)
    known = {
        "acknowledge": IncidentStatus.ACKNOWLEDGED,
        "unacknowledge": IncidentStatus.TRIGGERED,
        "resolve": IncidentStatus.RESOLVED,
    }
    if entry.type in known:
        assert folded.after.status is known[entry.type]
    if folded.type == "trigger":
        assert folded.before is None
        assert folded.after.status is IncidentStatus.TRIGGERED
    else:
        assert folded.before == before.incident
    assert changed_fields(folded.before, folded.before or folded.after) == frozenset()


@given(held, entries(kinds=("annotate", "never_heard_of", "notify", "snooze")))
def test_an_entry_without_a_state_changes_none(before, entry):
    folded = fold(before, entry)
    assert folded.after == before.incident
    assert changed_fields(folded.before, folded.after) == frozenset()


# A life as PagerDuty would report it: each act with the state that the API reports after all of them.

deeds = st.lists(
    st.tuples(
        st.sampled_from(
            ["acknowledge", "unacknowledge", "assign", "priority_change", "urgency_change"]
        ),
        st.integers(1, 2),
        known_people,
        refs,
        st.sampled_from(["high", "low"]),
    ),
    max_size=6,
)


def live(story):
    """The entries of a story and its final state; each second has at most one act."""
    state = Incident(PAGE, status=IncidentStatus.TRIGGERED, urgency="high", created_at=T0)
    told = [LogEntry("R0", "trigger", T0, PAGE, is_first=True)]
    at = T0
    for number, (kind, seconds, person, priority, urgency) in enumerate(story, 1):
        at += timedelta(seconds=seconds)
        entry = LogEntry(f"R{number}", kind, at, PAGE)
        if kind == "assign":
            entry = replace(entry, assignees=(person,))
            # By a person: all who had acknowledged it are no longer responsible.
            state = replace(state, assignees=(person,), status=IncidentStatus.TRIGGERED)
        elif kind == "priority_change":
            entry = replace(entry, priority=priority, had_priority=True)
            state = replace(state, priority=priority)
        elif kind == "urgency_change":
            entry = replace(entry, urgency=urgency)
            state = replace(state, urgency=urgency)
        else:
            status = (
                IncidentStatus.ACKNOWLEDGED if kind == "acknowledge" else IncidentStatus.TRIGGERED
            )
            state = replace(state, status=status)
        told.append(entry)
    return [replace(entry, current=state) for entry in told], state


def as_of_now(found, wanted, story):
    told = {"status"} | {
        {"assign": "assignees", "priority_change": "priority", "urgency_change": "urgency"}.get(
            kind, ""
        )
        for kind, *_ in story
    }
    return all(getattr(found, name) == getattr(wanted, name) for name in FOLDED if name in told)


@given(deeds)
def test_folding_in_order_ends_at_what_the_api_reports(story):
    told, state = live(story)
    assert as_of_now(run(None, told).incident, state, story)


@given(deeds, st.integers(0, 6))
def test_batches_make_no_difference(story, cut):
    told, _ = live(story)
    whole = run(None, told)
    first = run(None, told[:cut])
    stored = (
        None if first is None else Held(first.incident, first.entry_at)
    )  # as the store keeps it
    assert run(stored, told[cut:]).incident == whole.incident


class _NoRules:
    """Represents the customer's rules: none."""

    def rule(self, event, _world, _now):
        return Ruled(event, ())


@given(deeds)
def test_entries_read_again_are_the_same_events(story):
    told, _ = live(story)

    def plan():
        return plan_entries(Fresh(told), {}, World(), Known(), _NoRules(), T0)

    once, again = plan(), plan()
    assert [item.event for item in once.ruled] == [item.event for item in again.ruled]
    assert len({item.event.id for item in once.ruled}) == len(told)


def test_targets_of_one_escalation_add_up_in_any_order():
    people = [Person(name) for name in ("PA", "PB", "PC")]
    told = [LogEntry(f"R{p.id}", "escalate", T0, PAGE, assignees=(p,)) for p in people]
    start = Held(Incident(PAGE, assignees=(Person("POLD"),)), T0 - timedelta(seconds=5))
    ends = {
        frozenset(x.id for x in run(start, gather(order)).incident.assignees)
        for order in permutations(told)
    }
    assert ends == {frozenset({"PA", "PB", "PC"})}


@given(incidents, st.none() | moments)
def test_an_incident_that_is_as_it_was_has_not_drifted(incident, entry_at):
    now = T0 + timedelta(hours=1)
    assert (
        find_unlogged(Held(incident, entry_at), incident, server_now=now, grace=timedelta(0))
        is None
    )


@given(incidents, incidents)
def test_drift_that_was_stored_is_none_the_next_time(before, seen):
    now = T0 + timedelta(hours=1)
    found = find_unlogged(Held(before), seen, server_now=now, grace=timedelta(seconds=60))
    if found is not None:
        _, after = found
        assert find_unlogged(Held(after), seen, server_now=now, grace=timedelta(seconds=60)) is None


@given(incidents, incidents)
def test_names_of_changed_fields_are_the_same_both_ways(left, right):
    assert changed_fields(left, right) == changed_fields(right, left)
    assert changed_fields(None, right) == frozenset()
