"""``pagerduty.resolve``, and code shared with ``acknowledge``.

Fact: ``pagerduty.no-conditional-write``.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Gap,
    IncidentState,
    Param,
    Purpose,
    TargetKind,
    Task,
)
from pagerforce.model.expectation import EntryExpected, Expectation
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, RetryLater, Skipped, Verdict
from pagerforce.pagerduty.actions.change import Change, ChangeHandler, Decider
from pagerforce.pagerduty.actions.history import read_history, was_done
from pagerforce.pagerduty.actions.tools import Sight, Writer, incident_id_of, verbatim
from pagerforce.pagerduty.client import MAX_BULK
from pagerforce.pagerduty.rate import RateClass

_REOPENED = "resolved by an attempt whose answer was lost; others have reopened it since"
_MOVE_SECONDS = 10.0
# The merge's entry may be an hour late (docs/guarantees.md, 1).
_LONGEST_MOVE = timedelta(minutes=90)


def _not_resolved(incident: Incident, _args: Mapping[str, Json]) -> Gap | None:
    if not incident.is_open:
        return None
    return Gap("status", incident.status, IncidentStatus.RESOLVED)


RESOLVE = ActionSpec(
    do="pagerduty.resolve",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("resolution", doc="kept as the note of the resolve entry"),),
    doc="resolves",
    batch_size=MAX_BULK,
    sets=IncidentState(_not_resolved),
    answered_by=frozenset({"reopen", "trigger"}),
    cost=Cost(calls=2, entries=1),
    purpose=Purpose.RESOLVE,
)


class Resolve(ChangeHandler):
    """Resolves an incident that is open."""

    spec = RESOLVE
    rate_class = RateClass.STATUS
    _is_told_by_log = True

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - not every entry has the resolution
        writer = await self._writer_of(task)
        return (EntryExpected("resolve", incident_id_of(task), writer.user_id),)

    async def _decider(self, args: Mapping[str, Json]) -> Decider:
        fields = {"status": "resolved"}
        if resolution := verbatim(args.get("resolution")):
            fields["resolution"] = resolution

        async def decide(task: Task, writer: Writer, sight: Sight) -> Change | Verdict:
            before = sight.incident
            if before.status is IncidentStatus.RESOLVED:
                return moved(task, before) or there_already(task, "resolved")
            if task.is_uncertain:
                entries = await read_history(self._tools.client, before.id, task.event_at)
                if was_done(entries, task, writer, "resolve", lambda _: True):
                    return Delivered(_REOPENED)
            return Change(fields, f"resolved {before.id}")

        return decide


def moved(task: Task, incident: Incident) -> Verdict | None:
    """The verdict for a record's action on a merged incident: it waits until the link has moved."""
    if incident.merged_into is None or task.event_source is Side.PAGERDUTY or task.is_uncertain:
        return None
    if task.now - (task.first_attempt_at or task.now) > _LONGEST_MOVE:
        return None
    reason = f"{incident.id} was merged into {incident.merged_into}; its link moves there next"
    return RetryLater(reason, _MOVE_SECONDS)


def there_already(task: Task, state: str) -> Verdict:
    """After a lost answer pagerforce counts as the cause of the state, otherwise somebody else."""
    if task.is_uncertain:
        return Delivered(f"found {state} after a lost answer")
    return Skipped(f"the incident is {state} already")
