"""One event as the conditions of one object's rules see it, with readers for its fields."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident
from pagerforce.model.value import Fields, Json, format_instant
from pagerforce.rules.budget import PatternWork
from pagerforce.rules.fields import CUSTOM_FIELDS, FieldRef, Root
from pagerforce.rules.views import find_field, to_json

NO_FIELDS: Fields = {}
SHOWN_CHARS = 1_000
SHOWN_ITEMS = 50
Look = tuple[object, Json]
"""A value as read, and as a trace shows it."""


class Facts(Struct, frozen=True):
    """An event with the incidents or records that were linked to its subject.

    Attributes:
        linked: the objects that are linked to the subject of the event.
        records: object -> fields of the linked record (PagerDuty events).
        incident: the linked incident (Salesforce events).
    """

    event: Event
    linked: frozenset[str] = frozenset()
    records: Mapping[str, Fields] = msgspec.field(default_factory=dict)
    incident: Incident | None = None


class ConditionTrace(NamedTuple):
    """The result of one condition. A named tuple, because it is created in a fifth of the time.

    Attributes:
        actual: the value seen; for ``changed...`` it is ``{"from": old, "to": new}``.
        place: key path of the condition in its rule, which shows its group.
        remark: why a value could not be compared, else empty.
    """

    field: str
    op: str
    expected: Json
    actual: Json
    result: bool
    place: str = ""
    remark: str = ""


class Scene(Struct, frozen=True):
    """What one object's rules see of an event. Absent subjects are None or have no fields.

    Attributes:
        seen: values read so far, by field: many rules read the same few.
        judged: results of conditions so far, by their number: many rules have the same few.
        patterns: the remaining work for regular expressions.
    """

    event: Event
    incident: Incident | None
    old_incident: Incident | None
    record: Fields
    old_record: Fields
    is_linked: bool
    seen: dict[str, Look] = msgspec.field(default_factory=dict)
    judged: dict[int, ConditionTrace] = msgspec.field(default_factory=dict)
    patterns: PatternWork = msgspec.field(default_factory=PatternWork)


def scene_of(facts: Facts, object_name: str) -> Scene:
    """Builds the scene for the rules of one object."""
    event = facts.event
    is_linked = object_name in facts.linked
    if event.source is Side.PAGERDUTY:
        record = facts.records.get(object_name, NO_FIELDS)
        incident = event.incident if event.incident is not None else facts.incident
        return Scene(event, incident, event.old_incident, record, NO_FIELDS, is_linked)
    # A deleted record is shown in its last state.
    record = event.record or event.old_record
    return Scene(event, facts.incident, None, record, event.old_record, is_linked)


def looker_at(name: str, ref: FieldRef) -> Callable[[Scene], Look]:
    """A function that reads a field once for each event and remembers it under its name."""
    read = reader_of(ref)

    def look(scene: Scene) -> Look:
        found = scene.seen.get(name)
        if found is None:
            value = read(scene)
            found = scene.seen[name] = (value, to_shown(value))
        return found

    return look


def to_shown(value: object) -> Json:
    """A value as a trace shows it: a long one is cut, because many traces may show it."""
    shown = to_json(value)
    if isinstance(shown, str) and len(shown) > SHOWN_CHARS:
        return f"{shown[:SHOWN_CHARS]}…"
    if isinstance(shown, list) and len(shown) > SHOWN_ITEMS:
        more = len(shown) - SHOWN_ITEMS
        shown = [*shown[:SHOWN_ITEMS], f"… and {more} more"]
    return [to_shown(item) for item in shown] if isinstance(shown, list) else shown


def reader_of(ref: FieldRef) -> Callable[[Scene], object]:
    """A function that reads a field; it returns the empty value if the field is missing."""
    match ref.root:
        case Root.LINKED:
            return lambda scene: scene.is_linked
        case Root.EVENT:
            return _event_reader(ref.path)
        case Root.COMMENT:
            return _comment_reader(ref.path)
        case Root.RECORD:
            return _record_reader(ref.path, is_old=ref.is_old)
        case Root.INCIDENT:
            read = incident_reader(ref.path)
            if ref.is_old:
                return lambda scene: read(scene.old_incident)
            return lambda scene: read(scene.incident)


def read_record(fields: Fields, path: str) -> Json:
    """A record's value; None if it is empty, was not read, or its parent is empty."""
    if path in fields:
        return fields[path]
    found = find_field(fields, path)
    return None if found is None else fields[found]


def incident_reader(path: str) -> Callable[[Incident | None], object]:
    """A function that reads one value of an incident; None without an incident."""
    if path.startswith(CUSTOM_FIELDS):
        name = path.removeprefix(CUSTOM_FIELDS)
        return lambda incident: None if incident is None else incident.custom_fields.get(name)
    read = _INCIDENT[path]
    return lambda incident: None if incident is None else read(incident)


def _record_reader(path: str, *, is_old: bool) -> Callable[[Scene], object]:
    def read(scene: Scene) -> object:
        fields = scene.old_record if is_old else scene.record
        return fields[path] if path in fields else read_record(fields, path)

    return read


def _event_reader(path: str) -> Callable[[Scene], object]:
    read = _EVENT[path]
    return lambda scene: read(scene.event)


def _comment_reader(path: str) -> Callable[[Scene], object]:
    def read(scene: Scene) -> object:
        comment = scene.event.comment
        if comment is None:
            return None
        if path == "created_at":
            return format_instant(comment.created_at)
        return comment.body if path == "body" else comment.author

    return read


def _created_at(incident: Incident) -> str | None:
    return None if incident.created_at is None else format_instant(incident.created_at)


_EVENT: Mapping[str, Callable[[Event], object]] = {
    "source": lambda event: event.source.value,
    "type": lambda event: event.type,
    "at": lambda event: format_instant(event.at),
    "actor.id": lambda event: event.actor.id,
    "actor.name": lambda event: event.actor.name,
    "actor.email": lambda event: event.actor.email,
    "note": lambda event: event.note,
    "message": lambda event: event.message,
    "subject": lambda event: event.subject,
}
_INCIDENT: Mapping[str, Callable[[Incident], object]] = {
    "id": lambda one: one.id,
    "number": lambda one: one.number,
    "title": lambda one: one.title,
    "status": lambda one: None if one.status is None else one.status.value,
    "urgency": lambda one: one.urgency,
    "html_url": lambda one: one.html_url,
    "created_at": _created_at,
    "service.id": lambda one: one.service and one.service.id,
    "service.name": lambda one: one.service and one.service.name,
    "escalation_policy.id": lambda one: one.escalation_policy and one.escalation_policy.id,
    "escalation_policy.name": lambda one: one.escalation_policy and one.escalation_policy.name,
    "priority.id": lambda one: one.priority and one.priority.id,
    "priority.name": lambda one: one.priority and one.priority.name,
    "assignees": lambda one: one.assignees,
    "resolve_reason": lambda one: one.resolve_reason,
}
