"""Opens, acknowledges, resolves, reopens and merges incidents, with their log entries.

The endpoints contain the rules for permissions and refusals; here changes are applied.
Facts: docs/vendors/pagerduty.md#log-entries and #incidents.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pagerforce.sandbox.pagerduty.directory import EscalationPolicy
from pagerforce.sandbox.pagerduty.entries import (
    Story,
    name_of,
    record,
    record_assignees,
    record_notification,
    service_actor,
)
from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.pagerduty.state import (
    Acknowledgement,
    Actor,
    Agent,
    Alert,
    Assignment,
    Incident,
    PendingAction,
    State,
)


@dataclass(frozen=True, slots=True)
class NewIncident:
    """The values given for a new incident; None leaves a value to the service.

    ``user_ids``: assigned directly, instead of by an escalation policy.
    """

    title: str
    service_id: str
    urgency: str = "high"
    incident_key: str | None = None
    policy_id: str | None = None
    user_ids: tuple[str, ...] = ()
    priority_id: str | None = None
    body: str | None = None
    conference_bridge: dict[str, str] | None = None
    type_name: str = "incident_default"
    made_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class MonitoringEvent:
    """One trigger event of a monitoring system."""

    service_id: str
    title: str
    key: str
    urgency: str = "high"
    severity: str = "critical"
    details: dict[str, object] = field(default_factory=dict)


def open_by_user(state: State, new: NewIncident, actor: Actor) -> Incident:
    """A person opens an incident, in the UI or through the REST API.

    If they assign it to themselves, it is acknowledged at once and they are not notified
    (``pagerduty.creator-assigned-acknowledges``).
    """
    incident = _add(state, new, actor)
    channel: dict[str, object] = {"type": "web_trigger", "subject": new.title, "summary": new.title}
    if new.body is not None:
        channel["details"] = new.body
    story = Story(
        "trigger_log_entry",
        f"Triggered through the {'website' if state.holds('rest-trigger-summary') else 'API'}",
        channel,
        fields={
            "event_details": {"description": new.title},
        },
    )
    is_named = state.holds("own-entries-bear-writer")
    writer = actor if is_named else service_actor(incident, actor.channel)
    incident.first_entry_id = record(state, incident, writer, story).id
    self_assigned = actor.user_id is not None and new.user_ids == (actor.user_id,)
    _call_first(state, incident, new.user_ids, quiet=self_assigned)
    if self_assigned:
        acknowledge(state, incident, actor)
    return incident


def open_by_event(state: State, event: MonitoringEvent) -> Incident:
    """Monitoring triggers: a new incident, or one more trigger entry on the open one."""
    incident = state.find_open(event.service_id, event.key)
    if incident is not None:
        _record_trigger(state, incident, event)
        return incident
    new = NewIncident(event.title, event.service_id, event.urgency)
    incident = _add(state, new, service_actor_of(event.service_id))
    entry = _record_trigger(state, incident, event)
    incident.first_entry_id = entry.id
    _add_alert(state, incident, event, entry)
    _call_first(state, incident, (), quiet=False)
    return incident


def service_actor_of(service_id: str) -> Actor:
    """A service that received an event through the Events API."""
    return Actor(Agent("service", service_id), "api")


def acknowledge(state: State, incident: Incident, actor: Actor, *, takes: bool = True) -> None:
    """Somebody acknowledges; a person who was not assigned is assigned.

    The service writes that assignment, in the same second and just before the acknowledgement. If
    the current assignees stay (``takes`` False), there is no such entry.
    """
    if actor.agent is None:
        raise ValueError("an acknowledgement needs somebody who acknowledges")
    now = state.now()
    if takes:
        _take(state, incident, actor)
    timeout = state.directory.services[incident.service_id].acknowledgement_timeout
    story = Story(
        "acknowledge_log_entry",
        f"Acknowledged by {name_of(state, actor)}",
        fields={"acknowledgement_timeout": timeout or None},
    )
    record(state, incident, actor, story)
    others = [item for item in incident.acknowledgements if item.agent != actor.agent]
    incident.acknowledgements = [*others, Acknowledgement(actor.agent, now)]
    _set_status(state, incident, "acknowledged", actor)
    if takes and not state.holds("service-assign-keeps-status"):
        back_to_triggered(state, incident)


def _take(state: State, incident: Incident, actor: Actor) -> None:
    """Assigns the incident to the person who acknowledges it, unless it is theirs already."""
    mine = actor.user_id
    if mine is None or any(item.user_id == mine for item in incident.assignments):
        return
    if state.holds("acknowledge-assigns-to-writer"):
        incident.assignments = [Assignment(mine, state.now())]
    if state.holds("service-assigns-beside-acknowledge"):
        record_assignees(state, incident, service_actor(incident, "auto"), "assign", (mine,))


def end_acknowledgement(state: State, incident: Incident) -> None:
    """An acknowledged incident is triggered again; no entry says so."""
    if incident.status == "acknowledged":
        back_to_triggered(state, incident)


def back_to_triggered(state: State, incident: Incident) -> None:
    """The service sets the status, for every actor; no entry reports it."""
    incident.acknowledgements = []
    _set_status(state, incident, "triggered", service_actor(incident, "auto"))


def unacknowledge(state: State, incident: Incident, actor: Actor) -> None:
    """The acknowledgement timed out, or somebody withdrew it."""
    summary = f"Unacknowledged by {name_of(state, actor)}"
    if actor.channel == "timeout":
        summary = "Unacknowledged due to timeout"
    record(state, incident, actor, Story("unacknowledge_log_entry", summary))
    incident.acknowledgements = []
    _set_status(state, incident, "triggered", actor)


def resolve(state: State, incident: Incident, actor: Actor, resolution: str | None = None) -> None:
    """Resolves it. Assignments, acknowledgements and alerts end with it."""
    is_noted = resolution is not None and state.holds("resolve-entry-bears-note")
    fields: dict[str, object] = {"note": resolution} if is_noted else {}
    summary = f"Resolved by {name_of(state, actor)}"
    record(state, incident, actor, Story("resolve_log_entry", summary, fields=fields))
    if state.holds("resolved-empties-assignments"):
        incident.assignments = []
        incident.acknowledgements = []
    incident.resolved_at = state.now()
    for alert in incident.alerts:
        alert.resolved_at = alert.resolved_at or state.now()
    _set_status(state, incident, "resolved", actor)


def reopen(
    state: State,
    incident: Incident,
    actor: Actor,
    *,
    status: str = "triggered",
    user_ids: tuple[str, ...] = (),
) -> None:
    """A resolved incident is opened again, without any log entry.

    With ``triggered`` it gets the given assignees, else those of its policy; with ``acknowledged``,
    the actor.
    """
    incident.resolved_at = None
    incident.merged_into = None
    incident.level = 1
    now = state.now()
    if status == "acknowledged" and actor.user_id is not None and actor.agent is not None:
        user_ids = (actor.user_id,)
        incident.acknowledgements = [Acknowledgement(actor.agent, now)]
    incident.assigned_via = "direct_assignment" if user_ids else "escalation_policy"
    called = user_ids or _level(state.directory.policies[incident.policy_id], 1)
    incident.assignments = [Assignment(user_id, now) for user_id in called]
    _set_status(state, incident, status, actor)
    if not state.holds("reopen-leaves-no-entry"):
        record(state, incident, actor, Story("reopen_log_entry", "Reopened"))


def merge(state: State, target: Incident, sources: list[Incident], actor: Actor) -> None:
    """The sources' alerts move to the target; the sources are resolved and name the target."""
    for source in sources:
        for alert in list(source.alerts):
            move_alert(state, alert, target, actor)
        if source.is_open:
            resolve(state, source, actor)
        source.merged_into = target.id
    target.updated_at = state.now()


