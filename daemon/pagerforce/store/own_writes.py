"""The SQL of own writes: expectations, pagerforce's notes and comments, entries to read again.

Their meaning is in ``own_writes``.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from pagerforce.model.expectation import (
    CommentExpected,
    EntryExpected,
    Expectation,
    FieldsExpected,
    PageExpected,
    RecordExpected,
    RecordGiven,
    subject_of,
)
from pagerforce.model.ids import IncidentId, RecordId, Side
from pagerforce.model.record import Comment
from pagerforce.model.value import Fields, Scalar, format_instant, parse_instant, parse_stamp
from pagerforce.model.verdict import CommentMade
from pagerforce.own_writes.life import Kinds
from pagerforce.own_writes.waiting import Cause, Expected
from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Row, Transaction
from pagerforce.store.facts import READ_AGAIN_FROM, put_fact
from pagerforce.store.snapshots import chunks, json_part, marks
from pagerforce.store.unreadable import GARBAGE, each

_LOOKED_BACK = 5000

# Values of the column ``kind``; any other value is the type of a log entry.
_PAGE, _RECORD, _GIVEN, _COMMENT, _FIELDS = "incident", "record", "given", "comment", "fields"
_WORDS: Mapping[type[Expectation], str] = {
    PageExpected: _PAGE,
    RecordExpected: _RECORD,
    RecordGiven: _GIVEN,
    CommentExpected: _COMMENT,
    FieldsExpected: _FIELDS,
}


def _to_row(item: Expectation) -> tuple[str, Fields, str | None, int]:
    """Kind, data, actor and count."""
    match item:
        case PageExpected():
            return _PAGE, _said(title=item.title), item.actor_id, 1
        case RecordExpected():
            return _RECORD, item.values, item.actor_id, 1
        case RecordGiven():
            return _GIVEN, item.values, None, 1
        case CommentExpected():
            return _COMMENT, {"body": item.body}, item.actor_id, 1
        case FieldsExpected():
            return _FIELDS, item.values, item.actor_id, 1
        case EntryExpected():
            data = _said(
                text=item.text,
                assignee=item.assignee,
                priority=item.priority,
                not_before=None if item.not_before is None else format_instant(item.not_before),
                keeps_status=item.keeps_status or None,
                is_beside=item.is_beside or None,
            )
            return item.type, data, item.actor_id, item.count


def _said(**values: Scalar) -> Fields:
    return {name: value for name, value in values.items() if value is not None}


def _from_row(kind: str, subject: str, data: Fields, actor_id: str | None) -> Expectation:
    def text(name: str) -> str | None:
        value = data.get(name)
        return None if value is None else str(value)

    match kind:
        case "incident":
            return PageExpected(subject, text("title"), actor_id)
        case "record":
            return RecordExpected(subject, data, actor_id)
        case "given":
            return RecordGiven(subject, data)
        case "comment":
            return CommentExpected(RecordId(subject), text("body") or "", actor_id)
        case "fields":
            return FieldsExpected(RecordId(subject), data, actor_id)
    since = text("not_before")
    return EntryExpected(
        kind,
        IncidentId(subject),
        actor_id,
        text("text"),
        text("assignee"),
        text("priority"),
        None if since is None else parse_instant(since),
        keeps_status=bool(data.get("keeps_status")),
        is_beside=bool(data.get("is_beside")),
    )


async def expect(
    tx: Transaction,
    action_id: str,
    expectations: Sequence[Expectation],
    now: datetime,
    *,
    is_uncertain: bool = False,
) -> None:
    """Stores what an attempt will cause. A later attempt replaces the rows of an earlier one.

    If the earlier outcome is uncertain, the people whom it may have assigned stay expected.
    """
    if not is_uncertain:
        await tx.run("DELETE FROM expectation WHERE action_id = ?", (action_id,))
    again = {item.assignee for item in expectations if isinstance(item, EntryExpected)}
    for row in await _read_of(tx, action_id):
        what = row.what
        if not isinstance(what, EntryExpected) or what.type != "assign" or what.assignee in again:
            await tx.run("DELETE FROM expectation WHERE seq = ?", (row.seq,))
    await expect_also(tx, action_id, expectations, now)


async def expect_less(tx: Transaction, action_id: str, unmet: EntryExpected) -> None:
    """Reduces the expectations of an attempt by those that it will not cause."""
    wanted = unmet.type, unmet.incident_id, unmet.assignee
    for row in await _read_of(tx, action_id):
        what = row.what
        if (
            isinstance(what, EntryExpected)
            and (what.type, what.incident_id, what.assignee) == wanted
        ):
            await tx.run(
                "UPDATE expectation SET remaining = CASE WHEN remaining > ? THEN remaining - ? ELSE 0 END "
                "WHERE seq = ?",
                (unmet.count, unmet.count, row.seq),
            )


async def _read_of(tx: Transaction, action_id: str) -> list[Expected]:
    rows = await tx.rows(
        "SELECT seq, action_id, kind, subject, data, actor_id, remaining, NULL FROM expectation "
        "WHERE action_id = ?",
        (action_id,),
    )
    return each(tx, "expectation", rows, _to_expected)


async def expect_also(
    tx: Transaction, action_id: str, expectations: Sequence[Expectation], now: datetime
) -> None:
    """Stores further effects of an attempt."""
    rows = []
    for item in expectations:
        kind, data, actor_id, count = _to_row(item)
        subject = subject_of(item)
        rows.append((action_id, kind, subject, to_text(data), actor_id, count, to_stamp(now)))
    await tx.run_many(
        "INSERT INTO expectation (action_id, kind, subject, data, actor_id, remaining, made_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


async def read_expected(tx: Transaction, subjects: Iterable[str]) -> list[Expected]:
    """The expectations of these subjects, oldest first."""
    found: list[Expected] = []
    for chunk in chunks(set(subjects)):
        rows = await tx.rows(
            "SELECT seq, action_id, kind, subject, data, actor_id, remaining, "
            "(SELECT state FROM action WHERE action.id = action_id) FROM expectation "
            f"WHERE remaining > 0 AND subject IN ({marks(chunk)})",
            chunk,
        )
        found += each(tx, "expectation", rows, _to_expected)
    return sorted(found, key=lambda item: item.seq)


def _to_expected(row: Row) -> Expected:
    seq, action_id, kind, subject, data, actor_id, remaining, state = row
    return Expected(
        seq,
        action_id,
        remaining,
        _from_row(kind, subject, dict(json.loads(data).items()), actor_id),
        is_done=state == "delivered",
        is_under_way=state in ("pending", "in_flight"),
    )


async def read_expected_pages(tx: Transaction) -> list[Expected]:
    """Every expected new incident, oldest first."""
    rows = await tx.rows(
        f"SELECT subject FROM expectation WHERE remaining > 0 AND kind = '{_PAGE}'"
    )
    found = await read_expected(tx, [row[0] for row in rows])
    return [item for item in found if isinstance(item.what, PageExpected)]


async def causes(tx: Transaction, ids: Sequence[str]) -> dict[str, Cause]:
    """The cause of each of these actions."""
    found: dict[str, Cause] = {}
    for chunk in chunks(set(ids)):
        rows = await tx.rows(
            "SELECT action.id, action.object, event.record_id, event.incident_id FROM action "
            f"JOIN event ON event.seq = action.event_seq WHERE action.id IN ({marks(chunk)})",
            chunk,
        )
        found |= {row[0]: Cause(*row[1:]) for row in rows}
    return found


async def know_incident(tx: Transaction, action_id: str, incident_id: str) -> None:
    """Stores the id of an incident that an action created; it now identifies the trigger entry.

    The key may disappear: incidents with alerts show none (``pagerduty.key-hidden-by-alerts``).
    """
    await tx.run(
        "UPDATE expectation SET kind = 'trigger', subject = ?, data = '{}' "
        f"WHERE action_id = ? AND kind = '{_PAGE}'",
        (incident_id, action_id),
    )


async def note_seen(tx: Transaction, seqs: Iterable[int]) -> None:
    """Counts each of these as seen once more."""
    sql = "UPDATE expectation SET remaining = remaining - 1 WHERE seq = ?"
    await tx.run_many(sql, [(seq,) for seq in seqs])


async def drop(tx: Transaction, action_id: str, kinds: Kinds) -> None:
    """Ends the expectations of these kinds for this action."""
    if not kinds:
        return
    words = [_WORDS[kind] for kind in kinds if kind in _WORDS]
    where = f"kind IN ({marks(words)})"
    if EntryExpected in kinds:
        others = [*_WORDS.values()]
        where, words = f"({where} OR kind NOT IN ({marks(others)}))", [*words, *others]
    await tx.run(f"DELETE FROM expectation WHERE action_id = ? AND {where}", (action_id, *words))


async def supersede(tx: Transaction, record_id: str, written: Collection[str], *, by: str) -> None:
    """Ends the expectations of delivered writes to these fields of a record.

    ``by``: the action whose write replaced them.
    """
    rows = await tx.rows(
        f"SELECT seq, data FROM expectation WHERE kind = '{_FIELDS}' AND subject = ? "
        "AND action_id <> ? "
        "AND EXISTS (SELECT 1 FROM action WHERE action.id = action_id AND state = 'delivered')",
        (record_id, by),
    )
    replaced = [(seq,) for seq, data in rows if _names_in(data) <= {*written}]
    await tx.run_many("DELETE FROM expectation WHERE seq = ?", replaced)


def _names_in(data: str) -> frozenset[str]:
    """The fields of an expectation; none of a damaged one, which nothing can meet."""
    try:
        return frozenset(json.loads(data))
    except GARBAGE:
        return frozenset()


async def expire(tx: Transaction, before: datetime) -> None:
    """Drops old expectations of finished actions: entries and rows later than this never arrive."""
    await tx.run(
        "DELETE FROM expectation WHERE made_at < ? AND action_id NOT IN "
        "(SELECT id FROM action WHERE state IN ('pending', 'in_flight'))",
        (to_stamp(before),),
    )


async def is_known_as_theirs(tx: Transaction, wanted: EntryExpected, after: datetime) -> bool:
    """Whether a log entry like this, later than ``after``, is stored as somebody else's act."""
    row = await tx.row(
        "SELECT 1 FROM event WHERE incident_id = ? AND type = ? AND at > ? AND echo_of IS NULL "
        f"AND coalesce({json_part('data', '$.actor.id')}, '') = ? LIMIT 1",
        (wanted.incident_id, wanted.type, to_stamp(after), wanted.actor_id or ""),
    )
    return row is not None


