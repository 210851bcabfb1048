"""Whose doing a thing seen is: ours, forgotten ours, theirs, or not to be told yet. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pagerforce.diff.acts import TRIGGER, is_first_call
from pagerforce.model.ids import EventId, event_id_of
from pagerforce.model.incident import LogEntry
from pagerforce.model.record import Comment, Record
from pagerforce.own_writes.forgotten import OwnComments, OwnEntries
from pagerforce.own_writes.matching import (
    find_comment,
    find_created,
    find_entry,
    find_made_record,
    find_page,
    is_part,
    may_be_ours,
)
from pagerforce.own_writes.waiting import Expected, Waiting

CONSEQUENCE = "(consequence)"
"""Stands for the id of an action: PagerDuty did it by itself beside somebody's act, whose event tells it."""

FORGOTTEN = "(forgotten)"
"""Stands for the id of an action of our own that the backup does not know."""


@dataclass(frozen=True, slots=True)
class Ours:
    """An expectation says so. ``is_used``: once seen, it is not expected again."""

    item: Expected
    is_used: bool = True

    @property
    def echo_of(self) -> str:
        """The action whose doing it is."""
        return self.item.action_id


@dataclass(frozen=True, slots=True)
class Beside:
    """PagerDuty did it by itself beside an act. ``echo_of``: our action, or ``CONSEQUENCE``."""

    echo_of: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Our own, from between a backup and its restore."""

    echo_of: str = FORGOTTEN


@dataclass(frozen=True, slots=True)
class Undecided:
    """It can't be told yet: it is to be read again."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """Somebody's doing: rules see it."""


Whose: TypeAlias = Ours | Beside | Forgotten | Undecided | Theirs


@dataclass(frozen=True, slots=True)
class Known:
    """What tells our own doing from that of others.

    Attributes:
        waiting: the expectations about what was read.
        entries / comments: what a restore made us forget.
        echoes: events that are known as the doing of an action, with that action.
    """

    waiting: Waiting = field(default_factory=Waiting)
    entries: OwnEntries = field(default_factory=OwnEntries)
    comments: OwnComments = field(default_factory=OwnComments)
    echoes: Mapping[EventId, str] = field(default_factory=dict)


def whose(seen: LogEntry | Record | Comment, known: Known) -> Whose:
    """Whose doing this is: a log entry, a row seen for the first time, or a comment."""
    match seen:
        case LogEntry():
            return _whose_entry(seen, known)
        case Record():
            return _whose_record(seen, known.waiting)
        case Comment():
            return _whose_comment(seen, known)


def _whose_entry(entry: LogEntry, known: Known) -> Whose:
    if known.entries.should_wait(entry):
        return Undecided()
    cause = None if entry.cause_id is None else known.echoes.get(event_id_of(entry.cause_id))
    # What PagerDuty did beside an act is only that one's: a person's may look like ours.
    among = None if entry.cause_id is None else [cause] if cause is not None else []
    item = _expected_entry(entry, known.waiting.open(among))
    if item is not None:
        return Ours(item)
    if entry.cause_id is not None and (cause is not None or entry.cause_type != TRIGGER):
        return Beside(cause or CONSEQUENCE)
    if is_first_call(entry):  # of a page that waits still: its trigger is seen later
        waiting = known.waiting.open()
        page = find_page(entry, [item.what for item in waiting])
        if page is not None:
            return Beside(waiting[page].action_id)
    return Forgotten() if known.entries.is_forgotten(entry) else Theirs()


def _expected_entry(entry: LogEntry, waiting: list[Expected]) -> Expected | None:
    whats = [item.what for item in waiting]
    index = find_created(entry.current, whats, maker(entry)) if entry.type == TRIGGER else None
    if index is None:
        index = find_entry(entry, whats)
    return None if index is None else waiting[index]


def maker(entry: LogEntry) -> str | None:
    """Who triggered the incident, where this is the entry that tells."""
    return entry.agent.id if entry.type == TRIGGER else None


def _whose_record(row: Record, waiting: Waiting) -> Whose:
    """A new row of our user without a trace may turn out ours while a record is being created.

    The org may have left nothing of what we sent, or a person uses our account: the attempt, or the
    search after its lost answer, tells.
    """
    items = waiting.open()
    index = find_made_record(row, [item.what for item in items])
    if index is not None:
        return Ours(items[index])
    under_way = [item.what for item in items if item.is_under_way]
    return Undecided() if may_be_ours(row, under_way) else Theirs()


def _whose_comment(comment: Comment, known: Known) -> Whose:
    items = known.waiting.open()
    index = find_comment(comment, [item.what for item in items])
    if index is not None:
        item = items[index]
        return Ours(item, is_used=not is_part(comment, item.what))  # of a part, more is to come
    return Forgotten() if known.comments.is_forgotten(comment) else Theirs()
