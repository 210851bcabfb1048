"""Reads PagerDuty: log entries from the cursor on, and regularly the open incidents."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from pagerforce.model.durations import OVERLAP
from pagerforce.model.ids import IncidentId, Side, event_id_of
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.ports import Clock, EntryBatch, Flaw, PagerDutySource, Position
from pagerforce.model.restore import Doubt, Turn
from pagerforce.model.value import format_whole_second
from pagerforce.observe.log import get_log
from pagerforce.own_writes.forgotten import NOBODY, OwnUsers
from pagerforce.pipeline.aside import aside_of_entry, set_aside
from pagerforce.pipeline.commit import EntryNews, commit_entries
from pagerforce.pipeline.isolation import Failed, Troubles, store_apart, store_or_apart
from pagerforce.pipeline.lookups import Look, Lookups, unread
from pagerforce.pipeline.pace import Budget, EarlierPoll, LookBack, Sweep
from pagerforce.pipeline.poll import Reporter
from pagerforce.pipeline.read_ahead import each_read_ahead
from pagerforce.pipeline.reconcile import Reconciler
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.suspects import Suspects
from pagerforce.store import cursors, facts, journal, own_writes, restored, snapshots
from pagerforce.store.database import Database
from pagerforce.store.trouble import concerns_all

_LOG = get_log("poll")
SWEEP = Sweep(cheap=200, every=timedelta(minutes=15))
_IN_FULL = 200  # open incidents read one by one for the baseline, at most
_MINUTE = 60.0


class Meter(Protocol):
    """Counts requests to PagerDuty."""

    def sent(self) -> int:
        """Requests for reading since the start."""
        ...

    def spent(self) -> int:
        """All requests of the last minute."""
        ...

    def allowed(self) -> int:
        """The requests within a minute up to which reading continues."""
        ...


@dataclass(slots=True)
class PagerDutyReader:
    """Implements ``SideReader``.

    ``judge`` is called each time: rules may be reloaded. ``find_ours``: the users of own writes;
    called only after a restore. ``sweep``: how often a poll looks back as far as an entry may be
    late.
    """

    source: PagerDutySource
    database: Database
    judge: Callable[[], Judge]
    clock: Clock
    reporter: Reporter
    start_from: datetime | None
    needs_custom_fields: Callable[[], bool]
    skew: Callable[[], timedelta]
    find_ours: Callable[[], Awaitable[OwnUsers]]
    meter: Meter
    sweep: Sweep = SWEEP
    _start_at: datetime | None = None
    _is_learnt: bool = False
    _last_wide: LookBack | None = None
    _last_fast: LookBack | None = None
    _calls_per_poll: int = 1
    _reconciled: float | None = None
    _suspects: Suspects = field(default_factory=Suspects)
    _troubles: Troubles = field(default_factory=Troubles)
    _lookups: Lookups = field(init=False)
    _reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        async def find(incident_id: IncidentId) -> Incident | None:
            return await self.source.find_incident(incident_id)  # a reload replaces the source

        self._lookups = Lookups(find, self.reporter, self.clock)
        self._reconciler = Reconciler(
            source=lambda: self.source,
            database=self.database,
            judge=self.judge,
            clock=self.clock,
            reporter=self.reporter,
            needs_custom_fields=self.needs_custom_fields,
            skew=self.skew,
            lookups=self._lookups,
            suspects=self._suspects,
        )

    async def start(self) -> None:
        """First start: a baseline of open incidents, without events; then only later changes."""
        async with self.database.read() as tx:
            self._is_learnt = await facts.find_fact(tx, facts.CUSTOM_FIELDS_LEARNT) == str(True)
        async with self.database.write() as tx:
            self._start_at = await cursors.find_start(tx, cursors.PAGERDUTY)
        if self._start_at is not None:
            server_now = await self.source.fetch_server_time()
            async with self.database.write() as tx:
                await cursors.correct_cursors(tx, server_now, [cursors.PAGERDUTY])
            await self._note_clock()
            return
        server_now = await self.source.fetch_server_time()
        start_at = (self.start_from or server_now).replace(microsecond=0)
        # With a backfill the entries themselves give the history from the start on.
        baseline = () if self.start_from else await self._baseline()
        await self._put_baseline(baseline)
        async with self.database.write() as tx:
            await facts.put_fact(
                tx, facts.start_at(cursors.PAGERDUTY), format_whole_second(start_at)
            )
            await cursors.move_cursor(tx, cursors.PAGERDUTY, Position(start_at))
            self._is_learnt = self.needs_custom_fields()
            await facts.put_fact(tx, facts.CUSTOM_FIELDS_LEARNT, str(self._is_learnt))
        self._start_at = start_at
        _LOG.info("baseline", source="pagerduty", incidents=len(baseline), start_at=str(start_at))

    async def _put_baseline(self, baseline: Sequence[Incident]) -> None:
        """Stores the baseline, except incidents that fail: a later entry or reconcile adds them."""

        async def store(incidents: Sequence[Incident]) -> None:
            async with self.database.write() as tx:
                await snapshots.put_incidents(tx, [(incident, None) for incident in incidents])

        for failed in await store_or_apart(baseline, store):
            self.reporter.failed(failed.error, failed.item.id)

    async def _baseline(self) -> Sequence[Incident]:
        """The open incidents; the newest with custom fields, if rules use them.

        For the others, the first change of a custom field has no earlier value.
        """
        incidents = list(await self.source.fetch_open_incidents())
        if not self.needs_custom_fields():
            return incidents
        looks = await self._lookups.read_all(incident.id for incident in incidents[-_IN_FULL:])
        return [_in_full(incident, looks.get(incident.id)) for incident in incidents]

    async def _learn_custom_fields(self) -> None:
        """Stores the custom fields of open incidents once rules begin to use them.

        Without events, after the log is read to its end: its entries cause the events. As with the
        first start, the oldest of very many incidents have no earlier value at their first change.
        """
        is_needed = self.needs_custom_fields()
        if is_needed == self._is_learnt:
            return
        async with self.database.read() as tx:
            held = await snapshots.read_open_incidents(tx) if is_needed else {}
        by_age = sorted(held, key=lambda key: held[key][0].number or 0)
        looks = await self._lookups.read_all(by_age[-_IN_FULL:])
        found = [look.incident for look in looks.values() if look.incident is not None]
        now = {incident.id: incident.custom_fields for incident in found}
        async with self.database.write() as tx:
            known = await snapshots.read_incidents(tx, now)
            learnt = [(replace(x, custom_fields=now[x.id]), at) for x, at in known.values()]
            await snapshots.put_incidents(tx, learnt)
            await facts.put_fact(tx, facts.CUSTOM_FIELDS_LEARNT, str(is_needed))
        self._is_learnt = is_needed

    async def _note_clock(self) -> None:
        async with self.database.read() as tx:
            doubt = await restored.find(tx)
        if doubt is None or Side.PAGERDUTY in doubt.until:
            return
        server_now = await self.source.fetch_server_time()
        async with self.database.write() as tx:
            await restored.note_clock(tx, Side.PAGERDUTY, server_now, self.clock.now())

    async def may_poll(self) -> bool:
        """After a restore, the second read waits for the actions that reading Salesforce caused."""
        async with self.database.read() as tx:
            doubt = await restored.find(tx)
            if doubt is None or doubt.turn is not Turn.AGAIN:
                return True
            return not await restored.is_doubt_under_way(tx, self.clock.now())

    async def poll(self) -> int:
        """Reads entries to the end; then, when it is time, compares the open incidents."""
        sent = self.meter.sent()
        try:
            return await self._poll()
        finally:
            self._calls_per_poll = max(1, self.meter.sent() - sent)

    async def _poll(self) -> int:
        async with self.database.read() as tx:
            doubt = await restored.find(tx)
        found = await self._read_entries(doubt)
        if doubt is not None and doubt.turn in (Turn.PAGERDUTY, Turn.AGAIN):
            async with self.database.write() as tx:
                await restored.end_turn(tx, doubt.turn)
        with self.reporter.contained("custom fields"):
            await self._learn_custom_fields()
        with self.reporter.contained("contradictions"):
            found += await self._reconciler.ask_suspects()
        due = self.judge().settings.reconcile.total_seconds()
        if self._reconciled is None or self.clock.monotonic() - self._reconciled >= due:
            with self.reporter.contained("reconcile"):
                found += await self._reconciler.reconcile()
            self._reconciled = self.clock.monotonic()
        return found

    def reconcile_soon(self) -> None:
        """Makes the next poll compare the open incidents, due or not."""
        self._reconciled = None

    async def _read_entries(self, doubt: Doubt | None) -> int:
        async with self.database.read() as tx:
            position = (await cursors.read_cursors(tx))[cursors.PAGERDUTY]
            again = await own_writes.find_disowned(tx)
        wide, fast = self._ago(self._last_wide, position), self._ago(self._last_fast, position)
        pace = self.judge().settings.pagerduty
        overlap = self.sweep.overlap(pace, wide=wide, fast=fast)
        held = self._troubles.oldest()
        sinces = [*again.values(), *([] if held is None else [held])]
        overlap = max([overlap, *(position.stamp - since for since in sinces)])
        ours = NOBODY if doubt is None else await self.find_ours()
        if doubt is not None and doubt.turn is Turn.AGAIN:
            position = Position(min(position.stamp, doubt.start))
            overlap = max(overlap, pace.late_window)
        begun, read_to = self.clock.monotonic(), position.stamp
        found = seen = 0
        self._troubles.begin_round()

        async def store(batch: EntryBatch) -> None:
            nonlocal found, seen, read_to
            seen += len(batch.entries)
            read_to = batch.read_to
            found += await self._commit(batch, EntryNews(self._started(), self.skew(), ours))

        batches = self.source.iter_entries(position.stamp, overlap_seconds=overlap.total_seconds())
        with self.reporter.reading():
            await each_read_ahead(batches, store)
        self._troubles.end_round()
        if again:
            async with self.database.write() as tx:
                await own_writes.forget_disowned(tx, again)
        this = LookBack.made(begun, self.clock.monotonic(), seen, read_to)
        if overlap >= self.sweep.wide(pace, wide):
            self._last_wide = this
        if overlap >= min(OVERLAP, pace.late_window):
            self._last_fast = this
        return found

    async def _commit(self, batch: EntryBatch, news: EntryNews) -> int:
        self.reporter.flaws(batch.flaws)
        batch = await self._with_incidents(batch)
        found = 0

        async def store(entries: Sequence[LogEntry], read_to: datetime = news.start_at) -> None:
            nonlocal found
            result = await commit_entries(
                self.database,
                replace(batch, entries=tuple(entries), read_to=read_to),
                self.judge(),
                news=news,
                now=self.clock.now(),
            )
            found += self.reporter.committed(result)
            self._suspects.note(result.shown)

        if not self._troubles.is_holding:
            try:
                await store(batch.entries, batch.read_to)
            except Exception as error:
                if concerns_all(error):
                    raise
            else:
                self._troubles.stored(found)
                return found
        for failed in await store_apart(batch.entries, store):
            await self._failed(failed)
        self._troubles.stored(found)
        if not self._troubles.is_holding:
            await store((), batch.read_to)
        return found

    async def _failed(self, failed: Failed[LogEntry]) -> None:
        """An entry that can't be stored is tried again for a while; finally it is set aside."""
        entry, event = failed.item, aside_of_entry(failed.item)
        reason = self.reporter.failed(failed.error, f"log entry {entry.id}")
        patience = self.judge().settings.limits.retry_for
        if not self._troubles.is_hopeless(entry.id, entry.at, self.clock.monotonic(), patience):
            self._troubles.hold()
            return
        with self.reporter.contained(f"log entry {entry.id}, set aside"):
            await set_aside(self.database, event, reason, self.clock.now())
        self.reporter.flaws((Flaw(f"log entry {entry.id}", f"{reason}; kept, no rule tried"),))

    async def _with_incidents(self, batch: EntryBatch) -> EntryBatch:
        """New entries with their incidents, read one by one if the entries do not show enough.

        This is needed if rules use custom fields, because only that request returns them. It is
        also needed for a resolve without its incident, because only the incident shows whether it
        was a merge (``pagerduty.merge-resolves-the-source``).
        """
        short = [entry for entry in batch.entries if self._shows_too_little(entry)]
        if not short:
            return batch
        async with self.database.read() as tx:
            known = await journal.known_events(tx, [event_id_of(entry.id) for entry in short])
        fresh = [entry for entry in short if event_id_of(entry.id) not in known]
        looks = await self._lookups.read_all(
            dict.fromkeys(entry.incident_id for entry in fresh if entry.incident_id)
        )
        await self._ask_again([key for key, look in looks.items() if look.is_given_up])
        entries = [
            _completed(entry, looks.get(entry.incident_id)) if entry.incident_id else entry
            for entry in batch.entries
        ]
        return replace(batch, entries=tuple(entries))

    async def _ask_again(self, ids: Sequence[IncidentId]) -> None:
        """Marks given-up incidents for the next reconcile, which may be after a restart."""
        if not ids:
            return
        async with self.database.write() as tx:
            held = await snapshots.read_incidents(tx, ids)
            await snapshots.put_incidents(tx, [(unread(x), at) for x, at in held.values()])

    def _shows_too_little(self, entry: LogEntry) -> bool:
        is_open_end = entry.type == "resolve" and entry.current is None
        return self.needs_custom_fields() or is_open_end

    def _ago(self, last: LookBack | None, position: Position) -> EarlierPoll | None:
        return None if last is None else last.seen_from(self.clock.monotonic(), position.stamp)

    def _started(self) -> datetime:
        if self._start_at is None:
            raise AssertionError("polled before the start")
        return self._start_at

    def budget(self) -> Budget:
        """The rest of the minute's limit for reading (``pagerduty.requests-per-minute``)."""
        allowed = self.meter.allowed()
        left = max(0, allowed - self.meter.spent())
        return Budget(left, _MINUTE, self._calls_per_poll, allowed, _MINUTE)


def _completed(entry: LogEntry, look: Look | None) -> LogEntry:
    """The entry with its incident from the separate request."""
    if entry.current is not None:
        return replace(entry, current=_in_full(entry.current, look))
    return replace(entry, current=look.incident) if look is not None else entry


def _in_full(incident: Incident, look: Look | None) -> Incident:
    if look is None:
        return incident
    return unread(incident) if look.is_given_up else look.incident or incident
