"""Changes existing incidents: read, decide, write, one at a time or up to 250 in one request.

A bulk request is all or nothing: if PagerDuty refuses one incident, it refuses the whole request
and does not name that incident. The request is then halved until the refused incident is alone.
Fact: ``pagerduty.bulk-all-or-nothing``.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import Task
from pagerforce.model.incident import Incident
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Verdict
from pagerforce.pagerduty.actions.advice import is_resolved_refusal
from pagerforce.pagerduty.actions.handler import Handler, only_call
from pagerforce.pagerduty.actions.stand_in import is_about_requester
from pagerforce.pagerduty.actions.tools import Sight, Writer, incident_id_of
from pagerforce.pagerduty.client import Raw
from pagerforce.pagerduty.decode import decode_incident
from pagerforce.pagerduty.refusals import ALREADY_ACKNOWLEDGED

_PLAN_LACKS_IT = 402


class Change(Struct, frozen=True):
    """The fields to send for one incident, and the text of the outcome.

    Attributes:
        instead: sent once if PagerDuty refuses this change because of an optional part.
        is_repeated: an earlier attempt took effect, and polls will show its entries too.
    """

    fields: Raw
    done: str
    instead: "Change | None" = None
    is_repeated: bool = False


Decider: TypeAlias = Callable[[Task, Writer, Sight], Awaitable[Change | Verdict]]
"""Returns the change for the current incident, or a verdict without a write; may read its log."""


class IncidentWrite(Struct):
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
        write = IncidentWrite(task, None, decide, await self._writer_of(task))
        await self._decide(write, await self._tools.read_incident(task))
        if write.verdict is None and await self._send([write]):
            (write.verdict,) = await self._after([write], None)
        return write.end

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """One attempt at several incidents; a failure of one does not affect the others."""
        writes = [await self._begin(task) for task in tasks]
        read_at = self._tools.client.server_time
        await self._look(_open(writes))
        by_writer: dict[str, list[IncidentWrite]] = {}
        for write in _open(writes):
            if write.writer is not None:
                by_writer.setdefault(write.writer.email, []).append(write)
        sent = [done for mine in by_writer.values() for done in await self._send(mine)]
        for write, verdict in zip(sent, await self._after(sent, read_at), strict=True):
            write.verdict = verdict
        return [[write.end] for write in writes]

    async def _begin(self, task: Task) -> IncidentWrite:
        write = IncidentWrite(task)
        try:
            write.decide = await self._decider(only_call(task))
            write.writer = await self._writer_of(task)
        except RemoteError as error:
            write.verdict = self._judge(task, error)
        return write

    async def _look(self, writes: Sequence[IncidentWrite]) -> None:
        """Reads the incidents and decides."""
        seen = await self._tools.read_incidents([write.task for write in writes])
        for write in writes:
            sight = seen[incident_id_of(write.task)]
            try:
                if isinstance(sight, RemoteError):
                    raise sight
                await self._decide(write, sight)
            except RemoteError as error:
                write.verdict = self._judge(write.task, error)

    async def _decide(self, write: IncidentWrite, sight: Sight) -> None:
        if write.decide is None or write.writer is None:
            return
        write.before = sight.incident
        decided = await write.decide(write.task, write.writer, sight)
        if isinstance(decided, Change):
            write.change = decided
        else:
            write.verdict = decided

    async def _send(self, writes: Sequence[IncidentWrite]) -> list[IncidentWrite]:
        """Sends the changes of one writer; returns those that were written."""
        writer = writes[0].writer
        try:
            await self._put(writes, writer.email if writer else "")
        except RefusedError as error:
            if len(writes) == 1 and _takes_less(writes[0], error):
                return await self._send(writes)
            is_own = not _is_refused_writer(writer, error) and error.status != _PLAN_LACKS_IT
            if len(writes) > 1 and is_own:
                half = len(writes) // 2
                return await self._send(writes[:half]) + await self._send(writes[half:])
            for write in writes:
                write.verdict = self._refused(write.task, error, writer)
        except RemoteError as error:
            for write in writes:
                write.verdict = self._judge(write.task, error)
        else:
            return list(writes)
        return []

    async def _put(self, writes: Sequence[IncidentWrite], email: str) -> None:
        """Sends one request; keeps the answered incidents. Raises the ``RemoteError`` family."""
        changes: dict[str, Raw] = {
            incident_id_of(write.task): write.change.fields for write in writes if write.change
        }
        rows: Sequence[object]
        if len(writes) == 1:
            ((key, fields),) = changes.items()
            rows = [await self._tools.client.send_update(key, fields, email)]
        else:
            rows = await self._tools.client.send_updates(changes, email)
        shown = {incident.id: incident for incident in _decoded(rows)}
        for write in writes:
            write.after = shown.get(incident_id_of(write.task))

    @abstractmethod
    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        """Resolves the names in the arguments. Raises the ``RemoteError`` family."""

    async def _after(
        self,
        writes: Sequence[IncidentWrite],
        read_at: datetime | None,  # noqa: ARG002 - for subclasses
    ) -> Sequence[Verdict]:
        """The verdicts on successful writes; ``read_at``: when the incidents were listed."""
        return [Delivered(write.change.done if write.change else "") for write in writes]

    def _refused(self, task: Task, error: RefusedError, writer: Writer | None) -> Verdict:
        if writer is not None and _is_refused_writer(writer, error):
            return self._stand_in(writer, error)
        return self._judge(task, error)


def _takes_less(write: IncidentWrite, error: RefusedError) -> bool:
    """Replaces the change with its ``instead``, if any; returns whether to send it again."""
    less = write.change.instead if write.change else None
    is_about_it = error.code == ALREADY_ACKNOWLEDGED or is_resolved_refusal(error)
    if less is None or is_about_it or _is_refused_writer(write.writer, error):
        return False
    write.change = less
    return True


def _decoded(rows: Sequence[object]) -> Iterator[Incident]:
    """The incidents of an answer; unreadable ones are ignored."""
    for row in rows:
        if isinstance(row, Mapping):
            with suppress(ValueError):
                yield decode_incident(row)


def _is_refused_writer(writer: Writer | None, error: RefusedError) -> bool:
    return writer is not None and writer.actor_id is not None and is_about_requester(error)


def _open(writes: Sequence[IncidentWrite]) -> list[IncidentWrite]:
    return [write for write in writes if write.verdict is None]
