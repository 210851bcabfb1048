"""Reads values from PagerDuty's raw log entries and incidents, for ``verify``. Pure."""

import re
from collections.abc import Mapping, Sequence

from pagerforce.model.value import Json
from pagerforce.service.verify.findings import items, mapping, word

Raw = Mapping[str, object]
_FRACTION = re.compile(r"\.(\d+)")


def type_of(entry: Raw) -> str:
    """Returns its type without ``_log_entry``."""
    return word(entry.get("type")).removesuffix("_log_entry")


def of_type(entries: Sequence[Raw], kind: str) -> list[Raw]:
    """Returns the entries of a type, in their order."""
    return [entry for entry in entries if type_of(entry) == kind]


def agent_of(entry: Raw) -> tuple[str, str]:
    """Returns type (``user``, ``service``) and id of the agent."""
    agent = mapping(entry.get("agent"))
    return word(agent.get("type")).removesuffix("_reference"), word(agent.get("id"))


def channel_of(entry: Raw) -> str:
    """Returns the type of its channel."""
    return word(mapping(entry.get("channel")).get("type"))


def assignees_of(entry: Raw) -> list[str]:
    """Returns the ids of its assignees."""
    return [word(item.get("id")) for item in items(entry.get("assignees"))]


def assigned(incident: Raw) -> list[str]:
    """Returns the ids of the incident's assignees."""
    found = items(incident.get("assignments"))
    return sorted(word(mapping(item.get("assignee")).get("id")) for item in found)


def by_service(entries: Sequence[Raw], at: object) -> list[Raw]:
    """Returns the assign entries that the service created by itself in a given second."""
    return [
        entry
        for entry in of_type(entries, "assign")
        if agent_of(entry)[0] == "service"
        and channel_of(entry) == "auto"
        and entry.get("created_at") == at
    ]


def has_fraction(stamp: object) -> bool:
    """Whether a time has a non-zero fraction of a second."""
    found = _FRACTION.search(stamp) if isinstance(stamp, str) else None
    return found is not None and found[1].strip("0") != ""


def entry_shape(entry: Raw) -> Json:
    """Returns the parts of an entry that a report shows."""
    kind, agent = agent_of(entry)
    return {
        "id": word(entry.get("id")),
        "type": type_of(entry),
        "created_at": word(entry.get("created_at")),
        "agent": f"{kind} {agent}",
        "channel": channel_of(entry),
        "assignees": [*assignees_of(entry)],
        "keys": [word(key) for key in sorted(entry)],
        "channel_keys": [word(key) for key in sorted(mapping(entry.get("channel")))],
    }


def incident_shape(incident: Raw) -> Json:
    """Returns the parts of an incident that a report shows."""
    return {
        "id": word(incident.get("id")),
        "status": word(incident.get("status")),
        "urgency": word(incident.get("urgency")),
        "assignments": [*assigned(incident)],
        "acknowledgements": len(items(incident.get("acknowledgements"))),
        "updated_at": word(incident.get("updated_at")),
        "last_status_change_at": word(incident.get("last_status_change_at")),
        "keys": [word(key) for key in sorted(incident)],
    }
