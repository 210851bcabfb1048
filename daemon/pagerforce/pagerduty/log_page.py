"""Decodes a page of the log from its bytes. Pure.

The rows of the usual form are decoded by type, in one step; any other row is read leniently
(``decode``). Both ways give the same entries, and the same flaws of values that they use. A page
repeats the whole incident with each of its entries: it is decoded once while its bytes stay the
same.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, MsgspecError, Raw, Struct
from msgspec.json import Decoder

from pagerforce.errors import MalformedError
from pagerforce.model.incident import LogEntry, Person
from pagerforce.model.lengths import MOST_ID, MOST_NAME, MOST_TEXT
from pagerforce.model.ports import Flaw
from pagerforce.pagerduty.decode import (
    MOST_PEOPLE,
    Shown,
    agent_type_of,
    decode_log_entry,
    decode_rows,
    decode_shown,
    kind_of,
    known_people,
    note_of,
    odd_values,
    person_of,
    ref_of,
)
from pagerforce.pagerduty.kinds import as_id, as_instant, as_text
from pagerforce.wire.answer import Answer, parse_json
from pagerforce.wire.bounds import bounds_of, excess

_OPERATION = "log_entries.list"
_READ_BY_WORDS = frozenset({"priority_change", "urgency_change", "status_update"})
_MOST_KNOWN = 250  # incidents
_LONGEST_KNOWN = 65_536  # bytes of an incident

_Name = Annotated[str, Meta(max_length=MOST_NAME)]


class _Agent(Struct):
    id: _Name | None = None
    type: _Name | None = None
    name: _Name | None = None
    summary: _Name | None = None
    email: _Name | None = None


class _Channel(Struct):
    type: _Name | None = None
    summary: str | None = None
    note: str | None = None


_NO_AGENT, _NO_CHANNEL = _Agent(), _Channel()


class _Row(Struct):
    id: str
    type: Annotated[str, Meta(max_length=MOST_ID)]
    created_at: str
    incident: Raw = Raw()
    agent: _Agent | None = None
    channel: _Channel | None = None
    note: str | None = None
    assignees: Annotated[list[_Agent], Meta(max_length=MOST_PEOPLE)] | None = None
    service: _Agent | None = None
    # Read by words only, from entries of some types.
    summary: str | None = None
    message: str | None = None
    subject: str | None = None


class _Answer(Struct):
    log_entries: list[Raw]
    more: bool


_ANSWERS, _ROWS = Decoder(_Answer), Decoder(_Row)


def usual_rows(answer: Answer) -> tuple[tuple[Raw, ...], bool] | None:
    """The rows, not parsed, and whether more follow; None: parse it like any other answer."""
    if excess(answer.body, bounds_of(answer.operation)):
        return None
    try:
        found = _ANSWERS.decode(answer.body)
    except (MsgspecError, ValueError, RecursionError):
        return None
    return tuple(found.log_entries), found.more


class LogReader:
    """Decodes the rows of pages."""

    def __init__(self) -> None:
        self._known: dict[bytes, Shown] = {}

    def decode(self, rows: Iterable[object]) -> tuple[list[LogEntry], list[Flaw]]:
        """Entries, and a flaw for each row or value that cannot be understood.

        ``rows``: parsed, or of ``usual_rows``.

        Raises:
            MalformedError: a row is not JSON, so neither is its answer.
        """
        entries: list[LogEntry] = []
        flaws: list[Flaw] = []
        for row in rows:
            entry = self.decode_usual(row) if isinstance(row, Raw) else None
            if entry is not None:
                entries.append(entry)
                continue
            parsed = _parse(row) if isinstance(row, Raw) else row
            found, odd = decode_rows((parsed,), decode_log_entry, "log entry", odd_values)
            entries += found
            flaws += odd
        return entries, flaws

    def decode_usual(self, raw: Raw) -> LogEntry | None:
        """The entry of a row of the usual form; None: read it leniently."""
        text = bytes(raw)
        if len(text) > MOST_TEXT:
            return None
        try:
            row = _ROWS.decode(text)
            shown = self._shown(bytes(row.incident))
        except Exception:  # noqa: BLE001 (the lenient way reports it)
            return None
        entry_id, kind, at = as_id(row.id), kind_of(row.type), as_instant(row.created_at)
        if entry_id is None or at is None or not kind.strip() or shown is None:
            return None
        if kind in _READ_BY_WORDS:
            return None
        agent, channel = row.agent or _NO_AGENT, row.channel or _NO_CHANNEL
        service = row.service or _NO_AGENT
        return LogEntry(
            id=entry_id,
            type=kind,
            at=at,
            incident_id=shown.id,
            current=shown.incident,
            agent=person_of(agent.id, agent.name, agent.summary, agent.email),
            agent_type=agent_type_of(agent.type),
            channel=as_text(channel.type),
            note=note_of(kind, row.note, channel.summary, channel.note),
            assignees=None if row.assignees is None else _people(row.assignees),
            is_first=shown.is_opened_by(entry_id, kind),
            service=ref_of(service.id, service.name, service.summary),
        )

    def _shown(self, text: bytes) -> Shown | None:
        """The incident of an entry; None if it has an implausible value."""
        shown = self._known.get(text)
        if shown is not None:
            return shown
        value = parse_json(text, bounds_of(_OPERATION)) if text else None
        if any(odd_values({"incident": value})):
            return None
        shown = decode_shown(value)
        if len(text) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[text] = shown
        return shown


def _parse(row: Raw) -> object:
    try:
        return parse_json(bytes(row), bounds_of(_OPERATION))
    except ValueError as error:
        raise MalformedError(f"{_OPERATION}: the answer is not JSON") from error


def _people(agents: list[_Agent]) -> tuple[Person, ...]:
    return known_people(
        person_of(agent.id, agent.name, agent.summary, agent.email) for agent in agents
    )
