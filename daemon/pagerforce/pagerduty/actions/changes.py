"""``pagerduty.set_priority`` and ``pagerduty.reassign``. Fact: ``pagerduty.no-conditional-write``."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pagerforce.errors import RefusedError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Gap,
    IncidentState,
    Param,
    ParamKind,
    TargetKind,
    Task,
    Thing,
)
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Ref
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Skipped, Verdict
from pagerforce.pagerduty.actions.change import Change, ChangeHandler, Decider
from pagerforce.pagerduty.actions.history import is_overruled, read_history, was_done
from pagerforce.pagerduty.actions.params import POLICY
from pagerforce.pagerduty.actions.tools import Sight, Writer, incident_id_of, text, texts
from pagerforce.pagerduty.client import MAX_BULK, Raw
from pagerforce.pagerduty.decode import is_assigned_by_policy
from pagerforce.pagerduty.rate import RateClass

_RESOLVED = "the incident is resolved"


def _other_priority(incident: Incident, args: Mapping[str, Json]) -> Gap | None:
    wanted = str(args.get("priority") or "").strip()
    now = incident.priority
    names = {now.id, (now.name or "").casefold()} if now else {""}
    if wanted in names or wanted.casefold() in names:
        return None
    return Gap("priority", now.name if now else None, wanted)


SET_PRIORITY = ActionSpec(
    do="pagerduty.set_priority",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(
        Param("priority", required=True, doc="a priority, by name or id", names=Thing.PRIORITY),
    ),
    doc="sets the priority",
    batch_size=MAX_BULK,
    sets=IncidentState(_other_priority),
    undone_by=frozenset({"pagerduty.set_priority"}),
    answered_by=frozenset({"priority_change"}),
    cost=Cost(calls=2, entries=1),
)


class SetPriority(ChangeHandler):
    """Sets the priority of an open incident."""

    spec = SET_PRIORITY
    rate_class = RateClass.STATUS
    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer = await self._writer_of(task)
        priority = await self._tools.priority(_priority_text(args))
        told = priority.name or priority.id
        incident_id = incident_id_of(task)
        return (EntryExpected("priority_change", incident_id, writer.user_id, priority=told),)

    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        priority = await self._tools.priority(_priority_text(args))

        async def decide(task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
            before = sight.incident
            if before.status is IncidentStatus.RESOLVED:
                return Skipped(_RESOLVED)
            if before.priority is not None and before.priority.id == priority.id:
                return _as_wanted(task, "the incident has this priority already")
            if newer := await self._newer(task, writer, before, priority):
                return newer
            fields = {"priority": {"id": priority.id, "type": "priority_reference"}}
            return Change(fields, f"set priority {priority.id} on {before.id}")

        return decide

    async def _newer(
        self, task: Task, writer: Writer, before: Incident, priority: Ref
    ) -> Verdict | None:
        """The verdict if somebody has set another priority since the event."""

        def is_wanted(entry: LogEntry) -> bool:
            told = entry.priority
            return told is not None and (told.id == priority.id or told.name == priority.name)

        entries = await read_history(self._tools.client, before.id, task.event_at)
        if task.is_uncertain and was_done(entries, task, writer, "priority_change", is_wanted):
            return Delivered(f"found priority {priority.id} set; others have changed it since")
        if is_overruled(entries, task, writer, ["priority_change"], is_wanted):
            return Skipped("a newer priority was set in PagerDuty", Side.PAGERDUTY)
        return None


class _Destination(Struct, frozen=True):
    """The new assignment of an incident: users, or else a policy."""

    users: tuple[str, ...]
    policy: str

    def is_reached(self, sight: Sight) -> bool:
        """Whether the incident is already assigned so."""
        incident = sight.incident
        if self.users:
            return {person.id for person in incident.assignees} == set(self.users)
        policy = incident.escalation_policy
        return policy is not None and policy.id == self.policy and is_assigned_by_policy(sight.raw)

    def is_told(self, entry: LogEntry) -> bool:
        """Whether an entry shows an assignment to these users; no entry shows a policy."""
        told = {person.id for person in entry.assignees or ()}
        return bool(told) and told <= set(self.users)

    def to_changes(self) -> Raw:
        """The part of the request body."""
        if self.users:
            return {
                "assignments": [
                    {"assignee": {"id": user_id, "type": "user_reference"}}
                    for user_id in self.users
                ]
            }
        return {"escalation_policy": {"id": self.policy, "type": "escalation_policy_reference"}}


REASSIGN = ActionSpec(
    do="pagerduty.reassign",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(
        Param("assignees", ParamKind.LIST, doc="users, by e-mail or id", names=Thing.USER),
        POLICY,
    ),
    doc="assigns to users, or to an escalation policy",
    exactly_one_of=(("assignees", "escalation_policy"),),
    batch_size=MAX_BULK,
    undone_by=frozenset({"pagerduty.reassign"}),
    answered_by=frozenset({"assign", "escalate", "delegate"}),
    cost=Cost(calls=2, entries=1),
)


class Reassign(ChangeHandler):
    """Assigns an open incident to users or to an escalation policy."""

    spec = REASSIGN
    rate_class = RateClass.PAGE
    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:
        writer = await self._writer_of(task)
        destination = await self._destination(args)
        incident_id = incident_id_of(task)
        if destination.users:
            return [
                EntryExpected("assign", incident_id, writer.user_id, assignee=user_id)
                for user_id in destination.users
            ]
        # It is not documented which of these a change of policy causes.
        kinds = ("delegate", "escalate", "assign")
        return [EntryExpected(kind, incident_id, writer.user_id) for kind in kinds]

    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        destination = await self._destination(args)

        async def decide(task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
            before = sight.incident
            if before.status is IncidentStatus.RESOLVED:
                return Skipped(_RESOLVED)
            if destination.is_reached(sight):
                return _as_wanted(task, "the incident is assigned so already")
            if newer := await self._newer(task, writer, before, destination):
                return newer
            return Change(destination.to_changes(), f"reassigned {before.id}")

        return decide

    async def _newer(
        self, task: Task, writer: Writer, before: Incident, destination: _Destination
    ) -> Verdict | None:
        """The verdict if somebody has made another assignment since the event.

        Only changes by people count: the policy's own escalations continue meanwhile.
        """
        entries = [
            entry
            for entry in await read_history(self._tools.client, before.id, task.event_at)
            if entry.agent_type == "user"
        ]
        is_done = (
            was_done(entries, task, writer, "assign", destination.is_told)
            if destination.users
            else was_done(entries, task, writer, "delegate", lambda _: True)
        )
        if task.is_uncertain and is_done:
            return Delivered("found reassigned; others have changed it since")
        kinds = ("assign", "escalate", "delegate")
        if is_overruled(entries, task, writer, kinds, destination.is_told):
            return Skipped("a newer assignment was made in PagerDuty", Side.PAGERDUTY)
        return None

    async def _destination(self, args: Mapping[str, Json]) -> _Destination:
        if texts(args.get("assignees")):
            return _Destination(await self._tools.user_ids(args.get("assignees")), "")
        wanted = text(args.get("escalation_policy"))
        if not wanted:
            raise RefusedError(
                "neither assignees nor an escalation policy are left after rendering: "
                "correct the rule or the record, then retry it"
            )
        return _Destination((), (await self._tools.escalation_policy(wanted)).id)


def _priority_text(args: Mapping[str, Json]) -> str:
    wanted = text(args.get("priority"))
    if not wanted:
        raise RefusedError(
            "the priority is empty, and PagerDuty's API cannot clear it: "
            "give the rule a condition or a default, then retry or discard it"
        )
    return wanted


def _as_wanted(task: Task, what: str) -> Verdict:
    return Delivered(f"{what}, after a lost answer") if task.is_uncertain else Skipped(what)
