"""The outcome of one attempt to deliver an action, and what it changed in the world."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pagerforce.model.expectation import EntryExpected
from pagerforce.model.ids import IncidentId, RecordId, Side
from pagerforce.model.incident import Incident
from pagerforce.model.record import Record
from pagerforce.model.value import Fields


@dataclass(frozen=True, slots=True)
class IncidentMade:
    """An incident of ours now exists; link it to the task's record."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class RecordMade:
    """A record of ours now exists; link it to the task's incident. ``given``: the values we gave it."""

    record: Record
    given: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldsWritten:
    """These values now stand in the record because of us; the next poll brings them back as an echo.

    ``fields`` holds what we wrote and what follows from it (``model/following.py``), as read just
    after the write. ``modified_at`` is the record's LastModifiedDate as far as known after the write.
    ``is_followed`` False: it was not read after the write; the next poll shows what followed.
    """

    object: str
    record_id: RecordId
    fields: Fields
    modified_at: datetime | None = None
    is_followed: bool = True


@dataclass(frozen=True, slots=True)
class FieldsStand:
    """Fields of a record had their values already: an older event, seen late, must not change them."""

    record_id: RecordId
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommentMade:
    """A comment of ours now exists under the record; it must never come back as a note."""

    object: str
    id: RecordId
    parent_id: RecordId


@dataclass(frozen=True, slots=True)
class NoteMade:
    """A note of ours now exists on the incident; its annotate entry carries no note id."""

    incident_id: IncidentId
    id: str


@dataclass(frozen=True, slots=True)
class EntryCaused:
    """A log entry that the attempt was not meant to cause; it has to be known as ours all the same.

    ``after``: whole second; what was stored of such entries later than that was already read.
    """

    expected: EntryExpected
    after: datetime


@dataclass(frozen=True, slots=True)
class NotCaused:
    """Log entries that were expected, and which the attempt turned out not to cause.

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


@dataclass(frozen=True, slots=True)
class Delivered:
    """It is done. ``detail`` says how, for ``why``: ids and codes, never customer text.

    ``winner``: both sides had changed the same thing, and this side's change stands.
    """

    detail: str = ""
    effects: tuple[Effect, ...] = ()
    winner: Side | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """It was not needed or not wanted any more; the reason says which. ``winner``: as in Delivered."""

    reason: str
    winner: Side | None = None
    effects: tuple[FieldsStand, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Nothing was done; try again, not before ``after_seconds`` where the remote side said so.

    ``detail``: its own words, which may hold customers' text: for the action's story, not for the log.
    """

    reason: str
    after_seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been done: the next attempt looks first."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """It can never succeed as it is: dead letter. The reason ends with what to do.

    ``is_doubt``: it may have been done already, and nothing that can be looked for says so.
    """

    reason: str
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class HaltSide:
    """This side takes nothing now (account, quota, storage): nothing was done, and others wait too."""

    reason: str
    after_seconds: float | None = None


Verdict: TypeAlias = Delivered | Skipped | RetryLater | Unknown | Rejected | HaltSide
