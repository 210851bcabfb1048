"""The declarations of PagerDuty's actions, as the rules parser reads them."""

from collections.abc import Mapping

from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Errand,
    Gap,
    IncidentState,
    Param,
    ParamKind,
    TargetKind,
    Thing,
)
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.value import Json
from pagerforce.pagerduty.client import MAX_BULK

URGENCIES = ("high", "low")
ASSIGN_TO = ("writer", "actor", "unchanged")

_ASSIGNEES = Param("assignees", ParamKind.LIST, doc="users, by e-mail or id", names=Thing.USER)
_POLICY = Param(
    "escalation_policy", doc="an escalation policy, by name or id", names=Thing.ESCALATION_POLICY
)
_PRIORITY = "a priority, by name or id"


def _not_acknowledged(incident: Incident, _args: Mapping[str, Json]) -> Gap | None:
    if incident.status is not IncidentStatus.TRIGGERED:
        return None
    return Gap("status", incident.status, IncidentStatus.ACKNOWLEDGED)


def _not_resolved(incident: Incident, _args: Mapping[str, Json]) -> Gap | None:
    if not incident.is_open:
        return None
    return Gap("status", incident.status, IncidentStatus.RESOLVED)


def _other_priority(incident: Incident, args: Mapping[str, Json]) -> Gap | None:
    wanted = str(args.get("priority") or "").strip()
    now = incident.priority
    names = {now.id, (now.name or "").casefold()} if now else {""}
    if wanted in names or wanted.casefold() in names:
        return None
    return Gap("priority", now.name if now else None, wanted)


CREATE_INCIDENT = ActionSpec(
    do="pagerduty.create_incident",
    side=Side.PAGERDUTY,
    target=TargetKind.NEW_INCIDENT,
    params=(
        Param("title", required=True, doc="title of the incident"),
        Param(
            "service",
            doc="a service, by name or id; default: the record's category, else the service mapping",
            names=Thing.SERVICE,
        ),
        Param("urgency", choices=URGENCIES, doc="high or low; default: as the service has it"),
        Param("priority", doc=_PRIORITY, names=Thing.PRIORITY),
        Param("body", doc="details, as text"),
        _POLICY,
        Param(
            "assignees",
            ParamKind.LIST,
            doc="one user, by e-mail or id; PagerDuty takes no more",
            names=Thing.USER,
        ),
        Param(
            "unless_linked",
            ParamKind.CHOICE,
            choices=("any", "open"),
            default="any",
            doc="what keeps it from being created: any linked incident, or only an open one",
        ),
    ),
    doc="creates and links an incident, if none is linked",
    at_most_one_of=(("assignees", "escalation_policy"),),
    is_page=True,
    cost=Cost(calls=1, entries=3),
)

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
            doc="who has the incident then: who writes it, the person whose change it was, or who had it",
        ),
    ),
    doc="acknowledges; never reopens an incident that was resolved meanwhile",
    batch_size=MAX_BULK,
    sets=IncidentState(_not_acknowledged),
    undone_by=frozenset({"pagerduty.resolve"}),
    answered_by=frozenset({"unacknowledge", "reopen"}),
    cost=Cost(calls=3, entries=2),
)

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
    errand=Errand.RESOLVE,
)

SET_PRIORITY = ActionSpec(
    do="pagerduty.set_priority",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("priority", required=True, doc=_PRIORITY, names=Thing.PRIORITY),),
    doc="sets the priority",
    batch_size=MAX_BULK,
    sets=IncidentState(_other_priority),
    undone_by=frozenset({"pagerduty.set_priority"}),
    answered_by=frozenset({"priority_change"}),
    cost=Cost(calls=2, entries=1),
)

REASSIGN = ActionSpec(
    do="pagerduty.reassign",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(_ASSIGNEES, _POLICY),
    doc="assigns to users, or to an escalation policy",
    exactly_one_of=(("assignees", "escalation_policy"),),
    batch_size=MAX_BULK,
    undone_by=frozenset({"pagerduty.reassign"}),
    answered_by=frozenset({"assign", "escalate", "delegate"}),
    cost=Cost(calls=2, entries=1),
)

ADD_NOTE = ActionSpec(
    do="pagerduty.add_note",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT_ANY,
    params=(Param("text", required=True, doc="the note"),),
    doc="adds a note, to resolved incidents too",
    cost=Cost(calls=1, entries=1),
    errand=Errand.NOTE,
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
