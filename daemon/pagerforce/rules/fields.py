"""The fields that conditions see: their names, kinds and closed sets of values.

docs/reference/rules.md, "Fields".
"""

import functools
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

from pagerforce.model.event import SALESFORCE_TYPES
from pagerforce.model.ids import Side
from pagerforce.model.incident import IncidentStatus
from pagerforce.rules.operands import FieldKind

EVENT_FIELDS: Mapping[str, FieldKind] = {
    "source": FieldKind.TEXT,
    "type": FieldKind.TEXT,
    "at": FieldKind.INSTANT,
    "actor.id": FieldKind.ID,
    "actor.name": FieldKind.TEXT,
    "actor.email": FieldKind.TEXT,
    "note": FieldKind.TEXT,
    "message": FieldKind.TEXT,
    "subject": FieldKind.TEXT,
}
INCIDENT_FIELDS: Mapping[str, FieldKind] = {
    "id": FieldKind.TEXT,
    "number": FieldKind.NUMBER,
    "title": FieldKind.TEXT,
    "status": FieldKind.TEXT,
    "urgency": FieldKind.TEXT,
    "html_url": FieldKind.TEXT,
    "created_at": FieldKind.INSTANT,
    "service.id": FieldKind.TEXT,
    "service.name": FieldKind.TEXT,
    "escalation_policy.id": FieldKind.TEXT,
    "escalation_policy.name": FieldKind.TEXT,
    "priority.id": FieldKind.TEXT,
    "priority.name": FieldKind.TEXT,
    "assignees": FieldKind.PEOPLE,
    "resolve_reason": FieldKind.TEXT,
}
COMMENT_FIELDS: Mapping[str, FieldKind] = {
    "body": FieldKind.TEXT,
    "author": FieldKind.TEXT,
    "created_at": FieldKind.INSTANT,
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "event.source": tuple(Side),
    "incident.status": tuple(IncidentStatus),
    "incident.urgency": ("high", "low"),
}
CUSTOM_FIELDS = "custom_fields."
MAX_FIELD_CHARS = 512
MAX_SEGMENTS = 6
"""A path has at most five parents and a field (``salesforce.five-parent-steps``)."""

_SEGMENT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Root(StrEnum):
    """The first word of a field."""

    EVENT = "event"
    INCIDENT = "incident"
    RECORD = "record"
    COMMENT = "comment"
    LINKED = "linked"


class FieldRef(Struct, frozen=True):
    """A field as parsed: ``old.record.Owner.Name`` is (record, ``Owner.Name``, is_old)."""

    root: Root
    path: str
    is_old: bool
    kind: FieldKind


class UnknownFieldError(ValueError):
    """There is no such field; the message lists the existing ones."""


@functools.lru_cache(maxsize=20_000)
def parse_field(text: str) -> FieldRef:
    """Reads a field's name as it is written in a condition.

    Raises:
        UnknownFieldError: there is no such field; the message suggests a similar one, if any.
    """
    if len(text) > MAX_FIELD_CHARS:
        raise UnknownFieldError(f"a field has a name of at most {MAX_FIELD_CHARS} characters")
    is_old = text.startswith("old.")
    name = text.removeprefix("old.")
    root, _, path = name.partition(".")
    if name == Root.LINKED and not is_old:
        return FieldRef(Root.LINKED, "", is_old=False, kind=FieldKind.BOOLEAN)
    if root == Root.RECORD:
        return FieldRef(Root.RECORD, path, is_old=is_old, kind=_record_kind(path))
    if root == Root.INCIDENT:
        return FieldRef(Root.INCIDENT, path, is_old=is_old, kind=_incident_kind(path))
    if not is_old and root == Root.EVENT:
        return FieldRef(Root.EVENT, path, is_old=False, kind=_known(root, path, EVENT_FIELDS))
    if not is_old and root == Root.COMMENT:
        return FieldRef(Root.COMMENT, path, is_old=False, kind=_known(root, path, COMMENT_FIELDS))
    raise UnknownFieldError(_unknown(text))


def choices_of(ref: FieldRef, run_on: Side) -> tuple[str, ...]:
    """The closed set of words that the field can hold in such a rule; empty if it is open.

    PagerDuty's event types are open: an entry type that is unknown here keeps its own name.
    """
    name = f"{ref.root}.{ref.path}"
    if name == "event.type" and run_on is Side.SALESFORCE:
        return SALESFORCE_TYPES
    return CHOICES.get(name, ())


def check_record_path(path: str) -> str | None:
    """Why a text is not a field or parent path of a record; None if it is."""
    segments = path.split(".")
    if not path or any(_SEGMENT.fullmatch(segment) is None for segment in segments):
        return f"{path!r} is not a field's API name or a parent path such as Owner.Name"
    if len(segments) > MAX_SEGMENTS:
        return f"{path} goes through more than {MAX_SEGMENTS - 1} parents"
    for parent in segments[:-1]:
        if parent.endswith("__c"):
            return f"the parent behind {parent} is written {parent.removesuffix('__c')}__r"
    if segments[-1].endswith("__r"):
        return f"{path} is a parent; name one of its fields, e.g. {path}.Name"
    return None


def _record_kind(path: str) -> FieldKind:
    problem = check_record_path(path)
    if problem is not None:
        raise UnknownFieldError(problem)
    # Standard fields ending in Id are Ids; only describe knows the type of a custom field.
    return FieldKind.ID if path.rpartition(".")[2].endswith("Id") else FieldKind.ANY


def _incident_kind(path: str) -> FieldKind:
    if path.startswith(CUSTOM_FIELDS) and _SEGMENT.fullmatch(path.removeprefix(CUSTOM_FIELDS)):
        return FieldKind.ANY
    return _known(Root.INCIDENT, path, INCIDENT_FIELDS)


def _known(root: str, path: str, fields: Mapping[str, FieldKind]) -> FieldKind:
    kind = fields.get(path)
    if kind is None:
        raise UnknownFieldError(_unknown(f"{root}.{path}"))
    return kind


def all_names() -> tuple[str, ...]:
    """All fields with a fixed name, as they are written in conditions."""
    groups = (("event", EVENT_FIELDS), ("incident", INCIDENT_FIELDS), ("comment", COMMENT_FIELDS))
    return ("linked", *(f"{root}.{path}" for root, fields in groups for path in fields))


def _unknown(text: str) -> str:
    near = [name for name in all_names() if name.startswith(f"{text}.")]
    near = near or get_close_matches(text, all_names(), n=1, cutoff=0.6)
    if near:
        return f"unknown field {text!r}; did you mean {' or '.join(near)}?"
    return (
        f"unknown field {text!r}; fields begin with event., incident., record., comment., "
        "old.record., old.incident. or are linked (docs/reference/rules.md lists them)"
    )
