"""Cursors and single facts: how far each feed was read, since when, and with which fields."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from pagerforce.model.ids import RecordId, Side, find_record_id
from pagerforce.model.ports import Position
from pagerforce.model.value import format_whole_second, parse_stamp
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import attempt, each

PAGERDUTY = "pagerduty"
_CAUTION = timedelta(days=1)
_TRIED = 100  # events; the newest readable one counts


async def read_cursors(tx: Transaction) -> dict[str, Position]:
    """Every feed's position."""
    found: dict[str, Position] = {}
    for feed, stamp, row_id in await tx.rows("SELECT feed, stamp, id FROM cursor"):
        at = attempt(tx, "cursor", feed, partial(parse_stamp, stamp))
        # Without its time a position is lost. An earlier one is as good, as nothing happens twice.
        position = None if at is None else Position(at, _place(tx, feed, row_id))
        position = position or await _earlier(tx, feed)
        if position is not None:
            found[feed] = position
    return found


def _place(tx: Transaction, feed: str, row_id: str | None) -> RecordId | None:
    if row_id and find_record_id(row_id) is None:
        tx.unreadable.note("cursor", feed)
        return None
    return RecordId(row_id) if row_id else None


async def _earlier(tx: Transaction, feed: str) -> Position | None:
    """The newest change of the side that was surely read, minus the look back."""
    side = Side.PAGERDUTY if feed == PAGERDUTY else Side.SALESFORCE
    rows = await tx.rows(
        "SELECT at FROM event WHERE source = ? ORDER BY seq DESC LIMIT ?", (side.value, _TRIED)
    )
    at = next(iter(each(tx, "event", rows, lambda row: parse_stamp(row[0]))), None)
    at = at or await find_instant(tx, f"start_at:{feed}")
    return None if at is None else Position(at - _CAUTION)


async def mend_cursors(tx: Transaction, server_now: datetime, feeds: Collection[str]) -> None:
    """Corrects cursors that are lost, unreadable, or in the future.

    A cursor in the future would miss all changes until then. ``feeds``: those that are read.
    """
    latest = server_now + _CAUTION
    stamps: dict[str, str] = dict(await tx.rows("SELECT feed, stamp FROM cursor"))
    for feed in feeds:
        at = attempt(tx, "cursor", feed, partial(parse_stamp, stamps.get(feed, "")))
        if at is not None and at <= latest:
            continue
        tx.unreadable.note("cursor", feed)
        position = await _earlier(tx, feed)
        await tx.run("DELETE FROM cursor WHERE feed = ?", (feed,))
        if position is None or position.stamp > latest:
            position = Position(server_now - _CAUTION)
        await move_cursor(tx, feed, position)


async def move_cursor(tx: Transaction, feed: str, position: Position) -> None:
    """Moves a cursor forward, never back: a re-read leaves a later position unchanged."""
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
    """A single stored fact that is an instant; None also if it can't be read."""
    text = await find_fact(tx, name)
    return None if text is None else attempt(tx, "fact", name, lambda: parse_stamp(text))


async def find_start(tx: Transaction, feed: str) -> datetime | None:
    """The start of a feed's reading; None: it was never read.

    If that can't be read, the oldest known event of the side replaces it.
    """
    name = f"start_at:{feed}"
    start_at = await find_instant(tx, name)
    if start_at is not None or await find_fact(tx, name) is None:
        return start_at
    side = Side.PAGERDUTY if feed == PAGERDUTY else Side.SALESFORCE
    rows = await tx.rows("SELECT min(at) FROM event WHERE source = ?", (side.value,))
    start_at = next(iter(each(tx, "event", rows, lambda row: parse_stamp(row[0]))), None)
    position = (await read_cursors(tx)).get(feed)
    start_at = start_at or (position.stamp if position else None)
    if start_at is not None:
        await put_fact(tx, name, format_whole_second(start_at))
    return start_at


async def find_read_with(tx: Transaction, object_name: str) -> frozenset[str]:
    """The fields that every known row was read with; empty if they were never stored."""
    return await _find_names(tx, f"read_with:{object_name}")


async def put_read_with(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Stores that every row was read with these fields."""
    await _put_names(tx, f"read_with:{object_name}", fields)


async def find_lost(tx: Transaction, object_name: str) -> frozenset[str]:
    """Fields that could not be read for a while and were not read of every row since."""
    return await _find_names(tx, f"lost_fields:{object_name}")


async def put_lost(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Stores which fields could not be read for a while."""
    await _put_names(tx, f"lost_fields:{object_name}", fields)


async def _find_names(tx: Transaction, name: str) -> frozenset[str]:
    text = await find_fact(tx, name)
    found = attempt(tx, "fact", name, lambda: [*json.loads(text)]) if text else None
    return frozenset(item for item in found or () if isinstance(item, str))


async def _put_names(tx: Transaction, name: str, fields: Collection[str]) -> None:
    await put_fact(tx, name, json.dumps(sorted(fields)))
