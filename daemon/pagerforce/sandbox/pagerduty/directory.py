"""The part of an account that rarely changes: people, services, policies, priorities, workflows.

Facts: docs/vendors/pagerduty.md#reference-data-and-actions.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class User:
    """A person, or the integration's own user."""

    id: str
    email: str
    name: str
    role: str = "user"
    time_zone: str = "UTC"


@dataclass(slots=True)
class EscalationPolicy:
    """The people to call, level by level.

    ``levels``: ids of the users of each level; ``delay_minutes``: duration of each level.
    """

    id: str
    name: str
    levels: list[tuple[str, ...]]
    delay_minutes: int = 30


@dataclass(slots=True)
class Service:
    """A service. Timeouts are in seconds, 0 for none."""

    id: str
    name: str
    policy_id: str
    description: str = ""
    status: str = "active"
    auto_resolve_timeout: int = 14400
    acknowledgement_timeout: int = 1800


@dataclass(slots=True)
class Priority:
    """A priority; the directory has them from the most to the least severe."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class Workflow:
    """An incident workflow with a manual trigger."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class CustomField:
    """The definition of an incident's custom field."""

    id: str
    name: str
    display_name: str
    data_type: str = "string"
    field_type: str = "single_value"


@dataclass(slots=True)
class IncidentType:
    """An incident type with its custom fields."""

    id: str
    name: str
    display_name: str
    fields: list[CustomField] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key. Facts: ``pagerduty.from-header``, ``pagerduty.read-only-key``.

    ``user_id``: the key's owner, None for an account key; ``read_only``: only GET is permitted.
    """

    key: str
    user_id: str | None = None
    read_only: bool = False


@dataclass(slots=True)
class Plan:
    """The features in the account's plan; switch them off to get a 402 or a 404.

    Attributes:
        abilities: the names that ``GET /abilities`` lists.
        priorities: without it ``GET /priorities`` answers 402.
        workflows: without it all endpoints of incident workflows answer 402.
        response_plays: without it all their endpoints are gone (404), as from the schema.
        note_limit / title_limit: most characters of a note or an incident's title, None for
            no limit; whether there is a limit is not documented.
    """

    abilities: set[str] = field(
        default_factory=lambda: {"teams", "urgencies", "coordinated_responding", "read_only_users"}
    )
    priorities: bool = True
    workflows: bool = True
    response_plays: bool = True
    note_limit: int | None = None
    title_limit: int | None = None


@dataclass(slots=True)
class Directory:
    """All of the above, by id, in the order of their addition."""

    users: dict[str, User] = field(default_factory=dict)
    policies: dict[str, EscalationPolicy] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    priorities: dict[str, Priority] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    response_plays: dict[str, str] = field(default_factory=dict)
    incident_types: dict[str, IncidentType] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)

    def find_user(self, email: str) -> User | None:
        """The user with this login address, in upper or lower case."""
        wanted = email.strip().lower()
        return next((user for user in self.users.values() if user.email.lower() == wanted), None)

    def find_priority(self, name: str) -> Priority | None:
        """The most severe priority of that name."""
        return next((item for item in self.priorities.values() if item.name == name), None)

    def find_type(self, id_or_name: str) -> IncidentType | None:
        """An incident type by id or name."""
        types = self.incident_types.values()
        return next((item for item in types if id_or_name in (item.id, item.name)), None)

    def find_field(self, id_or_name: str) -> CustomField | None:
        """A custom field of any type by id or name."""
        fields = (item for kind in self.incident_types.values() for item in kind.fields)
        return next((item for item in fields if id_or_name in (item.id, item.name)), None)
