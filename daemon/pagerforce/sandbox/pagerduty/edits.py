"""Changes to an incident other than its status, with their log entries, if any.

Facts: docs/vendors/pagerduty.md#log-entries and #incidents.
"""

from datetime import timedelta
from enum import StrEnum

from pagerforce.sandbox.pagerduty.directory import CustomField, Priority
from pagerforce.sandbox.pagerduty.entries import (
    Story,
    name_of,
    record,
    record_assignees,
    record_delegation,
    record_notification,
)
from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.pagerduty.lifecycle import (
    acknowledge,
    assignments_of,
    back_to_triggered,
    call_level,
    end_acknowledgement,
    schedule,
    unacknowledge,
)
from pagerforce.sandbox.pagerduty.stamps import write_stamp
from pagerforce.sandbox.pagerduty.state import (
    Actor,
    Agent,
    Incident,
    Note,
    PendingAction,
    ResponderRequest,
    State,
)


def assign(state: State, incident: Incident, user_ids: tuple[str, ...], actor: Actor) -> None:
    """Assigns users directly; such an incident no longer escalates.

    An assignment by a person ends an acknowledgement without an entry.
    """
    _hand(state, incident, user_ids, actor)
    if actor.user_id is not None and state.holds("reassign-ends-acknowledgement"):
        end_acknowledgement(state, incident)
    schedule(state, incident)


class Both(StrEnum):
    """Possible results of one write that acknowledges and assigns; none is recorded."""

    KEEPS = "keeps"  # assigned, and acknowledged
    KEEPS_LAST = "keeps_last"  # acknowledged, so assigned to the writer for a moment; then assigned
    IGNORES = "ignores"  # acknowledged, as if it had no assignments
    ENDS = "ends"  # acknowledged, then reassigned, which ends the acknowledgement
    ASSIGNS = "assigns"  # assigned, as if it had no status
    REFUSES = "refuses"


def acknowledge_and_assign(
    state: State, incident: Incident, user_ids: tuple[str, ...], actor: Actor
) -> None:
    """Applies a write that asks for both; refused writes do not get here."""
    how = both_in_one(state)
    if how is Both.ASSIGNS:
        assign(state, incident, user_ids, actor)
        return
    if how is Both.KEEPS:
        _hand(state, incident, user_ids, actor)
    acknowledge(state, incident, actor, takes=how is not Both.KEEPS)
    if how in (Both.KEEPS_LAST, Both.ENDS):
        _hand(state, incident, user_ids, actor)
    if how is Both.ENDS:
        end_acknowledgement(state, incident)


def both_in_one(state: State) -> Both:
    """The result in this account."""
    how = Both(state.knobs.acknowledge_with_assignments)
    is_kept = how in (Both.KEEPS, Both.KEEPS_LAST)
    is_false = not state.holds("acknowledge-with-assignments-keeps-both")
    return Both.IGNORES if is_kept and is_false else how


def _hand(state: State, incident: Incident, user_ids: tuple[str, ...], actor: Actor) -> None:
    incident.assigned_via = "direct_assignment"
    incident.assignments = assignments_of(incident, user_ids, state.now())
    record_assignees(state, incident, actor, "assign", user_ids)
    _touch(state, incident)


def escalate(state: State, incident: Incident, level: int, actor: Actor) -> None:
    """Calls a level of the escalation policy, which ends an acknowledgement without an entry.

    A timeout does not escalate an acknowledged incident: its acknowledgement times out first.
    """
    if actor.channel == "timeout" and incident.status == "acknowledged":
        unacknowledge(state, incident, actor)
    called = call_level(state, incident, level)
    record_assignees(state, incident, actor, "escalate", called)
    for user_id in called:
        record_notification(state, incident, user_id)
    if state.holds("escalate-ends-acknowledgement"):
        back_to_triggered(state, incident)
    _touch(state, incident)


def delegate(state: State, incident: Incident, policy_id: str, actor: Actor) -> None:
    """Delegates the incident to another escalation policy and calls its first level.

    That ends an acknowledgement without an entry.
    """
    incident.policy_id = policy_id
    called = call_level(state, incident, 1)
    record_delegation(state, incident, actor, called)
    if state.holds("delegate-ends-acknowledgement"):
        end_acknowledgement(state, incident)
    _touch(state, incident)


def set_priority(state: State, incident: Incident, priority: Priority | None, actor: Actor) -> None:
    """Sets or clears the priority."""
    old_id = incident.priority_id
    old = None if old_id is None else state.directory.priorities[old_id]
    if old == priority:
        return
    incident.priority_id = None if priority is None else priority.id
    words = [f'"{item.name}"' if item is not None else "none" for item in (old, priority)]
    story = Story(
        "priority_change_log_entry",
        f"Priority changed from {words[0]} to {words[1]}",
        channel={"old_priority": _priority_json(old), "new_priority": _priority_json(priority)},
    )
    if state.holds("priority-change-entry"):
        record(state, incident, actor, story)
    _touch(state, incident)


