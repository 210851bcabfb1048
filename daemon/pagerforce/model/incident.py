"""A PagerDuty incident and its log entries. Facts: docs/vendors/pagerduty.md."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from pagerforce.model.ids import IncidentId
from pagerforce.model.value import Json


class IncidentStatus(StrEnum):
    """The three states an incident can be in."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Ref(Struct, frozen=True):
    """A named object of PagerDuty: a service, a policy, a priority."""

    id: str
    name: str | None = None


class Person(Struct, frozen=True, omit_defaults=True):
    """Somebody who did something, or an assignee; any part may be unknown."""

    id: str | None = None
    name: str | None = None
    email: str | None = None


NOBODY = Person()
"""Somebody of whom nothing is known."""


class Incident(Struct, frozen=True):
    """An incident at one moment. ``status`` None: not known for that moment."""

    id: IncidentId
    number: int | None = None
    title: str | None = None
    status: IncidentStatus | None = None
    urgency: str | None = None
    html_url: str | None = None
    incident_key: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    status_changed_at: datetime | None = None
    service: Ref | None = None
    escalation_policy: Ref | None = None
    priority: Ref | None = None
    assignees: tuple[Person, ...] = ()
    resolve_reason: str | None = None
    merged_into: IncidentId | None = None
    conference_bridge: str | None = None
    custom_fields: Mapping[str, Json] = msgspec.field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.status is not IncidentStatus.RESOLVED

    def was_merged_after(self, at: datetime) -> bool:
        """Whether a merge ended it in that second or later."""
        ended_at = self.status_changed_at
        return self.merged_into is not None and (ended_at is None or at <= ended_at)


class LogEntry(Struct, frozen=True):
    """One entry of PagerDuty's log, decoded leniently.

    Attributes:
        id: the entry's id; entries are append-only, so it identifies a change permanently.
        type: the event type that rules see (``acknowledge``, ``annotate``, ...); for other types
            the entry's own name without ``_log_entry``.
        at: ``created_at``, whole seconds.
        incident_id: None if the entry names no incident.
        current: the incident as the API reported it with the page, not as of the entry.
        agent: who caused it; an id without a name if only a reference was given.
        agent_type: ``user``, ``service`` or ``integration``; None: not given.
        channel: how it was caused (``website``, ``auto``, ``timeout``, ...); None: not given.
        note: the text of an annotation, or the note given with a resolve.
        message / subject: of a status update.
        assignees: of assign, escalate and delegate entries.
        priority: new priority of a priority change (often only its name is known; id ``""``).
        had_priority: whether the entry states a priority at all (None is then "cleared").
        old_priority: the previous priority, if ``had_old_priority`` (None is then "none").
        urgency: new urgency, if the entry states it.
        is_first: of a trigger, whether it opened the incident; None: not given.
        place: its place among the entries of its second, in the order of time.
        cause_id: the entry of the same second that made the service write this one, if any
            (``diff/acts.py``). cause_type: the type of that entry.
        is_with_acknowledge: of an assignment, whether its user acknowledged in the same second.
    """

    id: str
    type: str
    at: datetime
    incident_id: IncidentId | None
    current: Incident | None = None
    agent: Person = NOBODY
    agent_type: str | None = None
    channel: str | None = None
    note: str | None = None
    message: str | None = None
    subject: str | None = None
    assignees: tuple[Person, ...] | None = None
    priority: Ref | None = None
    had_priority: bool = False
    old_priority: Ref | None = None
    had_old_priority: bool = False
    is_first: bool | None = None
    urgency: str | None = None
    service: Ref | None = None
    place: int = 0
    cause_id: str | None = None
    cause_type: str | None = None
    is_with_acknowledge: bool = False

    @property
    def is_automatic(self) -> bool:
        """Whether the service wrote it by itself, as it does beside somebody's act."""
        return self.agent_type == "service" and self.channel in (None, "auto")
