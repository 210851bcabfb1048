"""``pagerduty.acknowledge`` and ``pagerduty.resolve``. Facts: pagerduty.md section 6.

Setting ``acknowledged`` on a resolved incident reopens it, and the API has no way to write only if
nothing changed. So the incident is read just before, and its log just after.
"""

from collections.abc import Mapping, Sequence

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import Task
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Expectation, Skipped, Verdict
from pagerforce.pagerduty.actions.desk import Desk, Writer, incident_id_of, verbatim
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.history import read_history, was_done
from pagerforce.pagerduty.refusals import ALREADY_ACKNOWLEDGED


class Acknowledge(Handler):
    """Acknowledges an incident that is triggered, and no other."""

    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - takes no arguments
        writer = await self._desk.writer_of(task)
        incident_id = incident_id_of(task)
        expected = [Expectation("acknowledge", incident_id, actor_id=writer.user_id)]
        if writer.user_id is not None:
            # Acknowledging through the API also assigns the incident to the one who does it.
            values = {"assignee": writer.user_id}
            expected.append(Expectation("assign", incident_id, values, writer.user_id))
        return expected

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:  # noqa: ARG002 - takes no arguments
        writer = await self._desk.writer_of(task)
        before, _ = await self._desk.read_incident(task)
        if before.status is IncidentStatus.RESOLVED:
            return Skipped("the incident is resolved: acknowledging would reopen it")
        if before.status is IncidentStatus.ACKNOWLEDGED:
            return _there_already(task, "acknowledged")
        if await _is_undone(self._desk, task, writer, before, "acknowledge"):
            return Delivered("found acknowledged after a lost answer, and undone since by others")
        try:
            await self._desk.client.send_update(before.id, {"status": "acknowledged"}, writer.email)
        except RefusedError as error:
            if error.code == ALREADY_ACKNOWLEDGED:
                return _there_already(task, "acknowledged")
            raise
        return await self._undo_reopening(before, writer)

    async def _undo_reopening(self, before: Incident, writer: Writer) -> Verdict:
        """Resolves the incident again if somebody resolved it between our look and our write."""
        done = f"acknowledged {before.id}"
        try:
            if not await self._was_resolved_after(before):
                return Delivered(done)
            await self._desk.client.send_update(before.id, {"status": "resolved"}, writer.email)
        except RemoteError as error:
            # The acknowledgement itself is done and must not be sent again.
            return Delivered(f"{done}; whether that reopened it could not be mended: {error}")
        # Not "skipped": its log entry exists and has to be recognised as ours.
        return Delivered(f"{done}, which was resolved meanwhile: resolved it again")

    async def _was_resolved_after(self, before: Incident) -> bool:
        """Whether the log holds a resolve later than the last change of what we had seen.

        Of one in the same second it cannot be said which came first; it is taken as the earlier.
        """
        changed_at = max(
            (at for at in (before.status_changed_at, before.updated_at) if at is not None),
            default=None,
        )
        if changed_at is None:
            return False
        entries = await read_history(self._desk.client, before.id, changed_at)
        return any(entry.type == "resolve" and entry.at > changed_at for entry in entries)


class Resolve(Handler):
    """Resolves an incident that is open."""

    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - the entry bears the resolution, but not everywhere
        writer = await self._desk.writer_of(task)
        return (Expectation("resolve", incident_id_of(task), actor_id=writer.user_id),)

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        writer = await self._desk.writer_of(task)
        before, _ = await self._desk.read_incident(task)
        if before.status is IncidentStatus.RESOLVED:
            return _there_already(task, "resolved")
        if await _is_undone(self._desk, task, writer, before, "resolve"):
            return Delivered("found resolved after a lost answer, and reopened since by others")
        changes = {"status": "resolved"}
        if resolution := verbatim(args.get("resolution")):
            changes["resolution"] = resolution
        await self._desk.client.send_update(before.id, changes, writer.email)
        return Delivered(f"resolved {before.id}")


async def _is_undone(desk: Desk, task: Task, writer: Writer, before: Incident, kind: str) -> bool:
    """Whether an earlier attempt did it and somebody has undone it: it is not to be done again."""
    if not task.is_uncertain:
        return False
    entries = await read_history(desk.client, before.id, task.event_at)
    return was_done(entries, task, writer, kind, lambda _: True)


def _there_already(task: Task, state: str) -> Verdict:
    """After a lost answer the state is taken as our doing, else as somebody else's."""
    if task.is_uncertain:
        return Delivered(f"found {state} after a lost answer")
    return Skipped(f"the incident is {state} already")
