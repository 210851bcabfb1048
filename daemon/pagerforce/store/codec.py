"""The model's dataclasses as JSON text and back.

What one version wrote, the next must read: unknown keys are ignored and missing ones take the
dataclass's default.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import orjson

from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Person, Ref
from pagerforce.model.record import Record
from pagerforce.model.value import format_instant, parse_instant

# Any: json.loads gives Any, and each reader below states the shape it expects of it.


def to_stamp(moment: datetime) -> str:
    """An instant as stored in columns: always with six digits, so that text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def to_text(value: object) -> str:
    """JSON text of a dataclass, or of plain data that may hold dataclasses.

    A dataclass's fields that are None are left out.
    """
    try:
        return orjson.dumps(value, _to_plain, _OPTIONS).decode()
    except TypeError:
        # Whole numbers of more than 64 bits are JSON too.
        return _ENCODER.encode(value)


class Encoder:
    """``to_text`` for values that share incidents: each is written once and then copied."""

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
            # The incident is kept with it, so that no other one can get its id meanwhile.
            text = orjson.dumps(_to_plain(value), _to_plain, _OPTIONS)
            known = self._known[id(value)] = value, orjson.Fragment(text)
        return known[1]


def from_text(text: str) -> Any:  # noqa: ANN401 - as json.loads, see above
    """What ``to_text`` made a text of, as plain data."""
    return orjson.loads(text)


def _to_plain(value: object) -> object:
    """What JSON itself has no form for; whatever is inside is asked for in its turn."""
    kind = type(value)
    # mypy takes the hash of a class's instances for the class's own.
    shape = _shape_of(kind)  # type: ignore[arg-type]
    if shape is not None:
        names, values_of = shape
        return {name: item for name, item in zip(names, values_of(value)) if item is not None}  # noqa: B905 - both from the same fields
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
def _shape_of(
    kind: type,
) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]] | None:
    """The names of a dataclass's fields, and what gives their values; None of anything else."""
    if not is_dataclass(kind):
        return None
    names = tuple(field.name for field in fields(kind))
    if len(names) == 1:
        return names, lambda value: (getattr(value, names[0]),)
    return names, attrgetter(*names)


def _moment(data: Mapping[str, Any], key: str) -> datetime | None:
    return parse_instant(data[key]) if data.get(key) else None


def _person(data: Mapping[str, Any] | None) -> Person:
    data = data or {}
    return Person(data.get("id"), data.get("name"), data.get("email"))


def _ref(data: Mapping[str, Any] | None) -> Ref | None:
    return Ref(data["id"], data.get("name")) if data else None


def parse_incident(data: Mapping[str, Any]) -> Incident:
    """An incident's snapshot from what ``to_text`` made of it."""
    status = data.get("status")
    merged = data.get("merged_into")
    return Incident(
        id=IncidentId(data["id"]),
        number=data.get("number"),
        title=data.get("title"),
        status=IncidentStatus(status) if status else None,
        urgency=data.get("urgency"),
        html_url=data.get("html_url"),
        incident_key=data.get("incident_key"),
        created_at=_moment(data, "created_at"),
        updated_at=_moment(data, "updated_at"),
        status_changed_at=_moment(data, "status_changed_at"),
        service=_ref(data.get("service")),
        escalation_policy=_ref(data.get("escalation_policy")),
        priority=_ref(data.get("priority")),
        assignees=tuple(_person(item) for item in data.get("assignees", ())),
        resolve_reason=data.get("resolve_reason"),
        merged_into=IncidentId(merged) if merged else None,
        conference_bridge=data.get("conference_bridge"),
        custom_fields=data.get("custom_fields", {}),
    )


def parse_record(data: Mapping[str, Any]) -> Record:
    """A record's snapshot from what ``to_text`` made of it."""
    merged = data.get("merged_into")
    return Record(
        object=data["object"],
        id=RecordId(data["id"]),
        fields=data["fields"],
        stamp=parse_instant(data["stamp"]),
        created_at=parse_instant(data["created_at"]),
        modified_at=parse_instant(data["modified_at"]),
        created_by=_person(data.get("created_by")),
        modified_by=_person(data.get("modified_by")),
        is_deleted=data.get("is_deleted", False),
        merged_into=RecordId(merged) if merged else None,
        changed_at={name: parse_instant(at) for name, at in data.get("changed_at", {}).items()},
    )


def parse_event(data: Mapping[str, Any]) -> Event:
    """An event of the journal from what ``to_text`` made of it."""
    comment = data.get("comment")
    incident_id, record_id = data.get("incident_id"), data.get("record_id")
    before, after = data.get("old_incident"), data.get("incident")
    return Event(
        id=EventId(data["id"]),
        source=Side(data["source"]),
        type=data["type"],
        at=parse_instant(data["at"]),
        actor=_person(data.get("actor")),
        note=data.get("note"),
        incident_id=IncidentId(incident_id) if incident_id else None,
        object=data.get("object"),
        record_id=RecordId(record_id) if record_id else None,
        incident=parse_incident(after) if after else None,
        old_incident=parse_incident(before) if before else None,
        record=data.get("record"),
        old_record=data.get("old_record", {}),
        changed=frozenset(data.get("changed", ())),
        comment=_comment(comment) if comment else None,
        place=data.get("place", 0),
        message=data.get("message"),
        subject=data.get("subject"),
    )


def _comment(data: Mapping[str, Any]) -> CommentText:
    at = parse_instant(data["created_at"])
    return CommentText(data["body"], data["author"], at, data.get("id"))
