"""The journal of events: what was seen, which rules it met, which actions it caused."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId
from pagerforce.model.value import parse_stamp
from pagerforce.store.codec import Encoder, from_text, to_event, to_stamp
from pagerforce.store.database import Row, Transaction
from pagerforce.store.event_text import expand, shorten
from pagerforce.store.shared_texts import FIND_ID, put, share, share_contexts, stored
from pagerforce.store.snapshots import chunks, marks
from pagerforce.store.unreadable import MOST, attempt, each

_CLOCK_MARGIN = timedelta(days=1)


async def known_events(tx: Transaction, ids: Collection[str]) -> dict[EventId, str | None]:
    """The events of these that are in the journal; each with the action that caused it, if any."""
    known: dict[EventId, str | None] = {}
    for chunk in chunks(ids):
        sql = f"SELECT id, echo_of FROM event WHERE id IN ({marks(chunk)})"
        known |= {EventId(row[0]): row[1] for row in await tx.rows(sql, chunk)}
    return known


class Entry(Struct, frozen=True):
    """An event to store, with the traces of the rules it met.

    ``context``: the other values that the rules saw, to test other rules on it later.
    """

    event: Event
    rules: Sequence[Mapping[str, object]] = ()
    echo_of: str | None = None
    context: Mapping[str, object] = msgspec.field(default_factory=dict)


async def append(tx: Transaction, entries: Sequence[Entry], seen_at: datetime) -> range:
    """Stores events in order; returns their sequence numbers."""
    row = await tx.row(f"SELECT coalesce(max(seq), 0) FROM event WHERE seq < {MOST}")
    first = int(row[0]) + 1 if row else 1
    stamp = to_stamp(seen_at)
    encoder = Encoder()  # events of a batch share incidents
    contexts = share_contexts([item.context for item in entries], encoder)
    traces = [share(encoder.to_text(item.rules), "[]") for item in entries]
    await put(tx, (*contexts, *traces))
    await tx.run_many(
        "INSERT INTO event (seq, id, source, type, at, seen_at, incident_id, object, record_id, "
        "echo_of, data, context, context_id, rules, rules_id) "
        f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {FIND_ID}, ?, {FIND_ID})",
        [
            (
                seq,
                item.event.id,
                item.event.source.value,
                item.event.type,
                to_stamp(item.event.at),
                stamp,
                item.event.incident_id,
                item.event.object,
                item.event.record_id,
                item.echo_of,
                encoder.to_text(shorten(item.event)),
                context.inline,
                context.digest,
                rules.inline,
                rules.digest,
            )
            for seq, item, context, rules in zip(count(first), entries, contexts, traces)
        ],
    )
    return range(first, first + len(entries))


async def find_event(tx: Transaction, seq: int) -> Event | None:
    """An event by its sequence number; None also if it can't be read."""
    return (await read_events(tx, [seq])).get(seq)


async def read_events(tx: Transaction, seqs: Collection[int]) -> dict[int, Event]:
    """Events by their sequence numbers."""
    found: dict[int, Event] = {}
    for chunk in chunks([str(seq) for seq in seqs]):
        sql = f"SELECT seq, data FROM event WHERE seq IN ({marks(chunk)})"
        rows = await tx.rows(sql, [int(seq) for seq in chunk])
        found |= dict(each(tx, "event", rows, lambda row: (row[0], _parse(row[1]))))
    return found


def _parse(text: str) -> Event:
    return to_event(expand(from_text(text)))


class Filter(Struct, frozen=True):
    """Selects a part of the journal; all given conditions apply together.

    ``size``: the most characters of their data; at least one entry is always returned.
    """

    incident: str | None = None
    record: str | None = None
    since: datetime | None = None
    after_seq: int = 0
    limit: int = 1000
    size: int | None = None


async def last_seq(tx: Transaction) -> int:
    """The newest event's sequence number; 0 if there is none."""
    row = await tx.row(f"SELECT max(seq) FROM event WHERE seq < {MOST}")
    return int(row[0] or 0) if row else 0


async def begin_of(tx: Transaction, since: datetime) -> int:
    """The least sequence number that an event of that time or later may have.

    A binary search instead of a read of the journal: events are numbered in the order of detection,
    and none is detected long before it happens. The margin is for clocks that were wrong.
    """
    first = await tx.row("SELECT min(seq) FROM event")
    low = int(first[0] or 0) if first else 0
    high = await last_seq(tx) + 1
    before = to_stamp(since - _CLOCK_MARGIN)
    while low < high:
        middle = (low + high) // 2
        sql = "SELECT seq, seen_at FROM event WHERE seq >= ? ORDER BY seq LIMIT 1"
        seq, seen_at = await tx.row(sql, (middle,)) or (high, before)
        low, high = (seq + 1, high) if seen_at < before else (low, middle)
    return low


