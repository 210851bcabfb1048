"""Reads the changes that a request asks for, and checks them before any is applied.

A bulk update is all or nothing, so every item is read and checked before the first is applied.
Facts: docs/vendors/pagerduty.md#incidents.
"""

from dataclasses import dataclass

from pagerforce.sandbox.pagerduty import edits, lifecycle, refusals
from pagerforce.sandbox.pagerduty.directory import Priority
from pagerforce.sandbox.pagerduty.lifecycle import NewIncident
from pagerforce.sandbox.pagerduty.links import Json
from pagerforce.sandbox.pagerduty.refusals import RefusalError
from pagerforce.sandbox.pagerduty.state import Actor, Incident, State

_STATUSES = ("triggered", "acknowledged", "resolved")
_URGENCIES = ("high", "low")
_UPDATE_TYPES = ("incident", "incident_reference")


@dataclass(frozen=True, slots=True)
class Change:
    """The changes of a PUT; None: not requested."""

    status: str | None = None
    resolution: str | None = None
    title: str | None = None
    priority: Priority | None = None
    urgency: str | None = None
    level: int | None = None
    user_ids: tuple[str, ...] | None = None
    policy_id: str | None = None
    conference_bridge: dict[str, str] | None = None
    service_id: str | None = None
    type_name: str | None = None


def read_new(state: State, body: Json) -> NewIncident:
    """Reads the incident of a POST.

    Raises:
        RefusalError: something is missing or unknown, or an open incident has its key already.
    """
    errors = []
    if body.get("type") != "incident":
        errors.append("type must be incident")
    title = body.get("title")
    if not isinstance(title, str) or not title.strip():
        errors.append("title is required")
    if _reference_id(body.get("service")) is None:
        errors.append("service is required")
    user_ids = _read_assignees(state, body)
    if user_ids is not None and len(user_ids) > 1:
        errors.append("only one assignee may be given")
    if user_ids and body.get("escalation_policy"):
        errors.append("assignments and escalation_policy may not be given together")
    details = _read_body(body, errors)
    if errors or not isinstance(title, str):
        raise refusals.invalid_input(*errors)
    refusals.check_length("Title", title, state.plan.title_limit)
    service_id = _read_service(state, body)
    key = _text(body, "incident_key")
    if service_id is None:
        raise refusals.invalid_input("service is required")
    is_taken = key is not None and state.find_open(service_id, key) is not None
    if is_taken and state.holds("incident-key-refused-while-open"):
        raise refusals.bad_arguments(
            "Open incident with matching dedup key already exists on this service"
        )
    priority = _read_priority(state, body)
    return NewIncident(
        title=title,
        service_id=service_id,
        urgency=_read_urgency(body) or "high",
        incident_key=key,
        policy_id=_read_policy(state, body),
        user_ids=user_ids or (),
        priority_id=None if priority is None else priority.id,
        body=details,
        conference_bridge=_read_bridge(body),
        type_name=_read_type(state, body) or "incident_default",
    )


def read_change(state: State, incident: Incident, body: Json, actor: Actor) -> Change:
    """Reads the incident of a PUT and checks whether it is allowed.

    Raises:
        RefusalError: something is unknown, or the incident's state does not allow it.
    """
    if body.get("type") not in _UPDATE_TYPES:
        raise refusals.invalid_input("type must be incident_reference")
    status = _text(body, "status")
    if status is not None and status not in _STATUSES:
        raise RefusalError(400, 1003, "Invalid Status")
    level = body.get("escalation_level")
    if level is not None and (not isinstance(level, int) or isinstance(level, bool)):
        raise refusals.invalid_input("escalation_level must be an integer")
    change = Change(
        status=status,
        resolution=_text(body, "resolution"),
        title=_text(body, "title") or None,
        priority=_read_priority(state, body),
        urgency=_read_urgency(body),
        level=level,
        user_ids=_read_assignees(state, body),
        policy_id=_read_policy(state, body),
        conference_bridge=_read_bridge(body),
        service_id=_read_service(state, body),
        type_name=_read_type(state, body),
    )
    _judge(state, incident, change, actor)
    return change


def apply_change(state: State, incident: Incident, change: Change, actor: Actor) -> None:
    """Applies a checked change."""
    _apply_fields(state, incident, change, actor)
    reopens = not incident.is_open and change.status in ("triggered", "acknowledged")
    if reopens:
        incident.policy_id = change.policy_id or incident.policy_id
        lifecycle.reopen(
            state, incident, actor, status=change.status or "", user_ids=change.user_ids or ()
        )
        return
    if change.status == "acknowledged" and change.user_ids and change.policy_id is None:
        edits.acknowledge_and_assign(state, incident, change.user_ids, actor)
        return
    if change.policy_id is not None:
        edits.delegate(state, incident, change.policy_id, actor)
    elif change.user_ids:
        edits.assign(state, incident, change.user_ids, actor)
    elif change.level is not None:
        edits.escalate(state, incident, change.level, actor)
    _apply_status(state, incident, change, actor)


