"""Finds implausible values in a row of an answer. Pure.

The decoders drop or cut such values. The texts from here report that without repeating a value.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pagerforce.model.lengths import MOST_ITEMS, MOST_TEXT
from pagerforce.wire.answer import MAX_INTEGER, OutOfRange

MAX_DEPTH = 20
_MAX_KEY = 255
_MAX_TOLD = 5
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]{1,60}")


def find_oddities(row: Mapping[str, object]) -> tuple[str, ...]:
    """The first few implausible places in a row, each with the problem."""
    if _is_plain(row, 0):
        return ()
    found: list[str] = []
    for place, what in _walk(row, (), 0):
        found.append(f"{'.'.join(place) or 'it'} {what}")
        if len(found) == _MAX_TOLD:
            break
    return tuple(found)


def _is_plain(value: object, depth: int) -> bool:
    """Whether there is nothing to report. The usual case, so it is checked fast, without places."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return not is_beyond(value)
    items: Iterable[object] = ()
    if isinstance(value, list):
        items = value
    elif isinstance(value, dict) and all(len(key) <= _MAX_KEY for key in value):
        items = value.values()
    else:
        return False
    is_sound = depth < MAX_DEPTH and len(value) <= MOST_ITEMS
    return is_sound and all(_is_plain(item, depth + 1) for item in items)


_Place = tuple[str, ...]


def _walk(value: object, place: _Place, depth: int) -> Iterator[tuple[_Place, str]]:
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            yield place, f"has more than {MOST_TEXT} characters"
    elif isinstance(value, Mapping):
        yield from _walk_object(value, place, depth)
    elif isinstance(value, list):
        yield from _walk_list(value, place, depth)
    elif isinstance(value, OutOfRange) or (isinstance(value, int | float) and is_beyond(value)):
        yield place, "is no number of 64 bits"


def is_beyond(number: float) -> bool:
    """Whether a number does not fit 64 bits."""
    return not -MAX_INTEGER - 1 <= number <= MAX_INTEGER


def _walk_object(
    value: Mapping[str, object], place: _Place, depth: int
) -> Iterator[tuple[_Place, str]]:
    if depth >= MAX_DEPTH:
        yield place, f"is nested more than {MAX_DEPTH} deep"
        return
    if len(value) > MOST_ITEMS:
        yield place, f"has more than {MOST_ITEMS} members"
    for key, item in value.items():
        if len(key) > _MAX_KEY:
            yield place, f"has a member whose name is longer than {_MAX_KEY} characters"
        yield from _walk(item, (*place, key if _PLAIN.fullmatch(key) else "?"), depth + 1)


def _walk_list(value: Sequence[object], place: _Place, depth: int) -> Iterator[tuple[_Place, str]]:
    if depth >= MAX_DEPTH:
        yield place, f"is nested more than {MAX_DEPTH} deep"
        return
    if len(value) > MOST_ITEMS:
        yield place, f"has more than {MOST_ITEMS} members"
    for item in value[:MOST_ITEMS]:
        yield from _walk(item, place, depth + 1)
