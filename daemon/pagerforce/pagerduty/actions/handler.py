"""The base class of all handlers: one attempt, and the verdict on its errors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta

from pagerforce.errors import (
    MalformedError,
    RefusedError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.model.action import ActionSpec, Task
from pagerforce.model.expectation import Expectation, not_before
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Rejected, RetryLater, Skipped, Unknown, Verdict
from pagerforce.pagerduty.actions.advice import is_resolved_refusal, rejection_reason
from pagerforce.pagerduty.actions.earlier import find_earlier_doing
from pagerforce.pagerduty.actions.stand_in import is_about_requester
from pagerforce.pagerduty.actions.tools import PagerDutyTools, Writer
from pagerforce.pagerduty.rate import RateClass
from pagerforce.wire.verdicts import verdict_of

# Answers and entries may use different clocks. Missing a person's change is better than treating an
# echo as an event.
_CLOCK_DOUBT = timedelta(minutes=5)
_AT_ONCE = 0.0


class Handler(ABC):
    """Delivers one kind of action; implements ``model.ports.ActionHandler``."""

    spec: ActionSpec
    """Its declaration."""
    rate_class: RateClass
    """How urgent its requests are."""
    _is_told_by_log = False
    """Whether the expected entries prove that it was done; otherwise another search is used."""

    def __init__(self, tools: PagerDutyTools) -> None:
        self._tools = tools

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """The entries that polls may show because of this attempt; none from long before it."""
        expected = await self._expect(task, only_call(task))
        began_at = self._tools.client.server_time
        if began_at is None or task.is_uncertain:  # an earlier attempt may have done it
            return expected
        since = began_at - _CLOCK_DOUBT
        return [not_before(item, since) for item in expected]

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """One attempt."""
        args = only_call(task)
        try:
            if task.doubt_since is not None and self._is_told_by_log:
                expected = await self._expect(task, args)
                entry = await find_earlier_doing(self._tools, task, expected)
                if entry is not None:
                    return (Delivered(f"done before the restore: log entry {entry.id}"),)
            return (await self._attempt(task, args),)
        except RemoteError as error:
            writer = await self._refused_writer(task, error)
            return (self._judge(task, error) if writer is None else self._stand_in(writer, error),)

    async def _refused_writer(self, task: Task, error: RemoteError) -> Writer | None:
        """The person in whose name it was sent, if PagerDuty refused that person."""
        if not isinstance(error, RefusedError) or not is_about_requester(error):
            return None
        writer = await self._writer_of(task)
        return writer if writer.actor_id is not None else None

    async def _writer_of(self, task: Task) -> Writer:
        """The writer of the change."""
        return await self._tools.writer_of(task)

    def _stand_in(self, writer: Writer, error: RemoteError) -> Verdict:
        """The integration user makes the next attempt: a person's missing rights stop nothing."""
        if writer.actor_id is not None:
            self._tools.stand_ins.refuse(writer.actor_id)
        who = f"PagerDuty refuses this from {writer.actor_id}"
        return RetryLater(f"{who} ({error}): the integration user tries it next", _AT_ONCE)

    @abstractmethod
    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        """Makes the change, or finds it unnecessary. Raises the ``RemoteError`` family."""

    @abstractmethod
    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        """The log entries that it will cause. Raises the ``RemoteError`` family."""

    def _judge(self, task: Task, error: RemoteError) -> Verdict:
        if isinstance(error, RefusedError):
            if is_resolved_refusal(error):
                return Skipped("the incident is resolved already")
            return Rejected(rejection_reason(error))
        if isinstance(error, UnknownOutcomeError) and not self.spec.is_repeatable:
            return Rejected(
                f"{error}: its outcome is unknown and it is not sent again; look at the incident, "
                "then retry or discard it"
            )
        if task.is_uncertain and isinstance(error, TransientError | MalformedError):
            # The search for the earlier attempt's effect failed: its outcome stays unknown.
            return Unknown(str(error), is_answered=bool(error.code))
        return verdict_of(error)


def only_call(task: Task) -> Mapping[str, Json]:
    """The arguments; only ``salesforce.set_field`` ever gets several calls at once."""
    if len(task.calls) != 1:
        raise ValueError(f"{task.do} takes one call at a time, not {len(task.calls)}")
    return task.calls[0]
