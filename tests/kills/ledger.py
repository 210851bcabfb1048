"""Compares both sides and the daemon's journal with the expected results of the script."""

import json
import sqlite3
import tomllib
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kills.automation import CASE
from kills.deeds import CHANGED, Script
from pagerforce.own_writes.whose import CONSEQUENCE
from rig import INCIDENT


@dataclass
class Findings:
    """``wrong``: neither lost nor duplicated, but still not as expected."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        parts = (("LOST", self.lost), ("DOUBLED", self.doubled), ("WRONG", self.wrong))
        return "\n".join(f"{word}  {line}" for word, lines in parts for line in lines)


class Database:
    """The daemon's state, read from outside: a file, or a schema of PostgreSQL."""

    def __init__(self, config: Path, path: Path) -> None:
        self._path = path
        self._state = tomllib.loads(config.read_text(encoding="utf-8")).get("state")
        self._server = None

    def rows(self, sql: str) -> list[tuple]:
        """All rows of a query; none while there are no tables."""
        if self._state is None:
            if not self._path.exists():
                return []
            with (
                closing(
                    sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
                ) as file,
                suppress(sqlite3.OperationalError),
            ):
                return file.execute(sql).fetchall()
            return []
        import psycopg  # noqa: PLC0415 - optional

        if self._server is None:
            self._server = psycopg.connect(self._state["url"], autocommit=True)
            schema = f'"pagerforce_{self._state["connection"]}"'
            self._server.execute(f"SET search_path = {schema}".encode())
        with suppress(psycopg.errors.UndefinedTable):
            return self._server.execute(sql.encode()).fetchall()
        return []


def waiting(database: Database) -> int:
    """Actions that are neither done nor dead."""
    sql = "SELECT count(*) FROM action WHERE state IN ('pending', 'in_flight')"
    return sum(row[0] for row in database.rows(sql))


def attempts(database: Database) -> int:
    """The number of settled attempts."""
    sql = "SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL"
    return database.rows(sql)[0][0]


def heard_changes(database: Database) -> Counter[tuple[str, str]]:
    """How often somebody other than pagerforce changed (record, field), from the journal."""
    sql = "SELECT record_id, data FROM event WHERE type = 'update' AND echo_of IS NULL AND source = 'salesforce'"
    rows = database.rows(sql)
    pairs = [(row_id, name) for row_id, data in rows for name in json.loads(data)["changed"]]
    return Counter(pair for pair in pairs if pair[1] in CHANGED)


def check(script: Script, database: Database) -> Findings:
    """Everything that differs from the expected result, once all is quiet."""
    found = Findings()
    _check_world(script, found)
    _check_journal(script, database, found)
    _check_outbox(database, found)
    return found


def _check_world(script: Script, found: Findings) -> None:
    groups = script.groups
    for group in groups:
        wishes = script.open_wishes(group)
        (found.wrong if group.is_complete else found.lost).extend(wishes)
        found.lost += script.missing_texts(group)
        found.doubled += script.extra_texts(group)
    _compare("incidents", len(script.pd.incidents()), len(groups), found)
    for name in (INCIDENT, CASE):
        wanted = sum(name in group.objects for group in groups)
        _compare(name, len(script.sf.rows(name)), wanted, found)


def _compare(what: str, count: int, wanted: int, found: Findings) -> None:
    if count != wanted:
        (found.lost if count < wanted else found.doubled).append(f"{count} {what} for {wanted}")


def _check_journal(script: Script, database: Database, found: Findings) -> None:
    sql = "SELECT id, source, type, record_id, incident_id, echo_of FROM event ORDER BY seq"
    events = database.rows(sql)
    _check_entries(script, {row[0]: row[5] for row in events if row[1] == "pagerduty"}, found)
    ours = [row for row in events if row[1] == "salesforce" and row[5] is None]
    _check_each(
        "comment", script.human_comments, [r[0][3:] for r in ours if r[2] == "comment"], found
    )
    _check_each("create", script.human_records, [r[3] for r in ours if r[2] == "create"], found)
    changes = heard_changes(database)
    for key, count in (script.human_changes - changes).items():
        found.lost.append(f"{count} changes of {key} are in no event")
    for key, count in (changes - script.human_changes).items():
        found.doubled.append(f"{count} events say that somebody changed {key}, and nobody did")
    known = {"comment", "create", "update"}
    found.wrong += [f"an event of type {row[2]}: {row[0]}" for row in ours if row[2] not in known]


def _check_entries(script: Script, heard: dict[str, str | None], found: Findings) -> None:
    entries = {f"pd:{entry['id']}": entry for entry in script.pd.entries()}
    for key, entry in entries.items():
        by = (entry.get("agent") or {}).get("id")
        is_human = key[3:] in script.human_entries
        text = f"{entry['type']} {key} of {entry['incident']['id']} by {by}"
        if key not in heard:
            found.lost.append(f"no event: {text}")
        elif _is_beside_an_act(entry) and heard[key] == CONSEQUENCE:
            continue
        elif is_human and heard[key] is not None:
            found.lost.append(f"a person's, treated as pagerforce's own: {text}")
        elif not is_human and by == "PINTEG1" and heard[key] is None:
            found.doubled.append(f"pagerforce's own, treated as a person's: {text}")
    for key in heard.keys() - entries.keys():
        found.wrong.append(f"an event without an entry: {key}")


def _is_beside_an_act(entry: dict) -> bool:
    """An assignment by the service follows from a person's act; the event of the act includes it."""
    kind = (entry.get("agent") or {}).get("type")
    return entry["type"] == "assign_log_entry" and kind == "service_reference"


def _check_each(what: str, wanted: list[str], heard: list[str], found: Findings) -> None:
    missing, extra = Counter(wanted) - Counter(heard), Counter(heard) - Counter(wanted)
    found.lost += [f"no {what} event of {key}" for key in missing]
    found.doubled += [f"{count} {what} events too many of {key}" for key, count in extra.items()]


def _check_outbox(database: Database, found: Findings) -> None:
    sql = """SELECT id, "do", state, reason, record_id, incident_id FROM action
    WHERE state NOT IN ('delivered', 'skipped')"""
    found.wrong += [f"action left: {row}" for row in database.rows(sql)]
    found.wrong += [f"paused: {row}" for row in database.rows("SELECT lane, reason FROM pause")]
