"""``pagerduty.acknowledge`` and ``pagerduty.resolve``. Facts: pagerduty.md section 6.

Setting ``acknowledged`` on a resolved incident reopens it, and the API has no way to write only if
nothing changed. So the incident is read just before, and its log just after.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from pagerforce.errors import RefusedError, RemoteError, UnknownOutcomeError
from pagerforce.model.action import Task
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.value import Json
from pagerforce.model.verdict import (
    Delivered,
    EntryCaused,
    Expectation,
    RetryLater,
    Skipped,
    Verdict,
)
from pagerforce.pagerduty.actions.change import Change, ChangeHandler, Decider, Order
from pagerforce.pagerduty.actions.desk import Desk, Sight, Writer, incident_id_of, verbatim
from pagerforce.pagerduty.actions.history import read_history, read_pages, was_done
from pagerforce.pagerduty.refusals import ALREADY_ACKNOWLEDGED
from pagerforce.pagerduty.windows import SECOND, floor_second

_MOVE_SECONDS = 10.0
# The merge's entry may be an hour late (contract promise 1).
_LONGEST_MOVE = timedelta(minutes=90)


class Acknowledge(ChangeHandler):
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

    async def _decider(self, args: Mapping[str, Json]) -> Decider:  # noqa: ARG002 - takes no arguments
        return self._acknowledge

    async def _acknowledge(self, task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
        before = sight.incident
        if before.status is IncidentStatus.RESOLVED:
            resolved = Skipped(
                "the incident is resolved: acknowledging would reopen it", Side.PAGERDUTY
            )
            return _moved(task, before) or resolved
        if before.status is IncidentStatus.ACKNOWLEDGED:
            return _there_already(task, "acknowledged")
        if await _is_undone(self._desk, task, writer, before, "acknowledge"):
            return Delivered("found acknowledged after a lost answer, and undone since by others")
        return Change({"status": "acknowledged"}, f"acknowledged {before.id}")

    def _refused(self, task: Task, error: RefusedError, writer: Writer | None) -> Verdict:
        if error.code == ALREADY_ACKNOWLEDGED:
            return _there_already(task, "acknowledged")
        return super()._refused(task, error, writer)

    async def _after(self, orders: Sequence[Order], read_at: datetime | None) -> Sequence[Verdict]:
        """Resolves what somebody resolved between our look and our write, and so was reopened."""
        try:
            resolved_at = await self._resolved_since(orders, read_at)
        except RemoteError as error:
            # The acknowledgements themselves are done and must not be sent again.
            doubt = f"; whether that reopened it could not be seen: {error}"
            return [Delivered(f"acknowledged {_id(order)}{doubt}") for order in orders]
        return [await self._mended(order, resolved_at.get(_id(order))) for order in orders]

    async def _mended(self, order: Order, resolved_at: datetime | None) -> Verdict:
        done = f"acknowledged {_id(order)}"
        changed_at = _changed_at(order.before)
        # Of one in the same second it cannot be said which came first; it is taken as the earlier.
        if resolved_at is None or changed_at is None or resolved_at <= changed_at:
            return Delivered(done)
        email = order.writer.email if order.writer else ""
        actor_id = order.writer.user_id if order.writer else None
        caused = EntryCaused(Expectation("resolve", _id(order), actor_id=actor_id), resolved_at)
        try:
            await self._desk.client.send_update(_id(order), {"status": "resolved"}, email)
        except RemoteError as error:
            effects = (caused,) if isinstance(error, UnknownOutcomeError) else ()
            detail = f"{done}, which reopened it; that could not be mended: {error}"
            return Delivered(detail, effects)
        # Not "skipped": its log entry exists and has to be recognised as ours.
        return Delivered(f"{done}, which was resolved meanwhile: resolved it again", (caused,))

    async def _resolved_since(
        self, orders: Sequence[Order], read_at: datetime | None
    ) -> Mapping[str, datetime]:
        """When incidents were last resolved, as the log tells; of one incident its own log."""
        client = self._desk.client
        since = _changed_at(orders[0].before) if orders else None
        if since is None:
            return {}
        if len(orders) == 1:
            fetch = partial(client.fetch_incident_log_entries, _id(orders[0]), since)
        elif read_at is not None and client.server_time is not None:
            begin = floor_second(read_at) - SECOND
            end = floor_second(client.server_time) + 2 * SECOND
            fetch = partial(client.fetch_log_entries, begin, end)
        else:
            return {}
        found: dict[str, datetime] = {}
        for entry in await read_pages(fetch):
            key = entry.incident_id or _id(orders[0])
            if entry.type == "resolve":
                found[key] = max(entry.at, found.get(key, entry.at))
        return found


class Resolve(ChangeHandler):
    """Resolves an incident that is open."""

    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - the entry bears the resolution, but not everywhere
        writer = await self._desk.writer_of(task)
        return (Expectation("resolve", incident_id_of(task), actor_id=writer.user_id),)

    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        fields = {"status": "resolved"}
        if resolution := verbatim(args.get("resolution")):
            fields["resolution"] = resolution

        async def decide(task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
            before = sight.incident
            if before.status is IncidentStatus.RESOLVED:
                return _moved(task, before) or _there_already(task, "resolved")
            if await _is_undone(self._desk, task, writer, before, "resolve"):
                return Delivered("found resolved after a lost answer, and reopened since by others")
            return Change(fields, f"resolved {before.id}")

        return decide


async def _is_undone(desk: Desk, task: Task, writer: Writer, before: Incident, kind: str) -> bool:
    """Whether an earlier attempt did it and somebody has undone it: it is not to be done again."""
    if not task.is_uncertain:
        return False
    entries = await read_history(desk.client, before.id, task.event_at)
    return was_done(entries, task, writer, kind, lambda _: True)


def _moved(task: Task, incident: Incident) -> Verdict | None:
    """A record's action on an incident that was merged: it waits until the link has moved along."""
    if incident.merged_into is None or task.event_source is Side.PAGERDUTY or task.is_uncertain:
        return None
    if task.now - (task.first_attempt_at or task.now) > _LONGEST_MOVE:
        return None
    reason = f"{incident.id} was merged into {incident.merged_into}, to which its link goes next"
    return RetryLater(reason, _MOVE_SECONDS)


def _there_already(task: Task, state: str) -> Verdict:
    """After a lost answer the state is taken as our doing, else as somebody else's."""
    if task.is_uncertain:
        return Delivered(f"found {state} after a lost answer")
    return Skipped(f"the incident is {state} already")


def _id(order: Order) -> str:
    return incident_id_of(order.task)


def _changed_at(before: Incident | None) -> datetime | None:
    """The last change that our look showed."""
    if before is None:
        return None
    times = (at for at in (before.status_changed_at, before.updated_at) if at is not None)
    return max(times, default=None)
