"""The outcome of one attempt to deliver an action, and its effects."""

from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from pagerforce.model.expectation import EntryExpected
from pagerforce.model.ids import IncidentId, RecordId, Side
from pagerforce.model.incident import Incident
from pagerforce.model.record import Record
from pagerforce.model.value import Fields


class IncidentMade(Struct, frozen=True):
    """pagerforce created an incident; link it to the task's record."""

    incident: Incident


class RecordMade(Struct, frozen=True):
    """pagerforce created a record; link it to the task's incident. ``given``: its values."""

    record: Record
    given: Fields = msgspec.field(default_factory=dict)


class FieldsWritten(Struct, frozen=True):
    """pagerforce wrote these values to the record; the next poll returns them as an echo.

    ``fields`` holds the written values and their consequences (``model/following.py``), as read
    just after the write. ``modified_at`` is the record's LastModifiedDate after the write; None if it
    could not be read, or if the record had changes before the write that the snapshot lacks: a guard
    with that time would not find them. ``is_followed`` False: it was not read after the write; the
    next poll shows the consequences.
    """

    object: str
    record_id: RecordId
    fields: Fields
    modified_at: datetime | None = None
    is_followed: bool = True


class FieldsStand(Struct, frozen=True):
    """Fields of a record had their values already: an older event, seen late, must not change them."""

    record_id: RecordId
    names: tuple[str, ...]


class CommentMade(Struct, frozen=True):
    """pagerforce created a comment of the record; it must never come back as a note."""

    object: str
    id: RecordId
    parent_id: RecordId


class NoteMade(Struct, frozen=True):
    """pagerforce created a note on the incident; its annotate entry has no note id."""

    incident_id: IncidentId
    id: str


class EntryCaused(Struct, frozen=True):
    """An unplanned log entry that the attempt caused; it must be recognised as pagerforce's own.

    ``after``: whole second; entries of this kind that were stored later than this were already
    read.
    """

    expected: EntryExpected
    after: datetime


class NotCaused(Struct, frozen=True):
    """Expected log entries that the attempt did not cause.

    ``expected``: by type and, of an assignment, by assignee; ``count``: how many fewer.
    """

    expected: EntryExpected


Effect: TypeAlias = (
    IncidentMade
    | RecordMade
    | FieldsWritten
    | FieldsStand
    | CommentMade
    | NoteMade
    | EntryCaused
    | NotCaused
)


class Delivered(Struct, frozen=True):
    """Delivered. ``detail`` describes it, for ``why``: ids and codes, never customer text.

    ``winner``: both sides had changed the same thing; this is the side whose change was kept.
    """

    detail: str = ""
    effects: tuple[Effect, ...] = ()
    winner: Side | None = None


class Skipped(Struct, frozen=True):
    """Not needed or not wanted any more; the reason says which. ``winner``: as in Delivered."""

    reason: str
    winner: Side | None = None
    effects: tuple[FieldsStand, ...] = ()


class RetryLater(Struct, frozen=True):
    """Nothing was done; try again, not before ``after_seconds`` if the remote side gave it.

    ``detail``: the remote side's words, which may contain customer text: for ``why``, not for the
    log.
    """

    reason: str
    after_seconds: float | None = None
    detail: str = ""


class Unknown(Struct, frozen=True):
    """It may or may not have been done: the next attempt searches first.

    ``is_answered``: the API itself answered, with an error: what it did had ended by then.
    """

    reason: str
    is_answered: bool = False


class Rejected(Struct, frozen=True):
    """It can never succeed as it is: dead letter. The reason ends with what to do.

    ``is_doubt``: it may have been done already, and no search can show whether it was.
    """

    reason: str
    is_doubt: bool = False


class HaltSide(Struct, frozen=True):
    """The side accepts nothing now (account, quota, storage): nothing was done, others wait too."""

    reason: str
    after_seconds: float | None = None


Verdict: TypeAlias = Delivered | Skipped | RetryLater | Unknown | Rejected | HaltSide
