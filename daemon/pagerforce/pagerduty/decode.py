"""Reads PagerDuty's JSON leniently into the types of ``model``. Pure.

Facts: ``pagerduty.parts-may-be-missing``, ``pagerduty.schema-refuses-entries``.
Any field except the id (and the type and time of a log entry) may be missing, null or of another
form: then its value is unknown. The official schema cannot be used here: it refuses every
acknowledge entry, and ordinary channels.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from msgspec import Struct
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
MOST_PEOPLE = 250
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


def decode_log_entry(raw: Mapping[str, object]) -> LogEntry:
    """A log entry. Its incident and its agent may be missing.

    Raises:
        ValueError: it has no id, type or time; the text says which.
    """
    entry_id, full_type = as_id(raw.get("id")), as_text(raw.get("type"), MOST_ID)
    if entry_id is None:
        raise ValueError("has no id")
    if full_type is None:
        raise ValueError("has no type")
    at = as_instant(raw.get("created_at"))
    if at is None:
        raise ValueError("has no time")
    kind = kind_of(full_type)
    shown = decode_shown(raw.get("incident"))
    agent = as_mapping(raw.get("agent"))
    channel = as_mapping(raw.get("channel"))
    is_graded = kind == "priority_change"
    priority, had_priority = _new_priority(raw) if is_graded else (None, False)
    old_priority, had_old = _old_priority(raw) if is_graded else (None, False)
    has_assignees = isinstance(raw.get("assignees"), list)
    return LogEntry(
        id=entry_id,
        type=kind,
        at=at,
        incident_id=shown.id,
        current=shown.incident,
        agent=decode_person(agent),
        agent_type=agent_type_of(agent.get("type")),
        channel=as_text(channel.get("type")),
        note=note_of(kind, raw.get("note"), channel.get("summary"), channel.get("note")),
        message=_of_update(kind, raw, "message"),
        subject=_of_update(kind, raw, "subject"),
        assignees=_people(as_items(raw.get("assignees"))) if has_assignees else None,
        priority=priority,
        had_priority=had_priority,
        old_priority=old_priority,
        had_old_priority=had_old,
        is_first=shown.is_opened_by(entry_id, kind),
        urgency=_new_urgency(raw) if kind == "urgency_change" else None,
        service=decode_ref(raw.get("service")),
    )


def kind_of(full_type: str) -> str:
    """The type of an entry as rules see it."""
    kind = full_type.removesuffix("_reference").removesuffix(_ENTRY_SUFFIX)
    return _ALIASES.get(kind, kind)


def agent_type_of(value: object) -> str | None:
    """The type of an agent, of a reference or of a full object."""
    agent_type = as_text(value)
    return agent_type.removesuffix(_REFERENCE_SUFFIX) if agent_type else None


def note_of(kind: str, note: object, summary: object, channel_note: object) -> str | None:
    """The human text of an entry: a note's is in its channel, a resolution's in ``note``.

    ``summary`` and ``channel_note``: of the entry's channel.
    """
    text = as_text(note, MOST_TEXT)
    if kind == "annotate":
        return as_text(summary, MOST_TEXT) or text
    if text is None and kind == "resolve":
        return as_text(channel_note, MOST_TEXT)
    return text


class Shown(Struct, frozen=True):
    """What an entry shows of its incident.

    Attributes:
        incident: None if the entry has only a reference, which says nothing about its state.
        first_entry_id: the entry that opened it.
    """

    id: IncidentId | None = None
    incident: Incident | None = None
    first_entry_id: str | None = None

    def is_opened_by(self, entry_id: str, kind: str) -> bool | None:
        """Whether this entry opened the incident; None: unknown, or it is no trigger."""
        if self.first_entry_id is None or kind != "trigger":
            return None
        return self.first_entry_id == entry_id


def decode_shown(value: object) -> Shown:
    """The incident of an entry, from a bare or a full object."""
    raw = as_mapping(value)
    incident_id = as_id(raw.get("id"))
    if incident_id is None:
        return Shown()
    return Shown(
        IncidentId(incident_id),
        decode_incident(raw) if "status" in raw else None,
        as_id(as_mapping(raw.get("first_trigger_log_entry")).get("id")),
    )


def decode_ref(value: object) -> Ref | None:
    """A reference, from a bare or a full object; None without an id."""
    raw = as_mapping(value)
    return ref_of(raw.get("id"), raw.get("name"), raw.get("summary"))


def ref_of(value: object, name: object, summary: object) -> Ref | None:
    """A reference from its members; None without an id."""
    ref_id = as_id(value)
    return None if ref_id is None else Ref(ref_id, as_text(name) or as_text(summary))


def decode_person(value: object) -> Person:
    """A user or another agent; missing values are None."""
    raw = as_mapping(value)
    return person_of(raw.get("id"), raw.get("name"), raw.get("summary"), raw.get("email"))


def person_of(user_id: object, name: object, summary: object, email: object) -> Person:
    """A user or another agent from its members."""
    return _known_person(as_id(user_id), as_text(name) or as_text(summary), as_text(email))


@lru_cache(maxsize=1024)
def _known_person(user_id: str | None, name: str | None, email: str | None) -> Person:
    """Cached: the same few people appear in all entries."""
    return Person(user_id, name, email)


class Note(Struct, frozen=True):
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
    return known_people(decode_person(value) for value in islice(values, MOST_PEOPLE))


def known_people(people: Iterable[Person]) -> tuple[Person, ...]:
    """Those with an id."""
    return tuple(person for person in people if person.id is not None)


def _status(value: object) -> IncidentStatus | None:
    try:
        return IncidentStatus(str(value))
    except ValueError:
        return None
