"""How a stretch of PagerDuty's log is cut into windows, and in which order entries count. Pure.

The API pages through 10,000 rows at most, and does not say whether ``since`` and ``until`` belong to
the window. So a window is asked for a second early, and what lies outside is dropped here. It lists
entries newest first, also within a second: that order is kept, as ids and stamps do not tell it.
Facts: ``pagerduty.pages-of-hundred``, ``pagerduty.log-bounds-on-creation``,
``pagerduty.newest-first-within-second``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pagerforce.model.incident import LogEntry

SECOND = timedelta(seconds=1)

MAX_SPAN = timedelta(days=30)
"""No longest window is documented for log entries; other lists refuse months (code 2005)."""

SHORT_SPAN = timedelta(seconds=4)
"""A window this long is read whole, however full: its neighbours ask for its edges as well, so that
to cut around a dense second would be to read that second once more for each piece."""

_MIN_COVERAGE = 0.8
_MOST_TIMES_WIDER = 8  # behind a quiet stretch may lie a dense one


def in_order(entries: Iterable[LogEntry], positions: Mapping[str, int]) -> list[LogEntry]:
    """Entries as they happened, oldest first, each with its place within its second.

    Args:
        entries: in any order.
        positions: by id, where each stood in the list as the API gave it, from 0 on.
    """
    listed = sorted(entries, key=lambda entry: positions[entry.id])
    # A list that begins with its oldest entry is turned round; real ones begin with the newest.
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
    """A stretch of time in whole seconds: from ``start`` on, before ``end``."""

    start: datetime
    end: datetime

    @property
    def span(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start <= at < self.end


def floor_second(moment: datetime) -> datetime:
    """The whole second an instant lies in."""
    return moment.replace(microsecond=0)


def overall_window(since: datetime, server_now: datetime, overlap: timedelta) -> Window:
    """Everything one poll has to look at.

    It ends two seconds ahead of the server's clock: entries bear whole seconds, and that clock was
    read a moment before the entries are. An ``until`` that stays the same pins the pages.
    """
    start = floor_second(since - overlap)
    return Window(start, max(floor_second(server_now) + 2 * SECOND, start + SECOND))


def next_window(start: datetime, whole: Window, span: timedelta) -> Window:
    """The next window of at most this span, not reaching beyond the whole."""
    return Window(start, min(start + max(span, SECOND), whole.end))


def narrower_span(window: Window, seen: Iterable[datetime], *, wanted: int) -> timedelta:
    """A span for a window that held too much: at most half, less where the rows lie dense.

    The rows seen are contiguous from one end of the window, so that they tell its density.

    Args:
        window: what was asked for.
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
    """The span after a window that held few rows: as many times longer as would fill it, within reason.

    Args:
        span: the present one; the window may be shorter, at the end of what is read.
        window: what was read.
        count: how many rows it held.
        wanted: how many rows a window should hold.
    """
    if count >= wanted / 2:
        return span
    fitting = wanted * _MIN_COVERAGE / max(count, 1)
    return max(span, min(_whole_seconds(window.span * min(fitting, _MOST_TIMES_WIDER)), MAX_SPAN))


def span_before(start: datetime, dense_until: datetime, span: timedelta) -> timedelta:
    """At most half of what is left of a window that held too much: most of it may lie at its end."""
    if start >= dense_until:
        return span
    return min(span, max(_whole_seconds((dense_until - start) / 2), SHORT_SPAN))


def _shorter(window: Window, span: timedelta) -> timedelta:
    """At least a short window, unless it is one that held too much."""
    least = SHORT_SPAN if window.span > SHORT_SPAN else SECOND
    return max(_whole_seconds(span), least)


def _whole_seconds(span: timedelta) -> timedelta:
    return max(timedelta(seconds=span // SECOND), SECOND)
