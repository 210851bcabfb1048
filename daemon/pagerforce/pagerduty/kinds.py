"""Reads values of PagerDuty's JSON by type: a value of another type is None, or empty. Pure."""

from collections.abc import Mapping
from datetime import datetime

from pagerforce.model.ids import is_plain_id
from pagerforce.model.lengths import MOST_NAME
from pagerforce.model.value import parse_stamp
from pagerforce.wire.answer import MAX_INTEGER


def as_instant(value: object) -> datetime | None:
    """A time."""
    if not isinstance(value, str):
        return None
    try:
        return parse_stamp(value)
    except ValueError:
        return None


def as_integer(value: object) -> int | None:
    """A non-negative number of 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_INTEGER else None


def as_text(value: object, most: int = MOST_NAME) -> str | None:
    """A text that is not blank, cut to ``most`` characters."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) > most:
        value = value[:most]
    return None if value.isspace() else value


def as_id(value: object) -> str | None:
    """An id; None if the value cannot be one."""
    return value if isinstance(value, str) and is_plain_id(value) else None


def as_mapping(value: object) -> Mapping[str, object]:
    """An object; an empty one for any other value."""
    return value if isinstance(value, dict) else {}  # JSON as it was parsed


def as_items(value: object) -> list[object]:
    """A list; an empty one for any other value."""
    return value if isinstance(value, list) else []
