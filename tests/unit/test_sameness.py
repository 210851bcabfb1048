"""One function for equality by field type, and traces of what was sent."""

import pytest

from pagerforce.model.sameness import Likeness, is_same, likeness

SAME = [
    ("multipicklist", "A;B", "B;A"),
    ("multipicklist", "A; B;A", "B;A"),
    ("double", "1.50", 1.5),
    ("currency", 12345678, 1.2345678e7),
    ("reference", "a0C000000000001", "a0C000000000001EAA"),
    ("string", " text ", "text"),
    ("textarea", "a\r\nb", "a\nb"),
    ("string", "", None),
    ("boolean", None, False),
    ("datetime", "2026-01-02T03:04:05.700Z", "2026-01-02T03:04:05Z"),
    ("date", "2026-01-02", "2026-01-02T23:00:00Z"),
    ("email", "Jane@Example.com", "jane@example.com"),
]
DIFFERENT = [
    ("multipicklist", "A;B", "A"),
    ("double", 1.5, 1.51),
    ("reference", "a0C000000000001", "A0C000000000001"),
    ("string", "1.50", "1.5"),
    ("string", "Text", "text"),
    ("string", "&amp;", "&"),
    ("textarea", "a b", "a\nb"),
    ("boolean", True, None),
    ("datetime", "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"),
    ("picklist", "A;B", "B;A"),
    ("double", "x", "x1"),
]


@pytest.mark.parametrize(("kind", "left", "right"), SAME)
def test_one_value_written_in_two_ways_is_the_same(kind, left, right):
    assert is_same(kind, left, right)
    assert is_same(kind, right, left)


@pytest.mark.parametrize(("kind", "left", "right"), DIFFERENT)
def test_what_a_person_could_mean_to_change_is_different(kind, left, right):
    assert not is_same(kind, left, right)
    assert not is_same(kind, right, left)


def test_rich_text_is_what_a_reader_sees_and_scale_is_what_a_field_holds():
    sent = 'it\'s <down> & "out"\nagain'
    stored = "<p>it&#39;s &lt;down&gt; &amp; &quot;out&quot;<br>again</p>"
    assert is_same("textarea", "a & b", "<p>a &amp; b</p>", is_rich=True)
    assert not is_same("textarea", "a & b", "<p>a &amp; c</p>", is_rich=True)
    assert is_same("textarea", sent, stored, is_rich=True)
    assert likeness(sent, stored) is Likeness.SAME
    assert is_same("double", 1.237, 1.24, scale=2)
    assert not is_same("double", 1.237, 1.24)


TRACES = [
    ("Router is down", "[NET] Router is down"),
    ("Router is down", "FLOW: ROUTER IS DOWN (raised)"),
    ("Router is down since the morning", "Router is down sin…"),
    ("x", "FLOW: x"),
    (1.237, 1.24),
    ("1.237", 1.24),
    (1.6, 2.0),
    ("2026-01-02T03:04:05Z", "2026-01-02"),
    ("2026-01-02T03:04:05Z", "2026-01-02T00:00:00Z"),
]
NO_TRACES = [
    ("Router is down", "Switch is down"),
    ("note 1", "note 12"),
    ("Router is down", "Router"),
    ("Router is down", None),
    (None, "x"),
    (True, "true story"),
    (1.237, 1.25),
    ("2026-01-02T03:04:05Z", "2026-01-03"),
    ("2026-01-02T03:04:05Z", "2026-01-02T09:00:00Z"),
]


@pytest.mark.parametrize(("sent", "stored"), TRACES)
def test_what_an_org_makes_of_a_value_is_a_trace_of_it(sent, stored):
    assert likeness(sent, stored) is Likeness.AKIN


@pytest.mark.parametrize(("sent", "stored"), NO_TRACES)
def test_another_value_is_no_trace(sent, stored):
    assert likeness(sent, stored) is Likeness.NONE


def test_a_beginning_is_no_trace_where_nothing_may_be_cut():
    text = "Router is down since the morning"
    assert likeness(text, text[:20], may_be_cut=False) is Likeness.NONE
