"""The part of an account that seldom changes: people, services, policies, priorities, workflows.

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
    """Who is called, level by level.

    ``levels``: ids of the users of each level; ``delay_minutes``: how long each level has.
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
    """A priority; the directory holds them from the most to the least severe."""

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

    ``user_id``: whose key it is, None for an account key; ``read_only``: only GET is permitted.
    """

    key: str
    user_id: str | None = None
    read_only: bool = False


@dataclass(slots=True)
class Plan:
    """What the account's plan includes; switch things off to meet a 402 or a 404.

    Attributes:
        abilities: the names that ``GET /abilities`` lists.
        priorities: without it ``GET /priorities`` answers 402.
        workflows: without it everything about incident workflows answers 402.
        response_plays: without it everything about them is gone (404), as it is from the schema.
        note_limit / title_limit: most characters of a note or an incident's title, None for any
            number; whether there is a limit is not documented.
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
    """Everything above, by id, in the order it was added."""

    users: dict[str, User] = field(default_factory=dict)
    policies: dict[str, EscalationPolicy] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    priorities: dict[str, Priority] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    response_plays: dict[str, str] = field(default_factory=dict)
    incident_types: dict[str, IncidentType] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)

    def find_user(self, email: str) -> User | None:
        """The user who logs in with this address, in whatever case it is written."""
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
