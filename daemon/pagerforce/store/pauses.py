"""Pauses of lanes: when and why a link was paused because its rules seem to loop."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from pagerforce.model.value import parse_stamp
from pagerforce.store.codec import to_stamp, to_text
from pagerforce.store.database import Row, Transaction
from pagerforce.store.unreadable import attempt, each


class Pause(Struct, frozen=True):
    """One pause of a lane. ``ended_at`` None: in force. ``evidence``: actions, newest first."""

    lane: str
    began_at: datetime
    until: datetime
    ended_at: datetime | None
    reason: str
    evidence: Sequence[Mapping[str, Any]]


async def begin(
    tx: Transaction,
    lane: str,
    now: datetime,
    until: datetime,
    *,
    reason: str,
    evidence: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Pauses a lane until ``until``. A pause of the lane that exists already stays."""
    await tx.run(
        "INSERT INTO pause (lane, began_at, until, reason, evidence) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (lane, to_stamp(now), to_stamp(until), reason, to_text(list(evidence))),
    )


async def end_due(tx: Transaction, now: datetime) -> int:
    """Ends the pauses that are over; returns how many.

    A pause that begins in the future is from before this host's clock was set back: it ends too.
    """
    sql = (
        "UPDATE pause SET ended_at = CASE WHEN until < ? THEN until ELSE ? END WHERE ended_at IS NULL "
        "AND (until <= ? OR began_at > ? OR NOT glob('[12][0-9][0-9][0-9]-*', until))"
    )
    stamp = to_stamp(now)
    return await tx.run(sql, (stamp,) * 4)


async def resume(tx: Transaction, member: str, now: datetime) -> bool:
    """Ends the pause of an incident's or a record's lane; False if there was none."""
    sql = (
        "UPDATE pause SET ended_at = ? WHERE ended_at IS NULL "
        "AND lane = (SELECT lane FROM lane_member WHERE member = ?)"
    )
    return await tx.run(sql, (to_stamp(now), member)) > 0


async def last_end(tx: Transaction, lane: str, now: datetime) -> datetime | None:
    """The end of a lane's latest pause; None if it never had one."""
    row = await tx.row(
        "SELECT max(ended_at) FROM pause WHERE lane = ? AND ended_at <= ?", (lane, to_stamp(now))
    )
    return attempt(tx, "pause", lane, lambda: parse_stamp(row[0])) if row and row[0] else None


async def pauses_of(tx: Transaction, member: str) -> list[Pause]:
    """The pauses of an incident's or a record's lane, newest first."""
    rows = await tx.rows(
        "SELECT pause.lane, began_at, until, ended_at, reason, evidence FROM pause "
        "JOIN lane_member ON lane_member.lane = pause.lane WHERE member = ? ORDER BY seq DESC",
        (member,),
    )
    return each(tx, "pause", rows, _to_pause)


def _to_pause(row: Row) -> Pause:
    lane, began_at, until, ended_at, reason, evidence = row
    return Pause(
        lane,
        parse_stamp(began_at),
        parse_stamp(until),
        parse_stamp(ended_at) if ended_at else None,
        reason,
        [dict(item.items()) for item in json.loads(evidence)],
    )


async def find_pause(tx: Transaction, lane: str) -> Pause | None:
    """The current pause of a lane."""
    rows = await tx.rows(
        "SELECT lane, began_at, until, NULL, reason, evidence FROM pause "
        "WHERE lane = ? AND ended_at IS NULL",
        (lane,),
    )
    return next(iter(each(tx, "pause", rows, _to_pause)), None)


async def join(tx: Transaction, lane: str, keep: str) -> None:
    """Joins the pauses of two lanes that become one: it is paused as long as either was."""
    await tx.run(
        "UPDATE pause SET until = (SELECT max(until) FROM pause AS other "
        "WHERE other.lane IN (?, ?) AND other.ended_at IS NULL) "
        "WHERE lane = ? AND ended_at IS NULL",
        (lane, keep, keep),
    )
    await tx.run(
        "UPDATE pause SET ended_at = until WHERE lane = ? AND ended_at IS NULL AND EXISTS "
        "(SELECT 1 FROM pause AS other WHERE other.lane = ? AND other.ended_at IS NULL)",
        (lane, keep),
    )
    await tx.run("UPDATE pause SET lane = ? WHERE lane = ?", (keep, lane))
