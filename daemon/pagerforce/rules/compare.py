"""Compares two values: numbers, booleans, dates and Ids by value, everything else as text.

docs/reference/rules.md, "Operators". A record's field has no declared type here. The two values
decide: text that reads as the other value's type is treated as that type. Facts:
``salesforce.text-without-case``, ``salesforce.ids-of-two-lengths``.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import TypeGuard

from pagerforce.model.ids import is_record_id, is_same_record_id
from pagerforce.model.value import is_empty, parse_instant

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?Z?")
_FEW = 8
"""Up to this number, trying all values is as fast as an index."""
_BOOLEANS = {"true": True, "false": False}


def to_number(value: object) -> int | float | None:
    """The number that a value is or reads as; None if it is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) is None:
        return None
    text = value.strip()
    number = float(text) if any(letter in text for letter in ".eE") else int(text)
    return number if math.isfinite(number) else None


def to_boolean(value: object) -> bool | None:
    """The boolean that a value is or reads as; None if it is no boolean."""
    if isinstance(value, bool):
        return value
    return _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None


def to_moment(value: object) -> datetime | None:
    """The instant that a text states, aware UTC; a plain date is its midnight in UTC."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        return parse_instant(text) if _INSTANT.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def to_time(value: object) -> time | None:
    """The time of day that a text states, as Salesforce writes it (``09:30:00.000Z``)."""
    if not isinstance(value, str) or _TIME.fullmatch(value.strip()) is None:
        return None
    try:
        return time.fromisoformat(value.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def is_same_text(left: str, right: str, *, is_id: bool) -> bool:
    """Whether two texts are the same: without case, or as Ids.

    Args:
        left: one text.
        right: the other.
        is_id: the field is known to hold an Id. Otherwise only a 15-character text beside an
            18-character one is read as an Id, because the API itself always answers with 18: two
            texts of equal length that differ only in case are then the same text.
    """
    if is_id and is_record_id(left) and is_record_id(right):
        return is_same_record_id(left, right)
    if _may_be_alike(left, right) and left.casefold() == right.casefold():
        return True
    has_both_lengths = len(left) + len(right) == 33 and 15 in (len(left), len(right))
    return (
        has_both_lengths
        and any(letter.isdigit() for letter in left[:3])
        and is_same_record_id(left, right)
    )


def _may_be_alike(left: str, right: str) -> bool:
    """Whether the lengths of two texts allow equality: one character folds to at most three."""
    return len(left) <= 3 * len(right) and len(right) <= 3 * len(left)


def is_same(actual: object, expected: object, *, is_id: bool = False) -> bool:
    """Whether two values are equal. Null, missing and blank text are one value."""
    if is_empty(actual) or is_empty(expected):
        return is_empty(actual) and is_empty(expected)
    if isinstance(actual, bool) or isinstance(expected, bool):
        truth = to_boolean(actual)
        return truth is not None and truth is to_boolean(expected)
    if isinstance(actual, int | float) or isinstance(expected, int | float):
        number = to_number(actual)
        return number is not None and number == to_number(expected)
    if not isinstance(actual, str) or not isinstance(expected, str):
        return False
    return is_same_text(actual, expected, is_id=is_id) or _is_same_time(actual, expected)


def _is_same_time(actual: str, expected: str) -> bool:
    moment = to_moment(actual)
    if moment is not None:
        return moment == to_moment(expected)
    clock = to_time(actual)
    return clock is not None and clock == to_time(expected)


def equality_to(expected: Sequence[object], *, is_id: bool = False) -> Callable[[object], bool]:
    """``is_same`` with any of the expected values, prepared for many calls."""
    texts = [one for one in expected if _is_plain_text(one)]
    plain = frozenset(one.casefold() for one in texts)
    longest = max(map(len, plain), default=0)
    exact = frozenset(one for one in expected if isinstance(one, str))
    truths = frozenset(one for one in map(to_boolean, expected) if one is not None)
    others = _near([one for one in expected if not _is_plain_text(one)])

    def is_it(actual: object) -> bool:
        if isinstance(actual, bool):
            return actual in truths
        if isinstance(actual, str) and (
            actual in exact or (len(actual) <= longest and actual.casefold() in plain)
        ):
            return True
        return any(is_same(actual, one, is_id=is_id) for one in others(actual))

    return is_it


def _near(expected: Sequence[object]) -> Callable[[object], Sequence[object]]:
    """A function that selects, from many values, those that may be the same as a given one."""
    if len(expected) <= _FEW:
        return lambda _: expected
    by_key: dict[object, list[object]] = {}
    for one in expected:
        for key in keys_of(one):
            by_key.setdefault(key, []).append(one)
    return lambda actual: [one for key in keys_of(actual) for one in by_key.get(key, ())]


def _is_plain_text(value: object) -> TypeGuard[str]:
    """Whether this can only equal text: it is no Id, number, date or boolean."""
    if not isinstance(value, str) or is_empty(value) or len(value) in (15, 18):
        return False
    return all(reader(value) is None for reader in (to_number, to_boolean, to_moment, to_time))


def order(actual: object, expected: object) -> int | None:
    """-1, 0 or 1: ``actual`` is less than, equal to or more than ``expected``; None: no order."""
    left_number, right_number = to_number(actual), to_number(expected)
    if left_number is not None and right_number is not None:
        return (left_number > right_number) - (left_number < right_number)
    left_moment, right_moment = to_moment(actual), to_moment(expected)
    if left_moment is not None and right_moment is not None:
        return (left_moment > right_moment) - (left_moment < right_moment)
    left_time, right_time = to_time(actual), to_time(expected)
    if left_time is not None and right_time is not None:
        return (left_time > right_time) - (left_time < right_time)
    return None


def keys_of(value: object) -> tuple[object, ...]:
    """Keys for an index: two values that are the same by ``is_same`` share at least one.

    Different values may share one too; the index only narrows the choice.
    """
    if is_empty(value):
        return (("text", ""),)
    if isinstance(value, bool):
        return (("boolean", value),)
    if isinstance(value, int | float):
        return (("number", value),)
    if not isinstance(value, str):
        return ()
    keys: list[object] = [("text", value[:15].casefold()[:15])]
    first = value.lstrip()[:1]
    if first.isdigit() or first in "+-":
        number, moment, clock = to_number(value), to_moment(value), to_time(value)
        keys += [("number", number)] if number is not None else []
        keys += [("moment", moment)] if moment is not None else []
        keys += [("time", clock)] if clock is not None else []
    elif first in "tfTF":
        boolean = to_boolean(value)
        keys += [("boolean", boolean)] if boolean is not None else []
    return tuple(keys)
