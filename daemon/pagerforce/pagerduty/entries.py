"""Reads one window of the account's log, all pages of it.

Facts: ``pagerduty.pages-are-live``, ``pagerduty.newest-first-within-second``.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from pagerforce.errors import RefusedError, TooLargeError
from pagerforce.model.incident import LogEntry
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.client import MAX_DEPTH, Page, PagerDutyClient
from pagerforce.pagerduty.decode import IncidentMemory, decode_log_entry, decode_rows, odd_rows
from pagerforce.pagerduty.paging import PageSize
from pagerforce.pagerduty.refusals import PageTooDeepError
from pagerforce.pagerduty.windows import SECOND, SHORT_SPAN, Window

WANTED_ENTRIES = 1000
"""A window with more is cut: what is in memory at once stays small, and little is read twice."""

_MAX_PASSES = 3
_RANGE_REFUSED = "2005"
_SHORTEST_REFUSABLE = timedelta(days=1)


@dataclass(slots=True)
class Reading:
    """What was read of a window.

    Attributes:
        entries: by id; only those that lie in the window.
        positions: by id, where each of them stood in the list, as it was read last.
        flaws: what could not be understood, each once.
        is_complete: False: there is more in the window than was, or can be, read.
        includes_until: an entry of the very second of ``until`` was in an answer.
        incidents: those that entries showed so far.
    """

    entries: dict[str, LogEntry] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    flaws: dict[Flaw, None] = field(default_factory=dict)
    is_complete: bool = True
    includes_until: bool = False
    incidents: IncidentMemory = field(default_factory=IncidentMemory)


async def read_window(client: PagerDutyClient, window: Window) -> Reading:
    """Everything in a window; of one that is not short, up to ``WANTED_ENTRIES`` and a page.

    Whether ``since`` and ``until`` belong to what is asked for is not documented. From a second
    earlier up to the window's end is right either way. Where a single second is too full for that,
    it may be a neighbour's doing, which is then left out.

    Raises:
        RemoteError: nothing is to be concluded from what was read.
    """
    reading = Reading()
    if window.span > SECOND:
        bound = WANTED_ENTRIES if window.span > SHORT_SPAN else MAX_DEPTH
        asked = _Range(window.start - SECOND, window.end, bound)
        await _read_settled(client, reading, window, asked)
        return reading
    for since, until in (
        (window.start - SECOND, window.end),
        (window.start, window.end),
        (window.start, window.start),
    ):
        if until < window.end and not reading.includes_until:
            break
        await _read_settled(client, reading, window, _Range(since, until, MAX_DEPTH))
        if reading.is_complete:
            break
    return reading


@dataclass(frozen=True, slots=True)
class _Range:
    """What to ask for, and how many entries are enough to give up."""

    since: datetime
    until: datetime
    bound: int

    def holds(self, at: datetime) -> bool:
        """Whether an entry of this time may be in the answer; a second more or less is no matter."""
        return self.since - SECOND <= at <= self.until + SECOND


async def _read_settled(
    client: PagerDutyClient, reading: Reading, window: Window, asked: _Range
) -> None:
    """Reads a range until no row was seen to move.

    Pages are cut live: a row that comes into sight pushes others to the next page, where they are
    seen again, and is itself missed. So a pass that saw a row twice is followed by another.
    """
    reading.is_complete = True
    for _ in range(_MAX_PASSES):
        has_shifted = await _read_pass(client, reading, window, asked)
        if not has_shifted or not reading.is_complete:
            return


async def _read_pass(
    client: PagerDutyClient, reading: Reading, window: Window, asked: _Range
) -> bool:
    """Reads all pages once into the reading; tells whether rows moved between the pages."""
    seen: set[str] = set()
    offset = 0
    has_shifted = False
    size = PageSize()
    while True:
        try:
            page = await _fetch(client, asked, offset, size)
        except TooLargeError as error:
            # One entry that is too large to be read keeps no other from being read.
            reading.flaws[Flaw("log entry that can't be read", str(error))] = None
            offset += 1
            continue
        if page is None:
            reading.is_complete = False
            break
        size.grow()
        has_shifted = _take_in(reading, window, asked, page, offset, seen) or has_shifted
        offset += len(page.rows)
        if not page.more:
            break
        if not page.rows:
            reading.flaws[Flaw("log entries", "an empty page said that more follow")] = None
            break
        if len(reading.entries) > asked.bound or offset >= MAX_DEPTH:
            reading.is_complete = False
            break
    return has_shifted


def _take_in(
    reading: Reading, window: Window, asked: _Range, page: Page, offset: int, seen: set[str]
) -> bool:
    """Adds a page to the reading; tells whether one of its entries was seen in this pass already."""
    has_repeated = False
    decode = partial(decode_log_entry, to_incident=reading.incidents.decode)
    entries, flaws = decode_rows(page.rows, decode, "log entry")
    reading.flaws.update(dict.fromkeys([*flaws, *odd_rows(page.rows, "log entry")]))
    for position, entry in enumerate(entries, start=offset):
        has_repeated = has_repeated or entry.id in seen
        seen.add(entry.id)
        reading.includes_until = reading.includes_until or entry.at >= window.end
        if window.holds(entry.at):
            reading.entries[entry.id] = entry
            reading.positions[entry.id] = position
        elif not asked.holds(entry.at):
            reading.flaws[
                Flaw(f"log entry {entry.id}", "its time is not one that was asked for")
            ] = None
    return has_repeated


async def _fetch(
    client: PagerDutyClient, asked: _Range, offset: int, size: PageSize
) -> Page | None:
    """One page; None where the API will not go so deep, or not so far.

    Raises:
        TooLargeError: its first entry alone is too large.
    """
    if offset >= MAX_DEPTH:
        return None
    try:
        while True:
            try:
                return await client.fetch_log_entries(asked.since, asked.until, offset, size.rows)
            except TooLargeError as error:
                size.shrink(error)
    except PageTooDeepError:
        return None
    except RefusedError as error:
        # No longest range is documented; if there is one, shorter windows find it.
        if error.code == _RANGE_REFUSED and asked.until - asked.since > _SHORTEST_REFUSABLE:
            return None
        raise
