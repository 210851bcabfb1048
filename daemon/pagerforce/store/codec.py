"""The model's structs as JSON text and back.

Every version must read the texts of the previous one: unknown keys are ignored, and missing keys
get the struct's default.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias

import orjson
from msgspec import Struct

from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Person, Ref
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, format_instant, parse_instant

_SCALAR = str | int | float | bool | None
_Shape: TypeAlias = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]

# Any: json.loads returns Any, and each reader below checks the shape that it expects.


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


def _moment(data: Mapping[str, Any], key: str) -> datetime | None:
    return parse_instant(data[key]) if data.get(key) else None


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value: str | None = _of(str | None, data.get(key))
    return value


def _of(kind: Any, value: Any) -> Any:  # noqa: ANN401 - a check of what came out of JSON
    """The value, which must have this type: damage must not show first in later code."""
    if not isinstance(value, kind):
        raise TypeError("has another type than was stored")
    return value


def _person(data: Mapping[str, Any] | None) -> Person:
    data = _of(dict, data or {})
    return Person(_text(data, "id"), _text(data, "name"), _text(data, "email"))


def _ref(data: Mapping[str, Any] | None) -> Ref | None:
    return Ref(_of(str, data["id"]), _text(data, "name")) if data else None


def parse_incident(data: Mapping[str, Any]) -> Incident:
    """An incident's snapshot from the data of ``to_text``."""
    status = data.get("status")
    merged = data.get("merged_into")
    return Incident(
        id=IncidentId(_of(str, data["id"])),
        number=_of(int | None, data.get("number")),
        title=_text(data, "title"),
        status=IncidentStatus(status) if status else None,
        urgency=_text(data, "urgency"),
        html_url=_text(data, "html_url"),
        incident_key=_text(data, "incident_key"),
        created_at=_moment(data, "created_at"),
        updated_at=_moment(data, "updated_at"),
        status_changed_at=_moment(data, "status_changed_at"),
        service=_ref(data.get("service")),
        escalation_policy=_ref(data.get("escalation_policy")),
        priority=_ref(data.get("priority")),
        assignees=tuple(_person(item) for item in data.get("assignees", ())),
        resolve_reason=_text(data, "resolve_reason"),
        merged_into=IncidentId(_of(str, merged)) if merged else None,
        conference_bridge=_text(data, "conference_bridge"),
        custom_fields=_of(dict, data.get("custom_fields", {})),
    )


def _fields(data: Any) -> Fields:  # noqa: ANN401 - a check of what came out of JSON
    fields: Fields = _of(dict, data)
    for value in fields.values():
        _of(_SCALAR, value)
    return fields


def parse_record(data: Mapping[str, Any]) -> Record:
    """A record's snapshot from the data of ``to_text``."""
    merged = data.get("merged_into")
    return Record(
        object=_of(str, data["object"]),
        id=RecordId(_of(str, data["id"])),
        fields=_fields(data["fields"]),
        stamp=parse_instant(data["stamp"]),
        created_at=parse_instant(data["created_at"]),
        modified_at=parse_instant(data["modified_at"]),
        created_by=_person(data.get("created_by")),
        modified_by=_person(data.get("modified_by")),
        is_deleted=_of(bool, data.get("is_deleted", False)),
        merged_into=RecordId(_of(str, merged)) if merged else None,
        changed_at={name: parse_instant(at) for name, at in data.get("changed_at", {}).items()},
    )


def parse_event(data: Mapping[str, Any]) -> Event:
    """An event from data with both states in full (``event_text.expand``)."""
    comment = data.get("comment")
    incident_id, record_id = data.get("incident_id"), data.get("record_id")
    before, after = data.get("old_incident"), data.get("incident")
    master = data.get("merged_into")
    return Event(
        id=EventId(_of(str, data["id"])),
        source=Side(data["source"]),
        type=_of(str, data["type"]),
        at=parse_instant(data["at"]),
        actor=_person(data.get("actor")),
        note=_text(data, "note"),
        incident_id=IncidentId(_of(str, incident_id)) if incident_id else None,
        object=_text(data, "object"),
        record_id=RecordId(_of(str, record_id)) if record_id else None,
        incident=parse_incident(after) if after else None,
        old_incident=parse_incident(before) if before else None,
        record=None if data.get("record") is None else _fields(data["record"]),
        old_record=_fields(data.get("old_record", {})),
        changed=frozenset(_of(str, name) for name in data.get("changed", ())),
        comment=_comment(comment) if comment else None,
        place=data.get("place", 0),
        message=data.get("message"),
        subject=data.get("subject"),
        merged_into=RecordId(_of(str, master)) if master else None,
    )


def _comment(data: Mapping[str, Any]) -> CommentText:
    at = parse_instant(data["created_at"])
    return CommentText(_of(str, data["body"]), _of(str, data["author"]), at, _text(data, "id"))
