"""``pagerduty.acknowledge``. Fact: ``pagerduty.no-conditional-write``.

Setting ``acknowledged`` on a resolved incident reopens it, and the API has no conditional writes.
So pagerforce reads the incident just before the write, and its log just after.

PagerDuty assigns an incident to the user who acknowledges it by REST. ``assign_to`` changes that:
the person who made the change writes it (``actor``), or the request also contains the current
assignees (``unchanged``). PagerDuty's reaction to both in one request is not recorded, so each
possible answer is handled (docs/adr/0007-whose-an-acknowledged-incident-is.md):

    answer                          reaction
    acknowledged, assigned as sent  done
    acknowledged, other assignees   done; the outcome reports it
    refused                         a plain acknowledgement instead
    still or again triggered        one plain acknowledgement afterwards
    lost                            search; if triggered and undone by nobody: a plain one
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from pagerforce.errors import RefusedError, RemoteError, UnknownOutcomeError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Gap,
    IncidentState,
    Param,
    ParamKind,
    TargetKind,
    Task,
)
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.ids import IncidentId, Side
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry
from pagerforce.model.value import Json
from pagerforce.model.verdict import (
    Delivered,
    Effect,
    EntryCaused,
    NotCaused,
    RetryLater,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.pagerduty.actions.change import Change, ChangeHandler, Decider, IncidentWrite
from pagerforce.pagerduty.actions.handler import only_call
from pagerforce.pagerduty.actions.history import read_history, read_pages, was_done
from pagerforce.pagerduty.actions.status import moved, there_already
from pagerforce.pagerduty.actions.tools import Sight, Writer, incident_id_of, text
from pagerforce.pagerduty.client import MAX_BULK
from pagerforce.pagerduty.rate import RateClass
from pagerforce.pagerduty.refusals import ALREADY_ACKNOWLEDGED
from pagerforce.pagerduty.windows import SECOND, floor_second

ASSIGN_TO = ("writer", "actor", "unchanged")
_WRITER, _ACTOR, _UNCHANGED = ASSIGN_TO
_PLAIN = {"status": "acknowledged"}
_UNDONE = "acknowledged by an attempt whose answer was lost; others have undone it since"
_UNDOING = frozenset({"unacknowledge", "resolve", "escalate", "delegate", "assign"})
# How long to wait for a poll that shows the assignees; afterwards it is acknowledged anyway.
_UNTIL_SEEN = timedelta(seconds=12)
_LOOK_AGAIN_SECONDS = 4.0


def _not_acknowledged(incident: Incident, _args: Mapping[str, Json]) -> Gap | None:
    if incident.status is not IncidentStatus.TRIGGERED:
        return None
    return Gap("status", incident.status, IncidentStatus.ACKNOWLEDGED)


ACKNOWLEDGE = ActionSpec(
    do="pagerduty.acknowledge",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(
        Param(
            "assign_to",
            ParamKind.CHOICE,
            choices=ASSIGN_TO,
            default="writer",
            doc="the assignee afterwards: the writer, the person who made the change, or unchanged",
        ),
    ),
    doc="acknowledges; never reopens an incident that was resolved meanwhile",
    batch_size=MAX_BULK,
    sets=IncidentState(_not_acknowledged),
    undone_by=frozenset({"pagerduty.resolve"}),
    answered_by=frozenset({"unacknowledge", "reopen"}),
    cost=Cost(calls=3, entries=2),
)


class Acknowledge(ChangeHandler):
    """Acknowledges an incident, only if it is triggered."""

    spec = ACKNOWLEDGE
    rate_class = RateClass.STATUS
    _is_told_by_log = True

    async def _writer_of(self, task: Task) -> Writer:
        is_as_actor = _assign_to(only_call(task)) == _ACTOR
        return await self._tools.writer_of(task, as_actor=is_as_actor)

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer, incident_id = await self._writer_of(task), incident_id_of(task)
        is_keeping = _assign_to(args) == _UNCHANGED
        # If the assignment ends the acknowledgement, a second one follows. Each assigns it to the writer.
        count = 2 if is_keeping else 1
        told = EntryExpected("acknowledge", incident_id, writer.user_id, count=count)
        expected: list[Expectation] = [told]
        if writer.user_id is not None:
            us = writer.user_id
            expected.append(
                EntryExpected("assign", incident_id, us, assignee=us, is_beside=True, count=count)
            )
        return [*expected, *_kept(task, writer)] if is_keeping else expected

    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        wanted = _assign_to(args)
        is_keeping = wanted == _UNCHANGED

        async def decide(task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
            before = sight.incident
            if before.status is IncidentStatus.RESOLVED:
                resolved = Skipped(
                    "the incident is resolved: acknowledging would reopen it", Side.PAGERDUTY
                )
                return moved(task, before) or resolved
            if before.status is IncidentStatus.ACKNOWLEDGED:
                return there_already(task, "acknowledged")
            entries = await self._entries_since(task) if task.is_uncertain else ()
            is_done = was_done(entries, task, writer, "acknowledge", lambda _: True)
            # An assignment in the same request does not undo it.
            if is_done and (not is_keeping or _is_undone_by_others(entries, writer)):
                return Delivered(_UNDONE)
            if is_keeping:
                return _keeping(task, writer, before, is_repeated=is_done)
            remark = "" if wanted else f"; assign_to is none of {', '.join(ASSIGN_TO)}: left out"
            return Change(_PLAIN, f"acknowledged {before.id}{remark}")

        return decide

    async def _entries_since(self, task: Task) -> Sequence[LogEntry]:
        """The incident's entries since the event: an earlier attempt may have caused some."""
        return await read_history(self._tools.client, incident_id_of(task), task.event_at)

    def _refused(self, task: Task, error: RefusedError, writer: Writer | None) -> Verdict:
        if error.code == ALREADY_ACKNOWLEDGED:
            return there_already(task, "acknowledged")
        return super()._refused(task, error, writer)

    async def _after(
        self, writes: Sequence[IncidentWrite], read_at: datetime | None
    ) -> Sequence[Verdict]:
        """Acknowledges incidents that are still triggered; resolves incidents it reopened."""
        await self._do_again([write for write in writes if _is_triggered_still(write)])
        done = [write for write in writes if write.verdict is None]
        for write, verdict in zip(done, await self._mend(done, read_at), strict=True):
            write.verdict = verdict
        return [write.end for write in writes]

    async def _do_again(self, writes: Sequence[IncidentWrite]) -> None:
        """Sends one plain acknowledgement each, because PagerDuty did not keep both changes."""
        by_writer: dict[str, list[IncidentWrite]] = {}
        for write in writes:
            said = "its assignees could not be kept: an assignment ends the acknowledgement"
            write.change = Change(_PLAIN, f"acknowledged {_id(write)} once more; {said}")
            write.is_sent_twice = True
            by_writer.setdefault(write.writer.email if write.writer else "", []).append(write)
        for mine in by_writer.values():
            await self._send(mine)
        for write in writes:
            if isinstance(write.verdict, Skipped):
                # Not "skipped": log entries of the first write exist and must be recognised as own.
                write.verdict = Delivered(f"acknowledged {_id(write)}; {write.verdict.reason}")
            elif write.verdict is not None:
                # Something was written, so the next attempt must search first.
                why = getattr(write.verdict, "reason", "")
                write.verdict = Unknown(f"triggered again after both were written: {why}")

    async def _mend(
        self, writes: Sequence[IncidentWrite], read_at: datetime | None
    ) -> Sequence[Verdict]:
        """Resolves incidents that somebody resolved between read and write, which reopened them."""
        try:
            resolved_at = await self._resolved_since(writes, read_at)
        except RemoteError as error:
            # The acknowledgements themselves are done and must not be sent again.
            doubt = f"; whether that reopened it is unknown: {error}"
            return [Delivered(f"{_done(write)}{doubt}", _unmet(write)) for write in writes]
        return [await self._corrected(write, resolved_at.get(_id(write))) for write in writes]

    async def _corrected(self, write: IncidentWrite, resolved_at: datetime | None) -> Verdict:
        done, effects = _done(write), _unmet(write)
        changed_at = _changed_at(write.before)
        # Within one second the order is unknown; the resolve then counts as the earlier.
        if resolved_at is None or changed_at is None or resolved_at <= changed_at:
            return Delivered(done, effects)
        email = write.writer.email if write.writer else ""
        actor_id = write.writer.user_id if write.writer else None
        caused = EntryCaused(EntryExpected("resolve", _id(write), actor_id), resolved_at)
        try:
            await self._tools.client.send_update(_id(write), {"status": "resolved"}, email)
        except RemoteError as error:
            effects = (*effects, caused) if isinstance(error, UnknownOutcomeError) else effects
            detail = f"{done}, which reopened it; it could not be resolved again: {error}"
            return Delivered(detail, effects)
        # Not "skipped": its log entry exists and must be recognised as own.
        said = f"{done}, which was resolved meanwhile: resolved it again"
        return Delivered(said, (*effects, caused))

    async def _resolved_since(
        self, writes: Sequence[IncidentWrite], read_at: datetime | None
    ) -> Mapping[str, datetime]:
        """The last resolve of each incident, from the account's log; for one, from its own log."""
        client = self._tools.client
        since = _changed_at(writes[0].before) if writes else None
        if since is None:
            return {}
        if len(writes) == 1:
            fetch = partial(client.fetch_incident_log_entries, _id(writes[0]), since)
        elif read_at is not None and client.server_time is not None:
            begin = floor_second(read_at) - SECOND
            end = floor_second(client.server_time) + 2 * SECOND
            fetch = partial(client.fetch_log_entries, begin, end)
        else:
            return {}
        found: dict[str, datetime] = {}
        for entry in await read_pages(fetch):
            key = entry.incident_id or _id(writes[0])
            if entry.type == "resolve":
                found[key] = max(entry.at, found.get(key, entry.at))
        return found


