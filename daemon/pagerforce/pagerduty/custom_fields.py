"""Reads the plausible custom fields of an incident. Pure."""

from collections.abc import Mapping

from pagerforce.model.lengths import MOST_ID
from pagerforce.model.value import Json
from pagerforce.pagerduty.kinds import as_items, as_mapping, as_text
from pagerforce.wire.answer import OutOfRange
from pagerforce.wire.oddities import MAX_DEPTH, is_beyond

_MOST_CUSTOM_FIELDS = 250
_CUSTOM_SIZE = 100_000  # characters and members of all custom fields of an incident together


def decode_custom_fields(value: object) -> Mapping[str, Json]:
    """Custom fields by name; empty if one is implausible, so that their known values stay."""
    try:
        return read_custom_fields(value)
    except ValueError:
        return {}


def read_custom_fields(value: object) -> Mapping[str, Json]:
    """Custom fields by name.

    Raises:
        ValueError: one is implausible; the text says why.
    """
    items = as_items(value)
    if len(items) > _MOST_CUSTOM_FIELDS:
        raise ValueError(f"has more than {_MOST_CUSTOM_FIELDS} custom fields")
    fields: dict[str, Json] = {}
    room = _Room(_CUSTOM_SIZE)
    for item in items:
        raw = as_mapping(item)
        name = as_text(raw.get("name"), MOST_ID)
        if name is not None:
            fields[name] = _json(raw.get("value"), room)
    return fields


class _Room:
    """The rest of the allowed size."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("has custom fields that are too large")


def _json(value: object, room: _Room, depth: int = 0) -> Json:
    if depth > MAX_DEPTH:
        raise ValueError("has a custom field that is nested too deeply")
    room.take(1 + len(value) if isinstance(value, str) else 1)
    if isinstance(value, list):
        return [_json(item, room, depth + 1) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            room.take(len(key))
        return {key: _json(item, room, depth + 1) for key, item in value.items()}
    if isinstance(value, OutOfRange) or (isinstance(value, int | float) and is_beyond(value)):
        raise ValueError("has a custom field that is no number of 64 bits")
    return value if isinstance(value, str | int | float | bool) else None
