"""The outbox: actions decided, waiting, under way, done or dead.

An action is ``pending`` until claimed, ``in_flight`` while an attempt runs, and ends as
``delivered``, ``skipped``, ``dead_letter``, ``shadowed`` or ``discarded``. If the process dies, an
action in flight becomes pending and uncertain: its next attempt searches before it sends.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from pagerforce.model.ids import ActionId
from pagerforce.model.outbox import FRESH, Action, ActionState, Done, NewAction, Origin, Settlement
from pagerforce.model.value import Json, parse_stamp
from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Row, Transaction
from pagerforce.store.engine import column
from pagerforce.store.snapshots import chunks, marks
from pagerforce.store.unreadable import GARBAGE, MOST, attempt, each

_PACE_WINDOW = timedelta(minutes=5)
_DEEPEST = 1_000_000


class ActionRow(NamedTuple):
    """A row of the table ``action``, as it is stored."""

    id: str
    seq: int
    part: int
    event_seq: int
    ruleset: str
    rule: str
    position: int
    do: str
    object: str
    written: str
    args: str | None
    lane: str
    is_page: int
    target: str | None
    state: str
    reason: str | None
    attempts: int
    is_uncertain: int
    first_attempt_at: str | None
    incident_id: str | None
    record_id: str | None
    created_at: str
    depth: int
    doubt_since: str | None
    retried_at: str | None


COLUMNS = ", ".join(map(column, ActionRow._fields))


def to_action(columns: Row) -> Action:
    """An action from a row of ``COLUMNS``.

    Raises:
        Exception: one of ``unreadable.GARBAGE``: it can't be read.
    """
    row = ActionRow._make(columns)
    if not 0 < row.event_seq < MOST:
        raise ValueError("names no event")
    return Action(
        id=ActionId(row.id),
        seq=row.seq,
        part=row.part,
        event_seq=row.event_seq,
        ruleset=row.ruleset,
        rule=row.rule,
        position=row.position,
        do=row.do,
        object=row.object,
        written=_arguments(row.written),
        args=None if row.args is None else _arguments(row.args),
        lane=row.lane,
        is_page=bool(row.is_page),
        target=row.target,
        state=ActionState(row.state),
        reason=row.reason,
        attempts=min(row.attempts, MOST),
        is_uncertain=bool(row.is_uncertain),
        first_attempt_at=_instant(row.first_attempt_at),
        incident_id=row.incident_id,
        record_id=row.record_id,
        created_at=parse_stamp(row.created_at),
        depth=min(row.depth, _DEEPEST),
        doubt_since=_instant(row.doubt_since),
        retried_at=_instant(row.retried_at),
    )


def _instant(text: str | None) -> datetime | None:
    return parse_stamp(text) if text else None


def _arguments(text: str) -> Mapping[str, Json]:
    return dict(json.loads(text).items())


class Queued(Struct, frozen=True):
    """The actions of one event, in order, for the end of a lane."""

    event_seq: int
    lane: str
    actions: Sequence[NewAction]
    origin: Origin = FRESH


async def enqueue(tx: Transaction, queued: Sequence[Queued], now: datetime) -> None:
    """Stores the actions of these events, in order."""
    items = [(event, action) for event in queued for action in event.actions]
    if not items:
        return
    row = await tx.row(f"SELECT coalesce(max(seq), 0) FROM action WHERE seq < {MOST}")
    first = int(row[0]) + 1 if row else 1
    stamp = to_stamp(now)
    await tx.run_many(
        'INSERT INTO action (id, seq, event_seq, ruleset, rule, position, "do", object, '
        "written, args, is_page, state, reason, target, lane, next_at, created_at, finished_at, depth, "
        "is_uncertain, doubt_since) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (
                item.id,
                seq,
                event.event_seq,
                item.ruleset,
                item.rule,
                item.position,
                item.do,
                item.object,
                to_text(item.written),
                None if item.args is None else to_text(item.args),
                int(item.is_page),
                item.state.value,
                item.reason,
                item.target,
                event.lane,
                stamp,
                stamp,
                None if item.state is ActionState.PENDING else stamp,
                event.origin.depth,
                int(event.origin.doubt_since is not None),
                None if event.origin.doubt_since is None else to_stamp(event.origin.doubt_since),
            )
            for seq, (event, item) in enumerate(items, first)
        ],
    )


async def followers(tx: Transaction, head: Action, *, limit: int) -> list[Action]:
    """The actions behind the first of a lane, in order, up to an unreadable one.

    The unreadable one does not concern the first: it is handled in its own turn.
    """
    sql = (
        f"SELECT {COLUMNS} FROM action WHERE lane = ? AND state = 'pending' "
        "AND (seq, part) > (?, ?) ORDER BY seq, part LIMIT ?"
    )
    found: list[Action] = []
    # Read one by one, to keep the rows before an unreadable one.
    with suppress(ValueError, TypeError, LookupError):
        for row in await tx.rows(sql, (head.lane, head.seq, head.part, limit)):
            found.append(to_action(row))  # noqa: PERF401 (see above)
    return found


async def settle(
    tx: Transaction,
    action: Action,
    outcome: Settlement,
    now: datetime,
    ahead: timedelta | None = None,
) -> None:
    """Stores the outcome of the current attempt, or of an action without an attempt.

    ``ahead``: how far the side's clock is ahead of this host's; None: not known. The larger value is
    kept: answers show that clock, and some arrived late.
    """
    is_done = outcome.next_at is None
    seconds = None if ahead is None else ahead.total_seconds()
    await tx.run(
        "UPDATE action SET state = ?, reason = ?, is_uncertain = ?, next_at = coalesce(?, next_at), "
        "finished_at = ?, incident_id = coalesce(?, incident_id), "
        "record_id = coalesce(?, record_id) WHERE id = ?",
        (
            outcome.state.value,
            outcome.reason or None,
            int(outcome.is_uncertain),
            None if outcome.next_at is None else to_stamp(outcome.next_at),
            to_stamp(now) if is_done else None,
            outcome.incident_id,
            outcome.record_id,
            action.id,
        ),
    )
    await tx.run(
        "UPDATE attempt SET finished_at = ?, verdict = ?, detail = ?, requests = ?, is_answered = ?, "
        "ahead = CASE WHEN ahead > ? THEN ahead ELSE coalesce(?, ahead) END "
        "WHERE action_id = ? AND number = (SELECT attempts FROM action WHERE id = ?)",
        (
            to_stamp(now),
            outcome.verdict,
            outcome.reason or None,
            to_text(outcome.requests) if outcome.requests else None,
            int(outcome.is_answered),
            seconds,
            seconds,
            action.id,
            action.id,
        ),
    )


UNREADABLE = "the stored row of this action can't be read: retry it, or discard it"


async def set_aside(tx: Transaction, kinds: Collection[str] | None = None) -> int:
    """Makes dead letters of waiting actions that can't be read; returns how many.

    Otherwise such an action would block its lane for ever. ``kinds``: the known actions; None:
    all kinds.
    """
    rows = await tx.rows(
        f"SELECT {COLUMNS}, EXISTS (SELECT 1 FROM event WHERE seq = event_seq) FROM action "
        "WHERE state IN ('pending', 'in_flight')"
    )
    gone = [row[0] for row in rows if not _is_readable(row, kinds)]
    for action_id in gone:
        tx.unreadable.note("action", action_id)
    await tx.run_many(
        "UPDATE action SET state = 'dead_letter', reason = ? WHERE id = ?",
        [(UNREADABLE, action_id) for action_id in gone],
    )
    return len(gone)


def _is_readable(row: Row, kinds: Collection[str] | None) -> bool:
    *columns, has_event = row
    try:
        action = to_action(tuple(columns))
    except GARBAGE:
        return False
    return (kinds is None or action.do in kinds) and bool(has_event)


async def recover(tx: Transaction, kinds: Collection[str] | None = None) -> int:
    """At start: actions in flight become pending and uncertain. Returns how many.

    ``kinds``: as in ``set_aside``, for unreadable actions.
    """
    await set_aside(tx, kinds)
    return await tx.run(
        "UPDATE action SET state = 'pending', is_uncertain = 1 WHERE state = 'in_flight'"
    )


_DONE = 'id, "do", ruleset, rule, args, record_id, incident_id, finished_at, depth'


async def recent(
    tx: Transaction, lane: str, since: datetime, now: datetime, *, limit: int = 100
) -> Sequence[Done]:
    """Actions of a lane delivered since then, newest first; none from before a clock change."""
    return (await recent_of(tx, [lane], since, now, limit=limit)).get(lane, ())


async def recent_of(
    tx: Transaction, lanes: Collection[str], since: datetime, now: datetime, *, limit: int = 100
) -> Mapping[str, Sequence[Done]]:
    """As ``recent``, of many lanes; those without any are left out.

    An unreadable one is left out: it is over, and only a hint at its consequences is lost.
    """
    found: dict[str, list[Done]] = {}
    for chunk in chunks(set(lanes)):
        rows = await tx.rows(
            f"SELECT {_DONE}, (SELECT at FROM event WHERE seq = event_seq), lane FROM "
            f"(SELECT {_DONE}, event_seq, lane, row_number() OVER "
            "(PARTITION BY lane ORDER BY finished_at DESC, seq DESC) AS place FROM action "
            f"WHERE lane IN ({marks(chunk)}) AND state = 'delivered' AND finished_at > ? "
            "AND finished_at <= ?) AS done WHERE place <= ? ORDER BY lane, place",
            (*chunk, to_stamp(since), to_stamp(now), limit),
        )
        for lane, done in each(tx, "action", rows, lambda row: (row[-1], _to_done(row[:-1]))):
            found.setdefault(lane, []).append(done)
    return found


def _to_done(row: Row) -> Done:
    action_id, do, ruleset, rule, args, record_id, incident_id, finished_at, depth_, event_at = row
    return Done(
        id=action_id,
        do=do,
        ruleset=ruleset,
        rule=rule,
        args=_arguments(args) if args else {},
        record_id=record_id,
        incident_id=incident_id,
        finished_at=parse_stamp(finished_at),
        depth=min(depth_, _DEEPEST),
        event_at=parse_stamp(event_at),
    )


class Depth(Struct, frozen=True):
    """The fill level of the outbox. ``oldest_at`` None: it is empty."""

    waiting: int
    oldest_at: datetime | None
    next_at: datetime | None
    dead_letters: int


async def depth(tx: Transaction) -> Depth:
    """Counts waiting actions and dead letters."""
    waiting = await tx.row(
        "SELECT count(*), min(created_at), min(CASE WHEN state = 'pending' THEN next_at END) "
        "FROM action WHERE state IN ('pending', 'in_flight')"
    )
    dead = await tx.row("SELECT count(*) FROM action WHERE state = 'dead_letter'")
    count, oldest, soonest = waiting or (0, None, None)
    return Depth(
        int(count),
        attempt(tx, "action", oldest, lambda: parse_stamp(oldest)) if oldest else None,
        attempt(tx, "action", soonest, lambda: parse_stamp(soonest)) if soonest else None,
        int(dead[0]) if dead else 0,
    )


async def estimate_seconds(tx: Transaction, now: datetime) -> float | None:
    """How long the backlog will take at the current pace; None if nothing was done lately."""
    began = now - _PACE_WINDOW
    row = await tx.row(
        "SELECT (SELECT count(*) FROM action WHERE finished_at > ?), "
        "(SELECT count(*) FROM action WHERE state IN ('pending', 'in_flight'))",
        (to_stamp(began),),
    )
    done, waiting = (int(row[0]), int(row[1])) if row else (0, 0)
    if not waiting:
        return 0.0
    return waiting / done * _PACE_WINDOW.total_seconds() if done else None


async def waiting_members(tx: Transaction, members: Collection[str]) -> set[str]:
    """The incidents and records of these whose lane has waiting actions."""
    found: set[str] = set()
    for chunk in chunks(members):
        rows = await tx.rows(
            f"SELECT member FROM lane_member WHERE member IN ({marks(chunk)}) AND EXISTS (SELECT 1 "
            "FROM action WHERE action.lane = lane_member.lane AND state IN ('pending', 'in_flight'))",
            chunk,
        )
        found |= {row[0] for row in rows}
    return found


async def calls_of(tx: Transaction, kinds: Collection[str], ids: Collection[str]) -> list[Row]:
    """Those of these actions that are of a kind; each as (id, object, args, is_uncertain)."""
    return await tx.rows(
        "SELECT id, object, args, is_uncertain FROM action "
        f'WHERE "do" IN ({marks(kinds)}) AND id IN ({marks(ids)})',
        (*kinds, *ids),
    )


async def unsettled_calls(
    tx: Transaction, kinds: Collection[str], *, due_after: datetime, due_before: datetime
) -> list[Row]:
    """Actions of these kinds that wait after an unknown outcome; rows as of ``calls_of``."""
    return await tx.rows(
        "SELECT id, object, args, is_uncertain FROM action "
        "WHERE state = 'pending' AND is_uncertain = 1 "
        f'AND "do" IN ({marks(kinds)}) AND next_at BETWEEN ? AND ?',
        (*kinds, to_stamp(due_after), to_stamp(due_before)),
    )


async def find_action(tx: Transaction, action_id: str) -> Action | None:
    """One action by id; None also if it can't be read."""
    rows = await tx.rows(f"SELECT {COLUMNS} FROM action WHERE id = ?", (action_id,))
    return next(iter(each(tx, "action", rows, to_action)), None)
