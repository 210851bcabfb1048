"""Laws of values: equality, instants, ids, comparison in rules, reading back from the store."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, Side, is_record_id, is_same_record_id, parse_record_id
from pagerforce.model.incident import Incident
from pagerforce.model.value import (
    format_instant,
    format_whole_second,
    is_empty,
    is_equal,
    parse_instant,
)
from pagerforce.rules.compare import equality_to, is_same, keys_of, order, to_moment, to_number
from pagerforce.store.codec import (
    parse_record,
    to_event,
    to_incident,
    to_stamp,
    to_text,
)
from pagerforce.store.event_text import expand, shorten
from property.strategies import PAGE, fields, incidents, moments, people, records, scalars

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("4000-12-30")
instants = st.datetimes(FIRST, LAST, timezones=zones)
ids = st.text("abcXYZ019", min_size=15, max_size=15)


@given(scalars, scalars, scalars)
def test_equality_of_stored_values_is_an_equivalence(a, b, c):
    assert is_equal(a, a)
    assert is_equal(a, b) == is_equal(b, a)
    if is_equal(a, b) and is_equal(b, c):
        assert is_equal(a, c)


@given(scalars)
def test_empty_is_one_value(value):
    assert is_equal(value, None) == is_empty(value) == is_equal("  ", value)


@given(st.integers(-2, 2))
def test_a_checkbox_is_no_number(number):
    assert not is_equal(number, True)
    assert not is_equal(number, False)


@given(scalars)
def test_a_value_is_itself_after_the_store(value):
    assert is_equal(json.loads(to_text(value)), value)


@given(instants)
def test_an_instant_is_itself_after_writing_and_reading(moment):
    assert parse_instant(format_instant(moment)) == moment
    assert parse_instant(to_stamp(moment)) == moment
    assert parse_instant(moment.isoformat()) == moment
    cut = parse_instant(format_whole_second(moment))
    assert timedelta(0) <= moment - cut < timedelta(seconds=1)


@given(instants, instants)
def test_stored_instants_order_as_text(left, right):
    assert (to_stamp(left) < to_stamp(right)) == (left < right)


@given(st.text(max_size=12))
def test_invalid_instants_are_refused(text):
    try:
        moment = parse_instant(text)
    except ValueError:
        return
    assert moment.tzinfo is UTC


@given(ids, ids)
def test_short_and_long_ids_are_one_id(left, right):
    long_left, long_right = parse_record_id(left), parse_record_id(right)
    assert is_record_id(long_left)
    assert parse_record_id(long_left) == long_left
    for one, other in (
        (left, right),
        (long_left, right),
        (left, long_right),
        (long_left, long_right),
    ):
        assert is_same_record_id(one, other) == (left == right)
    assert (long_left.lower() == long_right.lower()) == (left == right), (
        "safe to compare without case"
    )


@given(ids, ids)
def test_rules_compare_ids_as_ids(left, right):
    assert is_same(left, parse_record_id(left), is_id=True)
    assert is_same(parse_record_id(left), parse_record_id(right), is_id=True) == (left == right)


@given(scalars, scalars)
def test_rules_find_every_value_equal_to_itself_and_both_ways(left, right):
    assert is_same(left, left)
    assert is_same(left, right) == is_same(right, left)


@given(scalars, st.lists(scalars, min_size=1, max_size=4), st.booleans())
def test_the_prepared_comparison_is_the_plain_one(value, wanted, is_id):
    assert equality_to(wanted, is_id=is_id)(value) == any(
        is_same(value, item, is_id=is_id) for item in wanted
    )


@given(scalars, scalars)
def test_values_that_are_the_same_share_a_key(left, right):
    """The index of rules may find too much, never too little."""
    if is_same(left, right):
        assert set(keys_of(left)) & set(keys_of(right))


@given(scalars, scalars, scalars)
def test_order_is_an_order(a, b, c):
    there, back = order(a, b), order(b, a)
    assert (there is None) == (back is None)
    if there is not None:
        assert there == -back
    if order(a, b) == -1 and order(b, c) == -1:
        assert order(a, c) in (-1, None)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_is_the_number_its_text_states(number):
    text = str(number)
    assume(to_number(text) is not None)
    assert to_number(text) == number
    assert is_same(text, number)


@given(instants)
def test_a_moment_is_the_moment_its_text_states(moment):
    assert to_moment(format_instant(moment)) == moment


# Values read back from the store ----------------------------------------------------------------

notes = st.none() | st.builds(
    CommentText, st.text(max_size=4), st.text(max_size=4), moments, st.none() | st.just("00a1")
)
events = st.builds(
    Event,
    id=st.just("pd:R1"),
    source=st.sampled_from(Side),
    type=st.sampled_from(["trigger", "update", "comment"]),
    at=moments,
    actor=people,
    note=st.none() | st.text(max_size=4),
    incident_id=st.none() | st.just(PAGE),
    object=st.none() | st.just("Case"),
    record_id=st.none() | st.just("a0B000000000001EAA"),
    incident=st.none() | incidents,
    old_incident=st.none() | incidents,
    record=st.none() | fields,
    old_record=fields,
    changed=st.frozensets(st.sampled_from(["status", "title"])),
    comment=notes,
)


def stored(value):
    return json.loads(to_text(value))


@given(incidents)
def test_an_incident_is_itself_after_the_store(incident):
    assert to_incident(stored(incident)) == incident


@given(records)
def test_a_record_is_itself_after_the_store(record):
    assert parse_record(to_text(record)) == record


@given(events)
def test_an_event_is_itself_after_the_store(event):
    assert to_event(stored(event)) == event


def with_similar_states(event, changed, title):
    """The same event, its states before with few differences, as real ones have."""
    before = event.incident and replace(event.incident, title=title)
    record = {name: value for name, value in (event.record or {}).items() if name not in changed}
    return replace(event, old_incident=before, old_record={**record, **changed})


@given(events | st.builds(with_similar_states, events, fields, st.none() | st.just("x")))
def test_an_event_in_the_journal_has_both_its_states(event):
    found = expand(json.loads(to_text(shorten(event))))
    assert json.dumps(found, sort_keys=True) == json.dumps(stored(event), sort_keys=True)
    assert to_event(found) == event


def test_a_state_before_keeps_its_types_and_its_absent_fields():
    incident = Incident(PAGE, title="now", custom_fields={"f": True})
    event = Event(
        EventId("e"),
        Side.SALESFORCE,
        "update",
        datetime(2026, 1, 1, tzinfo=UTC),
        incident=incident,
        old_incident=replace(incident, title=None, custom_fields={"f": 1}),
        record={"A": 1.0, "B": True, "C": None, "D": "new"},
        old_record={"A": 1, "B": 1, "C": "", "E": "gone"},
    )
    found = expand(json.loads(to_text(shorten(event))))
    assert (
        json.dumps(found["old_record"], sort_keys=True) == '{"A": 1, "B": 1, "C": "", "E": "gone"}'
    )
    assert json.dumps(found["old_incident"]["custom_fields"]) == '{"f": 1}'
    assert "title" not in found["old_incident"]


@given(incidents, st.dictionaries(st.text(min_size=1, max_size=5), scalars, max_size=3))
def test_what_a_later_version_added_is_ignored(incident, more):
    shown = json.loads(to_text(incident))
    assert to_incident({**{f"x_{key}": value for key, value in more.items()}, **shown}) == incident
