"""``pagerduty.run_response_play`` and ``pagerduty.run_workflow``.

Facts: ``pagerduty.workflow-start-only``, ``pagerduty.response-plays-removed``.
Nothing shows afterwards whether one ran, so each is sent at most once. Response plays were removed
from the documented API on 2025-09-09; for accounts that still have them, they keep working.
"""

from collections.abc import Mapping, Sequence

from pagerforce.errors import RefusedError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Param,
    TargetKind,
    Task,
    Thing,
)
from pagerforce.model.expectation import Expectation
from pagerforce.model.ids import Side
from pagerforce.model.incident import IncidentStatus
from pagerforce.model.value import Json
from pagerforce.model.verdict import Delivered, Skipped, Verdict
from pagerforce.pagerduty.actions.handler import Handler
from pagerforce.pagerduty.actions.tools import text
from pagerforce.pagerduty.directory import is_play_id
from pagerforce.pagerduty.rate import RateClass
from pagerforce.pagerduty.refusals import is_not_found

_RESOLVED = "the incident is resolved: nobody needs to be called any more"
_GONE = (
    "response play {play} does not exist, or PagerDuty has ended response plays for this account:"
    " use pagerduty.run_workflow instead"
)


RUN_RESPONSE_PLAY = ActionSpec(
    do="pagerduty.run_response_play",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(
        Param(
            "response_play",
            required=True,
            doc="a response play, by name or id",
            names=Thing.RESPONSE_PLAY,
        ),
    ),
    doc="runs a response play; sent at most once. PagerDuty has replaced them by workflows",
    is_repeatable=False,
    cost=Cost(calls=2, entries=1),
)


class RunResponsePlay(Handler):
    """Runs a response play on an open incident."""

    spec = RUN_RESPONSE_PLAY
    rate_class = RateClass.PAGE

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - the effects of a play are unknown
        return ()

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        wanted = text(args.get("response_play"))
        if not wanted:
            raise RefusedError("the response play is empty: correct the rule, then retry it")
        writer = await self._tools.writer_of(task)
        incident = (await self._tools.read_incident(task)).incident
        if incident.status is IncidentStatus.RESOLVED:
            return Skipped(_RESOLVED)
        play_id = wanted
        try:
            if not is_play_id(wanted):
                play_id = await self._id_of(wanted, writer.email)
            await self._tools.client.send_play_run(play_id, incident.id, writer.email)
        except RefusedError as error:
            if is_not_found(error):
                raise RefusedError(_GONE.format(play=wanted)) from error
            raise
        return Delivered(f"ran response play {play_id} on {incident.id}")

    async def _id_of(self, name: str, from_email: str) -> str:
        found = await self._tools.directory.find_response_play(name, from_email)
        if found is None:
            raise RefusedError(_GONE.format(play=name))
        return found.id


RUN_WORKFLOW = ActionSpec(
    do="pagerduty.run_workflow",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(
        Param(
            "workflow",
            required=True,
            doc="an incident workflow, by name or id",
            names=Thing.WORKFLOW,
        ),
    ),
    doc="starts an incident workflow; sent at most once",
    is_repeatable=False,
    cost=Cost(calls=2, entries=1),
)


class RunWorkflow(Handler):
    """Starts an incident workflow on an open incident."""

    spec = RUN_WORKFLOW
    rate_class = RateClass.STATUS

    async def _expect(self, task: Task, args: Mapping[str, Json]) -> Sequence[Expectation]:  # noqa: ARG002 - the effects of a workflow are unknown
        return ()

    async def _attempt(self, task: Task, args: Mapping[str, Json]) -> Verdict:
        wanted = text(args.get("workflow"))
        if not wanted:
            raise RefusedError("the workflow is empty: correct the rule, then retry it")
        workflow = await self._tools.workflow(wanted)
        incident = (await self._tools.read_incident(task)).incident
        if incident.status is IncidentStatus.RESOLVED:
            return Skipped(_RESOLVED)
        await self._tools.client.send_workflow_start(workflow.id, incident.id)
        return Delivered(f"started workflow {workflow.id} on {incident.id}")