def move_alert(state: State, alert: Alert, target: Incident, actor: Actor) -> None:
    """Moves an alert to another incident; both get an entry."""
    source = state.incidents[alert.incident_id]
    moves = ((source, target, "unlink", "from"), (target, source, "link", "to"))
    for here, there, kind, word in moves:
        story = Story(
            f"{kind}_log_entry",
            f"Alert {kind}ed {word} this incident by {name_of(state, actor)}",
            linked_incident_id=there.id,
        )
        record(state, here, actor, story)
    source.alerts.remove(alert)
    target.alerts.append(alert)
    alert.incident_id = target.id


def call_level(state: State, incident: Incident, level: int) -> tuple[str, ...]:
    """Assigns the people of a level of the policy, and notifies them; returns their user ids."""
    policy = state.directory.policies[incident.policy_id]
    called = _level(policy, level)
    incident.level = level
    incident.assigned_via = "escalation_policy"
    incident.assignments = assignments_of(incident, called, state.now())
    schedule(state, incident)
    return called


def assignments_of(
    incident: Incident, user_ids: tuple[str, ...], now: datetime
) -> list[Assignment]:
    """Assignments to these users; those who stay assigned keep their time."""
    since = {item.user_id: item.at for item in incident.assignments}
    return [Assignment(user_id, since.get(user_id, now)) for user_id in user_ids]