async def read_log(tx: Transaction, wanted: Filter) -> list[dict[str, Any]]:
    """Entries for ``log``, oldest first, in the form of docs/reference/commands.md, plus ``seq``."""
    after = wanted.after_seq
    if wanted.since and not (wanted.incident or wanted.record):
        after = max(after, await begin_of(tx, wanted.since) - 1)
    where: list[str] = ["seq > ?"]
    values: list[object] = [after]
    if wanted.incident:
        where.append("incident_id = ?")
        values.append(wanted.incident)
    if wanted.record:
        # By the index of records (15 and 18 characters are one Id); the plus excludes seq's index.
        where = ["+seq > ?", *where[1:], "record_id BETWEEN ? AND ?"]
        values += [wanted.record[:15], f"{wanted.record[:15]}~"]
    if wanted.since:
        where.append("at >= ?")
        values.append(to_stamp(wanted.since))
    if wanted.size is not None:
        where.append("+seq <= ?")
        values.append(await _last_within(tx, wanted.size, where[:-1], [*values, wanted.limit]))
    sql = (
        "SELECT seq, at, source, type, incident_id, object, record_id, echo_of, "
        f"{stored('rules')}, seen_at, data, {stored('context')} FROM event "
        f"WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"
    )
    rows = await tx.rows(sql, [*values, wanted.limit])
    return [await _to_entry(tx, row) for row in rows]


async def _to_entry(tx: Transaction, row: Row) -> dict[str, Any]:
    """An event as ``log --json`` shows it; unreadable values are empty."""
    *shown, rules, seen_at, data, context = row
    keys = ("seq", "at", "source", "event", "incident", "object", "record", "echo_of")
    entry = dict(zip(keys, shown, strict=True))
    seq = entry["seq"]
    return entry | {
        "rules": attempt(tx, "event", seq, partial(_rules, rules)) or [],
        "actions": await _actions(tx, seq),
        "recorded": {
            "seen_at": seen_at,
            "event": attempt(tx, "event", seq, partial(_event, data, seen_at)) or {},
            "context": attempt(tx, "event", seq, partial(_object, context)) or {},
        },
    }


async def _last_within(
    tx: Transaction, size: int, where: Sequence[str], values: Sequence[object]
) -> int:
    """The last entry up to which all fit into that size; at least the first."""
    sql = (
        f"SELECT seq, 2 * length(data) + coalesce(length({stored('context')}), 0) "
        f"+ coalesce(length({stored('rules')}), 0) FROM event "
        f"WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"
    )
    last = 0
    for seq, length in await tx.rows(sql, values):
        size -= length
        if last and size < 0:
            break
        last = int(seq)
    return last


def _object(text: str) -> dict[str, Any]:
    return dict(from_text(text).items())


def _event(text: str, seen_at: str) -> dict[str, Any]:
    """A stored event, after a check that it could be used."""
    found = expand(_object(text))
    to_event(found)
    parse_stamp(seen_at)
    return found


def _rules(text: str) -> list[dict[str, Any]]:
    """The traces of rules, each with the rule's name and whether it matched."""
    found = from_text(text)
    for trace in found:
        _ = trace["ruleset"] + trace["rule"], trace["matched"], [*trace["conditions"]]
    return [*found]


async def _actions(tx: Transaction, event_seq: int) -> list[dict[str, Any]]:
    rows = await tx.rows(
        'SELECT id, "do", state, reason, incident_id, record_id FROM action WHERE event_seq = ? '
        "ORDER BY seq, part",
        (event_seq,),
    )
    keys = ("action_id", "action", "outcome", "reason", "incident", "record")
    return [dict(zip(keys, row, strict=True)) for row in rows]


async def read_dead_letters(tx: Transaction) -> list[dict[str, Any]]:
    """Dead letters for ``failed list``, oldest first, in the form of docs/reference/commands.md."""
    rows = await tx.rows(
        'SELECT action.id, "do", coalesce(action.incident_id, event.incident_id), action.object, '
        "coalesce(action.record_id, event.record_id), reason, attempts, "
        "coalesce(first_attempt_at, created_at), finished_at "
        "FROM action LEFT JOIN event ON event.seq = action.event_seq "
        "WHERE state = 'dead_letter' ORDER BY action.seq, part"
    )
    keys = (
        "id",
        "action",
        "incident",
        "object",
        "record",
        "reason",
        "attempts",
        "first_at",
        "last_at",
    )
    return [dict(zip(keys, row, strict=True)) for row in rows]
