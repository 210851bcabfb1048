"""Decides whose change a thing seen is: own, forgotten, somebody else's, or not known yet. Pure."""

from collections.abc import Collection, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Struct

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
"""Stands for an action id: PagerDuty did it by itself beside an act, and that act is the event."""

FORGOTTEN = "(forgotten)"
"""Stands for the id of an own action that is missing in the backup."""


class Ours(Struct, frozen=True):
    """An expectation matches. ``is_used``: this match uses it up."""

    item: Expected
    is_used: bool = True

    @property
    def echo_of(self) -> str:
        """The action that caused it."""
        return self.item.action_id


class Beside(Struct, frozen=True):
    """PagerDuty did it by itself beside an act. ``echo_of``: the own action, or ``CONSEQUENCE``."""

    echo_of: str


class Forgotten(Struct, frozen=True):
    """An own write between a backup and its restore."""

    echo_of: str = FORGOTTEN


class Undecided(Struct, frozen=True):
    """Not known yet: it must be read again."""


class Theirs(Struct, frozen=True):
    """Somebody else's change: rules see it."""


Whose: TypeAlias = Ours | Beside | Forgotten | Undecided | Theirs


class Known(Struct, frozen=True):
    """What distinguishes own writes from the changes of others.

    Attributes:
        waiting: the expectations about what was read.
        entries / comments: recognise the writes that a restore has forgotten.
        echoes: events that an action is known to have caused, with that action.
    """

    waiting: Waiting = msgspec.field(default_factory=Waiting)
    entries: OwnEntries = msgspec.field(default_factory=OwnEntries)
    comments: OwnComments = msgspec.field(default_factory=OwnComments)
    echoes: Mapping[EventId, str] = msgspec.field(default_factory=dict)


def whose(seen: LogEntry | Record | Comment, known: Known) -> Whose:
    """Whose change this is: a log entry, a row seen for the first time, or a comment."""
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
    # What PagerDuty did beside an act belongs to that act only: a person's may look like an own
    # one.
    among = None if entry.cause_id is None else [cause] if cause is not None else []
    item = _expected_entry(entry, _candidates(entry, known.waiting, among))
    if item is not None:
        return Ours(item)
    if entry.cause_id is not None and (cause is not None or entry.cause_type != TRIGGER):
        return Beside(cause or CONSEQUENCE)
    if is_first_call(entry):  # of an expected page whose trigger is seen later
        waiting = known.waiting.open()
        page = find_page(entry, [item.what for item in waiting])
        if page is not None:
            return Beside(waiting[page].action_id)
    return Forgotten() if known.entries.is_forgotten(entry) else Theirs()


def _candidates(entry: LogEntry, waiting: Waiting, among: Collection[str] | None) -> list[Expected]:
    if among is not None or entry.type == TRIGGER:  # a page is expected by its incident key
        return waiting.open(among)
    return [] if entry.incident_id is None else waiting.about(entry.incident_id)


def _expected_entry(entry: LogEntry, waiting: list[Expected]) -> Expected | None:
    whats = [item.what for item in waiting]
    index = find_created(entry.current, whats, maker(entry)) if entry.type == TRIGGER else None
    if index is None:
        index = find_entry(entry, whats)
    return None if index is None else waiting[index]


def maker(entry: LogEntry) -> str | None:
    """Who triggered the incident; None for any other entry."""
    return entry.agent.id if entry.type == TRIGGER else None


def _whose_record(row: Record, waiting: Waiting) -> Whose:
    """Whose a new row is.

    A row by the integration user may prove to be an own one while a record is being created, even
    if
    no value matches: the org may have replaced them all. Or a person uses that account. The
    attempt, or the search after its answer was lost, shows which.
    """
    items = waiting.about(row.object)
    index = find_made_record(row, [item.what for item in items])
    if index is not None:
        return Ours(items[index])
    under_way = [item.what for item in items if item.is_under_way]
    return Undecided() if may_be_ours(row, under_way) else Theirs()


def _whose_comment(comment: Comment, known: Known) -> Whose:
    items = known.waiting.about(comment.parent_id)
    index = find_comment(comment, [item.what for item in items])
    if index is not None:
        item = items[index]
        return Ours(item, is_used=not is_part(comment, item.what))  # more parts follow a part
    return Forgotten() if known.comments.is_forgotten(comment) else Theirs()
