"""Stores a batch that was read: snapshots, events, actions and the cursor in one transaction.

The store is read, decided on and written in one writing transaction, so that no second writer can
interfere. Nothing on the network is awaited meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from pagerforce.diff.acts import find_unsettled, gather
from pagerforce.diff.fold import Held
from pagerforce.model.action import Specs
from pagerforce.model.ids import IncidentId, RecordId, Side, event_id_of
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.link import Link, LinkState
from pagerforce.model.outbox import ActionState, Origin
from pagerforce.model.ports import EntryBatch, Position, RowBatch
from pagerforce.model.restore import Doubt
from pagerforce.observe.metrics import Metrics
from pagerforce.own_writes.forgotten import NOBODY, OwnComments, OwnEntries, OwnUsers
from pagerforce.own_writes.waiting import Waiting
from pagerforce.own_writes.whose import Known
from pagerforce.pipeline.causality import ANSWER_WINDOW, depth_of
from pagerforce.pipeline.entries import (
    Comparison,
    EntryPlan,
    Fresh,
    NewLink,
    plan_comparison,
    plan_entries,
)
from pagerforce.pipeline.rows import NewsRules, RowContext, RowPlan, plan_comments, plan_records
from pagerforce.pipeline.ruling import Judge, Ruled, World
from pagerforce.pipeline.target import NOTHING_LINKED
from pagerforce.store import (
    cursors,
    journal,
    lanes,
    links,
    outbox,
    own_writes,
    restored,
    snapshots,
)
from pagerforce.store.database import Database, Transaction

NO_SKEW = timedelta(0)


class Committed(Struct):
    """What a transaction stored: for metrics, the log and the pace of polling.

    Attributes:
        shown: by incident, the snapshot that its entries led to and the incident as last shown.
        contradictions: fields of an incident that were believed although its entries contradict.
        unjudged: rows that must be read again before they are evaluated.
    """

    ruled: list[Ruled] = msgspec.field(default_factory=list)
    types: list[str] = msgspec.field(default_factory=list)
    shown: Mapping[IncidentId, tuple[Incident, Incident]] = msgspec.field(default_factory=dict)
    contradictions: Sequence[tuple[IncidentId, str]] = ()
    unjudged: frozenset[RecordId] = frozenset()

    @property
    def actions(self) -> int:
        """How many actions now wait because of this commit."""
        return sum(
            action.state is ActionState.PENDING for item in self.ruled for action in item.actions
        )

    def report(self, metrics: Metrics, source: Side) -> None:
        """Counts the events, the rules that matched and the actions that need no delivery."""
        for kind, count in Counter(self.types).items():
            metrics.count_event(source, kind, count)
        for item in self.ruled:
            for ruleset, rule in item.matched:
                metrics.count_match(ruleset, rule)
            for action in item.actions:
                if action.state is not ActionState.PENDING:
                    metrics.count_action(action.do, action.state.value)


class _Storing(Struct, frozen=True):
    """What storing a batch needs besides its plan. ``skew``: as in ``EntryNews``."""

    judge: Judge
    now: datetime
    skew: timedelta
    doubt: Doubt | None

    async def store(self, tx: Transaction, ruled: Sequence[Ruled]) -> None:
        await store_ruled(tx, ruled, self.judge.settings.specs, self.now, self.doubt)


class EntryNews(Struct, frozen=True):
    """Which entries are new.

    Attributes:
        start_at: older entries are ignored.
        skew: how far Salesforce's clock is ahead of PagerDuty's.
        ours: the users of own writes; needed only after a restore.
    """

    start_at: datetime
    skew: timedelta = NO_SKEW
    ours: OwnUsers = NOBODY


async def commit_entries(
    database: Database,
    batch: EntryBatch,
    judge: Judge,
    *,
    news: EntryNews,
    now: datetime,
) -> Committed:
    """Stores a batch of log entries with all consequences."""
    async with database.write() as tx:
        doubt = await restored.find(tx)
        own = OwnEntries(doubt, news.ours)
        found = await _fresh(tx, batch, judge, news.start_at)
        fresh = found.entries
        ids = {entry.incident_id for entry in fresh if entry.incident_id}
        held = {
            key: Held(item, at)
            for key, (item, at) in (await snapshots.read_incidents(tx, ids)).items()
        }
        world = await _world_of_incidents(
            tx, ids, {key: item.incident for key, item in held.items()}
        )
        keys = {e.current.incident_key for e in fresh if e.current and e.current.incident_key}
        has_keyless = any(
            e.type == "trigger" and e.current and not e.current.incident_key for e in fresh
        )
        waiting = await _waiting(tx, ids | keys, with_pages=has_keyless)
        await _meet(tx, world, waiting.records() | own.records_of(fresh))
        known = Known(waiting, entries=own)
        plan = plan_entries(found, held, world, known, judge, now)
        await _store_entries(tx, plan, held, _Storing(judge, now, news.skew, doubt))
        await own_writes.note_seen(tx, waiting.seen())
        position = Position(batch.read_to)
        await cursors.move_cursor(tx, cursors.PAGERDUTY, position)
    # A reopening has no entry of its own.
    opened = [item.event.type for item in plan.ruled if item.event.type == "reopen"]
    read = (entry for entry in fresh if entry.id not in plan.undecided)
    types = [*(entry.type for entry in read), *opened]
    shown = {key: (plan.held[key].incident, now) for key, now in plan.shown.items()}
    return Committed(plan.ruled, types, shown)


async def _fresh(tx: Transaction, batch: EntryBatch, judge: Judge, start_at: datetime) -> Fresh:
    """New entries: not stored before, not older than the start, of followed incidents.

    The result also has what the known entries beside them show.
    """
    entries = gather(list({entry.id: entry for entry in batch.entries}.values()))
    known = await journal.known_events(tx, [event_id_of(entry.id) for entry in entries])
    unsettled = find_unsettled(entries, batch.seen_at)
    fresh = [
        entry
        for entry in entries
        if event_id_of(entry.id) not in known and entry.at >= start_at and entry.id not in unsettled
    ]
    followed = await _followed(tx, fresh, judge.settings.services)
    echoes = {key: action for key, action in known.items() if action is not None}
    fresh = [entry for entry in fresh if followed is None or entry.id in followed]
    return Fresh(fresh, _overtaken(entries, known.keys()), echoes)


def _overtaken(entries: Sequence[LogEntry], known: Collection[str]) -> frozenset[str]:
    """New entries that are listed before a known one of the same incident and second."""
    found: set[str] = set()
    later: set[tuple[IncidentId | None, datetime]] = set()
    for entry in reversed(entries):
        second = entry.incident_id, entry.at
        if event_id_of(entry.id) in known:
            later.add(second)
        elif second in later:
            found.add(entry.id)
    return frozenset(found)


async def _followed(
    tx: Transaction, entries: Sequence[LogEntry], services: Collection[str]
) -> set[str] | None:
    """Entries of the admitted services, and of linked incidents of any service; None: all.

    The filter is for new incidents. A linked one is followed until the link ends.
    """
    if not services:
        return None
    admitted = {entry.id for entry in entries if _service_id(entry) in services}
    others = {
        entry.incident_id for entry in entries if entry.id not in admitted and entry.incident_id
    }
    linked = await _linked(tx, others)
    return admitted | {entry.id for entry in entries if entry.incident_id in linked}


async def _linked(tx: Transaction, ids: Collection[IncidentId]) -> set[IncidentId]:
    """The incidents with a link that has not ended."""
    found = await links.links_of(tx, ids) if ids else []
    return {link.incident_id for link in found if link.state is not LinkState.INACTIVE}


def _service_id(entry: LogEntry) -> str | None:
    service = entry.current.service if entry.current and entry.current.service else entry.service
    return service.id if service else None


async def commit_comparison(
    database: Database,
    seen: Sequence[Incident],
    judge: Judge,
    comparison: Comparison,
    now: datetime,
) -> Committed:
    """Stores the differences between incidents and their snapshots."""
    services = judge.settings.services
    async with database.write() as tx:
        linked = await _linked(tx, {item.id for item in seen}) if services else set()
        wanted = [
            item
            for item in seen
            if not services or (item.service and item.service.id in services) or item.id in linked
        ]
        ids = {item.id for item in wanted}
        held = {
            key: Held(item, at)
            for key, (item, at) in (await snapshots.read_incidents(tx, ids)).items()
        }
        world = await _world_of_incidents(
            tx, ids, {key: item.incident for key, item in held.items()}
        )
        keys = {item.incident_key for item in wanted if item.incident_key}
        waiting = await _waiting(tx, keys)
        await _meet(tx, world, waiting.records())
        plan = plan_comparison(held, wanted, world, waiting, judge, comparison)
        plan.ruled = await _new_only(tx, plan.ruled)
        storing = _Storing(judge, now, comparison.skew, await restored.find(tx))
        await _store_entries(tx, plan, held, storing)
    types = [item.event.type for item in plan.ruled]
    return Committed(plan.ruled, types, contradictions=plan.contradictions)


async def _new_only(tx: Transaction, ruled: Sequence[Ruled]) -> list[Ruled]:
    """Leaves out events that are in the journal: the same change is an event only once."""
    known = await journal.known_events(tx, [item.event.id for item in ruled])
    unique = {item.event.id: item for item in ruled if item.event.id not in known}
    return list(unique.values())


async def _store_entries(
    tx: Transaction,
    plan: EntryPlan,
    before: dict[IncidentId, Held],
    storing: _Storing,
) -> None:
    changed = [
        (item.incident, item.entry_at) for key, item in plan.held.items() if before.get(key) != item
    ]
    await snapshots.put_incidents(tx, changed)
    await _store_links(tx, plan.new_links, Side.PAGERDUTY, storing.skew)
    await storing.store(tx, plan.ruled)
    for start in plan.late_starts:
        await lanes.put_behind(tx, start.id, NOTHING_LINKED, storing.now)
    for source, survivor in plan.merges:
        await links.move_links(tx, source, survivor)


async def commit_rows(
    database: Database,
    batch: RowBatch,
    judge: Judge,
    *,
    news: NewsRules,
    busy: Callable[[], Collection[RecordId]],
    now: datetime,
) -> Committed:
    """Stores a batch of rows and comments with all consequences.

    ``busy`` is called inside the transaction, when no settlement can interfere any more.
    """
    async with database.write() as tx:
        ids = {row.id for row in batch.records}
        ids |= {row.merged_into for row in batch.records if row.merged_into}
        world = await _world_of_records(tx, ids | {item.parent_id for item in batch.comments})
        objects = {row.object for row in batch.records if row.id not in world.records}
        parents = {item.parent_id for item in batch.comments}
        waiting = await _waiting(tx, {*ids, *parents, *objects})
        doubt = await restored.find(tx)
        known = Known(waiting, comments=OwnComments(doubt, news.own_user))
        context = RowContext(world, known, judge, news, busy(), now)
        plan = RowPlan()
        plan_records(batch.records, plan, context)
        seen = await own_writes.seen_comments(tx, [item.id for item in batch.comments])
        plan_comments(batch.comments, seen, plan, context)
        plan.ruled = await _new_only(tx, plan.ruled)
        await _store_rows(tx, plan, _Storing(judge, now, news.skew, doubt))
        await own_writes.note_seen(tx, waiting.seen())
        for feed, position in batch.positions.items():
            await cursors.move_cursor(tx, feed, position)
    unjudged = frozenset(row.id for row in plan.rechecks)
    return Committed(plan.ruled, [item.event.type for item in plan.ruled], unjudged=unjudged)


async def _store_rows(tx: Transaction, plan: RowPlan, storing: _Storing) -> None:
    await snapshots.put_records(tx, plan.records.values())
    await snapshots.add_rechecks(tx, plan.rechecks)
    await own_writes.put_comments(tx, plan.comments, storing.now)
    await _store_links(tx, plan.new_links, Side.SALESFORCE, storing.skew)
    for record_id, was_deleted in plan.merges:
        await links.move_record_links(tx, record_id, revives=was_deleted)
    await storing.store(tx, plan.ruled)
    for record_id, is_active in plan.activity.items():
        await links.set_links_active(tx, record_id, active=is_active)


async def _store_links(
    tx: Transaction, found: Sequence[NewLink], side: Side, skew: timedelta
) -> None:
    for link in found:
        at = links.LinkTime.seen(side, link.at, skew)
        await links.put_link(tx, link.incident_id, link.object, link.record_id, at)


async def _meet(tx: Transaction, world: World, ids: Collection[RecordId]) -> None:
    """Adds the records that pagerforce's own incidents, not linked yet, will be linked to."""
    world.records |= await snapshots.read_records(tx, ids - world.records.keys())


