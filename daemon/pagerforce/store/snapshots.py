"""Snapshots: the last known state of every incident and record, the base for finding changes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

from pagerforce.model.ids import IncidentId, RecordId, is_plain_id, is_record_id
from pagerforce.model.incident import Incident
from pagerforce.model.record import Record
from pagerforce.model.value import parse_stamp
from pagerforce.store.codec import parse_incident, parse_record, to_record_text, to_stamp, to_text
from pagerforce.store.database import Row, Transaction
from pagerforce.store.unreadable import attempt, each

_BEYOND_ALL_IDS = "~"
_CHUNK = 500  # bound values per statement, well below SQLite's limit


def chunks(items: Collection[str]) -> Iterable[Sequence[str]]:
    """The items in groups that fit into one statement."""
    ordered = list(items)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


def json_part(column: str, path: str) -> str:
    """A part of a JSON column as text, in SQL: numbers in digits, true as 1.

    Null if the column is damaged, which would end the query.
    """
    return f"CASE WHEN json_valid({column}) THEN CAST(json_extract({column}, '{path}') AS TEXT) END"


def marks(values: Collection[object]) -> str:
    """As many question marks as values, for an IN list; of none, null, which nothing equals."""
    return ",".join("?" * len(values)) or "NULL"


async def read_incidents(
    tx: Transaction, ids: Collection[str]
) -> dict[IncidentId, tuple[Incident, datetime | None]]:
    """Snapshots by id, each with the time of the newest log entry folded into it."""
    found: dict[IncidentId, tuple[Incident, datetime | None]] = {}
    for chunk in chunks(ids):
        rows = await tx.rows(
            f"SELECT id, entry_at, data FROM incident WHERE id IN ({marks(chunk)})",
            chunk,
        )
        found |= dict(each(tx, "incident", rows, partial(_held, tx)))
    return found


def _held(tx: Transaction, row: Row) -> tuple[IncidentId, tuple[Incident, datetime | None]]:
    """A snapshot, and the time of its newest folded log entry, which may be unreadable alone."""
    row_id, entry_at, data = row
    entry = attempt(tx, "incident", row_id, lambda: parse_stamp(entry_at)) if entry_at else None
    incident = parse_incident(data)
    if incident.id != row_id or not is_plain_id(row_id):
        raise ValueError("is another incident's")
    return incident.id, (incident, entry)


async def find_incident(tx: Transaction, incident_id: str) -> Incident | None:
    """One incident's snapshot."""
    found = (await read_incidents(tx, [incident_id])).get(IncidentId(incident_id))
    return None if found is None else found[0]


async def read_open_incidents(
    tx: Transaction,
) -> dict[IncidentId, tuple[Incident, datetime | None]]:
    """Snapshots of every incident that is not resolved, as far as pagerforce knows."""
    rows = await tx.rows("SELECT id, entry_at, data FROM incident WHERE is_open = 1")
    return dict(each(tx, "incident", rows, partial(_held, tx)))


async def put_incidents(tx: Transaction, items: Iterable[tuple[Incident, datetime | None]]) -> None:
    """Stores incidents' snapshots; entry_at None keeps the stored time of the newest entry."""
    await tx.run_many(
        "INSERT INTO incident (id, is_open, entry_at, data) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET is_open = excluded.is_open, data = excluded.data, "
        "entry_at = coalesce(excluded.entry_at, incident.entry_at)",
        [
            (item.id, int(item.is_open), to_stamp(at) if at else None, to_text(item))
            for item, at in items
        ],
    )


async def read_records(tx: Transaction, ids: Collection[str]) -> dict[RecordId, Record]:
    """Records' snapshots by id."""
    found: dict[RecordId, Record] = {}
    for chunk in chunks(ids):
        sql = f"SELECT id, data FROM record WHERE id IN ({marks(chunk)})"
        rows = await tx.rows(sql, chunk)
        found |= {record.id: record for record in each(tx, "record", rows, _record)}
    return found


def _record(row: Row) -> Record:
    row_id, data = row
    record = parse_record(data)
    if record.id != row_id or not is_record_id(row_id):
        raise ValueError("is another record's")
    return record


async def find_record(tx: Transaction, record_id: str) -> Record | None:
    """One record's snapshot."""
    return (await read_records(tx, [record_id])).get(RecordId(record_id))


async def living_ids(
    tx: Transaction, object_name: str, *, after: str | None, to: str = _BEYOND_ALL_IDS
) -> list[RecordId]:
    """Ids of an object's snapshots without the deleted ones, in a range of Ids, in order."""
    rows = await tx.rows(
        "SELECT id FROM record WHERE object = ? AND id > ? AND id <= ? "
        f"AND coalesce({json_part('data', '$.is_deleted')}, '0') <> '1' ORDER BY id",
        (object_name, after or "", to),
    )
    return [RecordId(row[0]) for row in rows if is_record_id(row[0])]


async def put_records(tx: Transaction, records: Iterable[Record]) -> None:
    """Stores records' snapshots."""
    await tx.run_many(
        "INSERT INTO record (id, object, data) VALUES (?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET data = excluded.data",
        [(item.id, item.object, to_record_text(item)) for item in records],
    )


async def add_rechecks(tx: Transaction, records: Iterable[Record]) -> None:
    """Marks records to be read again by id with the next poll."""
    await tx.run_many(
        "INSERT INTO recheck (id, object) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(item.id, item.object) for item in records],
    )


async def read_rechecks(tx: Transaction) -> dict[str, list[RecordId]]:
    """The records to read again, by object."""
    found: dict[str, list[RecordId]] = {}
    for row_id, name in await tx.rows("SELECT id, object FROM recheck ORDER BY id LIMIT 2000"):
        if is_record_id(row_id):
            found.setdefault(name, []).append(RecordId(row_id))
        else:
            tx.unreadable.note("recheck", row_id)
    return found


async def drop_rechecks(tx: Transaction, ids: Collection[str]) -> None:
    """Notes that these were read again."""
    await tx.run_many("DELETE FROM recheck WHERE id = ?", [(item,) for item in ids])
