"""The model's structs as JSON text and back.

Every version must read the texts of the previous one: unknown keys are ignored, and missing keys
get the struct's default.
"""

import json
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
import orjson
from msgspec import Struct

from pagerforce.model.event import Event
from pagerforce.model.incident import Incident
from pagerforce.model.record import Record
from pagerforce.model.value import format_instant

_Shape: TypeAlias = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]

# Any: json.loads returns Any, and each reader below checks the shape that it expects.


@lru_cache(maxsize=4096)  # many events have the same few instants
def to_stamp(moment: datetime) -> str:
    """An instant as stored in columns: always six digits, so that text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def to_text(value: object) -> str:
    """JSON text of a struct, or of plain data that may contain structs.

    A struct's fields that are None are left out.
    """
    try:
        return orjson.dumps(value, _to_plain, _OPTIONS).decode()
    except TypeError:
        # Whole numbers of more than 64 bits are JSON too.
        return _ENCODER.encode(value)


class Encoder:
    """``to_text`` for values that share incidents: each is encoded once and then copied."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Incident, orjson.Fragment]] = {}

    def to_text(self, value: object) -> str:
        """As ``to_text`` of this module."""
        try:
            return orjson.dumps(value, self._to_plain, _OPTIONS).decode()
        except TypeError:
            return to_text(value)

    def _to_plain(self, value: object) -> object:
        if not isinstance(value, Incident):
            return _to_plain(value)
        known = self._known.get(id(value))
        if known is None:
            # Kept with its incident, so that no other incident can get its ``id()`` meanwhile.
            text = orjson.dumps(_to_plain(value), _to_plain, _OPTIONS)
            known = self._known[id(value)] = value, orjson.Fragment(text)
        return known[1]


def from_text(text: str) -> Any:  # noqa: ANN401 - as json.loads, see above
    """Plain data from a text of ``to_text``."""
    return orjson.loads(text)


def to_plain(value: object) -> dict[str, object]:
    """The fields of a struct that are not None, by name; values stay as they are.

    Raises:
        TypeError: it is no struct.
    """
    # mypy confuses the hash of a class's instances with the class's own.
    shape = _shape_of(type(value))  # type: ignore[arg-type]
    if shape is None:
        raise TypeError(f"{type(value).__name__} is no struct")
    return _known_values(shape, value)


def _known_values(shape: _Shape, value: object) -> dict[str, object]:
    names, values_of = shape
    return {name: item for name, item in zip(names, values_of(value)) if item is not None}  # noqa: B905 - both from the same fields


def _to_plain(value: object) -> object:
    """Converts a value that JSON does not support; the encoder asks again for values inside it."""
    kind = type(value)
    shape = _shape_of(kind)  # type: ignore[arg-type]  # as above
    if shape is not None:
        return _known_values(shape, value)
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{kind.__name__} has no form in JSON")


_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_to_plain)


@cache
def _shape_of(kind: type) -> _Shape | None:
    """The names of a struct's fields, and the getter of their values; None for other classes."""
    if not issubclass(kind, Struct):
        return None
    names = kind.__struct_fields__
    if len(names) == 1:
        return names, lambda value: (getattr(value, names[0]),)
    return names, attrgetter(*names)


_SNAPSHOTS = msgspec.json.Encoder()
_INCIDENTS = msgspec.json.Decoder(Incident)
_RECORDS = msgspec.json.Decoder(Record)


def to_record_text(record: Record) -> str:
    """A record's snapshot for ``parse_record``; values that are the default are left out."""
    try:
        return _SNAPSHOTS.encode(record).decode()
    except (TypeError, OverflowError):
        return to_text(record)  # whole numbers of more than 64 bits


def parse_incident(text: str) -> Incident:
    """An incident's snapshot from a text of ``to_text``.

    Raises:
        ValueError: it is damaged: a value that is missing or of another type must not show first in
            later code.
    """
    return _usable_incident(_INCIDENTS.decode(text))


def parse_record(text: str) -> Record:
    """A record's snapshot; as ``parse_incident``."""
    found = _RECORDS.decode(text)
    _check(found.stamp, found.created_at, found.modified_at, *found.changed_at.values())
    return found


def to_incident(data: Mapping[str, Any]) -> Incident:
    """An incident from its plain data; raises as ``parse_incident``."""
    return _usable_incident(msgspec.convert(data, Incident))


def to_event(data: Mapping[str, Any]) -> Event:
    """An event from plain data with both states in full (``event_text.expand``); as ``to_incident``."""
    event = msgspec.convert(data, Event)
    _check(event.at, event.comment.created_at if event.comment else None)
    for incident in (event.incident, event.old_incident):
        if incident is not None:
            _usable_incident(incident)
    return event


def _usable_incident(incident: Incident) -> Incident:
    _check(incident.created_at, incident.updated_at, incident.status_changed_at)
    return incident


def _check(*moments: datetime | None) -> None:
    """Refuses instants that no arithmetic may meet: without a zone, or at an end of the calendar."""
    for moment in moments:
        if moment is not None and (moment.tzinfo is None or not MINYEAR < moment.year < MAXYEAR):
            raise ValueError("is no instant")
