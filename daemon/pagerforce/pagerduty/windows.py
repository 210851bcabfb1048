"""Windows of PagerDuty's log, and the order of their entries. Pure; ``cutting`` decides the windows.

The API pages through 10,000 rows at most, and does not document whether a range includes ``since``
and ``until``. So a request begins a second early, and entries outside the window are dropped here.
The API lists entries newest first, also within a second. That order is kept, because ids and times
do not show it.
Facts: ``pagerduty.pages-of-hundred``, ``pagerduty.log-bounds-on-creation``,
``pagerduty.newest-first-within-second``.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.incident import LogEntry

SECOND = timedelta(seconds=1)

MAX_SPAN = timedelta(days=30)
"""No maximum window is documented for log entries; other lists refuse months (code 2005)."""

SHORT_SPAN = timedelta(seconds=4)
"""A window this short is read whole, however many entries it has. Each window also reads the edges
of its neighbours, so cutting around a dense second would read that second again for each piece."""


def in_order(entries: Iterable[LogEntry], positions: Mapping[str, int]) -> list[LogEntry]:
    """Entries in the order of the events, oldest first, each with its place within its second.

    Args:
        entries: in any order.
        positions: by id, the position of each in the list of the API, from 0.
    """
    listed = sorted(entries, key=lambda entry: positions[entry.id])
    # Real lists begin with the newest entry and are reversed; one that begins with the oldest is
    # not.
    if not listed or listed[0].at >= listed[-1].at:
        listed.reverse()
    listed.sort(key=lambda entry: entry.at)
    return _placed(listed)


def _placed(ordered: Iterable[LogEntry]) -> list[LogEntry]:
    placed: list[LogEntry] = []
    for entry in ordered:
        is_shared = bool(placed) and placed[-1].at == entry.at
        placed.append(replace(entry, place=placed[-1].place + 1) if is_shared else entry)
    return placed


class Window(Struct, frozen=True):
    """A time range in whole seconds: from ``start``, before ``end``."""

    start: datetime
    end: datetime

    @property
    def span(self) -> timedelta:
        """Its length."""
        return self.end - self.start

    def holds(self, at: datetime) -> bool:
        """Whether an instant is in it."""
        return self.start <= at < self.end


def floor_second(moment: datetime) -> datetime:
    """The whole second of an instant."""
    return moment.replace(microsecond=0)


def overall_window(since: datetime, server_now: datetime, overlap: timedelta) -> Window:
    """The whole range that one poll must read.

    It ends two seconds ahead of the server's clock: entries have whole seconds, and that clock is
    read a moment before the entries. An ``until`` that stays the same keeps the pages stable.
    """
    start = floor_second(since - overlap)
    return Window(start, max(floor_second(server_now) + 2 * SECOND, start + SECOND))


def whole_seconds(span: timedelta) -> timedelta:
    """A span in whole seconds, at least one."""
    return max(timedelta(seconds=span // SECOND), SECOND)
