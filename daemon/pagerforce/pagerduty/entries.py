"""Reads one window of the account's log, all pages of it.

Facts: ``pagerduty.pages-are-live``, ``pagerduty.newest-first-within-second``.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from pagerforce.errors import RefusedError, TooLargeError
from pagerforce.model.incident import LogEntry
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.client import MAX_DEPTH, PAGE_SIZE, Page, PagerDutyClient
from pagerforce.pagerduty.cutting import Sample, expected_rows
from pagerforce.pagerduty.log_page import LogReader
from pagerforce.pagerduty.paging import PageSize
from pagerforce.pagerduty.refusals import PageTooDeepError
from pagerforce.pagerduty.windows import SECOND, SHORT_SPAN, Window

WANTED_ENTRIES = 1000
"""A window with more is cut: memory use stays small, and little is read twice."""

_MAX_PASSES = 3
_LOOK_AFTER = 2 * PAGE_SIZE  # most polls of a quiet hour have fewer rows
_LOOK_BEFORE = 2 * PAGE_SIZE  # of the last page: later, looking saves nothing
_RANGE_REFUSED = "2005"
_SHORTEST_REFUSABLE = timedelta(days=1)


class WindowRead(Struct):
    """The result of reading a window.

    Attributes:
        entries: by id; only those within the window.
        positions: by id, the last position of each entry in the list.
        flaws: the rows and values that could not be understood, each once.
        deeper: rows of the window further on, looked at alone: how many are before each, its time.
        fewer_than: the window has fewer rows than this, as far as looking ahead has shown.
        is_complete: False if the window has more entries than were read or can be read.
        includes_until: an answer had an entry of the exact second of ``until``.
        reader: decodes the rows.
    """

    entries: dict[str, LogEntry] = msgspec.field(default_factory=dict)
    positions: dict[str, int] = msgspec.field(default_factory=dict)
    flaws: dict[Flaw, None] = msgspec.field(default_factory=dict)
    is_complete: bool = True
    includes_until: bool = False
    deeper: list[tuple[int, datetime]] = msgspec.field(default_factory=list)
    fewer_than: int | None = None
    reader: LogReader = msgspec.field(default_factory=LogReader)

    def sample(self) -> Sample:
        """What is known of the window's rows so far."""
        times = [entry.at for entry in self.entries.values()]
        return Sample(times, tuple(self.deeper), self.fewer_than)


async def read_window(client: PagerDutyClient, window: Window) -> WindowRead:
    """All entries of a window; if it is not short, at most ``WANTED_ENTRIES`` and a page.

    It is not documented whether a range includes ``since`` and ``until``. A range from one second
    earlier to the window's end is right either way. If that has too many entries for a window of a
    single second, the neighbouring seconds may be the cause, so they are left out.

    Raises:
        RemoteError: the entries read so far prove nothing.
    """
    reading = WindowRead()
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


class _Range(Struct, frozen=True):
    """The range of a request, and how many entries are enough to give up."""

    since: datetime
    until: datetime
    bound: int

    def holds(self, at: datetime) -> bool:
        """Whether an entry of this time may be in the answer, within a second."""
        return self.since - SECOND <= at <= self.until + SECOND


async def _read_settled(
    client: PagerDutyClient, reading: WindowRead, window: Window, asked: _Range
) -> None:
    """Reads a range until a pass sees no row move.

    Pages are live: a row that appears meanwhile is missed, and pushes others to the next page,
    where they are seen again. So a pass that saw a row twice is followed by another.
    """
    reading.is_complete = True
    for number in range(_MAX_PASSES):
        has_shifted = await _read_pass(client, reading, window, asked, may_look=number == 0)
        if not has_shifted or not reading.is_complete:
            return


async def _read_pass(
    client: PagerDutyClient,
    reading: WindowRead,
    window: Window,
    asked: _Range,
    *,
    may_look: bool,
) -> bool:
    """Reads all pages once into the reading; returns whether rows moved between pages.

    ``may_look``: it may look at rows further on, to give up a window with too many rows early.
    """
    seen: set[str] = set()
    offset = 0
    has_shifted = False
    size = PageSize()
    while True:
        try:
            page = await _fetch(client, asked, offset, size)
        except TooLargeError as error:
            # One entry that is too large must not block the others.
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
        if may_look and await _is_too_full(client, reading, asked, offset):
            reading.is_complete = False
            break
    return has_shifted


async def _is_too_full(
    client: PagerDutyClient, reading: WindowRead, asked: _Range, offset: int
) -> bool:
    """Whether the window will be given up anyway; looks at single rows further on to know it.

    Looks only if the rows so far are so dense that the rest will not fit, and once per window: a
    burst at one end looks the same. The rows show where the next windows should end. They are not
    kept: rows may move until their pages are read.
    """
    rank = asked.bound + PAGE_SIZE
    if asked.bound >= MAX_DEPTH or reading.fewer_than is not None:
        return False
    if offset < _LOOK_AFTER or offset + _LOOK_BEFORE > rank:
        return False
    outside = max(offset - len(reading.entries), 0)  # in the second before the window, or after it
    rank += 2 * outside
    span = Window(asked.since, asked.until + SECOND)
    while rank < MAX_DEPTH and expected_rows(span, reading.sample()) > rank:
        at = await _find_time(client, reading, asked, rank)
        if at is None:
            reading.fewer_than = rank - outside
            break
        reading.deeper.append((rank - outside, at))
        rank *= 2
    return bool(reading.deeper)


async def _find_time(
    client: PagerDutyClient, reading: WindowRead, asked: _Range, rank: int
) -> datetime | None:
    """The time of the row with this many rows before it; None if there is none, or no usable one."""
    try:
        page = await _fetch(client, asked, rank, PageSize(1))
    except TooLargeError:
        return None
    entries, _ = reading.reader.decode(() if page is None else page.rows)
    return entries[0].at if entries and entries[0].id not in reading.entries else None


def _take_in(
    reading: WindowRead, window: Window, asked: _Range, page: Page, offset: int, seen: set[str]
) -> bool:
    """Adds a page to the reading; returns whether this pass has seen one of its entries before."""
    has_repeated = False
    entries, flaws = reading.reader.decode(page.rows)
    reading.flaws.update(dict.fromkeys(flaws))
    for position, entry in enumerate(entries, start=offset):
        has_repeated = has_repeated or entry.id in seen
        seen.add(entry.id)
        reading.includes_until = reading.includes_until or entry.at >= window.end
        if window.holds(entry.at):
            reading.entries[entry.id] = entry
            reading.positions[entry.id] = position
        elif not asked.holds(entry.at):
            reading.flaws[
                Flaw(f"log entry {entry.id}", "its time is outside the requested range")
            ] = None
    return has_repeated


async def _fetch(
    client: PagerDutyClient, asked: _Range, offset: int, size: PageSize
) -> Page | None:
    """One page; None if the API refuses the offset or the length of the range.

    Raises:
        TooLargeError: its first entry alone is too large.
    """
    if offset >= MAX_DEPTH:
        return None
    try:
        while True:
            try:
                limit = min(size.rows, MAX_DEPTH - offset)
                return await client.fetch_raw_log_entries(asked.since, asked.until, offset, limit)
            except TooLargeError as error:
                size.shrink(error)
    except PageTooDeepError:
        return None
    except RefusedError as error:
        # No maximum of a range is documented; if there is one, shorter windows find it.
        if error.code == _RANGE_REFUSED and asked.until - asked.since > _SHORTEST_REFUSABLE:
            return None
        raise
