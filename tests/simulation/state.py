"""The daemon's own state, read from outside once everything is at rest."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from simulation.homes import Home


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the journal. ``data``: the event as stored."""

    seq: int
    id: str
    source: str
    type: str
    incident_id: str | None
    record_id: str | None
    echo_of: str | None
    data: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        return self.data.get("record") or {}

    @property
    def changed(self) -> list[str]:
        return self.data.get("changed") or []


@dataclass(frozen=True, slots=True)
class StoredAction:
    """A row of the outbox.

    ``was_unknown``: how often an answer was lost; ``was_cut_off``: how often the process died during an
    attempt; ``in_doubt``: how often it was abandoned because nobody can know whether it took effect.
    """

    id: str
    event_seq: int
    do: str
    state: str
    reason: str
    incident_id: str | None
    record_id: str | None
    args: str
    attempts: int
    was_unknown: int
    was_cut_off: int
    in_doubt: int

    @property
    def lost_answers(self) -> int:
        """The number of its attempts with an unknown effect."""
        return self.was_unknown + self.was_cut_off


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link; times as stored, in the clock of each side."""

    incident_id: str
    record_id: str
    is_active: bool
    created_at: str
    record_at: str


@dataclass(slots=True)
class State:
    """Everything that the checks read. ``moved``: incidents that were merged, and records they had."""

    events: dict[str, StoredEvent]
    actions: dict[int, list[StoredAction]]
    links: list[StoredLink]
    moved: list[tuple[str, str]]
    records: dict[str, dict[str, Any]]
    incidents: dict[str, dict[str, Any]]
    marks: tuple[int, int, int] = field(default=(0, 0, 0))

    def waiting(self) -> list[StoredAction]:
        """Actions that are not finished."""
        return [item for item in self.all_actions() if item.state in ("pending", "in_flight")]

    def all_actions(self) -> list[StoredAction]:
        return [item for found in self.actions.values() for item in found]


def read_state(home: Home) -> State:
    """Reads everything."""
    events = {
        row[1]: StoredEvent(*row[:-1], json.loads(row[-1]))
        for row in home.ask(
            "SELECT seq, id, source, type, incident_id, record_id, echo_of, data FROM event"
        )
    }
    actions: dict[int, list[StoredAction]] = defaultdict(list)
    for row in home.ask(
        "SELECT id, event_seq, \"do\", state, coalesce(reason, ''), incident_id, record_id, "
        "coalesce(args, ''), attempts, "
        "(SELECT count(*) FROM attempt WHERE action_id = action.id AND verdict = 'unknown'), "
        "(SELECT count(*) FROM attempt WHERE action_id = action.id AND verdict IS NULL), "
        "(SELECT count(*) FROM attempt WHERE action_id = action.id AND verdict = 'doubt') "
        "FROM action ORDER BY seq, part"
    ):
        actions[row[1]].append(StoredAction(*row))
    links = [
        StoredLink(row[0], row[1], bool(row[2]), row[3], row[4])
        for row in home.ask(
            "SELECT incident_id, record_id, is_active, created_at, record_at FROM link"
        )
    ]
    moved = [*home.ask("SELECT incident_id, record_id FROM merged_link")]
    records = {k: json.loads(v) for k, v in home.ask("SELECT id, data FROM record")}
    incidents = {k: json.loads(v) for k, v in home.ask("SELECT id, data FROM incident")}
    attempts = home.ask("SELECT count(*) FROM attempt")[0][0]
    count = sum(len(found) for found in actions.values())
    return State(events, actions, links, moved, records, incidents, (len(events), count, attempts))


def is_waiting(home: Home) -> bool:
    """Whether anything is in the outbox."""
    sql = "SELECT count(*) FROM action WHERE state IN ('pending', 'in_flight')"
    return bool(home.ask(sql)[0][0])


def is_started(home: Home) -> bool:
    """Whether the first start is over: everything from now on is a new change."""
    if not home.has_tables():
        return False
    facts = dict(home.ask("SELECT name, value FROM fact"))
    starts = [name for name in facts if name.startswith("start_at:")]
    return len(starts) == 3 and any(
        value == "done" for name, value in facts.items() if name.startswith("baseline:")
    )
