"""Cuts a range of PagerDuty's log into windows, and puts its entries in order. Pure.

The API pages through 10,000 rows at most, and does not document whether a range includes ``since``
and ``until``. So a request begins a second early, and entries outside the window are dropped here.
The API lists entries newest first, also within a second. That order is kept, because ids and times
do not show it.
Facts: ``pagerduty.pages-of-hundred``, ``pagerduty.log-bounds-on-creation``,
``pagerduty.newest-first-within-second``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pagerforce.model.incident import LogEntry

SECOND = timedelta(seconds=1)

MAX_SPAN = timedelta(days=30)
"""No maximum window is documented for log entries; other lists refuse months (code 2005)."""

SHORT_SPAN = timedelta(seconds=4)
"""A window this short is read whole, however many entries it has. Each window also reads the edges
of its neighbours, so cutting around a dense second would read that second again for each piece."""

_MIN_COVERAGE = 0.8
_MOST_TIMES_WIDER = 8  # a dense period may follow a quiet one


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


@dataclass(frozen=True, slots=True)
class Window:
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


def next_window(start: datetime, whole: Window, span: timedelta) -> Window:
    """The next window of at most this span, within the whole range."""
    return Window(start, min(start + max(span, SECOND), whole.end))


def narrower_span(window: Window, seen: Iterable[datetime], *, wanted: int) -> timedelta:
    """A span for a window that had too many rows: at most half, less if the rows are dense.

    The rows read are contiguous from one end of the window, so they show its density.

    Args:
        window: the requested window.
        seen: the times of the rows that were read before giving up.
        wanted: how many rows a window should hold.
    """
    times: Sequence[datetime] = sorted(seen)
    half = window.span / 2
    if len(times) < 2:
        return _shorter(window, half)
    covered = times[-1] - times[0]
    fitting = covered * (wanted * _MIN_COVERAGE / len(times))
    return _shorter(window, min(half, fitting))


def wider_span(span: timedelta, window: Window, count: int, *, wanted: int) -> timedelta:
    """The span after a window with few rows: long enough to fill the next one, within limits.

    Args:
        span: the current one; the last window of a range may be shorter.
        window: the window that was read.
        count: how many rows it had.
        wanted: how many rows a window should hold.
    """
    if count >= wanted / 2:
        return span
    fitting = wanted * _MIN_COVERAGE / max(count, 1)
    return max(span, min(_whole_seconds(window.span * min(fitting, _MOST_TIMES_WIDER)), MAX_SPAN))


def span_before(start: datetime, dense_until: datetime, span: timedelta) -> timedelta:
    """At most half of the rest of a window that had too many rows: most may be at its end."""
    if start >= dense_until:
        return span
    return min(span, max(_whole_seconds((dense_until - start) / 2), SHORT_SPAN))


def _shorter(window: Window, span: timedelta) -> timedelta:
    """At least a short window, unless a short window had too many rows."""
    least = SHORT_SPAN if window.span > SHORT_SPAN else SECOND
    return max(_whole_seconds(span), least)


def _whole_seconds(span: timedelta) -> timedelta:
    return max(timedelta(seconds=span // SECOND), SECOND)