def _apply_fields(state: State, incident: Incident, change: Change, actor: Actor) -> None:
    if change.title is not None:
        edits.set_title(state, incident, change.title, actor)
    if change.priority is not None:
        edits.set_priority(state, incident, change.priority, actor)
    if change.urgency is not None:
        edits.set_urgency(state, incident, change.urgency, actor)
    if change.conference_bridge is not None:
        edits.set_conference_bridge(state, incident, change.conference_bridge)
    if change.service_id is not None:
        edits.move_service(state, incident, change.service_id)
    if change.type_name is not None:
        edits.set_type(state, incident, change.type_name)


def _apply_status(state: State, incident: Incident, change: Change, actor: Actor) -> None:
    match change.status:
        case "resolved":
            lifecycle.resolve(state, incident, actor, change.resolution)
        case "acknowledged":
            lifecycle.acknowledge(state, incident, actor)
        case "triggered" if incident.status == "acknowledged":
            lifecycle.unacknowledge(state, incident, actor)


def _judge(state: State, incident: Incident, change: Change, actor: Actor) -> None:
    if not incident.is_open:
        if change.status == "resolved":
            raise RefusalError(400, 1001, "Incident Already Resolved")
        if change.status == "acknowledged" and not state.holds("acknowledge-reopens"):
            raise RefusalError(400, 1001, "Incident Already Resolved")
        moves = change.user_ids or change.policy_id or change.level is not None
        if change.status is None and moves:
            raise RefusalError(400, 1001, "Incident Already Resolved")
    acknowledgers = [item.agent for item in incident.acknowledgements]
    if change.status == "acknowledged" and actor.agent in acknowledgers:
        raise RefusalError(400, 1002, "Incident Already Acknowledged")
    is_both = change.status == "acknowledged" and change.user_ids and incident.is_open
    if is_both and edits.both_in_one(state) is edits.Both.REFUSES:
        raise refusals.invalid_input("assignments may not be given with a status")
    if change.level is not None:
        policy = state.directory.policies[change.policy_id or incident.policy_id]
        if not 1 <= change.level <= len(policy.levels):
            raise RefusalError(400, 1006, "Cannot Escalate")


def _reference_id(value: object) -> str | None:
    identifier = value.get("id") if isinstance(value, dict) else None
    return identifier if isinstance(identifier, str) and identifier else None


def _text(body: Json, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refusals.invalid_input(f"{name} must be a string")
    return value


def _read_urgency(body: Json) -> str | None:
    urgency = _text(body, "urgency")
    if urgency is not None and urgency not in _URGENCIES:
        raise refusals.invalid_input("urgency must be high or low")
    return urgency


def _read_body(body: Json, errors: list[str]) -> str | None:
    """The details, which must be a text (``pagerduty.details-are-text``)."""
    wrapper = body.get("body")
    if wrapper is None:
        return None
    details = wrapper.get("details") if isinstance(wrapper, dict) else None
    if not isinstance(wrapper, dict) or wrapper.get("type") != "incident_body":
        errors.append("body must be an incident_body")
    if details is not None and not isinstance(details, str):
        errors.append("body.details must be a string")
        return None
    return details


def _read_service(state: State, body: Json) -> str | None:
    if body.get("service") is None:
        return None
    service_id = _reference_id(body["service"])
    if service_id is None or service_id not in state.directory.services:
        raise RefusalError(400, 5002, "Service Not Found")
    return service_id


def _read_policy(state: State, body: Json) -> str | None:
    if body.get("escalation_policy") is None:
        return None
    policy_id = _reference_id(body["escalation_policy"])
    policy = state.directory.policies.get(policy_id or "")
    if policy is None:
        raise RefusalError(400, 1014, "Escalation Policy Not Found")
    if not policy.levels or not policy.levels[0]:
        raise RefusalError(400, 1015, "Escalation Policy Has No User On Call")
    return policy.id


def _read_assignees(state: State, body: Json) -> tuple[str, ...] | None:
    assignments = body.get("assignments")
    if assignments is None:
        return None
    if not isinstance(assignments, list):
        raise refusals.invalid_input("assignments must be a list")
    found = []
    for assignment in assignments:
        assignee = assignment.get("assignee") if isinstance(assignment, dict) else None
        user_id = _reference_id(assignee)
        if user_id is None or user_id not in state.directory.users:
            raise RefusalError(400, 1007, "Assigned To User Not Found")
        found.append(user_id)
    return tuple(found)


def _read_priority(state: State, body: Json) -> Priority | None:
    value = body.get("priority")
    if value is None:
        return None
    if not state.plan.priorities:
        raise refusals.lacks_ability("priorities")
    if isinstance(value, str):
        priority = state.directory.find_priority(value)
    else:
        priority = state.directory.priorities.get(_reference_id(value) or "")
    if priority is None:
        raise RefusalError(400, 1020, "Invalid Priority")
    return priority


def _read_bridge(body: Json) -> dict[str, str] | None:
    bridge = body.get("conference_bridge")
    if bridge is None:
        return None
    if not isinstance(bridge, dict):
        raise refusals.invalid_input("conference_bridge must be an object")
    known = ("conference_number", "conference_url")
    return {name: str(bridge[name]) for name in known if bridge.get(name) is not None}


def _read_type(state: State, body: Json) -> str | None:
    value = body.get("incident_type")
    if value is None:
        return None
    name = value.get("name") if isinstance(value, dict) else None
    kind = state.directory.find_type(str(name))
    if kind is None:
        raise refusals.invalid_input("incident_type is unknown")
    return kind.name