def _assign_to(args: Mapping[str, Json]) -> str:
    """The value of ``assign_to``; ``""`` if it is invalid, which stops no acknowledgement."""
    wanted = text(args.get("assign_to")).lower() or _WRITER
    return wanted if wanted in ASSIGN_TO else ""


def _known(task: Task) -> list[str]:
    """The assignees that polls have shown: only expectations with these can be recognised."""
    people = task.incident.assignees if task.incident is not None else ()
    return [person.id for person in people if person.id is not None]


def _kept(task: Task, writer: Writer) -> list[EntryExpected]:
    """The assignment entries that polls will show if all assignees keep the incident."""
    return [
        EntryExpected(
            "assign",
            incident_id_of(task),
            writer.user_id,
            assignee=user_id,
            keeps_status=True,
        )
        for user_id in _known(task)
    ]


def _keeping(
    task: Task, writer: Writer, before: Incident, *, is_repeated: bool
) -> Change | Verdict:
    """The acknowledgement that keeps the current assignees.

    ``is_repeated``: an earlier attempt wrote both, without a lasting effect.
    """
    done = f"acknowledged {before.id}"
    plain = Change(_PLAIN, f"{done}; its assignees could not be kept", is_repeated=is_repeated)
    if task.is_uncertain:
        return plain
    users = [person.id for person in before.assignees]
    if set(users) <= {writer.user_id}:
        return Change(_PLAIN, done)
    if None in users or set(users) != {*_known(task)}:
        # pagerforce recognises its own assignment by the assignees, so a poll must show them first.
        if task.now - (task.first_attempt_at or task.now) < _UNTIL_SEEN:
            reason = f"the assignees of {before.id} have just changed: waits for the next poll"
            return RetryLater(reason, _LOOK_AGAIN_SECONDS)
        return replace(plain, done=f"{plain.done}: the polls do not show the current ones yet")
    targets = [{"assignee": {"id": one, "type": "user_reference"}} for one in users]
    return Change(
        {**_PLAIN, "assignments": targets},
        f"{done}, with its assignees kept",
        replace(plain, done=f"{plain.done}: PagerDuty refuses both in one request"),
    )


