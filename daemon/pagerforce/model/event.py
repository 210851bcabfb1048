"""An event: one change found on one side, with the state just before and just after it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import NOBODY, Incident, Person
from pagerforce.model.value import Fields, Scalar

PAGERDUTY_TYPES = (
    "trigger",
    "acknowledge",
    "unacknowledge",
    "resolve",
    "reopen",
    "assign",
    "escalate",
    "delegate",
    "custom",
    "annotate",
    "priority_change",
    "urgency_change",
    "snooze",
    "merge",
    "update",
    "status_update",
)
SALESFORCE_TYPES = ("create", "update", "delete", "undelete", "comment")


class CommentText(Struct, frozen=True):
    """The human text that a comment or annotate event carries."""

    body: str
    author: str
    created_at: datetime
    id: str | None = None


class Event(Struct, frozen=True):
    """One change. Exactly one of ``incident_id`` and ``record_id`` is its subject.

    Attributes:
        id: deterministic, so that the same change is never an event twice.
        type: one of the types in docs/reference/rules.md, or an unknown log entry's own name.
        at: when it happened on its own side, aware UTC.
        incident / old_incident: right after / right before the event (PagerDuty events).
        record / old_record: likewise (Salesforce events); old_record is empty on create.
        message / subject: of a status update.
        merged_into: if the record was merged away, the record that remains.
        changed: the fields whose old value is known and different.
        place: its place within its second (``model/sequence.py``).
    """

    id: EventId
    source: Side
    type: str
    at: datetime
    actor: Person = NOBODY
    note: str | None = None
    incident_id: IncidentId | None = None
    object: str | None = None
    record_id: RecordId | None = None
    incident: Incident | None = None
    old_incident: Incident | None = None
    record: Fields | None = None
    old_record: Mapping[str, Scalar] = msgspec.field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    comment: CommentText | None = None
    place: int = 0
    message: str | None = None
    subject: str | None = None
    merged_into: RecordId | None = None
