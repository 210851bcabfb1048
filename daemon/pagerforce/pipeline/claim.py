"""Takes the actions that may go now from the outbox and builds the tasks for the handlers."""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.action import OVERTAKEN, Specs, TargetKind, Task
from pagerforce.model.durations import CLOCK_KNOWN_TO
from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.outbox import Action, ActionState, Settlement
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.apart import find_apart
from pagerforce.pipeline.folding import (
    LOOK_AHEAD,
    WaitingAction,
    find_undoing,
    is_foldable,
    may_undo,
)
from pagerforce.pipeline.loops import pause_if_looping
from pagerforce.pipeline.packing import Carriage, Packing
from pagerforce.pipeline.ruling import Judge
from pagerforce.pipeline.settings import DeliveryLimits
from pagerforce.pipeline.target import Pairs, Targets, choose, find_pairs
from pagerforce.pipeline.tasks import build_task, sides_of
from pagerforce.rules.evaluate import Facts
from pagerforce.rules.template import TemplateProblem, context_of, render_args
from pagerforce.store import journal, lanes, links, outbox, pauses, snapshots
from pagerforce.store.database import Transaction, savepoint
from pagerforce.store.trouble import concerns_all

_GROUP_LIMIT = 50
_MOST_AT_ONCE = 500  # others must get access to the database too
_PATIENCE = timedelta(minutes=1)  # a page that waits longer is evaluated again


class Job(Struct, frozen=True):
    """Actions of one lane to attempt together, and the task for the handler."""

    actions: tuple[Action, ...]
    task: Task
    event: Event

    @property
    def do(self) -> str:
        """The action's word."""
        return self.task.do

    @property
    def waits_since(self) -> datetime:
        """When its first action was decided."""
        return self.actions[0].created_at

    @property
    def goes_alone(self) -> bool:
        """Whether it failed twice: it may be the cause, so it must not make others fail."""
        return self.actions[0].goes_alone


class Claimed(Struct, frozen=True):
    """The result of a claim.

    Attributes:
        attempts: those that may start: each has one job, or several of a kind from different lanes.
        is_moved: something was settled at once (so claim again).
        failed: first actions of lanes that could not be prepared, each with its exception.
    """

    attempts: Sequence[Sequence[Job]]
    is_moved: bool
    failed: Sequence[tuple[Action, Exception]] = ()


