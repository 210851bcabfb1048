"""Queries and commands of operators about single actions: their story, and dead letters."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from pagerforce.model.outbox import Action
from pagerforce.model.value import Json
from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import attempt


async def read_timing(tx: Transaction, action_id: str) -> dict[str, str | int | None]:
    """The times of an action: decided, first and last tried, ended, due."""
    keys = ("created_at", "first_attempt_at", "retried_at", "finished_at", "next_at")
    row = await tx.row(f"SELECT {', '.join(keys)} FROM action WHERE id = ?", (action_id,))
    return dict(zip(keys, row or (None,) * len(keys), strict=True))


async def read_attempts(tx: Transaction, action_id: str) -> list[dict[str, Any]]:
    """Every attempt of an action, oldest first."""
    keys = ("number", "started_at", "finished_at", "verdict", "detail", "requests")
    rows = await tx.rows(
        f"SELECT {', '.join(keys)} FROM attempt WHERE action_id = ? ORDER BY number", (action_id,)
    )
    return [
        dict(zip(keys, row, strict=True))
        | {"requests": attempt(tx, "attempt", action_id, partial(_requests, row[-1])) or []}
        for row in rows
    ]


def _requests(text: str | None) -> list[tuple[str, str, str]]:
    """The requests of an attempt, each as (system, operation, answer)."""
    rows = json.loads(text) if text else []
    return [(str(system), str(operation), str(answer)) for system, operation, answer in rows]


async def find_before(tx: Transaction, action: Action) -> str | None:
    """The action that must finish before this one in its lane."""
    row = await tx.row(
        "SELECT id FROM action WHERE lane = ? AND state IN ('pending', 'in_flight') "
        "AND (seq, part) < (?, ?) ORDER BY seq, part LIMIT 1",
        (action.lane, action.seq, action.part),
    )
    return None if row is None else str(row[0])


async def dead_letter_ids(tx: Transaction) -> list[str]:
    """Every dead letter, oldest first."""
    rows = await tx.rows("SELECT id FROM action WHERE state = 'dead_letter' ORDER BY seq, part")
    return [row[0] for row in rows]


async def revive(
    tx: Transaction,
    action: Action,
    now: datetime,
    *,
    written: Mapping[str, Json],
    is_uncertain: bool,
) -> None:
    """Lets a dead letter wait again: its attempts still count, the time for retries starts again."""
    stamp = to_stamp(now)
    await tx.run(
        "UPDATE action SET state = 'pending', next_at = ?, retried_at = ?, finished_at = NULL, "
        "written = ?, is_uncertain = ? WHERE id = ? AND state = 'dead_letter'",
        (stamp, stamp, to_text(written), int(is_uncertain), action.id),
    )


async def discard(tx: Transaction, action_id: str, reason: str, now: datetime) -> None:
    """Gives up a dead letter for good."""
    await tx.run(
        "UPDATE action SET state = 'discarded', reason = ?, finished_at = ? "
        "WHERE id = ? AND state = 'dead_letter'",
        (reason, to_stamp(now), action_id),
    )
