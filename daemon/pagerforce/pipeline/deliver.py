"""Delivers the outbox: several links at once, the actions of one link one at a time, in order.

An attempt is stored before it is made, with what it will bring back, and its outcome together with
everything it changed in one transaction. What was under way when the process died is looked for
before it is sent again (contract promise 2). A full disk is waited out: nothing is sent that can't be
noted, and what was sent is noted as soon as that is possible.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from pagerforce.errors import ConfigError, RemoteError, StoreUnavailableError, WrongOrgError
from pagerforce.model.action import Task
from pagerforce.model.ids import Side
from pagerforce.model.ports import ActionHandler, BatchHandler
from pagerforce.model.verdict import (
    Delivered,
    Expectation,
    HaltSide,
    IncidentMade,
    RecordMade,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.log import get_log
from pagerforce.observe.requests import recording
from pagerforce.pipeline.claim import Claimer, Job
from pagerforce.pipeline.settle import settlement_of, store_effects
from pagerforce.pipeline.tools import Tools
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.store import attempts, outbox, traces
from pagerforce.store.database import Transaction
from pagerforce.store.heads import LONGEST_WAIT, has_work
from pagerforce.store.outbox import Action, ActionState, Settlement

_LOG = get_log("deliver")
_IDLE_SECONDS = 1.0
_HALT_SECONDS = 30.0
_STORAGE_SECONDS = 2.0
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """A job with what its attempt will bring back.

    ``expected`` None: nothing is sent now, and what an earlier attempt left stays; ``failed`` says why.
    """

    job: Job
    expected: Sequence[Expectation] | None
    failed: Verdict | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    """What became of one action of a job."""

    job: Job
    action: Action
    verdict: Verdict
    outcome: Settlement


class Deliverer:
    """The delivery loop."""

    def __init__(self, tools: Tools, claimer: Claimer, writes: WriteLog) -> None:
        self._tools = tools
        self._claimer = claimer
        self._writes = writes
        self._wake = anyio.Event()
        self._active: dict[int, frozenset[str]] = {}
        self._halted: dict[Side, datetime] = {}
        self._is_stopping = False
        self._storage_trouble = ""
        self._resume_at = float("-inf")

    def wake(self) -> None:
        """Something new waits in the outbox."""
        self._wake.set()

    def expect_more(self, side: Side, *, is_more: bool) -> None:
        """Whether a backlog or a burst of a side is being read, so that more is to come soon."""
        self._claimer.expect_more(side, is_more=is_more)
        self.wake()

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
        under_way = frozenset[str]().union(*self._active.values())
        try:
            async with self._tools.database.read() as tx:
                is_idle = not await has_work(tx)
            if is_idle:
                return False
            async with self._tools.database.write() as tx:
                attempts, is_moved = await self._claimer.claim(
                    tx, now, slots=free, kinds=kinds, under_way=under_way
                )
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        self._storage_trouble = ""
        for jobs in attempts:
            number = id(jobs)
            self._active[number] = frozenset(key for job in jobs for key in job.task.ids)
            group.start_soon(self._run_jobs, jobs, number)
        return is_moved

    def _open_kinds(self, now: datetime) -> list[str]:
        # One for longer than that is from before this host's clock was set back.
        last = now + LONGEST_WAIT
        self._halted = {side: at for side, at in self._halted.items() if now < at <= last}
        return [
            do
            for do, handler in self._tools.handlers.items()
            if handler.spec.side not in self._halted
        ]

    async def _run_jobs(self, jobs: Sequence[Job], number: int) -> None:
        record_ids = [job.task.record_id for job in jobs if job.task.record_id is not None]
        try:
            for record_id in record_ids:
                self._writes.begin(record_id)
            await self._attempt(jobs)
        finally:
            for record_id in record_ids:
                self._writes.end(record_id)
            del self._active[number]
            self._wake.set()

    async def _attempt(self, jobs: Sequence[Job]) -> None:
        """One attempt: announce it, make it, settle it."""
        handler = self._tools.handlers[jobs[0].do]
        foreseen = [await self._foresee(handler, job) for job in jobs]
        begun = await self._announce(foreseen)
        ready = [item.job for item in begun if item.failed is None]
        settled: list[tuple[Job, Sequence[Verdict]]] = [
            (item.job, [item.failed] * len(item.job.actions))
            for item in begun
            if item.failed is not None
        ]
        with recording() as requests:
            if ready:
                settled += zip(ready, await self._deliver(handler, ready), strict=True)
        if settled:
            await self._settle(settled, requests)

    async def _foresee(self, handler: ActionHandler, job: Job) -> _Foreseen:
        """What the attempt will bring back; a verdict where that could not be found out."""
        try:
            return _Foreseen(job, await handler.expectations(job.task))
        except RemoteError as error:
            return _Foreseen(job, None, self._tools.verdict_of(error))

    async def _announce(self, foreseen: Sequence[_Foreseen]) -> list[_Foreseen]:
        """Stores that the attempt starts; without those that are gone, none where nothing can be stored."""
        now = self._tools.clock.now()
        begun = []
        try:
            async with self._tools.database.write() as tx:
                for item in foreseen:
                    job = item.job
                    if not await attempts.begin_attempt(tx, job.actions, job.task.incident_id, now):
                        continue
                    begun.append(item)
                    if item.expected is not None:
                        await _expect(tx, job.task, item.expected, now)
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return []
        return begun

    async def _deliver(
        self, handler: ActionHandler, jobs: Sequence[Job]
    ) -> Sequence[Sequence[Verdict]]:
        tasks = [job.task for job in jobs]
        if any(task.is_uncertain for task in tasks) and not handler.spec.is_repeatable:
            why = "its outcome is unknown"
            if any(task.doubt_since is not None for task in tasks):
                why = "it may have been sent before the restore of a backup"
            reason = f"{why} and it must not be sent twice; check, then retry or discard"
            return _all(jobs, Rejected(reason))
        # A handler's requests have deadlines of their own; this bounds several of them together.
        with anyio.move_on_after(4 * self._tools.limits.timeout.total_seconds()):
            try:
                if len(tasks) > 1 and isinstance(handler, BatchHandler):
                    return await handler.deliver_batch(tasks)
                return [await handler.deliver(task) for task in tasks]
            except (ConfigError, WrongOrgError):
                raise
            except Exception as error:  # noqa: BLE001 (a defect met by one action must not stop the others)
                head = tasks[0]
                reason = report_internal_error(
                    self._tools.metrics, Part.ACTION, error, about=head.key
                )
                return _all(jobs, Unknown(reason))
        return _all(jobs, Unknown("no answer within the deadline"))

    async def _settle(
        self,
        attempts: Sequence[tuple[Job, Sequence[Verdict]]],
        requests: Sequence[Sequence[str]],
    ) -> None:
        now = self._tools.clock.now()
        settled = [
            _Settled(
                job,
                action,
                verdict,
                replace(settlement_of(verdict, action, self._tools.policy, now), requests=requests),
            )
            for job, verdicts in attempts
            for action, verdict in zip(job.actions, verdicts, strict=True)
        ]
        wait = _FIRST_WAIT_SECONDS
        while not await self._store(settled, now):
            # What was done must be noted. The process may end before: then it is looked for.
            await anyio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        for item in settled:
            self._report(item, now)

    async def _store(self, settled: Sequence[_Settled], now: datetime) -> bool:
        """Stores outcomes and all that they changed; False where nothing can be stored just now."""
        try:
            async with self._tools.database.write() as tx:
                for item in settled:
                    task = item.job.task
                    outcome = _placed(item.outcome, task, item.verdict)
                    await outbox.settle(tx, item.action, outcome, now)
                    await store_effects(tx, task, item.action, item.verdict, self._tools.skew())
        except StoreUnavailableError as error:
            self._tell_storage(error)
            return False
        return True

    def _report(self, item: _Settled, now: datetime) -> None:
        job, action, verdict, state = item.job, item.action, item.verdict, item.outcome.state
        side = self._tools.handlers[action.do].spec.side
        if isinstance(verdict, HaltSide):
            wait = timedelta(seconds=verdict.after_seconds or _HALT_SECONDS)
            self._halted[side] = now + min(wait, LONGEST_WAIT)
            _LOG.error("side_halted", side=side.value, reason=verdict.reason)
        word = "retried" if state is ActionState.PENDING else state.value
        self._tools.metrics.count_action(action.do, word)
        if isinstance(verdict, Delivered | Skipped) and verdict.winner is not None:
            self._tools.metrics.count_conflict(verdict.winner)
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


async def _expect(
    tx: Transaction, task: Task, expected: Sequence[Expectation], now: datetime
) -> None:
    """Stores what an attempt will bring back, of each action by itself."""
    for place, action_id in enumerate(task.ids):
        await traces.expect(tx, action_id, [x for x in expected if x.place == place], now)


def _all(jobs: Sequence[Job], verdict: Verdict) -> Sequence[Sequence[Verdict]]:
    """The same verdict for every action."""
    return [[verdict] * len(job.actions) for job in jobs]


def _placed(outcome: Settlement, task: Task, verdict: Verdict) -> Settlement:
    """The settlement with what the action acted on, by which operators look for it."""
    incident_id, record_id = task.incident_id, task.record_id
    for effect in verdict.effects if isinstance(verdict, Delivered) else ():
        if isinstance(effect, IncidentMade):
            incident_id = effect.incident.id
        elif isinstance(effect, RecordMade):
            record_id = effect.record.id
    return replace(outcome, incident_id=incident_id, record_id=record_id)