async def disown(tx: Transaction, action_id: str, incident_id: IncidentId) -> None:
    """Has entries read again that were treated as the echo of an action without effect.

    A person may use the integration's account and do, during an attempt of pagerforce, what that
    attempt is about to do: the poll treats their entry as an echo, and the attempt then finds
    nothing left to do. The entry is deleted and read again as a person's.
    """
    where = "FROM event WHERE incident_id = ? AND echo_of = ? AND source = ?"
    values = (incident_id, action_id, Side.PAGERDUTY.value)
    row = await tx.row(f"SELECT min(at) {where}", values)
    if row is not None and row[0] is not None:
        await tx.run(f"DELETE {where}", values)
        await put_fact(tx, f"{READ_AGAIN_FROM}{action_id}", str(row[0]))


async def find_disowned(tx: Transaction) -> Mapping[str, datetime]:
    """The times since when the log must be read again, by name; the names end that."""
    rows = await tx.rows(
        "SELECT name, value FROM fact WHERE name BETWEEN ? AND ?",
        (READ_AGAIN_FROM, f"{READ_AGAIN_FROM}~"),
    )
    return dict(each(tx, "fact", rows, lambda row: (row[0], parse_stamp(row[1]))))


async def forget_disowned(tx: Transaction, names: Collection[str]) -> None:
    """Notes that the log was read again for these names."""
    await tx.run_many("DELETE FROM fact WHERE name = ?", [(name,) for name in names])


