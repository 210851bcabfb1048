"""The interfaces that the pipeline needs from outside: protocols only.

The pipeline never imports a vendor package; ``service/wiring.py`` provides the concrete classes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from pagerforce.model.action import ActionSpec, Task
from pagerforce.model.expectation import Expectation
from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.leftout import NotRead
from pagerforce.model.record import Comment, Record
from pagerforce.model.verdict import Verdict


class Clock(Protocol):
    """Source of the time."""

    def now(self) -> datetime:
        """The current time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never decrease, for durations."""
        ...


class Random(Protocol):
    """Source of random numbers, e.g. for the jitter of waits."""

    def random(self) -> float:
        """A number from 0, inclusive, to 1, exclusive."""
        ...


class Flaw(Struct, frozen=True):
    """A part of an answer that could not be decoded; the rest of the answer was used.

    ``where``: id of the entry or row; ``what``: the reason, without customer text.
    """

    where: str
    what: str


class EntryBatch(Struct, frozen=True):
    """Log entries of one complete window, in the order of time.

    ``read_to``: the cursor after this batch is stored, never later than the newest entry seen.
    ``seen_at``: the time of the read, by the remote clock; None: not known.
    """

    entries: tuple[LogEntry, ...]
    read_to: datetime
    flaws: tuple[Flaw, ...] = ()
    seen_at: datetime | None = None


class PagerDutySource(Protocol):
    """Reads PagerDuty. Every method raises the ``RemoteError`` family."""

    async def fetch_server_time(self) -> datetime:
        """The remote clock. The first call is one cheap request, which proves the credentials."""
        ...

    def iter_entries(self, since: datetime, *, overlap_seconds: float) -> AsyncIterator[EntryBatch]:
        """Batches from ``since`` minus overlap to now, oldest first, each window complete."""
        ...

    async def fetch_open_incidents(self) -> Sequence[Incident]:
        """All unresolved incidents, whatever their age."""
        ...

    async def find_incident(self, incident_id: IncidentId) -> Incident | None:
        """One incident by id; None if it is deleted or not visible."""
        ...


class Position(Struct, frozen=True):
    """How far an object's rows were read: stamp and Id of the last row."""

    stamp: datetime
    id: RecordId | None = None


PARENTS = "parents:"
"""Prefix of the cursors of parents that rules use; they do not move while no parent changes."""


class RowBatch(Struct, frozen=True):
    """Rows of one or more objects and comment objects.

    ``positions``: per object or comment object, its position after this batch is stored.
    """

    records: tuple[Record, ...]
    comments: tuple[Comment, ...]
    positions: Mapping[str, Position]
    flaws: tuple[Flaw, ...] = ()


class SalesforceSource(Protocol):
    """Reads Salesforce. Every method raises the ``RemoteError`` family."""

    async def fetch_server_time(self) -> datetime:
        """The remote clock, by one cheap authenticated request; also proves credentials and org."""
        ...

    @property
    def feeds(self) -> Sequence[str]:
        """The names of all polled objects, then of all polled comment objects."""
        ...

    @property
    def not_read(self) -> NotRead:
        """Columns and objects that are refused at present; a new value after each change."""
        ...

    def iter_changes(
        self, positions: Mapping[str, Position], *, overlap_seconds: float
    ) -> AsyncIterator[RowBatch]:
        """Rows changed since each position minus overlap, deleted ones included, to the end."""
        ...

    def iter_all(self, object_name: str, after: RecordId | None) -> AsyncIterator[RowBatch]:
        """Every existing row of an object by Id: the baseline, and the slow full comparison."""
        ...

    async def fetch_records(self, object_name: str, ids: Sequence[RecordId]) -> RowBatch:
        """The current values of these records; an Id without a row in the answer is gone."""
        ...

    async def time_driven_fields(self, object_name: str) -> frozenset[str]:
        """Formulas whose value changes with time alone: they cause no event."""
        ...

    async def fetch_low_water(self, since: datetime, until: datetime) -> datetime | None:
        """``latestDateCovered``: every row committed until then is visible; None: not given."""
        ...


class ChangeHints(Protocol):
    """Hints that Salesforce changed: they wake the poll, and nothing else depends on them."""

    @property
    def covers_all(self) -> bool:
        """Whether each change of each polled object is announced, as far as is known."""
        ...

    def polled(
        self, began: float, before: Mapping[str, Position], after: Mapping[str, Position]
    ) -> None:
        """A poll that began at this monotonic time moved the cursors so."""
        ...


class ActionHandler(Protocol):
    """Delivers one kind of action."""

    @property
    def spec(self) -> ActionSpec:
        """Its declaration."""
        ...

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """What this attempt may cause, as polls will see it; stored before the attempt.

        May read (names, lookups), and so raise the ``RemoteError`` family; never writes.
        """
        ...

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """One attempt; one verdict per call of the task. Raises only on a broken invariant."""
        ...


@runtime_checkable
class BatchHandler(Protocol):
    """An ``ActionHandler`` whose ``spec.batch_size`` is more than one."""

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """One attempt at several tasks of different links; per task, one verdict per call."""
        ...