async def store_ruled(
    tx: Transaction,
    ruled: Sequence[Ruled],
    specs: Specs,
    now: datetime,
    doubt: Doubt | None = None,
) -> None:
    """Stores events with their traces, and their actions at the end of their lanes.

    ``specs``: the catalog.
    """
    entries = [journal.Entry(x.event, x.traces, x.echo_of, x.context) for x in ruled]
    numbers = await journal.append(tx, entries, now)
    acting = [(seq, item) for seq, item in zip(numbers, ruled, strict=True) if item.actions]
    joined = await links.join_all(tx, [item.members for _, item in acting])
    done = await outbox.recent_of(tx, joined, now - ANSWER_WINDOW, now)
    queued = []
    for (event_seq, item), lane in zip(acting, joined, strict=True):
        since = doubt.since if doubt is not None and doubt.covers(item.event) else None
        origin = Origin(depth_of(item.event, done.get(lane, ()), specs), since)
        queued.append(outbox.Queued(event_seq, lane, item.actions, origin))
    await outbox.enqueue(tx, queued, now)


async def _world_of_incidents(
    tx: Transaction, ids: Collection[IncidentId], incidents: dict[IncidentId, Incident]
) -> World:
    found = await links.links_of(tx, ids)
    merged = [key for key, incident in incidents.items() if incident.merged_into]
    moved: dict[str, list[Link]] = {key: await links.moved_links(tx, key) for key in merged}
    linked = {link.record_id for some in (found, *moved.values()) for link in some}
    records = await snapshots.read_records(tx, linked)
    return World(incidents, records, found, await outbox.waiting_members(tx, ids), moved)


async def _world_of_records(tx: Transaction, ids: Collection[RecordId]) -> World:
    found = await links.links_of(tx, ids)
    records = await snapshots.read_records(tx, ids)
    merged = [key for key, record in records.items() if record.merged_into]
    moved: dict[str, list[Link]] = {key: await links.links_merged_away(tx, key) for key in merged}
    linked = {link.incident_id for some in (found, *moved.values()) for link in some}
    incidents = await snapshots.read_incidents(tx, linked)
    return World(
        {key: incident for key, (incident, _) in incidents.items()},
        records,
        found,
        await outbox.waiting_members(tx, ids),
        moved,
    )


async def _waiting(
    tx: Transaction, subjects: Collection[str], *, with_pages: bool = False
) -> Waiting:
    """Expectations about these subjects; ``with_pages``: and about all expected incidents."""
    expected = await own_writes.read_expected(tx, subjects)
    if with_pages:
        known = {item.seq for item in expected}
        pages = await own_writes.read_expected_pages(tx)
        expected += [item for item in pages if item.seq not in known]
    return Waiting(expected, await own_writes.causes(tx, [item.action_id for item in expected]))
