"""Commits the rows that were read from Salesforce: those of its feeds, and those read by Id."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from pagerforce.model.ids import RecordId
from pagerforce.model.ports import Clock, Flaw, RowBatch
from pagerforce.model.record import Comment, Record
from pagerforce.pipeline.aside import aside_of_row, is_aside, set_aside
from pagerforce.pipeline.commit import commit_rows
from pagerforce.pipeline.isolation import Failed, Troubles, store_apart
from pagerforce.pipeline.lost_columns import LostColumns
from pagerforce.pipeline.poll import Reporter
from pagerforce.pipeline.read_ahead import each_read_ahead
from pagerforce.pipeline.rows import NewsRules
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.store import snapshots
from pagerforce.store.database import Database
from pagerforce.store.trouble import concerns_all

_NO_FIELDS: frozenset[str] = frozenset()


class RowIntake(Struct):
    """Commits rows; one that can't be stored is tried again alone, and finally set aside.

    Attributes:
        start_at: feed -> where it starts.
        quiet: object -> formulas that change by themselves.
        own_user: the integration user, needed after a restore.
        troubles: failing rows that cursors wait for.
        single: failing rows read by Id: no cursor waits.
        unjudged: records that commits have not evaluated since this set was cleared.
    """

    database: Database
    judge: Callable[[], Judge]
    clock: Clock
    reporter: Reporter
    writes: WriteLog
    objects: tuple[str, ...]
    skew: Callable[[], timedelta]
    lost: LostColumns
    start_at: dict[str, datetime] = msgspec.field(default_factory=dict)
    quiet: dict[str, frozenset[str]] = msgspec.field(default_factory=dict)
    own_user: str | None = None
    troubles: Troubles = msgspec.field(default_factory=Troubles)
    single: Troubles = msgspec.field(default_factory=Troubles)
    unjudged: set[RecordId] = msgspec.field(default_factory=set)

    async def take_all(self, batches: AsyncIterator[RowBatch]) -> tuple[int, int]:
        """Commits batches as they arrive; returns the numbers of events and rows."""
        mark = self.writes.mark()
        found = seen = 0

        async def store(batch: RowBatch) -> None:
            nonlocal found, seen
            self.reporter.flaws(batch.flaws)
            seen += len(batch.records) + len(batch.comments)
            found += await self._take_feed(batch, mark)

        with self.reporter.reading():
            await each_read_ahead(batches, store)
        return found, seen

    async def _take_feed(self, batch: RowBatch, mark: int) -> int:
        """Commits rows of a feed; cursors stay if one of the rows must be read again."""
        if not self.troubles.is_holding:
            try:
                return await self._commit(batch, mark)
            except Exception as error:
                if concerns_all(error):
                    raise
        found, failed = await self._take_apart(batch, mark)
        for one in failed:
            if not await self._is_over(one, self.troubles):
                self.troubles.hold()
        if not self.troubles.is_holding:
            await self._commit(RowBatch((), (), batch.positions), mark)
        return found

    async def take_rows(self, batch: RowBatch, mark: int) -> tuple[int, frozenset[RecordId]]:
        """Commits rows without cursors; returns the number of events and records to read again."""
        try:
            return await self._commit(batch, mark), frozenset()
        except Exception as error:
            if concerns_all(error):
                raise
        found, failed = await self._take_apart(batch, mark)
        left = [one.item for one in failed if not await self._is_over(one, self.single)]
        records = [row for row in left if isinstance(row, Record)]
        async with self.database.write() as tx:
            await snapshots.add_rechecks(tx, records)
        return found, frozenset(row.id for row in records)

    async def _take_apart(
        self, batch: RowBatch, mark: int
    ) -> tuple[int, Sequence[Failed[Record | Comment]]]:
        found = 0

        async def store(rows: Sequence[Record | Comment]) -> None:
            nonlocal found
            records = tuple(row for row in rows if isinstance(row, Record))
            comments = tuple(row for row in rows if isinstance(row, Comment))
            found += await self._commit(RowBatch(records, comments, {}), mark)

        rows: Sequence[Record | Comment] = [*batch.records, *batch.comments]
        failed = await store_apart(rows, store)
        return found, failed

    async def _is_over(self, failed: Failed[Record | Comment], troubles: Troubles) -> bool:
        """Whether a failing row is given up: it is set aside now, or was before."""
        row, event = failed.item, aside_of_row(failed.item)
        if await is_aside(self.database, event):
            return True
        name = f"{row.object} {row.id}"
        reason = self.reporter.failed(failed.error, name)
        patience, now = self.judge().settings.limits.retry_for, self.clock.monotonic()
        at = row.stamp if isinstance(row, Record) else row.created_at
        if not troubles.is_hopeless(event.id, at, now, patience):
            return False
        with self.reporter.contained(f"{name}, set aside"):
            await set_aside(self.database, event, reason, self.clock.now())
        self.reporter.flaws((Flaw(name, f"{reason}; kept, no rule tried"),))
        return True

    async def _commit(self, batch: RowBatch, mark: int) -> int:
        result = await commit_rows(
            self.database,
            batch,
            self.judge(),
            news=NewsRules(self.start_at, self._quiet_fields(), self.skew(), self.own_user),
            busy=lambda: self.writes.touched_since(mark),
            now=self.clock.now(),
        )
        self.unjudged |= result.unjudged
        found = self.reporter.committed(result)
        self.troubles.stored(found)
        self.single.stored(found)
        return found

    def _quiet_fields(self) -> Mapping[str, frozenset[str]]:
        """Per object, fields whose differences cause no event."""
        names = self.objects
        return {name: self.quiet.get(name, _NO_FIELDS) | self.lost.quiet(name) for name in names}
