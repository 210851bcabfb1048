"""Delivers the outbox: several links at once, the actions of one link one at a time, in order.

An attempt is stored with its expectations before it is made. Its outcome is stored with all its
effects in one transaction. An attempt that was under way when the process died is searched for
before it is sent again (docs/guarantees.md, 2). Delivery waits while the disk is full: nothing is
sent that can't be recorded, and the outcomes of sent requests are recorded as soon as possible.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import RemoteError, StoreUnavailableError, TransientError
from pagerforce.model.action import Task
from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.expectation import Expectation, place_of
from pagerforce.model.ids import Side
from pagerforce.model.outbox import Action, ActionState
from pagerforce.model.ports import ActionHandler, BatchHandler
from pagerforce.model.verdict import (
    Delivered,
    HaltSide,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.observe import pulse
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.log import get_log
from pagerforce.observe.requests import recording
from pagerforce.pipeline.claim import Claimed, Claimer, Job
from pagerforce.pipeline.ledger import Ledger, Settled
from pagerforce.pipeline.patience import Patience
from pagerforce.pipeline.settle import bounded_wait
from pagerforce.pipeline.tools import Tools
from pagerforce.pipeline.write_log import WriteLog
from pagerforce.store import attempts, outbox, own_writes
from pagerforce.store.database import Transaction
from pagerforce.store.lanes import has_work
from pagerforce.store.trouble import concerns_all

_LOG = get_log("deliver")
_IDLE_SECONDS = 1.0
_EMPTY_SECONDS = 5.0  # commits, operators' changes and the end of each reading wake the loop
_HALT_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 10.0


class _Foreseen(Struct, frozen=True):
    """A job with the expectations of its attempt.

    ``expected`` None: nothing is sent now, and earlier expectations stay; ``failed`` says why.
    """

    job: Job
    expected: Sequence[Expectation] | None
    failed: Verdict | None = None


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
        self._is_recovered = False
        self._is_empty = False
        self._ledger = Ledger(tools)

    def wake(self) -> None:
        """Wakes the loop: something new waits in the outbox."""
        self._wake.set()

    def expect_more(self, side: Side, *, is_more: bool) -> None:
        """``is_more``: a backlog or a burst of a side is being read, so more will follow soon."""
        self._claimer.expect_more(side, is_more=is_more)
        self.wake()

    def stop(self) -> None:
        """Starts nothing more; ``run`` returns once all current attempts are settled."""
        self._is_stopping = True
        self._wake.set()

    @property
    def _longest_attempt(self) -> float:
        """Seconds for all requests of one attempt."""
        return 4 * self._tools.limits.timeout.total_seconds()

    @property
    def halted(self) -> Mapping[Side, datetime]:
        """Sides that accept nothing now, and until when."""
        return self._halted

    async def run(self, beat: Callable[[], None]) -> None:
        """Delivers until stopped. ``beat`` is called every few seconds."""
        self._is_recovered = False
        async with anyio.create_task_group() as group:
            while not self._is_stopping:
                beat()
                self._wake = anyio.Event()
                if not await self._turn(group):
                    pause = _EMPTY_SECONDS if self._is_empty else _IDLE_SECONDS
                    with anyio.move_on_after(pause):
                        await self._wake.wait()

    async def _turn(self, group: TaskGroup) -> bool:
        """Starts the attempts that may go; whether to try again at once. Contains exceptions."""
        self._is_empty = False
        try:
            self._is_recovered = self._is_recovered or await self._recover()
            return await self._start_jobs(group)
        except StoreUnavailableError as error:
            self._ledger.tell_storage(error)
        except Exception as error:
            if concerns_all(error):
                raise
            report_internal_error(self._tools.metrics, Part.STORE, error, about="delivery")
            self._ledger.rest()
        return False

    async def _recover(self) -> bool:
        async with self._tools.database.write() as tx:
            recovered = await outbox.recover(tx, self._claimer.specs)
        if recovered:
            _LOG.warning("unfinished_actions_found", count=recovered)
        return True

    async def drain(self) -> None:
        """Delivers the actions that may go, then those that they release, until none is due.

        For tests, which step the daemon and recover by hand.
        """
        self._is_recovered = True
        is_busy = True
        while is_busy:
            async with anyio.create_task_group() as group:
                is_moved = await self._turn(group)
                is_busy = is_moved or bool(self._active)

    async def _start_jobs(self, group: TaskGroup) -> bool:
        now = self._tools.clock.now()
        free = self._tools.limits.concurrency - len(self._active)
        kinds = self._open_kinds(now)
        if free <= 0 or not kinds or self._ledger.is_resting:
            return False
        async with self._tools.database.read() as tx:
            self._is_empty = not await has_work(tx)
        if self._is_empty:
            return False
        claimed = await self._claim(now, free, kinds)
        self._ledger.note_storage()
        for jobs in claimed.attempts:
            number = id(jobs)
            self._active[number] = frozenset(key for job in jobs for key in job.task.ids)
            group.start_soon(self._run_jobs, jobs, number)
        for action, error in claimed.failed:
            reason = self._ledger.report(error, action.id)
            await self._ledger.set_back([action], reason, now)
        return claimed.is_moved

    async def _claim(self, now: datetime, slots: int, kinds: Sequence[str]) -> Claimed:
        """Claims attempts; after an exception once more, with each action contained separately."""
        under_way = frozenset[str]().union(*self._active.values())

        async def claim(*, is_careful: bool) -> Claimed:
            async with self._tools.database.write() as tx:
                return await self._claimer.claim(
                    tx, now, slots=slots, kinds=kinds, under_way=under_way, is_careful=is_careful
                )

        try:
            return await claim(is_careful=False)
        except Exception as error:
            if concerns_all(error):
                raise
        return await claim(is_careful=True)

    def _open_kinds(self, now: datetime) -> list[str]:
        # A longer halt comes from the time before this host's clock was set back.
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
            with pulse.work(jobs[0].do):
                await self._attempt(jobs)
        except Exception as error:
            if concerns_all(error):
                raise
            actions = [action for job in jobs for action in job.actions]
            reason = self._ledger.report(error, actions[0].id)
            await self._ledger.give_back(actions, reason, self._tools.clock.now())
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
        """The expectations of the attempt, or a verdict if they could not be determined."""
        with Patience(self._longest_attempt):
            try:
                return _Foreseen(job, await handler.expectations(job.task))
            except RemoteError as error:
                return _Foreseen(job, None, self._tools.verdict_of(error))
            except Exception as error:
                if concerns_all(error):
                    raise
                # Nothing was sent: the outcome is as certain as before.
                reason = self._ledger.report(error, job.task.key)
                return _Foreseen(job, None, RetryLater(reason))
        late = TransientError("nothing was sent: the data for it was not read within the deadline")
        return _Foreseen(job, None, self._tools.verdict_of(late))

    async def _announce(self, foreseen: Sequence[_Foreseen]) -> list[_Foreseen]:
        """Stores that the attempt starts; leaves out actions that are gone or can't be stored."""
        now = self._tools.clock.now()
        try:
            return await self._begin(foreseen, now)
        except StoreUnavailableError as error:
            self._ledger.tell_storage(error)
        except Exception as error:
            if concerns_all(error):
                raise
            if len(foreseen) > 1:
                return [begun for one in foreseen for begun in await self._announce([one])]
            job = foreseen[0].job
            reason = self._ledger.report(error, job.task.key)
            await self._ledger.set_back(job.actions, reason, now)
        return []

    async def _begin(self, foreseen: Sequence[_Foreseen], now: datetime) -> list[_Foreseen]:
        begun = []
        async with self._tools.database.write() as tx:
            for item in foreseen:
                job = item.job
                ahead = self._tools.ahead(self._tools.handlers[job.task.do].spec.side)
                if not await attempts.begin_attempt(
                    tx, job.actions, job.task.incident_id, now, ahead
                ):
                    continue
                begun.append(item)
                if item.expected is not None:
                    await _expect(tx, job.task, item.expected, now)
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
        with Patience(self._longest_attempt):
            try:
                if len(tasks) > 1 and isinstance(handler, BatchHandler):
                    return _checked(jobs, await handler.deliver_batch(tasks))
                return _checked(jobs, [await handler.deliver(task) for task in tasks])
            except Exception as error:
                if concerns_all(error):
                    raise
                # It may have been sent. Each of several is searched for separately.
                return _all(jobs, Unknown(self._ledger.report(error, tasks[0].key)))
        return _all(jobs, Unknown("no answer within the deadline"))

    async def _settle(
        self,
        attempts: Sequence[tuple[Job, Sequence[Verdict]]],
        requests: Sequence[Sequence[str]],
    ) -> None:
        now = self._tools.clock.now()
        left = [
            self._settled(job, action, verdict, requests)
            for job, verdicts in attempts
            for action, verdict in zip(job.actions, verdicts, strict=True)
        ]
        wait = _FIRST_WAIT_SECONDS
        while True:
            stored = await self._ledger.store(left, now)
            for item in stored:
                self._report(item, now)
            done = {item.action.id for item in stored}
            left = [item for item in left if item.action.id not in done]
            if not left:
                return
            # The outcome must be recorded. If the process ends before, it is searched for.
            await anyio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)

    def _settled(
        self, job: Job, action: Action, verdict: Verdict, requests: Sequence[Sequence[str]]
    ) -> Settled:
        judged, outcome = self._ledger.judge(verdict, action, self._tools.clock.now())
        return Settled(job, action, judged, replace(outcome, requests=requests))

    def _report(self, item: Settled, now: datetime) -> None:
        try:
            self._tell(item, now)
        except Exception as error:  # noqa: BLE001 (the outcome is stored, reported or not)
            self._ledger.report(error, item.action.id)

    def _tell(self, item: Settled, now: datetime) -> None:
        job, action, verdict, state = item.job, item.action, item.verdict, item.outcome.state
        side = self._tools.handlers[action.do].spec.side
        if isinstance(verdict, HaltSide):
            self._halted[side] = now + bounded_wait(verdict.after_seconds or _HALT_SECONDS)
            _LOG.error("side_halted", side=side.value, reason=verdict.reason)
        word = "retried" if state is ActionState.PENDING else state.value
        self._tools.metrics.count_action(action.do, word)
        if isinstance(verdict, Rejected) and verdict.is_doubt:
            self._tools.metrics.count_doubt(action.do)
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
            # The reason of a retry is about the connection and never has customers' text.
            reason=verdict.reason if isinstance(verdict, RetryLater | Unknown) else None,
        )


async def _expect(
    tx: Transaction, task: Task, expected: Sequence[Expectation], now: datetime
) -> None:
    """Stores the expectations of an attempt, for each action separately."""
    for place, action_id in enumerate(task.ids):
        mine = [x for x in expected if place_of(x) == place]
        await own_writes.expect(tx, action_id, mine, now, is_uncertain=task.is_uncertain)


def _all(jobs: Sequence[Job], verdict: Verdict) -> Sequence[Sequence[Verdict]]:
    """The same verdict for every action."""
    return [[verdict] * len(job.actions) for job in jobs]


def _checked(
    jobs: Sequence[Job], verdicts: Sequence[Sequence[Verdict]]
) -> Sequence[Sequence[Verdict]]:
    """A handler's verdicts, one for each action.

    Raises:
        ValueError: their number is not that of the actions.
    """
    if [len(found) for found in verdicts] != [len(job.actions) for job in jobs]:
        raise ValueError("a handler must return one verdict for each action")
    return verdicts
