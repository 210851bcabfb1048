"""Traces of our own writes, by which polls recognise them: expectations, notes and comments made."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pagerforce.model.record import Comment
from pagerforce.model.verdict import CommentMade, Expectation
from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Row, Transaction
from pagerforce.store.snapshots import chunks, marks
from pagerforce.store.unreadable import each


@dataclass(frozen=True, slots=True)
class Expected:
    """A stored expectation.

    ``is_done``: its action is delivered; only what followed is awaited. ``is_under_way``: its action
    waits or is being attempted.
    """

    seq: int
    action_id: str
    remaining: int
    what: Expectation
    is_done: bool = False
    is_under_way: bool = False


async def expect(
    tx: Transaction,
    action_id: str,
    expectations: Sequence[Expectation],
    now: datetime,
    *,
    is_uncertain: bool = False,
) -> None:
    """Stores what an attempt will bring back. A later attempt replaces what an earlier one stored.

    Where that one's outcome is uncertain, the people whom it may have assigned are still expected.
    """
    if not is_uncertain:
        await tx.run("DELETE FROM expectation WHERE action_id = ?", (action_id,))
    else:
        again = {item.values.get("assignee") for item in expectations}
        for row in await _read_of(tx, action_id):
            if row.what.kind != "assign" or row.what.values.get("assignee") in again:
                await tx.run("DELETE FROM expectation WHERE seq = ?", (row.seq,))
    await _put(tx, action_id, expectations, now)


async def expect_less(tx: Transaction, action_id: str, unmet: Expectation) -> None:
    """Some of what an attempt was to bring back will not come."""
    for row in await _read_of(tx, action_id):
        is_it = (row.what.kind, row.what.subject) == (unmet.kind, unmet.subject)
        if is_it and row.what.values.get("assignee") == unmet.values.get("assignee"):
            await tx.run(
                "UPDATE expectation SET remaining = MAX(0, remaining - ?) WHERE seq = ?",
                (unmet.count, row.seq),
            )


async def _read_of(tx: Transaction, action_id: str) -> list[Expected]:
    rows = await tx.rows(
        "SELECT seq, action_id, kind, subject, data, actor_id, remaining, 0 FROM expectation "
        "WHERE action_id = ?",
        (action_id,),
    )
    return each(tx, "expectation", rows, _to_expected)


async def expect_also(
    tx: Transaction, action_id: str, expectation: Expectation, now: datetime
) -> None:
    """Stores what else an attempt turned out to bring back."""
    await _put(tx, action_id, [expectation], now)


async def _put(
    tx: Transaction, action_id: str, expectations: Sequence[Expectation], now: datetime
) -> None:
    await tx.run_many(
        "INSERT INTO expectation (action_id, kind, subject, data, actor_id, remaining, made_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                action_id,
                item.kind,
                item.subject,
                to_text(item.values),
                item.actor_id,
                item.count,
                to_stamp(now),
            )
            for item in expectations
        ],
    )


async def read_expected(tx: Transaction, subjects: Iterable[str]) -> list[Expected]:
    """What is expected of these subjects, oldest first."""
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
    values = dict(json.loads(data).items())
    what = Expectation(kind, subject, values, actor_id)
    return Expected(
        seq,
        action_id,
        remaining,
        what,
        is_done=state == "delivered",
        is_under_way=state in ("pending", "in_flight"),
    )


async def read_expected_pages(tx: Transaction) -> list[Expected]:
    """Every incident that is expected to show up, oldest first."""
    rows = await tx.rows(
        "SELECT subject FROM expectation WHERE remaining > 0 AND kind = 'incident'"
    )
    found = await read_expected(tx, [row[0] for row in rows])
    return [item for item in found if item.what.kind == "incident"]


async def know_incident(tx: Transaction, action_id: str, incident_id: str) -> None:
    """The incident an action made has an id: its trigger entry is known by that from now on.

    Its key may vanish: an incident with alerts shows none (facts: pagerduty.md section 6).
    """
    await tx.run(
        "UPDATE expectation SET kind = 'trigger', subject = ?, data = '{}' "
        "WHERE action_id = ? AND kind = 'incident'",
        (incident_id, action_id),
    )


async def consume(tx: Transaction, seqs: Iterable[int]) -> None:
    """Each of these has been seen once more."""
    sql = "UPDATE expectation SET remaining = remaining - 1 WHERE seq = ?"
    await tx.run_many(sql, [(seq,) for seq in seqs])


async def forget(tx: Transaction, action_id: str, kinds: Sequence[str] = ()) -> None:
    """Nothing comes back because of this action any more; of these kinds only, where given."""
    sql = "DELETE FROM expectation WHERE action_id = ?"
    if kinds:
        sql += f" AND kind IN ({marks(kinds)})"
    await tx.run(sql, (action_id, *kinds))


async def supersede(tx: Transaction, record_id: str, written: Collection[str], *, by: str) -> None:
    """What delivered writes put into these fields of a record comes back no more.

    ``by``: the action whose write has replaced it.
    """
    await tx.run(
        "DELETE FROM expectation WHERE kind = 'fields' AND subject = ? AND action_id <> ? "
        "AND EXISTS (SELECT 1 FROM action WHERE action.id = action_id AND state = 'delivered') "
        "AND NOT EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(expectation.data) "
        "THEN expectation.data END) "
        "WHERE key NOT IN (SELECT value FROM json_each(?)))",
        (record_id, by, json.dumps([*written])),
    )


async def expire(tx: Transaction, before: datetime) -> None:
    """Drops expectations made before then of actions that are done: what has not come, never will."""
    await tx.run(
        "DELETE FROM expectation WHERE made_at < ? AND action_id NOT IN "
        "(SELECT id FROM action WHERE state IN ('pending', 'in_flight'))",
        (to_stamp(before),),
    )


async def seen_comments(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """Which of these comments are known, seen before or made by us."""
    known: set[str] = set()
    for chunk in chunks(set(ids)):
        sql = f"SELECT id FROM comment WHERE id IN ({marks(chunk)})"
        known |= {row[0] for row in await tx.rows(sql, chunk)}
    return known


async def put_comments(
    tx: Transaction, comments: Iterable[tuple[Comment, str | None]], now: datetime
) -> None:
    """Stores comments as seen, each with the id of the action of ours that made it, if any."""
    stamp = to_stamp(now)
    await tx.run_many(
        "INSERT OR IGNORE INTO comment (id, object, parent_id, action_id, seen_at) "
        "VALUES (?, ?, ?, ?, ?)",
        [(item.id, item.object, item.parent_id, action_id, stamp) for item, action_id in comments],
    )


async def put_own_comment(
    tx: Transaction, made: CommentMade, action_id: str, now: datetime
) -> None:
    """A comment of ours now exists."""
    await tx.run(
        "INSERT INTO comment (id, object, parent_id, action_id, seen_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET action_id = excluded.action_id",
        (made.id, made.object, made.parent_id, action_id, to_stamp(now)),
    )


async def put_own_note(tx: Transaction, incident_id: str, note_id: str, action_id: str) -> None:
    """A note of ours now exists."""
    await tx.run(
        "INSERT OR IGNORE INTO note (incident_id, id, action_id) VALUES (?, ?, ?)",
        (incident_id, note_id, action_id),
    )


async def own_ids(tx: Transaction, parent: str, *, but_of: str) -> frozenset[str]:
    """Notes of an incident or comments of a record that other actions of ours made."""
    rows = await tx.rows(
        "SELECT id FROM note WHERE incident_id = ? AND action_id <> ? "
        "UNION ALL SELECT id FROM comment WHERE parent_id = ? AND action_id <> ?",
        (parent, but_of, parent, but_of),
    )
    return frozenset(row[0] for row in rows)
