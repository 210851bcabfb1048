from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.ids import record_suffix
from pagerforce.rules.compare import (
    equality_to,
    is_same,
    keys_of,
    order,
    to_boolean,
    to_moment,
    to_number,
    to_time,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ODD_TEXTS = [
    *("1", "1.0", "01", " 1", "true", "TRUE", "", " ", "ß", "SS", "A", "a", "\ud800"),
    *("2026-01-02", "2026-01-02T00:00:00Z", "2026-01-02T01:00:00+01:00", "10:00", "10:00:00.000Z"),
    *("\u0130", "i\u0307"),  # a letter whose form without case is two letters
]
shorts = st.text(LETTERS, min_size=12, max_size=12).map(lambda tail: f"a0{tail[0]}{tail}")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-50, 50),
    st.floats(-50, 50),
    st.text(max_size=6),
    st.sampled_from(ODD_TEXTS),
    shorts,
    shorts.map(lambda short: short + record_suffix(short)),
)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        ("Open", "oPEN", True),
        ("Straße", "STRASSE", True),
        ("Open", "Opened", False),
        (1, 1.0, True),
        (1, "1", True),
        (1.0, "1.00", True),
        ("1", 1, True),
        ("1.0", "1", False),
        (1, "one", False),
        (1, True, False),
        ("true", True, True),
        (True, "True", True),
        (False, "no", False),
        (None, "", True),
        ("  ", None, True),
        (0, "", False),
        (False, None, False),
        ("2026-01-02T03:04:05.000+0000", "2026-01-02T03:04:05Z", True),
        ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", True),
        ("2026-01-02", "2026-01-02T00:00:00Z", True),
        ("2026-01-02", "2026-01-03", False),
        ("10:00:00.000Z", "10:00", True),
        ("a0C000000000001", "a0C000000000001EAA", True),
        ("a0C000000000001EAA", "a0c000000000001", False),
        ("12345ABCDEFGHIJ", "12345abcdefghij", True),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNOPQR", False),
        ([], "", False),
        ({}, {}, False),
    ],
)
def test_is_same(actual, expected, same):
    assert is_same(actual, expected) is same
    assert is_same(expected, actual) is same
    if same:
        assert set(keys_of(actual)) & set(keys_of(expected))


def test_ids_of_an_id_field_differ_by_case():
    assert not is_same("a0C00000000000A", "a0C00000000000a", is_id=True)
    assert is_same("a0C00000000000A", "a0C00000000000AEAQ", is_id=True)
    assert is_same("not an id", "NOT AN ID", is_id=True)


@pytest.mark.parametrize(
    ("actual", "expected", "place"),
    [
        (2, 1, 1),
        ("10", 9, 1),
        ("10", "9", 1),
        (1.5, "1.5", 0),
        ("2026-01-02", "2026-01-03", -1),
        ("2026-01-02T03:00:00Z", "2026-01-02", 1),
        ("2026-01-02T03:00:00+02:00", "2026-01-02T01:00:00Z", 0),
        ("09:30:00.000Z", "10:00", -1),
        ("b", "a", None),
        (True, 0, None),
        (None, 1, None),
        ("2026", "2026-01-02", None),
        ([1], 1, None),
    ],
)
def test_order(actual, expected, place):
    assert order(actual, expected) == place
    assert order(expected, actual) == (None if place is None else -place)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1_000", "\u0661", "0x1", "1e999", "9" * 40, "", "1 2"]
)
def test_what_is_no_number(text):
    assert to_number(text) is None


def test_readers_never_raise_on_odd_data():
    for odd in ("0001-01-01T00:00:00+23:59", "2026-13-45", "99:99", "2026-01-02T99:99:99Z", b"x"):
        assert to_moment(odd) is None
        assert to_time(odd) is None
        assert to_boolean(odd) is None
    assert to_number(float("nan")) is None
    assert to_moment("2026-01-02 03:04") == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert to_time("03:04") == time(3, 4)


@given(shorts)
def test_both_forms_of_an_id_are_one_id(short):
    long = short + record_suffix(short)

    assert is_same(short, long)
    assert is_same(long, short, is_id=True)
    assert set(keys_of(short)) & set(keys_of(long))


@given(scalars, scalars, st.booleans())
def test_equal_values_share_a_key_and_the_prepared_form_agrees(left, right, is_id):
    same = is_same(left, right, is_id=is_id)

    assert is_same(right, left, is_id=is_id) is same
    assert equality_to([right], is_id=is_id)(left) is same
    if same:
        assert set(keys_of(left)) & set(keys_of(right))


@given(scalars)
def test_a_value_is_the_same_as_itself(value):
    assert is_same(value, value)


@given(scalars, st.lists(scalars, min_size=1, max_size=4))
def test_one_of_several(value, several):
    assert equality_to(several)(value) is any(is_same(value, one) for one in several)


@given(scalars, scalars, scalars)
def test_order_is_transitive(first, second, third):
    if order(first, second) == -1 and order(second, third) == -1:
        assert order(first, third) in (-1, None)
