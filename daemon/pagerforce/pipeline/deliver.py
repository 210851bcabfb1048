"""Delivers the outbox: several links at once, the actions of one link one at a time, in order.

An attempt is stored before it is made, with what it will bring back, and its outcome together with
everything it changed in one transaction. What was under way when the process died is looked for
before it is sent again (contract promise 2). A full disk is waited out: nothing is sent that can't be
noted, and what was sent is noted as soon as that is possible.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from pagerforce.errors import ConfigError, RemoteError, StoreUnavailableError, WrongOrgError
from pagerforce.model.action import Task
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.ports import ActionHandler, Clock
from pagerforce.model.verdict import (
    Delivered,
    Expectation,
    HaltSide,
    IncidentMade,
    RecordMade,
    Rejected,
    RetryLater,
    Unknown,
    Verdict,
)
from pagerforce.observe.log import get_log, place_of
from pagerforce.observe.metrics import Metrics
from pagerforce.observe.requests import recording
from pagerforce.pipeline.claim import Claimer, Job
from pagerforce.pipeline.settings import DeliveryLimits
from pagerforce.pipeline.settle import RetryPolicy, settlement_of, store_effects
from pagerforce.store import outbox, traces
from pagerforce.store.database import Database
from pagerforce.store.outbox import Action, ActionState, Settlement

_LOG = get_log("deliver")
_IDLE_SECONDS = 1.0
_HALT_SECONDS = 30.0
_STORAGE_SECONDS = 2.0
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 10.0


@dataclass(slots=True)
class WriteLog:
    """Which records writes of ours touch, so that a poll knows what it may have read half-done."""

    _clock: int = 0
    _under_way: dict[RecordId, int] = field(default_factory=dict)
    _last: dict[RecordId, int] = field(default_factory=dict)

    def mark(self) -> int:
        """A point in time to ask about later, taken before a poll reads."""
        self._clock += 1
        self._last = {key: at for key, at in self._last.items() if key in self._under_way}
        return self._clock

    def begin(self, record_id: RecordId) -> None:
        """A write to this record starts."""
        self._under_way[record_id] = self._under_way.get(record_id, 0) + 1
        self._last[record_id] = self._clock

    def end(self, record_id: RecordId) -> None:
        """A write to this record is settled."""
        left = self._under_way.get(record_id, 0) - 1
        if left > 0:
            self._under_way[record_id] = left
        else:
            self._under_way.pop(record_id, None)
        self._last[record_id] = self._clock

    def touched_since(self, mark: int) -> frozenset[RecordId]:
        """Records a write touched since then, or touches now."""
        ended = {key for key, at in self._last.items() if at >= mark}
        return frozenset(ended | self._under_way.keys())


@dataclass(frozen=True, slots=True)
class Tools:
    """What delivery works with.

    ``verdict_of``: what a failed read before the attempt means. ``skew``: how far Salesforce's clock
    is ahead of PagerDuty's.
    """

    database: Database
    handlers: Mapping[str, ActionHandler]
    clock: Clock
    metrics: Metrics
    limits: DeliveryLimits
    policy: RetryPolicy
    verdict_of: Callable[[RemoteError], Verdict]
    skew: Callable[[], timedelta]


class Deliverer:
    """The delivery loop."""

    def __init__(self, tools: Tools, claimer: Claimer, writes: WriteLog) -> None:
        self._tools = tools
        self._claimer = claimer
        self._writes = writes
        self._wake = anyio.Event()
        self._active: dict[int, str] = {}
        self._halted: dict[Side, datetime] = {}
        self._is_stopping = False
        self._storage_trouble = ""
        self._resume_at = float("-inf")

    def wake(self) -> None:
        """Something new waits in the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Starts nothing more; ``run`` returns once what is under way is settled."""
        self._is_stopping = True
        self._wake.set()

    @property
    def halted(self) -> Mapping[Side, datetime]:
        """Sides that take nothing now, and until when."""
        return self._halted

    async def run(self, beat: Callable[[], None]) -> None:
        """Delivers until stopped. ``beat`` is called at least once a second or so."""
        is_recovered = False
        async with anyio.create_task_group() as group:
            while not self._is_stopping:
                beat()
                self._wake = anyio.Event()
                is_recovered = is_recovered or await self._recover()
                should_look_again = is_recovered and await self._start_jobs(group)
                if not should_look_again:
                    with anyio.move_on_after(_IDLE_SECONDS):
                        await self._wake.wait()

    async def _recover(self) -> bool:
        """False where nothing can be stored just now."""
        try:
            async with self._tools.database.write() as tx:
                recovered = await outbox.recover(tx)
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        if recovered:
            _LOG.warning("unfinished_actions_found", count=recovered)
        return True

    def _tell_storage(self, error: StoreUnavailableError) -> None:
        """Says so, once per trouble, and starts nothing for a moment."""
        self._resume_at = self._tools.clock.monotonic() + _STORAGE_SECONDS
        if str(error) != self._storage_trouble:
            _LOG.error("storage_unavailable", reason=str(error))
        self._storage_trouble = str(error)

    async def drain(self) -> None:
        """Delivers what may go now and what becomes free by it; returns when nothing more is due."""
        is_busy = True
        while is_busy:
            async with anyio.create_task_group() as group:
                is_moved = await self._start_jobs(group)
                is_busy = is_moved or bool(self._active)

    async def _start_jobs(self, group: TaskGroup) -> bool:
        now = self._tools.clock.now()
        free = self._tools.limits.concurrency - len(self._active)
        kinds = self._open_kinds(now)
        is_resting = self._tools.clock.monotonic() < self._resume_at
        if free <= 0 or not kinds or is_resting:
            return False
        try:
            async with self._tools.database.write() as tx:
                jobs, is_moved = await self._claimer.claim(
                    tx, now, limit=free, kinds=kinds, but_lanes=set(self._active.values())
                )
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        self._storage_trouble = ""
        for job in jobs:
            number = id(job)
            self._active[number] = job.actions[0].lane
            group.start_soon(self._run_job, job, number)
        return is_moved

    def _open_kinds(self, now: datetime) -> list[str]:
        self._halted = {side: until for side, until in self._halted.items() if until > now}
        return [
            do
            for do, handler in self._tools.handlers.items()
            if handler.spec.side not in self._halted
        ]

    async def _run_job(self, job: Job, number: int) -> None:
        record_id = job.task.record_id
        try:
            if record_id is not None:
                self._writes.begin(record_id)
            await self._attempt(job)
        finally:
            if record_id is not None:
                self._writes.end(record_id)
            del self._active[number]
            self._wake.set()

    async def _attempt(self, job: Job) -> None:
        """One attempt: announce it, make it, settle it."""
        handler = self._tools.handlers[job.task.do]
        expected: Sequence[Expectation] | None = None
        verdicts: Sequence[Verdict] | None = None
        try:
            expected = await handler.expectations(job.task)
        except RemoteError as error:
            verdicts = [self._tools.verdict_of(error)] * len(job.actions)
        if await self._announce(job, expected):
            with recording() as requests:
                verdicts = verdicts or await self._deliver(handler, job.task)
            await self._settle(job, verdicts, requests)

    async def _announce(self, job: Job, expected: Sequence[Expectation] | None) -> bool:
        """Stores that the attempt starts; False where it must not: it is gone, or nothing can be stored."""
        now = self._tools.clock.now()
        try:
            async with self._tools.database.write() as tx:
                is_waiting = await outbox.begin_attempt(tx, job.actions, now)
                # None: nothing is sent now, and what an earlier attempt left stays.
                if is_waiting and expected is not None:
                    await traces.expect(tx, job.task.key, expected, now)
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        return is_waiting

    async def _deliver(self, handler: ActionHandler, task: Task) -> Sequence[Verdict]:
        if task.is_uncertain and not handler.spec.is_repeatable:
            why = "its outcome is unknown"
            if task.doubt_since is not None:
                why = "it may have been sent before the restore of a backup"
            reason = f"{why} and it must not be sent twice; check, then retry or discard"
            return [Rejected(reason)] * len(task.calls)
        # A handler's requests have deadlines of their own; this bounds several of them together.
        with anyio.move_on_after(4 * self._tools.limits.timeout.total_seconds()):
            try:
                return await handler.deliver(task)
            except (ConfigError, WrongOrgError):
                raise
            except Exception as error:  # noqa: BLE001 (a defect met by one action must not stop the others)
                _LOG.error("defect", do=task.do, action_id=task.key, place=place_of(error))
                return [Unknown(f"a defect of pagerforce: {place_of(error)}")] * len(task.calls)
        return [Unknown("no answer within the deadline")] * len(task.calls)

    async def _settle(
        self, job: Job, verdicts: Sequence[Verdict], requests: Sequence[Sequence[str]]
    ) -> None:
        now = self._tools.clock.now()
        settled = [
            (
                action,
                verdict,
                replace(settlement_of(verdict, action, self._tools.policy, now), requests=requests),
            )
            for action, verdict in zip(job.actions, verdicts, strict=True)
        ]
        wait = _FIRST_WAIT_SECONDS
        while not await self._store(job, settled, now):
            # What was done must be noted. The process may end before: then it is looked for.
            await anyio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        for action, verdict, outcome in settled:
            self._report(job, action, verdict, outcome.state, now)

    async def _store(
        self, job: Job, settled: Sequence[tuple[Action, Verdict, Settlement]], now: datetime
    ) -> bool:
        """Stores an outcome and all that it changed; False where nothing can be stored just now."""
        try:
            async with self._tools.database.write() as tx:
                for action, verdict, outcome in settled:
                    await outbox.settle(tx, action, _placed(outcome, job.task, verdict), now)
                    await store_effects(tx, job.task, action, verdict, self._tools.skew())
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        return True

    def _report(
        self, job: Job, action: Action, verdict: Verdict, state: ActionState, now: datetime
    ) -> None:
        side = self._tools.handlers[action.do].spec.side
        if isinstance(verdict, HaltSide):
            self._halted[side] = now + timedelta(seconds=verdict.after_seconds or _HALT_SECONDS)
            _LOG.error("side_halted", side=side.value, reason=verdict.reason)
        word = "retried" if state is ActionState.PENDING else state.value
        self._tools.metrics.count_action(action.do, word)
        if state is ActionState.DELIVERED:
            latency = max(0.0, (now - job.event.at).total_seconds())
            self._tools.metrics.sync_latency.labels(job.event.source.value).observe(latency)
        level = _LOG.warning if state is ActionState.DEAD_LETTER else _LOG.info
        level(
            "action",
            action_id=action.id,
            do=action.do,
            outcome=type(verdict).__name__.lower(),
            state=state.value,
            incident=job.task.incident_id,
            record=job.task.record_id,
            attempt=action.attempts + 1,
            # Of what is tried again the reason speaks of the connection, never of customers' text.
            reason=verdict.reason if isinstance(verdict, RetryLater | Unknown) else None,
        )


def _placed(outcome: Settlement, task: Task, verdict: Verdict) -> Settlement:
    """The settlement with what the action acted on, by which operators look for it."""
    incident_id, record_id = task.incident_id, task.record_id
    for effect in verdict.effects if isinstance(verdict, Delivered) else ():
        if isinstance(effect, IncidentMade):
            incident_id = effect.incident.id
        elif isinstance(effect, RecordMade):
            record_id = effect.record.id
    return replace(outcome, incident_id=incident_id, record_id=record_id)
