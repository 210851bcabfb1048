"""Laws of decisions about delivery and polling: targets, waits."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.action import ActionSpec, TargetKind
from pagerforce.model.durations import OVERLAP
from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.link import Link, LinkState
from pagerforce.model.outbox import Action, ActionState
from pagerforce.pipeline.pace import Budget, EarlierPoll, Sweep, next_delay
from pagerforce.pipeline.settings import Pace
from pagerforce.pipeline.target import Pairs, choose
from pagerforce.wire.backoff import backoff_seconds
from property.strategies import T0

seconds = st.integers(1, 3600).map(lambda n: timedelta(seconds=n))
paces = st.builds(lambda busy, more, late: Pace(busy + more, busy, late), seconds, seconds, seconds)
budgets = st.builds(
    Budget,
    st.none() | st.integers(0, 10**6),
    st.floats(0, 86_400),
    st.floats(0, 1000),
)


@given(paces, st.booleans(), st.integers(0, 10**6), budgets)
def test_the_next_poll_is_never_too_soon_and_never_too_late(pace, busy, failures, budget):
    wait = next_delay(pace, is_busy=busy, failures=failures, budget=budget)
    assert wait >= pace.busy
    if failures or not busy:
        assert wait >= pace.calm
    assert wait <= max(timedelta(hours=1), pace.calm)


@given(paces, st.integers(0, 30), budgets)
def test_a_side_that_fails_is_asked_no_more_often_than_before(pace, failures, budget):
    def wait(count):
        return next_delay(pace, is_busy=False, failures=count, budget=budget)

    assert wait(failures) <= wait(failures + 1)


@given(paces, st.booleans(), st.integers(0, 10**6), st.floats(1, 86_400), st.floats(0.1, 100))
def test_what_is_left_of_the_budget_lasts(pace, busy, remaining, left, per_poll):
    wait = next_delay(pace, is_busy=busy, failures=0, budget=Budget(remaining, left, per_poll))
    polls = left / wait.total_seconds()
    is_capped = wait >= timedelta(hours=1)
    assert is_capped or polls * per_poll <= max(remaining, 1) * 1.000001


@given(paces, st.integers(0, 10_000), st.floats(0, 10_000), st.floats(0, 10_000))
def test_a_poll_looks_back_at_least_as_far_as_promised_at_intervals(pace, count, since, come):
    sweep = Sweep(cheap=200, every=timedelta(minutes=5))
    moved = timedelta(seconds=come)
    overlap = sweep.overlap(pace, wide=EarlierPoll(count, since, moved))
    furthest = pace.late_window + moved
    if count <= 200 or since >= 300:
        assert overlap >= furthest
    assert min(OVERLAP, pace.late_window) <= overlap <= max(OVERLAP, furthest)


@given(st.integers(-5, 10**9), st.floats(0.001, 100), st.floats(0.001, 1000), st.floats(0, 1))
def test_backoff_has_bounds(attempt, base, cap, jitter):
    wait = backoff_seconds(attempt, base=base, cap=cap, jitter=jitter)
    assert 0 <= wait <= cap
    fullest = backoff_seconds(attempt, base=base, cap=cap, jitter=1.0)
    assert min(base, cap) <= fullest <= backoff_seconds(attempt + 1, base=base, cap=cap, jitter=1.0)


# Targets of actions -------------------------------------------------------------------------------

INCIDENTS, RECORDS = ("PA", "PB"), ("a0B1", "a0B2")
links = st.lists(
    st.builds(
        Link,
        st.sampled_from(INCIDENTS),
        st.sampled_from(["Case", "Other"]),
        st.sampled_from(RECORDS),
        st.sampled_from([LinkState.ACTIVE, LinkState.PAUSED]),
        st.just(T0),
        st.just(T0),
    ),
    max_size=4,
    unique_by=lambda link: (link.incident_id, link.record_id),
)
states = st.dictionaries(st.sampled_from(INCIDENTS), st.sampled_from(IncidentStatus))
pairs = st.builds(
    lambda found, held: Pairs(
        tuple(found), {key: Incident(key, status=status) for key, status in held.items()}
    ),
    links,
    states,
)
kinds = st.sampled_from(TargetKind)
sides = st.sampled_from(Side)


def event_of(side):
    if side is Side.PAGERDUTY:
        return Event("pd:1", side, "update", T0, incident_id="PA")
    return Event("sf:1", side, "update", T0, object="Case", record_id="a0B1")


def action_of(written):
    return Action(
        id="a1", seq=1, part=0, event_seq=1, ruleset="s", rule="r", position=0, do="x",
        object="Case", written=written, args={}, lane="l", is_page=False, target=None,
        state=ActionState.PENDING, reason=None, attempts=0, is_uncertain=False,
        first_attempt_at=None, incident_id=None, record_id=None, created_at=T0, depth=1,
    )  # fmt: skip


@given(kinds, sides, pairs, st.sampled_from([{}, {"unless_linked": "open"}]))
def test_an_action_acts_on_something_or_says_why_not(kind, side, pairs, written):
    spec = ActionSpec("x", side, kind, (), "")
    event = event_of(side)
    subject = event.incident_id or event.record_id
    mine = [link for link in pairs.links if subject in (link.incident_id, link.record_id)]
    pairs = Pairs(tuple(mine), pairs.incidents)
    targets = choose(action_of(written), spec, event, pairs)
    assert bool(targets.ids) != bool(targets.reason)
    assert len(set(targets.ids)) == len(targets.ids), "each target once"
    known = {link.incident_id for link in pairs.links} | {link.record_id for link in pairs.links}
    assert set(targets.ids) <= known | {event.incident_id, event.record_id}


@given(pairs)
def test_nothing_is_written_to_resolved_incidents_but_notes(pairs):
    event = event_of(Side.SALESFORCE)
    for kind in (TargetKind.INCIDENT, TargetKind.INCIDENT_ANY):
        found = choose(action_of({}), ActionSpec("x", Side.PAGERDUTY, kind, (), ""), event, pairs)
        resolved = {key for key, item in pairs.incidents.items() if not item.is_open}
        if kind is TargetKind.INCIDENT:
            assert not resolved & set(found.ids)
        else:
            assert set(found.ids) == {link.incident_id for link in pairs.links}


@given(pairs)
def test_a_linked_record_creates_no_second_incident(pairs):
    spec = ActionSpec("x", Side.PAGERDUTY, TargetKind.NEW_INCIDENT, (), "")
    found = choose(action_of({}), spec, event_of(Side.SALESFORCE), pairs)
    assert bool(found.ids) == (not pairs.links)
    again = choose(action_of({"unless_linked": "open"}), spec, event_of(Side.SALESFORCE), pairs)
    is_open_linked = any(
        pairs.incidents.get(link.incident_id, Incident("?")).is_open for link in pairs.links
    )
    assert bool(again.ids) == (not is_open_linked)