class Claimer(Struct, frozen=True):
    """Decides which actions are attempted next; settles those that need no attempt.

    ``keyed``: objects with an external id, in lower case.
    """

    specs: Specs
    judge: Callable[[], Judge]
    limits: DeliveryLimits
    metrics: Metrics
    keyed: frozenset[str] = frozenset()
    _full_at: dict[str, datetime] = msgspec.field(default_factory=dict)
    _crowded: set[Side] = msgspec.field(default_factory=set)

    def expect_more(self, side: Side, *, is_more: bool) -> None:
        """While a side is busy, actions that can share a request wait a moment for others."""
        if is_more:
            self._crowded.add(side)
        elif side in self._crowded:
            self._crowded.discard(side)
            self._full_at.clear()  # the burst is over: wait for no more actions

    async def claim(
        self,
        tx: Transaction,
        now: datetime,
        *,
        slots: int,
        kinds: Sequence[str],
        under_way: Collection[str],
        is_careful: bool = False,
    ) -> Claimed:
        """At most ``slots`` attempts that may start.

        Args:
            tx: to read and to settle in.
            now: in this host's clock.
            slots: how many attempts may start.
            kinds: words of the actions that may go.
            under_way: ids of actions that are being attempted.
            is_careful: contains an action's exception. Otherwise it ends the whole claim, which
                saves two statements per action.
        """
        await self._end_pauses(tx, now, is_careful=is_careful)
        carriages = {do: Carriage.of(self.specs[do]) for do in kinds}
        is_crowded = bool(self._crowded)
        packing: Packing[Job] = Packing(slots, carriages, self._full_at, is_crowded=is_crowded)
        is_moved = False
        largest = max((carriage.size for carriage in carriages.values()), default=1)
        limit = min(slots * largest, _MOST_AT_ONCE)
        heads = await lanes.find_heads(tx, now, limit=limit, kinds=kinds, under_way=under_way)
        failed = [(item.action, item.error) for item in heads.unreadable]
        apart = await self._apart(tx, heads.actions, under_way, now, is_careful=is_careful)
        ready = list(heads.actions)
        if apart and len(ready) + len(failed) == limit:  # those that wait must not delay all others
            others = [do for do in kinds if self.specs[do].target is not TargetKind.NEW_RECORD]
            more = await lanes.find_heads(tx, now, limit=limit, kinds=others, under_way=under_way)
            ready = list({x.id: x for x in [*ready, *more.actions]}.values())
            seen = {action.id for action, _ in failed}
            failed += [(x.action, x.error) for x in more.unreadable if x.action.id not in seen]
        kept = apart | packing.kept_back(ready, now)
        for head in ready:
            if head.id in kept or not packing.has_room(head.do, alone=head.goes_alone):
                continue
            try:
                async with savepoint(tx) if is_careful else nullcontext():
                    job = await self._prepare(tx, head, now)
            except Exception as error:
                if not is_careful or concerns_all(error):
                    raise
                failed.append((head, error))
                continue
            if job is None:
                is_moved = True
            else:
                packing.add(job)
        return Claimed(packing.batches(now), is_moved, failed)

    async def _apart(
        self,
        tx: Transaction,
        heads: Sequence[Action],
        under_way: Collection[str],
        now: datetime,
        *,
        is_careful: bool,
    ) -> frozenset[str]:
        """Those that wait for other new records; if that can't be read, those that are searched for."""
        try:
            async with savepoint(tx) if is_careful else nullcontext():
                return await find_apart(tx, heads, under_way, self.keyed, self.specs, now)
        except Exception as error:
            if not is_careful or concerns_all(error):
                raise
            report_internal_error(self.metrics, Part.STORE, error, about="new records")
            made = (x for x in heads if self.specs[x.do].target is TargetKind.NEW_RECORD)
            return frozenset(x.id for x in made if x.is_uncertain)

    async def _end_pauses(self, tx: Transaction, now: datetime, *, is_careful: bool) -> None:
        """Ends pauses that are over; one that can't be ended stops only its own lane."""
        try:
            async with savepoint(tx) if is_careful else nullcontext():
                await pauses.end_due(tx, now)
        except Exception as error:
            if not is_careful or concerns_all(error):
                raise
            report_internal_error(self.metrics, Part.STORE, error, about="pauses")

    async def _prepare(self, tx: Transaction, head: Action, now: datetime) -> Job | None:
        """A job for the first action of a lane; None if it was settled, split or paused."""
        event = await self._event_of(tx, head, now)
        if event is None or await pause_if_looping(tx, head, self.limits, now):
            return None
        pairs = await find_pairs(tx, head, self.specs[head.do], event)
        target, is_linked_already = await self._aim(tx, head, event, pairs, now)
        if target is None:
            return None
        is_overtaken = is_linked_already or await self._is_overtaken(tx, head, event, pairs, now)
        needless = OVERTAKEN if is_overtaken else await self._undone(tx, head, event, now)
        if needless and not head.is_uncertain:
            await self._settle(tx, head, ActionState.SKIPPED, needless, now)
            return None
        actions = await self._group(tx, head)
        job = await self._job(tx, actions, target, event, pairs, now)
        if job is None or not is_overtaken:
            return job
        return replace(job, task=replace(job.task, is_overtaken=True))

    async def _aim(
        self, tx: Transaction, head: Action, event: Event, pairs: Pairs, now: datetime
    ) -> tuple[str | None, bool]:
        """The target (None: settled or split), and whether only to search for an existing one."""
        target, is_linked_already = head.target, False
        if target is None:
            targets, is_linked_already = self._choose(head, event, pairs)
            if not targets.ids:
                await self._settle(tx, head, ActionState.SKIPPED, targets.reason, now)
                return None, False
            if len(targets.ids) > 1:
                await lanes.split(tx, head, targets.ids)
                return None, False
            target = targets.ids[0]
        master = await self._master(tx, head, target)
        if master != target and await lanes.has_part_on(tx, head, master):
            reason = f"{target} was merged into {master}, and the action acts on that record anyway"
            await self._settle(tx, head, ActionState.SKIPPED, reason, now)
            return None, False
        return master, is_linked_already

    async def _master(self, tx: Transaction, head: Action, target: str) -> str:
        """The current target: the record that the first one was merged into.

        A rule's own write to a merged record keeps that record, and is skipped because it is gone.
        """
        spec = self.specs[head.do]
        is_own = spec.sets_field and head.target is None
        is_record = spec.target is TargetKind.RECORD
        return await links.master_of(tx, target) if is_record and not is_own else target

    async def _event_of(self, tx: Transaction, head: Action, now: datetime) -> Event | None:
        """The event that an action was decided on; if it can't be read, the action is settled."""
        event = await journal.find_event(tx, head.event_seq)
        if event is None:
            reason = "the stored copy of its event can't be read: retry it, or discard it"
            await self._settle(tx, head, ActionState.DEAD_LETTER, reason, now)
        return event

    def _choose(self, head: Action, event: Event, pairs: Pairs) -> tuple[Targets, bool]:
        """The targets, and whether only to search for existing ones."""
        spec = self.specs[head.do]
        targets = choose(head, spec, event, pairs)
        if spec.target is not TargetKind.NEW_INCIDENT or not head.is_uncertain:
            return targets, False
        forgotten = _find_forgotten(head, pairs)
        if forgotten is not None:
            return Targets((), f"incident {forgotten} was created for it before the restore"), False
        if not targets.ids:
            # The link may be an own one, seen by a poll before the answer: search, create nothing.
            return Targets((str(event.record_id),)), True
        return targets, False

    async def _is_overtaken(
        self, tx: Transaction, head: Action, event: Event, pairs: Pairs, now: datetime
    ) -> bool:
        """Whether a page would wake somebody for a problem that is already over.

        Nobody is woken for a record that was deleted since. Its link is gone with it, so nothing
        else shows whether it was paged for before. If the page had to wait, the event is evaluated
        again with the current record; the event's changes stay the same.
        """
        if not head.is_page or event.record_id is None:
            return False
        record = await snapshots.find_record(tx, event.record_id)
        is_gone = record is not None and record.is_deleted and record.merged_into is None
        if is_gone and event.type != "delete":
            return True
        has_waited = head.attempts > 0 or now - head.created_at > _PATIENCE
        if not has_waited or record is None or record.fields == event.record:
            return False
        incident = next(iter(pairs.incidents.values()), None)
        linked = frozenset(link.object for link in pairs.links)
        facts = Facts(replace(event, record=record.fields), linked, {}, incident)
        found = self.judge().book.evaluate(facts, now, every_rule=True)
        for error in found.errors:
            report_internal_error(self.metrics, Part.ACTION, error, about=head.id)
        if found.errors:
            return False  # a needless page is better than a missing one
        mine = [t for t in found.traces if (t.ruleset, t.rule) == (head.ruleset, head.rule)]
        return any(not trace.matched for trace in mine)

    async def _undone(self, tx: Transaction, head: Action, event: Event, now: datetime) -> str:
        """Why a later action makes this one of a backlog pointless; "" if none does."""
        if not is_foldable(head, self.specs):
            return ""
        behind = await outbox.followers(tx, head, limit=LOOK_AHEAD)
        seqs = {later.event_seq for later in behind if may_undo(later, head, self.specs)}
        events = await journal.read_events(tx, seqs)
        undoing = find_undoing(WaitingAction(head, event), behind, events, now, self.specs)
        return f"undone by a later event's {undoing.id}, which waits too" if undoing else ""

    async def _settle(
        self, tx: Transaction, action: Action, state: ActionState, reason: str, now: datetime
    ) -> None:
        await outbox.settle(tx, action, Settlement(state, state.value, reason), now)
        self.metrics.count_action(action.do, state.value)

    async def _group(self, tx: Transaction, head: Action) -> tuple[Action, ...]:
        """The head and the actions that directly follow it and belong to the same write."""
        if not self.specs[head.do].is_grouped or head.args is None or head.target is not None:
            return (head,)
        group = [head]
        for action in await outbox.followers(tx, head, limit=_GROUP_LIMIT):
            is_kin = action.event_seq == head.event_seq and action.object == head.object
            if action.do != head.do or not is_kin or action.args is None or action.target:
                break
            if action.is_uncertain != head.is_uncertain:
                break
            group.append(action)
        return tuple(group)

    async def _job(
        self,
        tx: Transaction,
        actions: tuple[Action, ...],
        target: str,
        event: Event,
        pairs: Pairs,
        now: datetime,
    ) -> Job | None:
        head = actions[0]
        spec = self.specs[head.do]
        sides = sides_of(spec, target, event, pairs, head.object)
        task = await build_task(tx, actions, spec, event, sides, now)
        # A linked record is never treated as the record of a lost answer.
        task = replace(task, known_ids=task.known_ids | {link.record_id for link in pairs.links})
        if head.args is not None:
            return Job(actions, task, event)
        # The other side was not linked when the rule was evaluated; it may be linked now.
        record = event.record
        if record is None and task.record is not None:
            record = task.record.fields
        linked = any(link.object == head.object for link in pairs.links)
        context = context_of(event, record, event.incident or task.incident, linked=linked)
        try:
            calls = (render_args(head.written, context, self.judge().maps),)
        except TemplateProblem as problem:
            reason = f"{problem.reason}; correct the rule, then retry"
            await self._settle(tx, head, ActionState.DEAD_LETTER, reason, now)
            return None
        return Job(actions, replace(task, calls=calls), event)


def _find_forgotten(head: Action, pairs: Pairs) -> str | None:
    """The incident that was created after the restored backup, for any event of that time."""
    if head.doubt_since is None:
        return None
    since = head.doubt_since - CLOCK_KNOWN_TO
    return next((link.incident_id for link in pairs.links if link.created_at >= since), None)
