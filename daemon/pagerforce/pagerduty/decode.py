"""Reads PagerDuty's JSON leniently into the types of ``model``. Pure.

Facts: ``pagerduty.parts-may-be-missing``, ``pagerduty.schema-refuses-entries``.
Any field except the id (and the type and time of a log entry) may be missing, null or of another
form: then its value is unknown. The official schema cannot be used here: it refuses every
acknowledge entry, and ordinary channels.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace

from pagerforce.errors import internal_error_text
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Person, Ref
from pagerforce.model.lengths import MOST_ID, MOST_TEXT
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.custom_fields import decode_custom_fields, read_custom_fields
from pagerforce.pagerduty.kinds import as_id, as_instant, as_integer, as_items, as_mapping, as_text
from pagerforce.wire.oddities import find_oddities

T = TypeVar("T")

_ENTRY_SUFFIX = "_log_entry"
_REFERENCE_SUFFIX = "_reference"
_ALIASES = {
    # Spellings of the official schema, which real payloads do not use.
    "acknowledgement": "acknowledge",
    "unacknowledgement": "unacknowledge",
}
_MOST_PEOPLE = 250
_NUMBERED_TITLE = re.compile(r"\[#\d+\] ?")
_NEW_URGENCY = re.compile(r"\bto\W+(high|low)\b", re.IGNORECASE)
_ANY_URGENCY = re.compile(r"\b(high|low)\b", re.IGNORECASE)
_NEW_PRIORITY = re.compile(r'\bto "([^"]+)"')
_OLD_PRIORITY = re.compile(r'\bfrom "([^"]+)"')


def decode_rows(
    rows: Iterable[object],
    decode: Callable[[Mapping[str, object]], T],
    kind: str,
    find_odd: Callable[[Mapping[str, object]], Iterable[str]] | None = None,
) -> tuple[list[T], list[Flaw]]:
    """Decodes each row; a row that cannot be understood becomes a flaw and affects no other.

    Args:
        rows: the parsed rows of an answer.
        decode: reads one of them.
        kind: names the rows, e.g. ``log entry``; it is part of a flaw's place.
        find_odd: finds the implausible values of a row, which ``decode`` dropped or cut.
    """
    decoded: list[T] = []
    flaws: list[Flaw] = []
    for row in rows:
        if not isinstance(row, Mapping):
            flaws.append(Flaw(kind, "is not a JSON object"))
            continue
        try:
            decoded.append(decode(row))
        except Exception as error:  # noqa: BLE001 (one row that raises must not keep the others)
            what = str(error) if isinstance(error, ValueError) else internal_error_text(error)
            flaws.append(Flaw(_place(row, kind), what))
        if find_odd is not None:
            flaws += [Flaw(_place(row, kind), what) for what in find_odd(row)]
    return decoded, flaws


def odd_values(row: Mapping[str, object]) -> Iterator[str]:
    """The implausible values of an incident or a log entry, each as text."""
    yield from find_oddities(row)
    yield from _odd_fields(row)
    yield from _odd_fields(row.get("incident"))


def _odd_fields(value: object) -> Iterable[str]:
    """The implausible fields of an incident that ``find_oddities`` does not find."""
    raw = as_mapping(value)
    number = raw.get("incident_number")
    if number is not None and as_integer(number) is None:
        yield "incident_number is no number of an incident"
    try:
        read_custom_fields(raw.get("custom_fields"))
    except ValueError as error:
        yield str(error)


def _place(row: Mapping[str, object], kind: str) -> str:
    return f"{kind} {as_id(row.get('id')) or 'without an id'}"


def decode_incident(raw: Mapping[str, object]) -> Incident:
    """An incident.

    Raises:
        ValueError: it has no id.
    """
    incident_id = as_id(raw.get("id"))
    if incident_id is None:
        raise ValueError("has no id")
    reason = as_mapping(raw.get("resolve_reason"))
    survivor = as_id(as_mapping(reason.get("incident")).get("id"))
    return Incident(
        id=IncidentId(incident_id),
        number=as_integer(raw.get("incident_number")),
        title=_title(raw),
        status=_status(raw.get("status")),
        urgency=as_text(raw.get("urgency")),
        html_url=as_text(raw.get("html_url")),
        incident_key=as_text(raw.get("incident_key")),
        created_at=as_instant(raw.get("created_at")),
        updated_at=as_instant(raw.get("updated_at")),
        status_changed_at=as_instant(raw.get("last_status_change_at")),
        service=decode_ref(raw.get("service")),
        escalation_policy=decode_ref(raw.get("escalation_policy")),
        priority=decode_ref(raw.get("priority")),
        assignees=_people(
            as_mapping(item).get("assignee") for item in as_items(raw.get("assignments"))
        ),
        resolve_reason=as_text(reason.get("type")),
        merged_into=None if survivor is None else IncidentId(survivor),
        conference_bridge=_bridge(raw.get("conference_bridge")),
        custom_fields=decode_custom_fields(raw.get("custom_fields")),
    )


def without_future(incident: Incident, latest: datetime) -> Incident:
    """The incident without future times: with one, every later change would look old."""
    times = (incident.created_at, incident.updated_at, incident.status_changed_at)
    if all(at is None or at <= latest for at in times):
        return incident
    created_at, updated_at, status_changed_at = (
        None if at is None or at > latest else at for at in times
    )
    return replace(
        incident,
        created_at=created_at,
        updated_at=updated_at,
        status_changed_at=status_changed_at,
    )


@dataclass(slots=True)
class _Seen:
    """An incident of an entry. ``is_plain``: it has no implausible value; None: not known yet."""

    raw: Mapping[str, object]
    incident: Incident
    is_plain: bool | None = None


class IncidentMemory:
    """Reads each incident only once while it stays the same.

    A page repeats the whole incident with each of its entries.
    """

    def __init__(self) -> None:
        self._known: dict[object, _Seen] = {}
        self._last: tuple[object, _Seen] | None = None

    def decode(self, raw: Mapping[str, object]) -> Incident:
        """As ``decode_incident``."""
        key = raw.get("id")
        seen = self._known.get(key) if isinstance(key, str) else None
        if seen is None or seen.raw != raw:
            seen = self._known[key] = _Seen(raw, decode_incident(raw))
        self._last = raw, seen
        return seen.incident

    def odd_values(self, entry: Mapping[str, object]) -> Iterator[str]:
        """As ``odd_values`` of this module, for the entry that was decoded last."""
        raw, seen = self._last or (None, None)
        if seen is None or entry.get("incident") is not raw:
            return odd_values(entry)
        if seen.is_plain is None:
            seen.is_plain = not any(odd_values({"incident": seen.raw}))
        return odd_values({**entry, "incident": None} if seen.is_plain else entry)


def decode_log_entry(
    raw: Mapping[str, object], to_incident: Callable[[Mapping[str, object]], Incident] | None = None
) -> LogEntry:
    """A log entry. Its incident and its agent may be missing.

    ``to_incident``: decodes the incident; default: ``decode_incident``.

    Raises:
        ValueError: it has no id, type or time; the text says which.
    """
    to_incident = to_incident or decode_incident
    entry_id, full_type = as_id(raw.get("id")), as_text(raw.get("type"), MOST_ID)
    if entry_id is None:
        raise ValueError("has no id")
    if full_type is None:
        raise ValueError("has no type")
    at = as_instant(raw.get("created_at"))
    if at is None:
        raise ValueError("has no time")
    kind = full_type.removesuffix("_reference").removesuffix(_ENTRY_SUFFIX)
    kind = _ALIASES.get(kind, kind)
    incident = as_mapping(raw.get("incident"))
    incident_id = as_id(incident.get("id"))
    agent = as_mapping(raw.get("agent"))
    agent_type = as_text(agent.get("type"))
    is_graded = kind == "priority_change"
    priority, had_priority = _new_priority(raw) if is_graded else (None, False)
    old_priority, had_old = _old_priority(raw) if is_graded else (None, False)
    has_assignees = isinstance(raw.get("assignees"), list)
    first_id = as_id(as_mapping(incident.get("first_trigger_log_entry")).get("id"))
    return LogEntry(
        id=entry_id,
        type=kind,
        at=at,
        incident_id=None if incident_id is None else IncidentId(incident_id),
        # A bare reference says nothing about the incident's state.
        current=to_incident(incident) if incident_id and "status" in incident else None,
        agent=decode_person(agent),
        agent_type=agent_type.removesuffix(_REFERENCE_SUFFIX) if agent_type else None,
        channel=as_text(as_mapping(raw.get("channel")).get("type")),
        note=_note(kind, raw),
        message=_of_update(kind, raw, "message"),
        subject=_of_update(kind, raw, "subject"),
        assignees=_people(as_items(raw.get("assignees"))) if has_assignees else None,
        priority=priority,
        had_priority=had_priority,
        old_priority=old_priority,
        had_old_priority=had_old,
        is_first=first_id == entry_id if first_id and kind == "trigger" else None,
        urgency=_new_urgency(raw) if kind == "urgency_change" else None,
        service=decode_ref(raw.get("service")),
    )


def decode_ref(value: object) -> Ref | None:
    """A reference, from a bare or a full object; None without an id."""
    raw = as_mapping(value)
    ref_id = as_id(raw.get("id"))
    if ref_id is None:
        return None
    return Ref(ref_id, as_text(raw.get("name")) or as_text(raw.get("summary")))


def decode_person(value: object) -> Person:
    """A user or another agent; missing values are None."""
    raw = as_mapping(value)
    return _known_person(
        as_id(raw.get("id")),
        as_text(raw.get("name")) or as_text(raw.get("summary")),
        as_text(raw.get("email")),
    )


@lru_cache(maxsize=1024)
def _known_person(user_id: str | None, name: str | None, email: str | None) -> Person:
    """Cached: the same few people appear in all entries."""
    return Person(user_id, name, email)


@dataclass(frozen=True, slots=True)
class Note:
    """A note on an incident. ``is_by_bot``: a service or an integration wrote it."""

    id: str | None
    content: str
    user: Person
    is_by_bot: bool
    created_at: datetime | None


def decode_note(raw: Mapping[str, object]) -> Note:
    """A note; missing values are empty."""
    content = raw.get("content")
    kind = as_text(as_mapping(raw.get("user")).get("type")) or ""
    return Note(
        id=as_id(raw.get("id")),
        content=content[:MOST_TEXT] if isinstance(content, str) else "",
        user=decode_person(raw.get("user")),
        is_by_bot=kind.startswith("bot_user"),
        created_at=as_instant(raw.get("created_at")),
    )


def is_assigned_by_policy(raw: Mapping[str, object]) -> bool:
    """Whether an incident's assignment follows its escalation policy."""
    return raw.get("assigned_via") == "escalation_policy"