async def seen_comments(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """The comments of these that are known: seen before, or created by pagerforce."""
    known: set[str] = set()
    for chunk in chunks(set(ids)):
        sql = f"SELECT id FROM comment WHERE id IN ({marks(chunk)})"
        known |= {row[0] for row in await tx.rows(sql, chunk)}
    return known


async def put_comments(
    tx: Transaction, comments: Iterable[tuple[Comment, str | None]], now: datetime
) -> None:
    """Stores comments as seen, each with the id of pagerforce's action that created it, if any."""
    stamp = to_stamp(now)
    await tx.run_many(
        "INSERT INTO comment (id, object, parent_id, action_id, seen_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [(item.id, item.object, item.parent_id, action_id, stamp) for item, action_id in comments],
    )


async def put_own_comment(
    tx: Transaction, made: CommentMade, action_id: str, now: datetime
) -> None:
    """Stores a comment that pagerforce created."""
    await tx.run(
        "INSERT INTO comment (id, object, parent_id, action_id, seen_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET action_id = excluded.action_id",
        (made.id, made.object, made.parent_id, action_id, to_stamp(now)),
    )


async def put_own_note(tx: Transaction, incident_id: str, note_id: str, action_id: str) -> None:
    """Stores a note that pagerforce created."""
    await tx.run(
        "INSERT INTO note (incident_id, id, action_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (incident_id, note_id, action_id),
    )


async def own_ids(tx: Transaction, parent: str, *, but_of: str) -> frozenset[str]:
    """Notes of an incident or comments of a record that other actions of pagerforce created."""
    rows = await tx.rows(
        "SELECT id FROM note WHERE incident_id = ? AND action_id <> ? "
        "UNION ALL SELECT id FROM comment WHERE parent_id = ? AND action_id <> ?",
        (parent, but_of, parent, but_of),
    )
    return frozenset(row[0] for row in rows)


async def comments_seen_before(
    tx: Transaction, parent: str, seq: int, at: datetime
) -> frozenset[str]:
    """Comments of a record that polls had read as somebody else's with this event or earlier.

    ``at``: the time of that event; it decides on comments without an event, such as the first ones.
    """
    rows = await tx.rows(
        "SELECT comment.id FROM comment LEFT JOIN event ON event.record_id = comment.parent_id "
        f"AND event.type = 'comment' AND {json_part('event.data', '$.comment.id')} = comment.id "
        "WHERE comment.parent_id = ? AND comment.action_id IS NULL "
        "AND CASE WHEN event.seq IS NULL THEN comment.seen_at < ? ELSE event.seq <= ? END",
        (parent, to_stamp(at), seq),
    )
    return frozenset(row[0] for row in rows)


async def records_seen_before(tx: Transaction, object_name: str, seq: int) -> frozenset[str]:
    """Records that polls had read as created by others with this event or one shortly before."""
    rows = await tx.rows(
        "SELECT record_id FROM event WHERE seq > (SELECT max(seq) FROM event) - ? "
        "AND type = 'create' AND lower(object) = lower(?) AND echo_of IS NULL AND seq <= ?",
        (_LOOKED_BACK, object_name, seq),
    )
    return frozenset(row[0] for row in rows if row[0])