def set_urgency(state: State, incident: Incident, urgency: str, actor: Actor) -> None:
    """Sets the urgency, which is only in the summary of the entry."""
    if incident.urgency == urgency:
        return
    incident.urgency = urgency
    summary = f"Urgency changed to {urgency} by {name_of(state, actor)}"
    if state.holds("urgency-change-entry"):
        record(state, incident, actor, Story("urgency_change_log_entry", summary))
    _touch(state, incident)


def snooze(state: State, incident: Incident, seconds: int, actor: Actor) -> None:
    """Snoozes an acknowledged incident."""
    due = state.now() + timedelta(seconds=seconds)
    others = [action for action in incident.pending if action.type != "unacknowledge"]
    incident.pending = [PendingAction("unacknowledge", due), *others]
    story = Story(
        "snooze_log_entry",
        f"Snoozed by {name_of(state, actor)}",
        channel={"duration": seconds},
        fields={"changed_actions": [{"type": "unacknowledge", "at": write_stamp(due)}]},
    )
    record(state, incident, actor, story)
    _touch(state, incident)


def set_title(state: State, incident: Incident, title: str, actor: Actor) -> None:
    """Changes the title; no entry."""
    incident.title = title
    if not state.holds("title-leaves-no-entry"):
        record(state, incident, actor, Story("title_change_log_entry", "Title changed"))
    _touch(state, incident)


def move_service(state: State, incident: Incident, service_id: str) -> None:
    """Moves it to another service; no entry. Its escalation policy stays."""
    incident.service_id = service_id
    _touch(state, incident)


def set_conference_bridge(state: State, incident: Incident, bridge: dict[str, str]) -> None:
    """Sets the conference bridge; no entry."""
    incident.conference_bridge = bridge
    _touch(state, incident)


def set_type(state: State, incident: Incident, type_name: str) -> None:
    """Sets the incident type; no entry."""
    incident.type_name = type_name
    _touch(state, incident)


def set_custom_value(
    state: State, incident: Incident, field: CustomField, value: object, actor: Actor
) -> None:
    """Sets a custom field's value. Here that keeps ``updated_at``; the real account is unknown."""
    old = incident.custom_values.get(field.name)
    if old == value:
        return
    incident.custom_values[field.name] = value
    change: dict[str, object] = {
        "id": field.id,
        "name": field.name,
        # the schema has numbers and lists of texts here, and the old value as a text
        "value": value if isinstance(value, int) else [] if value is None else [str(value)],
        "old_value": None if old is None else str(old),
        "namespace": "incidents",
    }
    changeset = {"customer_fields": [change], "application_fields": [], "custom_attributes": {}}
    story = Story(
        "custom_field_value_change_log_entry",
        f"Custom field {field.display_name} updated by {name_of(state, actor)}",
        channel={"changeset": changeset},
        fields={"changeset": [field.name]},
    )
    record(state, incident, actor, story)


def annotate(state: State, incident: Incident, content: str, actor: Actor) -> Note:
    """Adds a note. The entry has its text, but not its id."""
    if actor.user_id is None:
        raise ValueError("a note needs an author")
    now = state.now()
    note = Note(state.ids.make("note"), actor.user_id, content, now, now)
    incident.notes.append(note)
    story = Story(
        "annotate_log_entry",
        f"Note added by {name_of(state, actor)}",
        {
            "type": "note",
            "summary": content if state.holds("annotate-entry-bears-text") else "Note added",
        },
    )
    record(state, incident, actor, story)
    return note


def run_custom_action(state: State, incident: Incident, name: str, actor: Actor) -> Entry:
    """A person runs a custom incident action."""
    summary = f"{name} run by {name_of(state, actor)}"
    return record(state, incident, actor, Story("custom_log_entry", summary))


def publish_update(state: State, incident: Incident, message: str, actor: Actor) -> Entry:
    """Publishes a status update; only its entry shows it."""
    summary = f"Status update published by {name_of(state, actor)}"
    is_told = state.holds("status-update-entry-bears-message")
    fields: dict[str, object] = {"message": message} if is_told else {}
    story = Story("status_update_log_entry", summary, fields=fields)
    return record(state, incident, actor, story)


def request_responders(state: State, incident: Incident, request: ResponderRequest) -> None:
    """Asks people to help."""
    incident.responder_requests.append(request)
    actor = Actor(Agent("user", request.requester_id), "website")
    kinds = {
        "responder_request_log_entry": request.user_ids,
        "responder_request_for_escalation_policy_log_entry": request.policy_ids,
    }
    for kind, targets in kinds.items():
        for _ in targets:
            summary = f"Responder requested by {name_of(state, actor)}"
            record(state, incident, actor, Story(kind, summary))
    _touch(state, incident)


def _touch(state: State, incident: Incident) -> None:
    incident.updated_at = state.now()


def _priority_json(priority: Priority | None) -> dict[str, str] | None:
    if priority is None:
        return None
    return {
        "id": priority.id,
        "type": "priority_reference",
        "summary": priority.name,
        "name": priority.name,
    }