def _title(raw: Mapping[str, object]) -> str | None:
    title = as_text(raw.get("title"))
    if title is not None:
        return title
    summary = as_text(raw.get("summary"))
    return None if summary is None else _NUMBERED_TITLE.sub("", summary, count=1)


def _note(kind: str, raw: Mapping[str, object]) -> str | None:
    """The human text of an entry: a note's is in its channel, a resolution's in ``note``."""
    channel = as_mapping(raw.get("channel"))
    note = as_text(raw.get("note"), MOST_TEXT)
    if kind == "annotate":
        return as_text(channel.get("summary"), MOST_TEXT) or note
    if note is None and kind == "resolve":
        return as_text(channel.get("note"), MOST_TEXT)
    return note


def _of_update(kind: str, raw: Mapping[str, object], name: str) -> str | None:
    """A text of a status update: at the top of its entry, or in its channel."""
    if kind != "status_update":
        return None
    return as_text(raw.get(name)) or as_text(as_mapping(raw.get("channel")).get(name))


def _new_priority(raw: Mapping[str, object]) -> tuple[Ref | None, bool]:
    return _priority(raw, "new_priority", _NEW_PRIORITY)


def _old_priority(raw: Mapping[str, object]) -> tuple[Ref | None, bool]:
    return _priority(raw, "old_priority", _OLD_PRIORITY)


