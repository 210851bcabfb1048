"""What an attempt will cause on either side: a closed union, one type per thing that polls see.

How long an expectation lasts and what it matches: ``own_writes``.
"""

from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.model.value import Fields


class PageExpected(Struct, frozen=True):
    """A new incident.

    Attributes:
        key: its incident key.
        title: identifies it, with its creator, if alerts hide the key.
        actor_id: the user who writes for pagerforce; None: not known.
    """

    key: str
    title: str | None = None
    actor_id: str | None = None


class EntryExpected(Struct, frozen=True):
    """Log entries of an incident.

    Attributes:
        type: of the entry, e.g. ``acknowledge``.
        actor_id: the user who writes for pagerforce; None: not known.
        text: of a note.
        assignee: id of the user in the entry.
        priority: id or name.
        not_before: earlier entries do not match.
        keeps_status: this assignment came with an acknowledgement and does not end it.
        is_beside: the service may add it to the write; a person's own one does not match, unless
            that user acknowledged in the same second.
        count: how many such entries the attempt causes.
    """

    type: str
    incident_id: IncidentId
    actor_id: str | None = None
    text: str | None = None
    assignee: str | None = None
    priority: str | None = None
    not_before: datetime | None = None
    keeps_status: bool = False
    is_beside: bool = False
    count: int = 1


class RecordExpected(Struct, frozen=True):
    """A new record of an object: with its external id, or else with these values."""

    object: str
    values: Fields = msgspec.field(default_factory=dict)
    actor_id: str | None = None


class RecordGiven(Struct, frozen=True):
    """All values given to a new record; another value at the first poll is somebody's change."""

    object: str
    values: Fields = msgspec.field(default_factory=dict)


class CommentExpected(Struct, frozen=True):
    """A new comment under a record."""

    parent_id: RecordId
    body: str
    actor_id: str | None = None


class FieldsExpected(Struct, frozen=True):
    """Values in an existing record.

    ``place``: which of the task's calls writes them; each call is settled separately.
    """

    record_id: RecordId
    values: Fields = msgspec.field(default_factory=dict)
    actor_id: str | None = None
    place: int = 0


Expectation: TypeAlias = (
    PageExpected | EntryExpected | RecordExpected | RecordGiven | CommentExpected | FieldsExpected
)


def not_before(item: Expectation, since: datetime) -> Expectation:
    """The same expectation, without log entries from before that time."""
    return replace(item, not_before=since) if isinstance(item, EntryExpected) else item


def place_of(item: Expectation) -> int:
    """Which of the task's calls causes it."""
    return item.place if isinstance(item, FieldsExpected) else 0


def subject_of(item: Expectation) -> str:
    """What it is about: an incident key, an incident, an object of new records, or a record."""
    match item:
        case PageExpected():
            return item.key
        case EntryExpected():
            return item.incident_id
        case RecordExpected() | RecordGiven():
            return item.object
        case CommentExpected():
            return item.parent_id
        case FieldsExpected():
            return item.record_id
