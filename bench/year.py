# ruff: noqa: T201, E501 - a program that prints; its rows are long
"""How large the state database gets in a busy year, and what pruning leaves.

Fills a database as a year would and prunes as the daemon does, day by day; then prints what is in it.

    python -m bench.year                    # a year at 1,000 changes a day on either side
    python -m bench.year --days 120 --changes 200

A day: for every ten changes of either side one incident with a linked record. Each pair gets a
page, seven other log entries with the whole incident before and after, two notes, six record changes
with thirty fields before and after, three comments, and six actions with their attempts. The journal
keeps the states around every event, so that events need most of the space.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Person, Ref
from pagerforce.model.record import Record
from pagerforce.store import retention
from pagerforce.store.codec import Encoder, to_stamp, to_text
from pagerforce.store.database import Database
from pagerforce.store.event_text import shorten
from pagerforce.store.retention import Limits, Progress
from pagerforce.store.shared_texts import FIND_ID, SharedText, share, share_contexts
from pagerforce.store.sqlite.engine import open_database

START = datetime(2026, 1, 1, tzinfo=UTC)
OBJECT, COMMENTS = "BMCServiceDesk__Incident__c", "BMCServiceDesk__IncidentHistory__c"
ENTRIES = ("trigger", "notify", "assign", "acknowledge", "annotate", "escalate", "annotate",
           "priority_change", "notify", "resolve")  # fmt: skip
JANE = Person("PJANE01", "Jane Doe", "jane.doe@example.com")
RULES = json.dumps(
    [
        {"ruleset": "Remedyforce to PagerDuty", "rule": f"Rule number {n}", "matched": n == 0, "reason": "",
         "conditions": [{"field": field, "op": op, "expected": expected, "actual": actual, "result": False}]}
        for n, (field, op, expected, actual) in enumerate([
            ("event.type", "equals", "trigger", "TYPE"),
            ("event.type", "in", "annotate, comment", "TYPE"),
            ("incident.status", "changed_to", "resolved", "triggered"),
            ("incident.title", "contains", "database", "TITLE"),
            ("record.BMCServiceDesk__FKPriority__r.Name", "equals", "1", "3"),
            ("record.BMCServiceDesk__FKStatus__r.Name", "changed_to", "CLOSED", "OPENED"),
        ])
    ]
)  # fmt: skip


def incident(number: int, at: datetime) -> Incident:
    """An incident as PagerDuty returns it."""
    key = f"Q{number:013d}"
    return Incident(
        IncidentId(key), number, f"INC{number:08d}: Core switch down in building {number % 90}",
        IncidentStatus.RESOLVED, "high", f"https://acme.pagerduty.com/incidents/{key}", None, at, at, at,
        Ref("PNET001", "Network"), Ref("PPOL001", "Network on call"), Ref("PPRIO01", "P1"), (JANE,),
    )  # fmt: skip


def record(number: int, at: datetime) -> Record:
    """A record with thirty fields."""
    fields = {f"BMCServiceDesk__Field_{n}__c": f"value {n} of {number}" for n in range(29)}
    fields["BMCServiceDesk__incidentDescription__c"] = "The core switch does not answer. " * 10
    return Record(OBJECT, RecordId(f"a0R{number:012d}EAA"), fields, at, at, at, JANE, JANE)


class Pair:
    """Everything that one incident with its record leaves in the database."""

    def __init__(self, number: int, at: datetime) -> None:
        self.number, self.at = number, at
        self.incident, self.record = incident(number, at), record(number, at)
        self.events: list[tuple[object, ...]] = []
        self.texts: list[SharedText] = []
        for place, kind in enumerate(ENTRIES):
            self._add(Side.PAGERDUTY, f"pd:R{number:012d}{place}", kind)
        for place, kind in enumerate(["create", *["update"] * 6, *["comment"] * 3]):
            self._add(Side.SALESFORCE, f"sf:{self.record.id}:{place}", kind)

    def _add(self, side: Side, key: str, kind: str) -> None:
        is_ours = side is Side.PAGERDUTY
        event = Event(
            EventId(key), side, kind, self.at, JANE, None,
            self.incident.id if is_ours else None,
            None if is_ours else OBJECT, None if is_ours else self.record.id,
            incident=self.incident if is_ours else None,
            old_incident=self.incident if is_ours else None,
            record=None if is_ours else self.record.fields,
            old_record={} if is_ours else self.record.fields,
        )  # fmt: skip
        stamp = to_stamp(self.at)
        other = (
            {"records": {OBJECT: self.record.fields}} if is_ours else {"incident": self.incident}
        )
        (context,) = share_contexts([{"linked": [OBJECT], **other}], Encoder())
        rules = share(RULES.replace("TYPE", kind).replace("TITLE", str(self.incident.title)), "[]")
        self.texts += [context, rules]
        self.events.append(
            (key, side.value, kind, stamp, stamp, event.incident_id, event.object, event.record_id,
             to_text(shorten(event)), context.inline, context.digest, rules.inline, rules.digest)
        )  # fmt: skip


def store(connection: sqlite3.Connection, pairs: list[Pair]) -> None:
    """Writes pairs like the daemon."""
    run = connection.executemany
    for pair in pairs:
        stamp, own = to_stamp(pair.at), pair.record.id
        run(
            "INSERT OR IGNORE INTO shared_text (digest, data) VALUES (?, ?)",
            [(text.digest, text.data) for text in pair.texts if text.digest],
        )
        run(
            "INSERT INTO event (id, source, type, at, seen_at, incident_id, object, record_id, data, context, "
            "context_id, rules, rules_id) "
            f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {FIND_ID}, ?, {FIND_ID})",
            pair.events,
        )
        (last,) = connection.execute("SELECT max(seq) FROM event").fetchone()
        (first,) = connection.execute("SELECT coalesce(max(seq), 0) FROM action").fetchone()
        names = [f"a{pair.number:012d}{n:07d}" for n in range(6)]
        run(
            "INSERT INTO action (id, seq, event_seq, ruleset, rule, position, do, object, written, args, lane, "
            "is_page, state, reason, attempts, next_at, created_at, first_attempt_at, finished_at, incident_id, "
            "record_id) VALUES (?, ?, ?, 'Remedyforce to PagerDuty', 'Page for priority 1', 0, "
            "'salesforce.set_field', ?, ?, ?, ?, 0, 'delivered', ?, 1, ?, ?, ?, ?, ?, ?)",
            [
                (name, first + n + 1, last - n, OBJECT, "{}", '{"field": "X__c", "value": "x"}', own,
                 "wrote BMCServiceDesk__FKStatus__c", stamp, stamp, stamp, stamp, pair.incident.id, own)
                for n, name in enumerate(names)
            ],
        )  # fmt: skip
        run(
            "INSERT INTO attempt (action_id, number, started_at, finished_at, verdict, detail) "
            "VALUES (?, 1, ?, ?, 'delivered', 'wrote BMCServiceDesk__FKStatus__c')",
            [(name, stamp, stamp) for name in names],
        )
        run(
            "INSERT INTO comment (id, object, parent_id, action_id, seen_at) VALUES (?, ?, ?, ?, ?)",
            [(f"a0H{pair.number:010d}{n:02d}EAA", COMMENTS, own, names[0] if n > 2 else None, stamp)
             for n in range(5)],
        )  # fmt: skip
        run("INSERT INTO note VALUES (?, ?, ?)",
            [(pair.incident.id, f"N{pair.number:08d}{n}", names[1]) for n in range(3)])  # fmt: skip
        run("INSERT INTO lane_member VALUES (?, ?)", [(pair.incident.id, own), (own, own)])
    run("INSERT INTO incident VALUES (?, 0, ?, ?)",
        [(p.incident.id, to_stamp(p.at), to_text(p.incident)) for p in pairs])  # fmt: skip
    run("INSERT INTO record VALUES (?, ?, ?)",
        [(p.record.id, OBJECT, to_text(p.record)) for p in pairs])  # fmt: skip
    run("INSERT INTO link VALUES (?, ?, ?, 1, ?, ?)",
        [(p.incident.id, p.record.id, OBJECT, to_stamp(p.at), to_stamp(p.at)) for p in pairs])  # fmt: skip
    now = to_stamp(pairs[-1].at)
    run("INSERT OR REPLACE INTO cursor VALUES (?, ?, NULL)", [("pagerduty", now), (OBJECT, now)])


async def prune(database: Database, now: datetime, progress: Progress) -> int:
    """A day's pruning; returns the number of deleted rows."""
    total = 0
    for walk, work in (
        ("event", retention.prune_journal),
        ("incident", retention.prune_incidents),
        ("record", retention.prune_records),
        ("comment", retention.prune_comments),
    ):
        for _ in range(200):
            async with database.write() as tx:
                total += await work(tx, now, Limits(), progress)
            if not getattr(progress, walk):
                break
    return total


def sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Per table its rows and the bytes of their content."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        for name in names:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            total = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
            sql = f"SELECT count(*), coalesce(sum({total}), 0) FROM {name}"
            found[name] = connection.execute(sql).fetchone()
    return found


def size_of(path: Path) -> int:
    """The file's size without its log."""
    return path.stat().st_size


async def live(path: Path, days: int, changes: int) -> None:
    """The year; prints a line per month and the tables in the end."""
    per_day = max(1, changes // 10)
    progress, largest, number = Progress(), 0, 0
    async with open_database(path) as database:
        await database._connection._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 - speed only
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for day in range(days):
                at = START + timedelta(days=day)
                pairs = [Pair(number + n, at + timedelta(seconds=n)) for n in range(per_day)]
                number += per_day
                connection.execute("BEGIN IMMEDIATE")
                store(connection, pairs)
                connection.execute("COMMIT")
                await prune(database, at, progress)
                largest = max(largest, size_of(path))
                if day % 30 == 29:
                    print(f"day {day + 1:>3}: {size_of(path) / 1e6:8.1f} MB", flush=True)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ((pages,), (page,)) = (
                connection.execute(f"PRAGMA {name}").fetchone()
                for name in ("freelist_count", "page_size")
            )
            free = pages * page
    print(f"\nlargest: {largest / 1e6:.1f} MB, free for reuse now: {free / 1e6:.1f} MB")
    print(f"{'table':<14}{'rows':>10}{'content MB':>12}")
    for name, (rows, size) in sorted(sizes(path).items(), key=lambda item: -item[1][1]):
        print(f"{name:<14}{rows:>10}{size / 1e6:>12.1f}")


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--changes", type=int, default=1000, help="a day, on either side")
    parser.add_argument("--file", type=Path, help="keep the database there")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "pagerforce.db"
        anyio.run(live, path, options.days, options.changes)
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
