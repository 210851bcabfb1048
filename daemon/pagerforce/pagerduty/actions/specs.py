"""The declarations of PagerDuty's actions, as the rules parser reads them."""

from pagerforce.model.action import ActionSpec, Param, ParamKind, TargetKind
from pagerforce.model.ids import Side
from pagerforce.pagerduty.client import MAX_BULK

URGENCIES = ("high", "low")
ASSIGN_TO = ("writer", "actor", "unchanged")

_ASSIGNEES = Param("assignees", ParamKind.LIST, doc="users, by e-mail or id")
_POLICY = Param("escalation_policy", doc="an escalation policy, by name or id")

CREATE_INCIDENT = ActionSpec(
    do="pagerduty.create_incident",
    side=Side.PAGERDUTY,
    target=TargetKind.NEW_INCIDENT,
    params=(
        Param("title", required=True, doc="title of the incident"),
        Param(
            "service",
            doc="a service, by name or id; default: the record's category, else the service mapping",
        ),
        Param("urgency", choices=URGENCIES, doc="high or low; default: as the service has it"),
        Param("priority", doc="a priority, by name or id"),
        Param("body", doc="details, as text"),
        _POLICY,
        Param(
            "assignees", ParamKind.LIST, doc="one user, by e-mail or id; PagerDuty takes no more"
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
)

RESOLVE = ActionSpec(
    do="pagerduty.resolve",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("resolution", doc="kept as the note of the resolve entry"),),
    doc="resolves",
    batch_size=MAX_BULK,
)

SET_PRIORITY = ActionSpec(
    do="pagerduty.set_priority",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("priority", required=True, doc="a priority, by name or id"),),
    doc="sets the priority",
    batch_size=MAX_BULK,
)

REASSIGN = ActionSpec(
    do="pagerduty.reassign",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(_ASSIGNEES, _POLICY),
    doc="assigns to users, or to an escalation policy",
    exactly_one_of=(("assignees", "escalation_policy"),),
    batch_size=MAX_BULK,
)

ADD_NOTE = ActionSpec(
    do="pagerduty.add_note",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT_ANY,
    params=(Param("text", required=True, doc="the note"),),
    doc="adds a note, to resolved incidents too",
)

RUN_RESPONSE_PLAY = ActionSpec(
    do="pagerduty.run_response_play",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("response_play", required=True, doc="a response play, by name or id"),),
    doc="runs a response play; sent at most once. PagerDuty has replaced them by workflows",
    is_repeatable=False,
)

RUN_WORKFLOW = ActionSpec(
    do="pagerduty.run_workflow",
    side=Side.PAGERDUTY,
    target=TargetKind.INCIDENT,
    params=(Param("workflow", required=True, doc="an incident workflow, by name or id"),),
    doc="starts an incident workflow; sent at most once",
    is_repeatable=False,
)
