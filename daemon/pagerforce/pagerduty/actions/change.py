"""Changes existing incidents: read, decide, write, one at a time or up to 250 in one request.

A bulk request is all or nothing: if PagerDuty refuses one incident, it refuses the whole request
and does not name that incident. The request is then halved until the refused incident is alone.
Fact: ``pagerduty.bulk-all-or-nothing``.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import Task
from pagerforce.model.incident import Incident
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Verdict
from pagerforce.pagerduty.actions.advice import is_resolved_refusal
from pagerforce.pagerduty.actions.desk import Sight, Writer, incident_id_of
from pagerforce.pagerduty.actions.handler import Handler, only_call
from pagerforce.pagerduty.actions.stand_in import is_about_requester
from pagerforce.pagerduty.client import Raw
from pagerforce.pagerduty.decode import decode_incident
from pagerforce.pagerduty.refusals import ALREADY_ACKNOWLEDGED

_PLAN_LACKS_IT = 402


@dataclass(frozen=True, slots=True)
class Change:
    """The fields to send for one incident, and the text of the outcome.

    Attributes:
        instead: sent once if PagerDuty refuses this change because of an optional part.
    """

    fields: Raw
    done: str
    instead: "Change | None" = None


Decider: TypeAlias = Callable[[Task, Writer, Sight], Awaitable[Change | Verdict]]
"""Returns the change for the current incident, or a verdict without a write; may read its log."""


@dataclass(slots=True)
class Order:
    """One task on its way to its verdict.

    Attributes:
        decide: built from the task's arguments, with all names resolved.
        before: the incident as it was read.
        change: the decided change, as finally sent.
        after: the incident in the answer to the write; None if it is missing there.
        is_sent_twice: another write followed one that took effect in part.
    """

    task: Task
    verdict: Verdict | None = None
    decide: Decider | None = None
    writer: Writer | None = None
    before: Incident | None = None
    change: Change | None = None
    after: Incident | None = None
    is_sent_twice: bool = False

    @property
    def end(self) -> Verdict:
        """Its verdict.

        Raises:
            ValueError: it has no verdict yet.
        """
        if self.verdict is None:
            raise ValueError(f"{self.task.do} ended without a verdict")
        return self.verdict


class ChangeHandler(Handler):
    """The base class of all actions that change an incident."""

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        decide = await self._decider(args)
        order = Order(task, None, decide, await self._writer_of(task))
        await self._decide(order, await self._desk.read_incident(task))
        if order.verdict is None and await self._send([order]):
            (order.verdict,) = await self._after([order], None)
        return order.end

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """One attempt at several incidents; a failure of one does not affect the others."""
        orders = [await self._order(task) for task in tasks]
        read_at = self._desk.client.server_time
        await self._look(_open(orders))
        by_writer: dict[str, list[Order]] = {}
        for order in _open(orders):
            if order.writer is not None:
                by_writer.setdefault(order.writer.email, []).append(order)
        sent = [done for mine in by_writer.values() for done in await self._send(mine)]
        for order, verdict in zip(sent, await self._after(sent, read_at), strict=True):
            order.verdict = verdict
        return [[order.end] for order in orders]

    async def _order(self, task: Task) -> Order:
        order = Order(task)
        try:
            order.decide = await self._decider(only_call(task))
            order.writer = await self._writer_of(task)
        except RemoteError as error:
            order.verdict = self._judge(task, error)
        return order

    async def _look(self, orders: Sequence[Order]) -> None:
        """Reads the incidents and decides."""
        seen = await self._desk.read_incidents([order.task for order in orders])
        for order in orders:
            sight = seen[incident_id_of(order.task)]
            try:
                if isinstance(sight, RemoteError):
                    raise sight
                await self._decide(order, sight)
            except RemoteError as error:
                order.verdict = self._judge(order.task, error)

    async def _decide(self, order: Order, sight: Sight) -> None:
        if order.decide is None or order.writer is None:
            return
        order.before = sight.incident
        decided = await order.decide(order.task, order.writer, sight)
        if isinstance(decided, Change):
            order.change = decided
        else:
            order.verdict = decided

    async def _send(self, orders: Sequence[Order]) -> list[Order]:
        """Sends the changes of one writer; returns the orders that were written."""
        writer = orders[0].writer
        try:
            await self._put(orders, writer.email if writer else "")
        except RefusedError as error:
            if len(orders) == 1 and _takes_less(orders[0], error):
                return await self._send(orders)
            is_own = not _is_refused_writer(writer, error) and error.status != _PLAN_LACKS_IT
            if len(orders) > 1 and is_own:
                half = len(orders) // 2
                return await self._send(orders[:half]) + await self._send(orders[half:])
            for order in orders:
                order.verdict = self._refused(order.task, error, writer)
        except RemoteError as error:
            for order in orders:
                order.verdict = self._judge(order.task, error)
        else:
            return list(orders)
        return []

    async def _put(self, orders: Sequence[Order], email: str) -> None:
        """Sends one request; keeps the answered incidents. Raises the ``RemoteError`` family."""
        changes: dict[str, Raw] = {
            incident_id_of(order.task): order.change.fields for order in orders if order.change
        }
        rows: Sequence[object]
        if len(orders) == 1:
            ((key, fields),) = changes.items()
            rows = [await self._desk.client.send_update(key, fields, email)]
        else:
            rows = await self._desk.client.send_updates(changes, email)
        shown = {incident.id: incident for incident in _decoded(rows)}
        for order in orders:
            order.after = shown.get(incident_id_of(order.task))

    @abstractmethod
    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        """Resolves the names in the arguments. Raises the ``RemoteError`` family."""

    async def _after(
        self,
        orders: Sequence[Order],
        read_at: datetime | None,  # noqa: ARG002 - for subclasses
    ) -> Sequence[Verdict]:
        """The verdicts on successful writes; ``read_at``: when the incidents were listed."""
        return [Delivered(order.change.done if order.change else "") for order in orders]

    def _refused(self, task: Task, error: RefusedError, writer: Writer | None) -> Verdict:
        if writer is not None and _is_refused_writer(writer, error):
            return self._stand_in(writer, error)
        return self._judge(task, error)


def _takes_less(order: Order, error: RefusedError) -> bool:
    """Replaces the change with its ``instead``, if any; returns whether to send it again."""
    less = order.change.instead if order.change else None
    is_about_it = error.code == ALREADY_ACKNOWLEDGED or is_resolved_refusal(error)
    if less is None or is_about_it or _is_refused_writer(order.writer, error):
        return False
    order.change = less
    return True


def _decoded(rows: Sequence[object]) -> Iterator[Incident]:
    """The incidents of an answer; unreadable ones are ignored."""
    for row in rows:
        if isinstance(row, Mapping):
            with suppress(ValueError):
                yield decode_incident(row)


def _is_refused_writer(writer: Writer | None, error: RefusedError) -> bool:
    return writer is not None and writer.actor_id is not None and is_about_requester(error)


def _open(orders: Sequence[Order]) -> list[Order]:
    return [order for order in orders if order.verdict is None]
