"""What the pipeline asks of the outside: protocols only.

The pipeline never imports a vendor package; ``service/wiring.py`` puts the concrete classes in.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from pagerforce.model.action import ActionSpec, Task
from pagerforce.model.expectation import Expectation
from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.leftout import NotRead
from pagerforce.model.record import Comment, Record
from pagerforce.model.verdict import Verdict


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...


class Random(Protocol):
    """Where chance comes from, e.g. the jitter of waits."""

    def random(self) -> float:
        """Anywhere from 0 up to, but without, 1."""
        ...


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in an answer that could not be understood; everything else in it went on.

    ``where`` names the entry or row by id; ``what`` is the reason, without customer text.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class EntryBatch:
    """Log entries of one closed window, in the order in which they happened.

    ``read_to``: the cursor once this batch is stored, never later than the newest entry seen.
    ``seen_at``: when it was read, by the remote clock; None: not known.
    """

    entries: tuple[LogEntry, ...]
    read_to: datetime
    flaws: tuple[Flaw, ...] = ()
    seen_at: datetime | None = None


class PagerDutySource(Protocol):
    """Reads PagerDuty. Every method raises the ``RemoteError`` family."""

    async def fetch_server_time(self) -> datetime:
        """The remote clock; before the first answer by one cheap request, which proves the credentials."""
        ...

    def iter_entries(self, since: datetime, *, overlap_seconds: float) -> AsyncIterator[EntryBatch]:
        """Batches from ``since`` minus overlap up to now, oldest first, each window complete."""
        ...

    async def fetch_open_incidents(self) -> Sequence[Incident]:
        """All incidents that are not resolved, whatever their age."""
        ...

    async def find_incident(self, incident_id: IncidentId) -> Incident | None:
        """One incident by id; None where it is gone or out of sight."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far an object's rows have been read: the last row's stamp and Id."""

    stamp: datetime
    id: RecordId | None = None


PARENTS = "parents:"
"""Begins the names of cursors of parents that rules look at; those stand while no parent changes."""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows of one or more objects and comment objects.

    ``positions``: per object or comment object, where it stands once this batch is stored.
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
        """The names of everything polled: objects, then comment objects."""
        ...

    @property
    def not_read(self) -> NotRead:
        """Columns and objects that are refused at present; another one after each change."""
        ...

    def iter_changes(
        self, positions: Mapping[str, Position], *, overlap_seconds: float
    ) -> AsyncIterator[RowBatch]:
        """Rows changed since each position minus overlap, deleted ones included, to the end."""
        ...

    def iter_all(self, object_name: str, after: RecordId | None) -> AsyncIterator[RowBatch]:
        """Every living row of an object by Id: the baseline, and the slow full comparison."""
        ...

    async def fetch_records(self, object_name: str, ids: Sequence[RecordId]) -> RowBatch:
        """These records as they are now; an Id that is absent from the answer is gone."""
        ...

    async def time_driven_fields(self, object_name: str) -> frozenset[str]:
        """Formulas whose value changes by the mere passing of time: they make no event."""
        ...

    async def fetch_low_water(self, since: datetime, until: datetime) -> datetime | None:
        """``latestDateCovered``: up to where every committed row is visible; None if unsaid."""
        ...


class ActionHandler(Protocol):
    """Delivers one kind of action."""

    @property
    def spec(self) -> ActionSpec:
        """Its declaration."""
        ...

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """What polls may bring back because of this attempt; stored before the attempt.

        May read (names, lookups) and so raise the ``RemoteError`` family; never writes.
        """
        ...

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """One attempt; one verdict per call of the task. Raises only on a broken invariant."""
        ...


@runtime_checkable
class BatchHandler(Protocol):
    """An ``ActionHandler`` whose ``spec.batch_size`` is more than one."""

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """One attempt at several tasks of different links; for each, one verdict per call."""
        ...
