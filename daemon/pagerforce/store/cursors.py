"""Cursors: how far each feed has been read, and from where on."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from pagerforce.model.ids import RecordId, Side, find_record_id
from pagerforce.model.ports import Position
from pagerforce.model.value import format_whole_second, parse_stamp
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.facts import find_fact, find_instant, put_fact
from pagerforce.store.facts import start_at as start_fact
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
    at = at or await find_instant(tx, start_fact(feed))
    return None if at is None else Position(at - _CAUTION)


async def correct_cursors(tx: Transaction, server_now: datetime, feeds: Collection[str]) -> None:
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


async def find_start(tx: Transaction, feed: str) -> datetime | None:
    """The start of a feed's reading; None: it was never read.

    If that can't be read, the oldest known event of the side replaces it.
    """
    name = start_fact(feed)
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
