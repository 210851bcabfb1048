"""The state of the sandbox's PagerDuty account: incidents, their notes and alerts, and knobs.

Plain data. ``lifecycle`` and ``edits`` change it, ``view`` shows it as the API does.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.pagerduty.directory import Directory, Plan
from pagerforce.sandbox.pagerduty.ids import IdMaker
from pagerforce.sandbox.pagerduty.journal import Journal
from pagerforce.sandbox.pagerduty.stamps import whole_second


@dataclass(frozen=True, slots=True)
class Agent:
    """The user or service that did something: ``type`` is ``user`` or ``service``."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Actor:
    """An agent, and the channel of the act."""

    agent: Agent | None
    channel: str

    @property
    def user_id(self) -> str | None:
        """The acting person, None if a service or nobody acted."""
        return self.agent.id if self.agent is not None and self.agent.type == "user" else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A user who is assigned to an incident."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A user who acknowledged an incident."""

    agent: Agent
    at: datetime


@dataclass(frozen=True, slots=True)
class PendingAction:
    """The service's next automatic action: ``unacknowledge``, ``escalate`` or ``resolve``."""

    type: str
    at: datetime


@dataclass(slots=True)
class Note:
    """The human text on an incident."""

    id: str
    user_id: str
    content: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Alert:
    """An alert of a monitoring system; it moves when its incident is merged."""

    id: str
    key: str
    incident_id: str
    service_id: str
    summary: str
    severity: str
    created_at: datetime
    details: dict[str, object]
    entry_id: str
    resolved_at: datetime | None = None


@dataclass(slots=True)
class ResponderRequest:
    """A request for help; ``user_ids`` and ``policy_ids`` are the targets still pending."""

    requester_id: str
    message: str
    at: datetime
    user_ids: list[str]
    policy_ids: list[str]


@dataclass(slots=True)
class Incident:
    """One incident. Facts: docs/vendors/pagerduty.md#incidents."""

    id: str
    number: int
    title: str
    service_id: str
    policy_id: str
    created_at: datetime
    updated_at: datetime
    last_status_change_at: datetime
    last_status_change_by: Agent | None
    urgency: str = "high"
    status: str = "triggered"
    incident_key: str | None = None
    assigned_via: str = "escalation_policy"
    level: int = 1
    assignments: list[Assignment] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    pending: list[PendingAction] = field(default_factory=list)
    priority_id: str | None = None
    resolved_at: datetime | None = None
    merged_into: str | None = None
    first_entry_id: str = ""
    body: str | None = None
    conference_bridge: dict[str, str] | None = None
    type_name: str = "incident_default"
    made_by_hand: bool = False
    custom_values: dict[str, object] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    responder_requests: list[ResponderRequest] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.status != "resolved"

    @property
    def is_mergeable(self) -> bool:
        """Whether it may be merged: it has alerts, or was created manually in the UI."""
        return self.made_by_hand or bool(self.alerts)

    def matches_key(self, key: str) -> bool:
        """Whether the key is its own, or that of one of its alerts, if it has alerts."""
        if self.alerts:
            return any(alert.key == key for alert in self.alerts)
        return self.incident_key == key


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow or response play that was started on an incident."""

    id: str
    of: str
    incident_id: str


@dataclass(slots=True)
class Knobs:
    """Differences between real accounts, and undocumented behaviour.

    Attributes:
        false_beliefs: names of facts about PagerDuty that are false here, for ``verify`` to find.
        requests_per_minute: of one key; further requests get 429.
        until_inclusive: whether the answer includes an entry of the very second of ``until``.
        field_changes_in_account_list: whether ``GET /log_entries`` has custom field changes.
        rest_channel: the channel type of changes through the REST API.
        account_zone: the account's time zone.
        refused_requesters: users who are refused as the requester of a write.
        has_incidents_in_entries: whether log entries show their incident, if requested.
        acknowledge_with_assignments: result of a write that asks for both, see ``edits.Both``.
    """

    false_beliefs: set[str] = field(default_factory=set)
    requests_per_minute: int = 960
    until_inclusive: bool = True
    field_changes_in_account_list: bool = True
    rest_channel: str = "website"
    account_zone: tzinfo = UTC
    refused_requesters: set[str] = field(default_factory=set)
    has_incidents_in_entries: bool = True
    acknowledge_with_assignments: str = "keeps"


@dataclass(slots=True)
class State:
    """The whole account."""

    clock: SandboxClock
    directory: Directory = field(default_factory=Directory)
    plan: Plan = field(default_factory=Plan)
    knobs: Knobs = field(default_factory=Knobs)
    ids: IdMaker = field(default_factory=IdMaker)
    journal: Journal = field(default_factory=Journal)
    incidents: dict[str, Incident] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    workflow_runs: list[Run] = field(default_factory=list)
    play_runs: list[Run] = field(default_factory=list)

    def now(self) -> datetime:
        """The clock's whole second."""
        return whole_second(self.clock.now())

    def holds(self, fact: str) -> bool:
        """Whether a fact is true in this account; ``fact`` is the name without its side."""
        return f"pagerduty.{fact}" not in self.knobs.false_beliefs

    def find_incident(self, id_or_number: str, *, hidden_too: bool = False) -> Incident | None:
        """An incident by id or number; hidden ones only with ``hidden_too``."""
        found = self.incidents.get(id_or_number)
        if found is None and id_or_number.isdecimal():
            wanted = int(id_or_number)
            numbered = (item for item in self.incidents.values() if item.number == wanted)
            found = next(numbered, None)
        seen = found is not None and (hidden_too or found.id not in self.hidden)
        return found if seen else None

    def find_open(self, service_id: str, key: str) -> Incident | None:
        """The open incident of a service with this key."""
        for incident in self.incidents.values():
            same_service = incident.service_id == service_id
            if incident.is_open and same_service and incident.matches_key(key):
                return incident
        return None