def _is_keeping(write: IncidentWrite) -> bool:
    """Whether both changes were sent and accepted."""
    return write.change is not None and "assignments" in write.change.fields


def _is_triggered_still(write: IncidentWrite) -> bool:
    is_triggered = write.after is not None and write.after.status is IncidentStatus.TRIGGERED
    return is_triggered and _is_keeping(write)


def _done(write: IncidentWrite) -> str:
    """The text of the outcome."""
    done = write.change.done if write.change else ""
    if not _is_keeping(write) or write.before is None or write.after is None:
        return done
    if _ids(write.before) == _ids(write.after):
        return done
    return f"acknowledged {_id(write)}; PagerDuty did not keep its assignees"


def _ids(incident: Incident) -> set[str | None]:
    return {person.id for person in incident.assignees}


def _unmet(write: IncidentWrite) -> tuple[Effect, ...]:
    """The expectations for the reactions that PagerDuty did not show."""
    task, writer = write.task, write.writer
    is_repeated = write.change is not None and write.change.is_repeated
    if writer is None or is_repeated or _assign_to(only_call(task)) != _UNCHANGED:
        return ()
    if write.is_sent_twice and not _is_keeping(write):
        return ()
    second = [EntryExpected("acknowledge", _id(write))]
    if writer.user_id is not None:
        second.append(EntryExpected("assign", _id(write), assignee=writer.user_id))
    lost = _kept(task, writer)
    if _is_keeping(write):
        # An assignment that did not last: a later one to the same person is another act's.
        has = _ids(write.after) if write.after is not None else {x.assignee for x in lost}
        lost = [item for item in lost if item.assignee not in has]
    return tuple(NotCaused(item) for item in (*second, *lost))


def _is_undone_by_others(entries: Sequence[LogEntry], writer: Writer) -> bool:
    """Whether somebody else ended the writer's last acknowledgement."""
    ours = [
        place
        for place, entry in enumerate(entries)
        if entry.type == "acknowledge" and entry.agent.id == writer.user_id
    ]
    return any(
        entry.type in _UNDOING and entry.agent.id != writer.user_id
        for entry in entries[ours[-1] + 1 :]
        if not (entry.type == "assign" and entry.is_automatic)
    )


def _id(write: IncidentWrite) -> IncidentId:
    return incident_id_of(write.task)


def _changed_at(before: Incident | None) -> datetime | None:
    """The time of the last change before the read."""
    if before is None:
        return None
    times = (at for at in (before.status_changed_at, before.updated_at) if at is not None)
    return max(times, default=None)
