"""Reads Salesforce: changed rows and comments from the cursors on; at first, all rows once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from pagerforce.errors import CredentialsError, RemoteError
from pagerforce.model.ids import Side, find_record_id
from pagerforce.model.leftout import ALL_READ
from pagerforce.model.ports import ChangeHints, Clock, Position, RowBatch, SalesforceSource
from pagerforce.model.record import Record
from pagerforce.model.restore import Turn
from pagerforce.model.value import format_whole_second
from pagerforce.observe.log import get_log
from pagerforce.pipeline.absentees import Absentees
from pagerforce.pipeline.isolation import store_or_apart
from pagerforce.pipeline.lost_columns import LostColumns
from pagerforce.pipeline.pace import Budget, EarlierPoll, LookBack, Sweep, low_water_every
from pagerforce.pipeline.poll import Reporter
from pagerforce.pipeline.read_ahead import each_read_ahead
from pagerforce.pipeline.row_intake import RowIntake
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.store import cursors, facts, restored, snapshots
from pagerforce.store.database import Database, Transaction

_LOG = get_log("poll")
_SWEEP = Sweep(cheap=1000, every=timedelta(minutes=5))
_NOW = timedelta(0)
_COMPARE_EVERY = timedelta(hours=24)
# Comments have no baseline to compare with: once a day their last day is read again.
_LATE_COMMENTS = timedelta(hours=25)
_DONE = "done"
_NO_FIELDS: frozenset[str] = frozenset()


@dataclass(slots=True)
class SalesforceReader:
    """Implements ``SideReader``.

    Args:
        objects: objects that need a baseline; comment objects need none.
        calls_left: the rest of the daemon's own daily share of calls.
        check: compares the configuration with the org before anything is read; raises
            ``ConfigError`` if it names something that does not exist.
        note_all_read: called after a poll that read everything that the configuration names.
        find_own_user: the integration user; called only after a restore.
        fields: object -> the fields of its rows that are needed now.
        lost: tracks columns that can't be read for a while.
        sweep: how often a poll looks back as far as a row may be late.
        hints: what announces changes; learns which ones a poll found. None: nothing does.
        is_settled: whether the last poll left nothing to be read again soon.
    """

    source: SalesforceSource
    database: Database
    judge: Callable[[], Judge]
    clock: Clock
    reporter: Reporter
    writes: WriteLog
    objects: tuple[str, ...]
    start_from: datetime | None
    calls_left: Callable[[], Budget]
    check: Callable[[], Awaitable[None]]
    note_all_read: Callable[[], Awaitable[None]]
    skew: Callable[[], timedelta]
    find_own_user: Callable[[], Awaitable[str]]
    fields: Callable[[], Mapping[str, frozenset[str]]]
    lost: LostColumns
    sweep: Sweep = _SWEEP
    hints: ChangeHints | None = None
    is_settled: bool = False
    _read_with: dict[str, frozenset[str]] = field(default_factory=dict)
    _last_wide: LookBack | None = None
    _rechecks: int = 0
    _low_water: datetime | None = None
    _low_water_asked: float = float("-inf")
    _intake: RowIntake = field(init=False)

    def __post_init__(self) -> None:
        self._intake = RowIntake(
            database=self.database,
            judge=self.judge,
            clock=self.clock,
            reporter=self.reporter,
            writes=self.writes,
            objects=self.objects,
            skew=self.skew,
            lost=self.lost,
        )

    async def start(self) -> None:
        """First start of each object: a baseline; an interrupted one is resumed."""
        server_now = await self.source.fetch_server_time()
        await self.check()
        async with self.database.write() as tx:
            known = {feed: await cursors.find_start(tx, feed) for feed in self.source.feeds}
            # Objects added later start when they are added: start_from is for the first start.
            is_first = not any(known.values())
            begin = (self.start_from if is_first else None) or server_now
            started = [feed for feed, at in known.items() if at is not None]
            await cursors.correct_cursors(tx, server_now, started)
            await restored.note_clock(tx, Side.SALESFORCE, server_now, self.clock.now())
            for feed, start_at in known.items():
                self._intake.start_at[feed] = start_at or await _begin(tx, feed, begin)
            for name in self.objects:
                if known[name] is None:  # its baseline reads all of these fields
                    await facts.put_read_with(tx, name, self._wanted(name))
                self._read_with[name] = await facts.find_read_with(tx, name)
            await self.lost.start(tx, self.objects)
        for name in self.objects:
            with self.reporter.contained(f"{name}, formulas"):
                self._intake.quiet[name] = await self.source.time_driven_fields(name)
            await self._baseline(name)

    async def _baseline(self, name: str) -> None:
        fact = facts.baseline(name)
        async with self.database.read() as tx:
            progress = await facts.find_fact(tx, fact)
        if progress == _DONE:
            return
        last = find_record_id(progress) if progress else None  # else from the beginning again
        count = 0
        async for batch in self.source.iter_all(name, last):
            self.reporter.flaws(batch.flaws)
            # Rows changed since the start are left to the poll, which creates their events.
            old = [row for row in batch.records if row.stamp < self._intake.start_at[name]]
            count += len(old)
            for failed in await store_or_apart(old, self._put_records):
                self.reporter.failed(failed.error, f"{name} {failed.item.id}")
            async with self.database.write() as tx:
                if batch.records:
                    await facts.put_fact(tx, fact, batch.records[-1].id)
        async with self.database.write() as tx:
            await facts.put_fact(tx, fact, _DONE)
            await facts.put_fact(tx, facts.COMPARED_AT, format_whole_second(self.clock.now()))
        _LOG.info("baseline", source="salesforce", object=name, records=count)

    async def _put_records(self, records: Sequence[Record]) -> None:
        async with self.database.write() as tx:
            await snapshots.put_records(tx, records)

    async def may_poll(self) -> bool:
        """After a restore, waits until the actions from reading PagerDuty are delivered."""
        async with self.database.read() as tx:
            doubt = await restored.find(tx)
            if doubt is None or doubt.turn in (Turn.AGAIN, Turn.DONE):
                return True
            if doubt.turn is not Turn.SALESFORCE:
                return False
            return not await restored.is_doubt_under_way(tx, self.clock.now())

    async def poll(self) -> int:
        """Reads changed rows to the end, then again the rows that an own write made doubtful."""
        async with self.database.read() as tx:
            known = await cursors.read_cursors(tx)
            doubt = await restored.find(tx)
        if doubt is not None:
            self._intake.own_user = await self.find_own_user()
        positions = {feed: known[feed] for feed in self.source.feeds}
        newest = max(position.stamp for position in positions.values())
        last, now = self._last_wide, self.clock.monotonic()
        wide = None if last is None else last.seen_from(now, newest)
        overlap = self._overlap(newest, wide)
        self._intake.troubles.begin_round()
        self._intake.single.begin_round()
        await self.lost.note()
        # Besides its feeds the source has cursors for the parents of their rows.
        batches = self.source.iter_changes(
            {**known, **positions}, overlap_seconds=overlap.total_seconds()
        )
        try:
            found, seen = await self._intake.take_all(self._watched(batches, positions, now))
        finally:
            await self.lost.note()
        if self.source.not_read == ALL_READ:
            await self.note_all_read()
        if overlap >= self.sweep.wide(self.judge().settings.salesforce, wide):
            self._last_wide = LookBack(self.clock.monotonic(), seen, newest)
        self._intake.troubles.end_round()
        with self.reporter.contained("rows to be read again"):
            found += await self._recheck()
        with self.reporter.contained("new fields"):
            found += await self._read_new_fields()
        with self.reporter.contained("open transactions"):
            await self._ask_low_water(positions)
        with self.reporter.contained("comparison"):
            found += await self._compare_daily()
        self._intake.single.end_round()
        if doubt is not None and doubt.turn is Turn.SALESFORCE:
            async with self.database.write() as tx:
                await restored.end_turn(tx, doubt.turn)
        is_in_doubt = doubt is not None and doubt.turn is not Turn.DONE
        is_held = self._intake.troubles.oldest() is not None
        self.is_settled = not (is_in_doubt or is_held or self._rechecks)
        return found

    async def _watched(
        self, batches: AsyncIterator[RowBatch], before: Mapping[str, Position], began: float
    ) -> AsyncIterator[RowBatch]:
        """The same batches; the hints learn how far they moved the cursors."""
        after: dict[str, Position] = {}
        async for batch in batches:
            after |= batch.positions
            yield batch
        if self.hints is not None:
            with self.reporter.contained("hints"):
                self.hints.polled(began, before, after)

    def _overlap(self, newest: datetime, wide: EarlierPoll | None) -> timedelta:
        overlap = self.sweep.overlap(self.judge().settings.salesforce, wide=wide)
        held = self._intake.troubles.oldest()
        if held is not None:
            overlap = max(overlap, newest - held)
        if self._low_water is not None:
            # A transaction is open since then: its rows will have stamps this old.
            overlap = max(overlap, newest - self._low_water)
        return overlap

    async def _recheck(self) -> int:
        async with self.database.read() as tx:
            waiting = await snapshots.read_rechecks(tx)
        found = self._rechecks = 0
        for name, ids in waiting.items():
            if name in self.source.not_read.halted:
                continue
            if name not in self.objects:  # not read any more, or damaged
                async with self.database.write() as tx:
                    await snapshots.drop_rechecks(tx, ids)
                continue
            mark = self.writes.mark()
            self._intake.unjudged.clear()
            batch = await self.source.fetch_records(name, ids)
            count, left = await self._intake.take_rows(replace(batch, positions={}), mark)
            found += count
            again = left | self.writes.touched_since(mark) | self._intake.unjudged
            settled = [item for item in ids if item not in again]
            self._rechecks += len(ids) - len(settled)
            async with self.database.write() as tx:
                await snapshots.drop_rechecks(tx, settled)
        return found

    async def _ask_low_water(self, positions: Mapping[str, Position]) -> None:
        now = self.clock.monotonic()
        every = low_water_every(self.judge().settings.salesforce.late_window)
        if now - self._low_water_asked < every.total_seconds():
            return
        self._low_water_asked = now
        until = await self.source.fetch_server_time()
        oldest = min((position.stamp for position in positions.values()), default=until)
        since = max(min(oldest, until - timedelta(minutes=2)), until - timedelta(days=14))
        try:
            covered = await self.source.fetch_low_water(since, until)
        except CredentialsError:
            raise
        except RemoteError as error:
            # It only widens the overlap: the window and the daily comparison also find late rows.
            _LOG.warning("low_water_unknown", reason=str(error))
            covered = None
        self._low_water = covered if covered is not None and covered < oldest else None

    async def _compare_daily(self) -> int:
        """The slow full comparison: finds rows that were later than the window or left no stamp."""
        now = self.clock.now()
        async with self.database.read() as tx:
            last = await facts.find_instant(tx, facts.COMPARED_AT)
        # A last time in the future is from before this host's clock was set back.
        if last is not None and _NOW <= now - last < _COMPARE_EVERY:
            return 0
        found = await self._late_comments()
        for name in self._readable():
            found += await self._compare_object(name)
        async with self.database.write() as tx:
            await facts.put_fact(tx, facts.COMPARED_AT, format_whole_second(now))
        return self.reporter.compared(found)

    def _readable(self) -> list[str]:
        """The objects that can be read now."""
        return [name for name in self.objects if name not in self.source.not_read.halted]

    def _wanted(self, name: str) -> frozenset[str]:
        return self.lost.wanted(name, self.fields().get(name, _NO_FIELDS))

    async def _read_new_fields(self) -> int:
        """Reads every row of an object once more if rules use fields that were not read before.

        Otherwise such a field would be empty, and its first change would not count, until something
        else in the record changes. A field that is read for the first time, or again after a while,
        causes no event.
        """
        found = 0
        for name in self._readable():
            new = (self._wanted(name) - self._read_with[name]) | self.lost.returned(name)
            if new:
                _LOG.info("reading_new_fields", object=name, fields=sorted(new))
                found += await self._compare_object(name)
        return self.reporter.compared(found) if found else 0

    async def _late_comments(self) -> int:
        async with self.database.read() as tx:
            positions = await cursors.read_cursors(tx)
        mine = {x: positions[x] for x in self.source.feeds if x not in self.objects}
        overlap = _LATE_COMMENTS.total_seconds()
        found, _ = await self._intake.take_all(
            self.source.iter_changes(mine, overlap_seconds=overlap)
        )
        return found

    async def _compare_object(self, name: str) -> int:
        """Compares every row with its snapshot, and every snapshot with the rows."""
        mark = self.writes.mark()
        absent = Absentees(name)
        read_with, returned = self._wanted(name), self.lost.returned(name)
        found = 0

        async def store(batch: RowBatch) -> None:
            nonlocal found
            self.reporter.flaws(batch.flaws)
            count, _ = await self._intake.take_rows(replace(batch, positions={}), mark)
            found += count
            if not batch.flaws:  # a malformed row exists, although it could not be read
                async with self.database.read() as tx:
                    await absent.look(tx, [row.id for row in batch.records])

        await each_read_ahead(self.source.iter_all(name, None), store)
        async with self.database.read() as tx:
            await absent.look_behind(tx)
        async with self.database.write() as tx:
            await facts.put_read_with(tx, name, read_with)
            await self.lost.compared(tx, name, returned)
        self._read_with[name] = read_with
        return found + await self._bury(absent, mark)

    async def _bury(self, absent: Absentees, mark: int) -> int:
        """Purged rows leave no stamp: each becomes an ordinary deletion."""
        if absent.is_absurd:
            _LOG.error("records_out_of_sight", object=absent.object, count=absent.count)
            return 0
        if not absent.ids:
            return 0
        server_now = await self.source.fetch_server_time()
        there = await self.source.fetch_records(absent.object, absent.ids)
        async with self.database.read() as tx:
            held = await snapshots.read_records(tx, absent.ids)
        gone = absent.deletions(held, there.records, server_now)
        found, _ = await self._intake.take_rows(RowBatch(gone, (), {}, there.flaws), mark)
        return found

    def budget(self) -> Budget:
        """The rest of this daemon's own share of the org's daily calls."""
        return self.calls_left()


async def _begin(tx: Transaction, feed: str, begin: datetime) -> datetime:
    """Stores the start of a feed, in whole seconds, like both APIs."""
    start_at = begin.replace(microsecond=0)
    await facts.put_fact(tx, facts.start_at(feed), format_whole_second(start_at))
    await cursors.move_cursor(tx, feed, Position(start_at))
    return start_at
