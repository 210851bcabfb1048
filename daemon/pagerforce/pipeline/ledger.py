"""Stores the outcomes of attempts in the outbox, also after internal errors.

An outcome is stored with all its effects. If that raises, the other actions of the attempt are
stored without the failing one. That one is searched for again, or, if it must not be sent twice,
its outcome is stored without its effects.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import StoreUnavailableError
from pagerforce.model.action import Task
from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.outbox import Action, ActionState, Settlement
from pagerforce.model.verdict import (
    Delivered,
    IncidentMade,
    RecordMade,
    RetryLater,
    Unknown,
    Verdict,
)
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.log import get_log
from pagerforce.pipeline.claim import Job
from pagerforce.pipeline.settle import settlement_of, store_effects
from pagerforce.pipeline.tools import Tools
from pagerforce.store import attempts, outbox
from pagerforce.store.database import Transaction
from pagerforce.store.trouble import concerns_all

_LOG = get_log("deliver")
_REST_SECONDS = 2.0
_MOST_DOUBLINGS = 10

_Store: TypeAlias = Callable[[Transaction, Action, Settlement, datetime], Awaitable[None]]
_PLAIN: tuple[_Store, ...] = (attempts.note_outcome,)


class Settled(Struct, frozen=True):
    """The result of one action of a job."""

    job: Job
    action: Action
    verdict: Verdict
    outcome: Settlement


class Ledger:
    """Stores the results of actions; knows when nothing can be stored."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._trouble = ""
        self._resume_at = float("-inf")

    @property
    def is_resting(self) -> bool:
        """Whether nothing may be started for a moment."""
        return self._tools.clock.monotonic() < self._resume_at

    def rest(self) -> None:
        """Starts nothing for a moment: the same error would occur again at once."""
        self._resume_at = self._tools.clock.monotonic() + _REST_SECONDS

    def tell_storage(self, error: StoreUnavailableError) -> None:
        """Logs a storage error, once per reason, and rests."""
        self.rest()
        if str(error) != self._trouble:
            _LOG.error("storage_unavailable", reason=str(error))
        self._trouble = str(error)

    def note_storage(self) -> None:
        """Notes that storing works again."""
        self._trouble = ""

    def report(self, error: BaseException, about: str) -> str:
        """Reports an action's exception; returns the text for its reason."""
        return report_internal_error(self._tools.metrics, Part.ACTION, error, about=about)

    def judge(self, verdict: Verdict, action: Action, now: datetime) -> tuple[Verdict, Settlement]:
        """The settlement for a verdict; one that can't be handled becomes an unknown outcome."""
        try:
            return verdict, settlement_of(verdict, action, self._tools.policy, now)
        except Exception as error:  # noqa: BLE001 (the request was sent: store its outcome)
            reason = self.report(error, action.id)
        began = action.retried_at or action.first_attempt_at or now
        if now - began >= self._tools.policy.retry_for:
            return Unknown(reason), Settlement(ActionState.DEAD_LETTER, "unknown", reason)
        # The policy itself may have raised.
        doublings = min(action.attempts + 1, _MOST_DOUBLINGS)
        next_at = now + min(timedelta(seconds=2.0**doublings), LONGEST_WAIT)
        waits = Settlement(ActionState.PENDING, "unknown", reason, next_at, is_uncertain=True)
        return Unknown(reason), waits

    async def store(self, settled: Sequence[Settled], now: datetime) -> Sequence[Settled]:
        """Stores outcomes and all their effects.

        Returns:
            The stored ones, perhaps with another outcome; fewer if nothing can be stored now.
        """
        try:
            await self._store_all(settled, now)
        except StoreUnavailableError as error:
            self.tell_storage(error)
            return []
        except Exception as error:
            if concerns_all(error):
                raise
            if len(settled) > 1:
                return [done for one in settled for done in await self.store([one], now)]
            return await self._store_bare(settled[0], error, now)
        return settled

    async def _store_all(self, settled: Sequence[Settled], now: datetime) -> None:
        async with self._tools.database.write() as tx:
            for item in settled:
                task = item.job.task
                outcome = _placed(item.outcome, task, item.verdict)
                ahead = self._tools.ahead(self._tools.handlers[item.action.do].spec.side)
                await outbox.settle(tx, item.action, outcome, now, ahead)
                await store_effects(tx, task, item.action, item.verdict, self._tools.skew())

    async def _store_bare(
        self, item: Settled, error: Exception, now: datetime
    ) -> Sequence[Settled]:
        """Stores an outcome without its effects."""
        reason = self.report(error, item.action.id)
        is_repeatable = self._tools.handlers[item.action.do].spec.is_repeatable
        if isinstance(item.verdict, Delivered) and is_repeatable:
            # The search will find it done and store it with all its effects.
            verdict, outcome = self.judge(Unknown(reason), item.action, now)
            outcome = replace(outcome, requests=item.outcome.requests)
            item = replace(item, verdict=verdict, outcome=outcome)
        is_stored = await self._note(item.action, item.outcome, now, (outbox.settle, *_PLAIN))
        return [item] if is_stored else []

    async def set_back(self, actions: Sequence[Action], reason: str, now: datetime) -> None:
        """Counts an attempt without a request: each action waits, and finally is a dead letter."""
        for action in actions:
            verdict, outcome = self.judge(RetryLater(reason), action, now)
            if isinstance(verdict, Unknown):
                outcome = replace(outcome, is_uncertain=action.is_uncertain)
            if not await self._begin_and_settle(action, outcome, now):
                await self._note(action, outcome, now, _PLAIN)
            self._report_outcome(action, outcome)

    async def give_back(self, actions: Sequence[Action], reason: str, now: datetime) -> None:
        """Settles an attempt that ended at an unknown point: if it had begun, it may be sent."""
        for action in actions:
            try:
                async with self._tools.database.read() as tx:
                    is_begun = await attempts.is_under_way(tx, action.id)
            except Exception as error:
                if concerns_all(error) and not isinstance(error, StoreUnavailableError):
                    raise
                is_begun = True
            if is_begun:
                _, outcome = self.judge(Unknown(reason), action, now)
                await self._note(action, outcome, now, (outbox.settle, *_PLAIN))
                self._report_outcome(action, outcome)
            else:
                await self.set_back([action], reason, now)

    async def _begin_and_settle(self, action: Action, outcome: Settlement, now: datetime) -> bool:
        """Counts the attempt like any other, so that ``why`` shows it."""
        try:
            async with self._tools.database.write() as tx:
                if await attempts.begin_attempt(tx, [action], None, now):
                    await outbox.settle(tx, action, outcome, now)
        except Exception as error:
            if concerns_all(error) and not isinstance(error, StoreUnavailableError):
                raise
            return False
        return True

    async def _note(
        self, action: Action, outcome: Settlement, now: datetime, ways: Sequence[_Store]
    ) -> bool:
        """Stores only an outcome, in the first way that works; False: not possible now."""
        for store in ways:
            try:
                async with self._tools.database.write() as tx:
                    await store(tx, action, outcome, now)
            except StoreUnavailableError as error:
                self.tell_storage(error)
                return False
            except Exception as error:
                if concerns_all(error):
                    raise
                self.report(error, action.id)
            else:
                return True
        self.rest()
        return False

    def _report_outcome(self, action: Action, outcome: Settlement) -> None:
        try:
            self._tell_outcome(action, outcome)
        except Exception as error:  # noqa: BLE001 (the outcome is stored, reported or not)
            self.report(error, action.id)

    def _tell_outcome(self, action: Action, outcome: Settlement) -> None:
        word = "retried" if outcome.state is ActionState.PENDING else outcome.state.value
        self._tools.metrics.count_action(action.do, word)
        level = _LOG.warning if outcome.state is ActionState.DEAD_LETTER else _LOG.info
        level(
            "action",
            action_id=action.id,
            do=action.do,
            outcome=outcome.verdict,
            state=outcome.state.value,
            attempt=action.attempts + 1,
            reason=outcome.reason,
        )


def _placed(outcome: Settlement, task: Task, verdict: Verdict) -> Settlement:
    """The settlement with the incident and record of the action, so that operators can find it."""
    incident_id, record_id = task.incident_id, task.record_id
    for effect in verdict.effects if isinstance(verdict, Delivered) else ():
        if isinstance(effect, IncidentMade):
            incident_id = effect.incident.id
        elif isinstance(effect, RecordMade):
            record_id = effect.record.id
    return replace(outcome, incident_id=incident_id, record_id=record_id)
