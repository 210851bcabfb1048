"""Reading the log costs few requests, and nothing is missed, however its entries are spread.

The real reader reads a list in memory, which behaves as the API's list and counts the requests.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagerforce.model.ports import EntryBatch
from pagerforce.pagerduty.client import MAX_DEPTH, PAGE_SIZE, Page
from pagerforce.pagerduty.entries import WANTED_ENTRIES
from pagerforce.pagerduty.source import PagerDutyPoller

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = 3600
OUTAGE = 8 * HOUR


@dataclass
class Log:
    """PagerDuty's log as a list, without the network; entries may appear between two pages.

    ``most_rows``: of a page, whatever is asked for. ``late``: entries that become visible with the request of this number.
    """

    seconds: list[int]
    now: int
    is_newest_first: bool = True
    is_until_inclusive: bool = True
    late: dict[int, int] = field(default_factory=dict)
    most_rows: int = PAGE_SIZE
    calls: int = 0
    rows: list[tuple[int, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [(at, f"R{number}") for number, at in enumerate(sorted(self.seconds))]

    @property
    def server_time(self) -> datetime:
        return T0 + timedelta(seconds=self.now)

    async def fetch_server_time(self) -> datetime:
        return self.server_time

    async def fetch_raw_log_entries(
        self, since: datetime, until: datetime, offset: int, limit: int = PAGE_SIZE
    ) -> Page:
        assert offset >= 0
        assert 1 <= limit <= PAGE_SIZE
        assert offset + limit <= MAX_DEPTH, "PagerDuty refuses it"
        self.calls += 1
        if self.calls in self.late:
            self.rows.append((self.late[self.calls], f"RLATE{self.calls}"))
            self.rows.sort(key=lambda row: row[0])
        end = _seconds(until)
        find = bisect_right if self.is_until_inclusive else bisect_left
        times = [at for at, _ in self.rows]
        found = self.rows[bisect_left(times, _seconds(since)) : find(times, end)]
        if self.is_newest_first:
            found = found[::-1]
        page = found[offset : offset + min(limit, self.most_rows)]
        return Page(tuple(_raw(*row) for row in page), offset + len(page) < len(found))

    def monotonic(self) -> float:
        return float(self.now)

    def read(self, overlap: int = HOUR) -> list[EntryBatch]:
        """What the reader returns, from ``T0`` minus the overlap on."""

        class Clock:
            now = staticmethod(lambda: self.server_time)
            monotonic = self.monotonic

        poller = PagerDutyPoller(self, None, Clock(), services=(), needs_custom_fields=False)

        async def read_all() -> list[EntryBatch]:
            return [batch async for batch in poller.iter_entries(T0, overlap_seconds=overlap)]

        return anyio.run(read_all)


def _seconds(moment: datetime) -> int:
    return int((moment - T0).total_seconds())


def _raw(at: int, entry_id: str) -> dict[str, str]:
    stamp = (T0 + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": entry_id, "type": "annotate_log_entry", "created_at": stamp}


def _assert_exact(log: Log, batches: list[EntryBatch], *, may_miss: int = 0) -> None:
    seen = [entry.id for batch in batches for entry in batch.entries]
    assert len(seen) == len(set(seen)), "twice"
    missed = {entry_id for _, entry_id in log.rows} - set(seen)
    assert all(entry_id.startswith("RLATE") for entry_id in missed)
    assert len(missed) <= may_miss
    times = [entry.at for batch in batches for entry in batch.entries]
    assert times == sorted(times)
    cursors = [batch.read_to for batch in batches]
    assert cursors == sorted(cursors)
    assert not any(batch.flaws for batch in batches)


def _pages(count: int) -> int:
    return max(1, ceil(count / PAGE_SIZE))


def spread(count: int, begin: int, end: int, seed: int | None = None) -> list[int]:
    """Times over a period: evenly, or at random."""
    if seed is None:
        return [begin + (end - begin) * number // count for number in range(count)]
    random = Random(seed)
    return [random.randrange(begin, end) for _ in range(count)]


parts = st.tuples(
    st.integers(0, OUTAGE - 1),
    st.sampled_from([1, 2, 10, 60, 600, HOUR, OUTAGE]),
    st.sampled_from([1, 50, 150, 900, 1100, 2500, 5000]),
    st.integers(0, 99),
)


def _times(parts: list[tuple[int, int, int, int]]) -> list[int]:
    return [
        at
        for begin, length, count, seed in parts
        for at in spread(count, begin, min(begin + length, OUTAGE), seed)
    ]


@settings(max_examples=20, deadline=None)
@given(st.lists(parts, max_size=3).map(_times), st.booleans(), st.booleans())
def test_every_entry_is_read_once_whatever_the_log_looks_like(times, newest_first, inclusive):
    log = Log(times, OUTAGE, newest_first, inclusive)
    batches = log.read()
    _assert_exact(log, batches)
    # Entries of the same few seconds can't be divided; a request also reads the seconds around it.
    assert log.calls <= 3 * _pages(len(times)) + 60


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 8000),
    st.sampled_from([2 * HOUR, OUTAGE, 24 * HOUR, 20 * 24 * HOUR]),
    st.none() | st.integers(0, 10**6),
)
def test_a_log_that_is_spread_evenly_costs_few_calls_more_than_its_pages(count, length, seed):
    log = Log(spread(count, 0, length, seed), length)
    batches = log.read()
    _assert_exact(log, batches)
    assert all(len(batch.entries) <= WANTED_ENTRIES + PAGE_SIZE for batch in batches)
    assert log.calls <= 1.25 * _pages(count) + 20


@settings(max_examples=15, deadline=None)
@given(
    st.lists(parts, min_size=1, max_size=2).map(_times),
    st.dictionaries(st.integers(1, 60), st.integers(0, OUTAGE - 1), max_size=5),
)
def test_entries_that_appear_while_the_log_is_read_hide_no_others(times, late):
    log = Log(times, OUTAGE, late=late)
    batches = log.read()
    _assert_exact(log, batches, may_miss=len(late))  # the next poll looks back for these


# The calls of each, with some slack. Entries of the same few seconds can't be divided.
BURSTS = {
    "150 entries in the last minute": (spread(150, OUTAGE - 60, OUTAGE, 1), 2),
    "900 entries in the last minute": (spread(900, OUTAGE - 60, OUTAGE, 1), 10),
    "3,000 entries in the last minute": (spread(3000, OUTAGE - 60, OUTAGE, 1), 50),
    "3,000 entries in the first minute": (spread(3000, 0, 60, 1), 55),
    "5,000 entries in one second": ([OUTAGE // 2] * 5000, 70),
    "9,000 entries in the last second": ([OUTAGE - 1] * 9000, 110),
    "six bursts of 2,000": (
        [at for begin in range(100, OUTAGE, 5600) for at in spread(2000, begin, begin + 10, 1)],
        270,
    ),
    "nothing for 100 days": ([], 4),
    "20 empty days, then 3,000 entries": (
        spread(3000, 19 * 24 * HOUR + 16 * HOUR, 20 * 24 * HOUR, 1),
        45,
    ),
}


@pytest.mark.parametrize(("times", "most"), BURSTS.values(), ids=BURSTS)
def test_a_burst_costs_not_many_more_calls_than_its_pages(times, most):
    days = 20 if times and times[-1] > OUTAGE else 100
    log = Log(times, OUTAGE if times and days == 100 else days * 24 * HOUR)
    batches = log.read()
    _assert_exact(log, batches)
    assert log.calls <= most


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("inclusive", [True, False])
def test_dense_seconds_side_by_side_are_read_whole(monkeypatch, newest_first, inclusive):
    """With a list of 400 rows instead of 10,000: three seconds together exceed it, each alone not."""
    for module in ("client", "entries", "source"):
        monkeypatch.setattr(f"pagerforce.pagerduty.{module}.MAX_DEPTH", 400)
    for module in ("entries", "source"):
        monkeypatch.setattr(f"pagerforce.pagerduty.{module}.WANTED_ENTRIES", 100)
    times = [100] * 3 + [at for second in range(3) for at in [200 + second] * 300]
    log = Log(times, 203, newest_first, inclusive)
    _assert_exact(log, log.read())


def test_short_pages_of_a_second_with_too_many_entries_end_at_the_last_row_of_the_list():
    log = Log([OUTAGE // 2] * (MAX_DEPTH + 50) + [OUTAGE - 1], OUTAGE, most_rows=70)
    batches = log.read()
    seen = [entry.id for batch in batches for entry in batch.entries]
    assert len(seen) == len(set(seen)) == MAX_DEPTH + 1
    assert [flaw.what for batch in batches for flaw in batch.flaws] == [
        f"holds more than the API lists; {MAX_DEPTH} of its entries were read"
    ]


@pytest.mark.parametrize("seed", [None, 1])
def test_20_000_entries_of_eight_hours_cost_at_most_a_sixth_more_calls_than_pages(seed):
    log = Log(spread(20_000, 60, OUTAGE, seed), OUTAGE)
    batches = log.read()
    _assert_exact(log, batches)
    assert log.calls <= 233, "200 pages of 100"