def _priority(
    raw: Mapping[str, object], key: str, words: re.Pattern[str]
) -> tuple[Ref | None, bool]:
    """A priority from the entry's channel or else its summary; and whether one of them has it."""
    channel = as_mapping(raw.get("channel"))
    if key in channel:
        stated = as_mapping(channel[key])
        name = as_text(stated.get("name")) or as_text(stated.get("summary"))
        ref_id = as_id(stated.get("id")) or ""
        return (Ref(ref_id, name) if name or ref_id else None), True
    said = words.search(as_text(raw.get("summary")) or "")
    return (Ref("", said.group(1)), True) if said else (None, False)


def _new_urgency(raw: Mapping[str, object]) -> str | None:
    """The new urgency. Only the summary has it, in undocumented words."""
    summary = as_text(raw.get("summary")) or ""
    if said := _NEW_URGENCY.search(summary):
        return said.group(1).lower()
    words = {word.lower() for word in _ANY_URGENCY.findall(summary)}
    return words.pop() if len(words) == 1 else None


def _bridge(value: object) -> str | None:
    raw = as_mapping(value)
    parts = (as_text(raw.get("conference_number")), as_text(raw.get("conference_url")))
    return " ".join(part for part in parts if part) or None


def _people(values: Iterable[object]) -> tuple[Person, ...]:
    people = (decode_person(value) for value in islice(values, _MOST_PEOPLE))
    return tuple(person for person in people if person.id is not None)


def _status(value: object) -> IncidentStatus | None:
    try:
        return IncidentStatus(str(value))
    except ValueError:
        return None
