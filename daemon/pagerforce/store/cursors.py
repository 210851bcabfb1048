"""Cursors and single facts: how far each feed has been read, and where the first start began."""

from datetime import datetime

from pagerforce.model.ids import RecordId
from pagerforce.model.ports import Position
from pagerforce.model.value import parse_instant
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction

PAGERDUTY = "pagerduty"


async def read_cursors(tx: Transaction) -> dict[str, Position]:
    """Every feed's position."""
    rows = await tx.rows("SELECT feed, stamp, id FROM cursor")
    return {
        feed: Position(parse_instant(stamp), RecordId(row_id) if row_id else None)
        for feed, stamp, row_id in rows
    }


async def move_cursor(tx: Transaction, feed: str, position: Position) -> None:
    """Moves a cursor forward; one that stands further stays, so that a re-read never moves it back."""
    await tx.run(
        "INSERT INTO cursor (feed, stamp, id) VALUES (?, ?, ?) ON CONFLICT (feed) DO UPDATE "
        "SET stamp = excluded.stamp, id = excluded.id "
        "WHERE (excluded.stamp, coalesce(excluded.id, '')) > (cursor.stamp, coalesce(cursor.id, ''))",
        (feed, to_stamp(position.stamp), position.id),
    )


async def find_fact(tx: Transaction, name: str) -> str | None:
    """A single stored fact."""
    row = await tx.row("SELECT value FROM fact WHERE name = ?", (name,))
    return None if row is None else str(row[0])


async def put_fact(tx: Transaction, name: str, value: str) -> None:
    """Stores or replaces a single fact."""
    await tx.run("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))


async def find_instant(tx: Transaction, name: str) -> datetime | None:
    """A single stored fact that is an instant."""
    text = await find_fact(tx, name)
    return None if text is None else parse_instant(text)
