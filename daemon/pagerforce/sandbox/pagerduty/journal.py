"""The log: append-only entries, some with a delay before they become visible.

Facts: ``pagerduty.entries-within-late-window``, ``pagerduty.newest-first-within-second``.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256


class EntryOrder(StrEnum):
    """The order of a list of entries; the sources disagree, so every order is possible.

    ``TIES_SHUFFLED``: newest first, but in a meaningless order within one second.
    """

    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"
    TIES_SHUFFLED = "ties_shuffled"


@dataclass(slots=True)
class Entry:
    """One log entry.

    Attributes:
        agent_type: ``user`` or ``service``; None with ``agent_id`` None for nobody.
        channel: the full channel; without ``include[]=channels`` only its type is shown.
        assignees: user ids of assign, escalate and delegate entries.
        user_id: the notified user.
        linked_incident_id: the other incident of link and unlink entries.
        fields: further plain fields of its type.
        raw: replaces everything else, for tests.
    """

    id: str
    type: str
    created_at: datetime
    visible_at: datetime
    sequence: int
    summary: str
    incident_id: str | None
    service_id: str | None
    agent_type: str | None
    agent_id: str | None
    channel: dict[str, object]
    assignees: tuple[str, ...] | None = None
    user_id: str | None = None
    linked_incident_id: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    raw: Mapping[str, object] | None = None


@dataclass(slots=True)
class Journal:
    """All entries, in the order of creation.

    Attributes:
        order: the order of lists.
        hide_seconds: how long new entries stay invisible.
    """

    order: EntryOrder = EntryOrder.NEWEST_FIRST
    hide_seconds: float = 0.0
    entries: dict[str, Entry] = field(default_factory=dict)
    _in_time: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> Entry:
        """Adds an entry, which keeps its time but may become visible later."""
        entry.sequence = len(self.entries)
        entry.visible_at = entry.created_at + timedelta(seconds=self.hide_seconds)
        self.entries[entry.id] = entry
        insort(self._in_time, entry, key=_time_of)
        return entry

    def redate(self, entry_id: str, seconds: float) -> None:
        """Makes an entry older by this many seconds."""
        entry = self.entries[entry_id]
        self._in_time.remove(entry)
        entry.created_at -= timedelta(seconds=seconds)
        insort(self._in_time, entry, key=_time_of)

    def visible(
        self, now: datetime, since: datetime | None = None, until: datetime | None = None
    ) -> list[Entry]:
        """The entries visible at an instant, in the journal's order; between two times, if given.

        Both times are inclusive.
        """
        times = self._in_time
        begin = 0 if since is None else bisect_left(times, since, key=_time_of)
        end = None if until is None else bisect_right(times, until, key=_time_of)
        seen = [entry for entry in times[begin:end] if entry.visible_at <= now]
        match self.order:
            case EntryOrder.OLDEST_FIRST:
                seen.sort(key=lambda entry: (entry.created_at, entry.sequence))
            case EntryOrder.NEWEST_FIRST:
                seen.sort(key=lambda entry: (entry.created_at, entry.sequence), reverse=True)
            case EntryOrder.TIES_SHUFFLED:
                seen.sort(key=lambda entry: sha256(entry.id.encode()).digest())
                seen.sort(key=lambda entry: entry.created_at, reverse=True)
        return seen


def _time_of(entry: Entry) -> datetime:
    return entry.created_at
