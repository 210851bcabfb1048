"""Attempts at actions: stored beforehand, so that a crash leaves a record of each."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from pagerforce.model.action import Rival, Tried
from pagerforce.model.ids import IncidentId
from pagerforce.model.outbox import Action, Settlement
from pagerforce.model.value import parse_stamp
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Row, Transaction
from pagerforce.store.snapshots import marks
from pagerforce.store.unreadable import MOST_SECONDS, each

_MOST_ATTEMPTS = 100
_MOST_RIVALS = 500
_TRIED = (
    "attempt.started_at, CASE WHEN attempt.is_answered = 1 THEN attempt.finished_at END, "
    "attempt.ahead"
)

_UNANSWERED = "(verdict IS NULL OR verdict = 'unknown')"


async def begin_attempt(
    tx: Transaction,
    actions: Sequence[Action],
    incident_id: IncidentId | None,
    now: datetime,
    ahead: timedelta | None = None,
) -> bool:
    """Records the start of an attempt and its incident: after a crash it may have had effect there.

    Args:
        tx: the transaction.
        actions: the actions of the attempt.
        incident_id: the incident on which it is made.
        now: this host's clock.
        ahead: how far the side's clock is ahead of it; None: not known.

    Returns:
        False if one of the actions no longer waits, or no longer at its place: the event of one that
        must precede it was seen late, or its lane and another have joined. Nothing is stored then.
    """
    ids = [action.id for action in actions]
    places = await tx.rows(
        f"SELECT id, seq, lane FROM action WHERE state = 'pending' AND id IN ({marks(ids)})", ids
    )
    if {*places} != {(action.id, action.seq, action.lane) for action in actions}:
        return False
    first = min(actions, key=lambda action: (action.seq, action.part))
    before = await tx.row(
        "SELECT 1 FROM action WHERE lane = ? AND state IN ('pending', 'in_flight') "
        "AND (seq, part) < (?, ?) LIMIT 1",
        (first.lane, first.seq, first.part),
    )
    if before is not None:
        return False
    stamp = to_stamp(now)
    seconds = None if ahead is None else ahead.total_seconds()
    await tx.run(
        "UPDATE action SET state = 'in_flight', "
        "attempts = CASE WHEN attempts < 1000000 THEN attempts + 1 ELSE 1000001 END, "
        "first_attempt_at = coalesce(first_attempt_at, ?) "
        f"WHERE id IN ({marks(ids)})",
        (stamp, *ids),
    )
    await tx.run_many(
        "INSERT INTO attempt (action_id, number, started_at, incident_id, ahead, event_seq) "
        "SELECT id, attempts, ?, ?, CAST(? AS DOUBLE PRECISION), (SELECT max(seq) FROM event) "
        "FROM action WHERE id = ? AND state = 'in_flight' ON CONFLICT (action_id, number) DO UPDATE "
        "SET started_at = excluded.started_at, finished_at = NULL, verdict = NULL, detail = NULL, "
        "requests = NULL, incident_id = excluded.incident_id, is_answered = 0, "
        "ahead = excluded.ahead, event_seq = excluded.event_seq",
        [(stamp, incident_id, seconds, action_id) for action_id in ids],
    )
    return True


async def tried_incidents(tx: Transaction, action: Action) -> tuple[IncidentId, ...]:
    """Incidents that earlier attempts without an answer may have changed."""
    rows = await tx.rows(
        "SELECT incident_id FROM attempt WHERE action_id = ? AND incident_id IS NOT NULL "
        f"AND {_UNANSWERED} GROUP BY incident_id ORDER BY min(number)",
        (action.id,),
    )
    return tuple(IncidentId(row[0]) for row in rows)


async def tried(tx: Transaction, action_id: str) -> tuple[Tried, ...]:
    """Start times of the newest attempts of an action without an answer."""
    rows = await tx.rows(
        f"SELECT {_TRIED} FROM attempt WHERE action_id = ? "
        f"AND {_UNANSWERED} ORDER BY number DESC LIMIT ?",
        (action_id, _MOST_ATTEMPTS),
    )
    return tuple(each(tx, "attempt", rows, _to_tried))


async def read_before(tx: Transaction, action: Action) -> int | None:
    """The newest event when the first attempt of an action began; None: there was none.

    By the order of the journal: this host's clock may be set. Attempts of earlier versions go by time.
    """
    row = await tx.row(
        "SELECT coalesce(event_seq, (SELECT max(seq) FROM event WHERE seen_at < started_at)) "
        "FROM attempt WHERE action_id = ? ORDER BY number LIMIT 1",
        (action.id,),
    )
    return None if row is None else row[0]


def _to_tried(row: Sequence[Any]) -> Tried:
    began, ended, ahead = row
    if ahead is not None and abs(ahead) > MOST_SECONDS:
        raise ValueError("is no difference of clocks")
    return Tried(
        parse_stamp(began),
        parse_stamp(ended) if ended else None,
        None if ahead is None else timedelta(seconds=ahead),
    )


async def rivals_of(tx: Transaction, action: Action) -> tuple[Rival, ...]:
    """Other actions of this kind and object that may have created a row that is not known.

    They wait, are under way, or are dead letters, and one of their attempts had no answer.
    """
    rows = await tx.rows(
        f"SELECT action.id, args, {_TRIED} FROM action "
        f"JOIN attempt ON attempt.action_id = action.id AND {_UNANSWERED} "
        'WHERE action.id IN (SELECT id FROM action WHERE "do" = ? AND object = ? AND id <> ? '
        "AND args IS NOT NULL AND state IN ('pending', 'in_flight', 'dead_letter') "
        f"AND EXISTS (SELECT 1 FROM attempt WHERE action_id = action.id AND {_UNANSWERED}) "
        "ORDER BY seq, part LIMIT ?) ORDER BY action.seq, action.part, attempt.number",
        (action.do, action.object, action.id, _MOST_RIVALS),
    )
    groups = [(key, args, [*group]) for (key, args), group in groupby(rows, itemgetter(0, 1))]
    return tuple(each(tx, "action", groups, _to_rival))


def _to_rival(group: Row) -> Rival:
    _, args, attempts = group
    call = dict(json.loads(args).items())
    return Rival(call, tuple(_to_tried(row[2:]) for row in attempts))


async def note_outcome(tx: Transaction, action: Action, outcome: Settlement, now: datetime) -> None:
    """Stores an action's outcome in one plain statement, if its further results can't be stored.

    An attempt that did not begin is counted here, so that the wait grows with each.
    """
    is_done = outcome.next_at is None
    await tx.run(
        "UPDATE action SET attempts = CASE WHEN state = 'pending' THEN attempts + 1 ELSE attempts END, "
        "state = ?, reason = ?, "
        "is_uncertain = ?, next_at = coalesce(?, next_at), finished_at = ?, "
        "first_attempt_at = coalesce(first_attempt_at, ?) "
        "WHERE id = ? AND state IN ('pending', 'in_flight')",
        (
            outcome.state.value,
            outcome.reason or None,
            int(outcome.is_uncertain),
            to_stamp(outcome.next_at) if outcome.next_at else None,
            to_stamp(now) if is_done else None,
            to_stamp(now),
            action.id,
        ),
    )


async def is_under_way(tx: Transaction, action_id: str) -> bool:
    """Whether an attempt at an action began and is not settled."""
    sql = "SELECT 1 FROM action WHERE id = ? AND state = 'in_flight'"
    return await tx.row(sql, (action_id,)) is not None
