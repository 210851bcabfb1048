"""Writes the log entries of changes to an incident, as the account itself does.

Facts: docs/vendors/pagerduty.md#log-entries. Changes without a known entry type (reopen, title,
service, conference bridge, edited notes) write no entry here either.
service, conference bridge, edited notes) write none here either.
"""

from dataclasses import dataclass, field

from pagerforce.sandbox.pagerduty.journal import Entry
from pagerforce.sandbox.pagerduty.state import Actor, Agent, Incident, State


@dataclass(frozen=True, slots=True)
class Story:
    """The content of an entry besides person, time and incident.

    ``channel`` has the fields of the entry's channel besides its type.
    """

    type: str
    summary: str
    channel: dict[str, object] = field(default_factory=dict)
    assignees: tuple[str, ...] | None = None
    user_id: str | None = None
    linked_incident_id: str | None = None
    fields: dict[str, object] = field(default_factory=dict)


def record(state: State, incident: Incident, actor: Actor, story: Story) -> Entry:
    """Appends an entry about an incident at the clock's whole second."""
    now = state.now()
    agent = actor.agent
    return state.journal.append(
        Entry(
            id=state.ids.make("entry"),
            type=story.type,
            created_at=now,
            visible_at=now,
            sequence=0,
            summary=story.summary,
            incident_id=incident.id,
            service_id=incident.service_id,
            agent_type=None if agent is None else agent.type,
            agent_id=None if agent is None else agent.id,
            channel={"type": actor.channel, **story.channel},
            assignees=story.assignees,
            user_id=story.user_id,
            linked_incident_id=story.linked_incident_id,
            fields=story.fields,
        )
    )


def service_actor(incident: Incident, channel: str) -> Actor:
    """The incident's service, acting by itself in a channel: auto, api, timeout, ..."""
    return Actor(Agent("service", incident.service_id), channel)


def names_of(state: State, user_ids: tuple[str, ...]) -> str:
    """The users' names, for summaries."""
    return " and ".join(state.directory.users[user_id].name for user_id in user_ids)


def name_of(state: State, actor: Actor) -> str:
    """The actor's name, for summaries."""
    if actor.agent is None:
        return "automation"
    if actor.agent.type == "user":
        return state.directory.users[actor.agent.id].name
    return state.directory.services[actor.agent.id].name


def record_assignees(
    state: State, incident: Incident, actor: Actor, kind: str, user_ids: tuple[str, ...]
) -> None:
    """Writes that users were assigned: one entry per user.

    Args:
        state: the account.
        incident: the incident they were assigned to.
        actor: the person or service that assigned them.
        kind: ``assign`` or ``escalate``.
        user_ids: the new assignees.
    """
    words = {"assign": "Assigned", "escalate": "Escalated"}
    by = "through the API" if actor.channel == "timeout" else f"by {name_of(state, actor)}"
    groups = [(user_id,) for user_id in user_ids]
    for group in groups if state.holds("one-entry-per-target") else [user_ids]:
        summary = f"{words[kind]} to {names_of(state, group)} {by}"
        record(state, incident, actor, Story(f"{kind}_log_entry", summary, assignees=group))


def record_delegation(
    state: State, incident: Incident, actor: Actor, user_ids: tuple[str, ...]
) -> None:
    """Writes that the incident was delegated; the service's entries name the new assignees."""
    policy = state.directory.policies[incident.policy_id]
    summary = f"Delegated {policy.name} by {name_of(state, actor)}"
    if not state.holds("delegate-names-no-targets"):
        record(state, incident, actor, Story("delegate_log_entry", summary, assignees=user_ids))
        return
    record(state, incident, actor, Story("delegate_log_entry", summary))
    record_assignees(state, incident, service_actor(incident, "auto"), "assign", user_ids)


def record_notification(
    state: State, incident: Incident, user_id: str, medium: str = "email"
) -> Entry:
    """Writes that a user was notified: ``email``, ``sms``, ``phone`` or ``push``."""
    user = state.directory.users[user_id]
    notification = {"type": f"{medium}_notification", "status": "success", "address": user.email}
    story = Story(
        "notify_log_entry",
        f"Notified {user.name} by {medium}",
        channel={"notification": notification},
        user_id=user_id,
    )
    return record(state, incident, service_actor(incident, "auto"), story)