def schedule(state: State, incident: Incident) -> None:
    """Sets the service's next action. It is only shown: the author of the story performs it."""
    service = state.directory.services[incident.service_id]
    now = state.now()
    pending = []
    if incident.status == "acknowledged" and service.acknowledgement_timeout:
        due = now + timedelta(seconds=service.acknowledgement_timeout)
        pending.append(PendingAction("unacknowledge", due))
    policy = state.directory.policies[incident.policy_id]
    escalates = incident.status == "triggered" and incident.assigned_via == "escalation_policy"
    if escalates and incident.level < len(policy.levels):
        due = now + timedelta(minutes=policy.delay_minutes)
        pending.append(PendingAction("escalate", due))
    if incident.is_open and service.auto_resolve_timeout:
        due = incident.created_at + timedelta(seconds=service.auto_resolve_timeout)
        pending.append(PendingAction("resolve", due))
    incident.pending = pending


def _add(state: State, new: NewIncident, actor: Actor) -> Incident:
    now = state.now()
    policy_id = new.policy_id or state.directory.services[new.service_id].policy_id
    from_monitoring = actor.agent is not None and actor.agent.type == "service"
    key = new.incident_key
    if key is None and not from_monitoring:
        key = state.ids.make_key("incident key")
    incident = Incident(
        id=state.ids.make("incident"),
        number=state.ids.number("incident number"),
        title=new.title,
        service_id=new.service_id,
        policy_id=policy_id,
        created_at=now,
        updated_at=now,
        last_status_change_at=now,
        last_status_change_by=actor.agent,
        urgency=new.urgency,
        incident_key=key,
        priority_id=new.priority_id,
        body=new.body,
        conference_bridge=new.conference_bridge,
        type_name=new.type_name,
        made_by_hand=new.made_by_hand,
    )
    state.incidents[incident.id] = incident
    return incident


def _call_first(
    state: State, incident: Incident, user_ids: tuple[str, ...], *, quiet: bool
) -> None:
    if user_ids:
        incident.assigned_via = "direct_assignment"
        incident.assignments = [Assignment(user_id, state.now()) for user_id in user_ids]
        schedule(state, incident)
    called = user_ids or call_level(state, incident, 1)
    caller = service_actor(incident, "auto")
    if not state.holds("policy-assigns-by-service"):
        caller = Actor(Agent("user", called[0]), "website")
    record_assignees(state, incident, caller, "assign", called)
    if not quiet:
        for user_id in called:
            record_notification(state, incident, user_id)


def _record_trigger(state: State, incident: Incident, event: MonitoringEvent) -> Entry:
    channel: dict[str, object] = {
        "service_key": "",
        "description": event.title,
        "incident_key": event.key,
        "details": event.details,
        "summary": event.title,
    }
    fields: dict[str, object] = {"event_details": {"description": event.title}}
    story = Story("trigger_log_entry", "Triggered through the API", channel, fields=fields)
    return record(state, incident, service_actor(incident, "api"), story)


def _add_alert(state: State, incident: Incident, event: MonitoringEvent, entry: Entry) -> None:
    alert = Alert(
        id=state.ids.make("alert"),
        key=event.key,
        incident_id=incident.id,
        service_id=event.service_id,
        summary=event.title,
        severity=event.severity,
        created_at=state.now(),
        details=event.details,
        entry_id=entry.id,
    )
    state.alerts[alert.id] = alert
    incident.alerts.append(alert)


def _set_status(state: State, incident: Incident, status: str, actor: Actor) -> None:
    now = state.now()
    incident.status = status
    incident.updated_at = now
    incident.last_status_change_at = now
    incident.last_status_change_by = actor.agent
    schedule(state, incident)


def _level(policy: EscalationPolicy, level: int) -> tuple[str, ...]:
    return policy.levels[level - 1] if 0 < level <= len(policy.levels) else ()
