"""The order of waiting actions: which action of each lane is next, and which follows which.

The search for the next action uses an index from lane to lane, once each, so that it does not read
a long backlog again for every action that leaves it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.ids import EventId
from pagerforce.model.outbox import Action
from pagerforce.store.codec import to_stamp
from pagerforce.store.damaged import DamagedAction, read_row
from pagerforce.store.database import Transaction
from pagerforce.store.outbox import COLUMNS
from pagerforce.store.snapshots import marks
from pagerforce.store.unreadable import MOST

_TICK = timedelta(microseconds=1)  # the resolution of a stamp
_WAITING = "state IN ('pending', 'in_flight')"
LANES = f"""lanes (lane) AS (SELECT min(lane) FROM action WHERE {_WAITING} UNION ALL
  SELECT (SELECT min(lane) FROM action WHERE {_WAITING} AND lane > lanes.lane) FROM lanes
  WHERE lanes.lane IS NOT NULL)"""
HEAD = f"(SELECT id FROM action WHERE lane = lanes.lane AND {_WAITING} ORDER BY seq, part LIMIT 1)"
_HEAD_COLUMNS = ", ".join(f"action.{name}" for name in COLUMNS.split(", "))
IS_DUE = "next_at NOT BETWEEN ? AND ?"
"""With ``due_between``: due, or so late that the clock must have been set back."""
_BUSY_LANES = "SELECT lane FROM action WHERE state = 'in_flight'"
PAUSED_LANES = "SELECT lane FROM pause WHERE ended_at IS NULL"
_LEADS_TO_PAGE = (
    f"EXISTS (SELECT 1 FROM action AS page WHERE page.lane = lanes.lane AND page.is_page = 1 "
    f"AND page.{_WAITING})"
)


class Heads(Struct, frozen=True):
    """The first waiting actions of lanes, and those of them with unreadable rows."""

    actions: Sequence[Action]
    unreadable: Sequence[DamagedAction] = ()


def due_between(now: datetime) -> tuple[str, str]:
    """The parameters of ``IS_DUE``: between these two an action waits."""
    return to_stamp(now + _TICK), to_stamp(now + LONGEST_WAIT)


async def has_work(tx: Transaction) -> bool:
    """Whether an action or a pause waits: cheap, as there is mostly nothing."""
    row = await tx.row(
        f"SELECT EXISTS (SELECT 1 FROM action WHERE {_WAITING}) OR EXISTS ({PAUSED_LANES})"
    )
    return row is not None and bool(row[0])


async def find_heads(
    tx: Transaction,
    now: datetime,
    *,
    limit: int,
    kinds: Sequence[str],
    under_way: Collection[str] = (),
) -> Heads:
    """The first waiting action of each lane that may start now; lanes with a page first, by age.

    A lane is skipped while one of its actions is in flight, while its first one is not yet due or
    of a kind not in ``kinds`` (its side is halted), while the lane is paused, or while it contains
    one of the actions ``under_way``: those are claimed, and may have changed lanes, as lanes join.
    """
    sql = f"""
        WITH RECURSIVE {LANES}
        SELECT {_HEAD_COLUMNS} FROM lanes CROSS JOIN action
        WHERE action.id = {HEAD} AND {IS_DUE} AND "do" IN ({marks(kinds)})
          AND lanes.lane NOT IN ({_BUSY_LANES}) AND lanes.lane NOT IN ({PAUSED_LANES})
          AND lanes.lane NOT IN (SELECT lane FROM action WHERE id IN ({marks(under_way)}))
        ORDER BY {_LEADS_TO_PAGE} DESC, seq, part LIMIT ?"""
    values = [*due_between(now), *kinds, *under_way, limit]
    found = [read_row(row, now) for row in await tx.rows(sql, values)]
    damaged = [item for item in found if isinstance(item, DamagedAction)]
    for item in damaged:
        tx.unreadable.note("action", item.action.id)
    return Heads([item for item in found if isinstance(item, Action)], damaged)


async def split(tx: Transaction, action: Action, targets: Sequence[str]) -> None:
    """Splits an action on several incidents or records into one part for each.

    It may have been tried when it had only one target: the part for that target keeps its attempts
    and expectations, and the others were never tried. If that target is not known, each part may
    have been tried. After a restore, each may have been done since the backup.
    """
    tried = await _tried_target(tx, action, targets)
    first, *others = sorted(targets, key=lambda target: target != tried)
    await tx.run("UPDATE action SET target = ? WHERE id = ?", (first, action.id))
    parts = [(f"{action.id}-{number}", target) for number, target in enumerate(others, start=2)]
    await tx.run_many(
        'INSERT INTO action (id, seq, part, event_seq, ruleset, rule, position, "do", object, written, '
        "args, lane, is_page, target, state, next_at, created_at, depth, doubt_since, "
        "is_uncertain, first_attempt_at) "
        'SELECT ?, seq, ?, event_seq, ruleset, rule, position, "do", object, written, '
        "args, lane, is_page, ?, state, next_at, created_at, depth, doubt_since, "
        "CASE WHEN doubt_since IS NULL THEN 0 ELSE is_uncertain END, "
        "CASE WHEN doubt_since IS NOT NULL THEN first_attempt_at END "
        "FROM action WHERE id = ?",
        [(part_id, place, target, action.id) for place, (part_id, target) in enumerate(parts, 1)],
    )
    if tried is None and action.attempts:
        for part_id, _ in parts:
            await _copy_attempts(tx, action, part_id)


async def _tried_target(tx: Transaction, action: Action, targets: Sequence[str]) -> str | None:
    """The target of the attempts so far; None if it is not known or there was none."""
    rows = await tx.rows(
        "SELECT subject FROM expectation WHERE action_id = ? UNION "
        "SELECT record_id FROM action WHERE id = ? UNION SELECT incident_id FROM action WHERE id = ?",
        (action.id, action.id, action.id),
    )
    known = {row[0] for row in rows}
    return next((target for target in targets if target in known), None)


async def _copy_attempts(tx: Transaction, action: Action, part_id: str) -> None:
    await tx.run(
        "UPDATE action SET (attempts, is_uncertain, first_attempt_at) = (SELECT attempts, "
        "is_uncertain, first_attempt_at FROM action WHERE id = ?) WHERE id = ?",
        (action.id, part_id),
    )
    await tx.run(
        "INSERT INTO attempt (action_id, number, started_at, finished_at, verdict, detail, requests, "
        "incident_id, is_answered, ahead, event_seq) SELECT ?, number, started_at, finished_at, "
        "verdict, detail, requests, incident_id, is_answered, ahead, event_seq "
        "FROM attempt WHERE action_id = ?",
        (part_id, action.id),
    )


async def has_part_on(tx: Transaction, action: Action, target: str) -> bool:
    """Whether another part of the same action has this target."""
    row = await tx.row(
        "SELECT 1 FROM action WHERE seq = ? AND id <> ? AND target = ? LIMIT 1",
        (action.seq, action.id, target),
    )
    return row is not None


async def put_behind(tx: Transaction, event_id: EventId, reason: str, now: datetime) -> None:
    """Moves actions of events that were seen before their incident's trigger behind the trigger's.

    These are the actions without an attempt, and those skipped for this reason: no record existed
    yet.
    """
    row = await tx.row(f"SELECT coalesce(max(seq), 0) FROM action WHERE seq < {MOST}")
    last = int(row[0]) if row else 0
    rows = await tx.rows(
        "SELECT action.id, lane_member.lane FROM event AS start "
        "JOIN event ON event.incident_id = start.incident_id AND event.seq <> start.seq "
        "JOIN action ON event_seq = event.seq JOIN lane_member ON member = event.incident_id "
        "WHERE start.id = ? AND attempts = 0 "
        "AND (state = 'pending' OR (state = 'skipped' AND reason = ?)) "
        "ORDER BY event.at, action.seq, part",
        (event_id, reason),
    )
    await tx.run_many(
        "UPDATE action SET state = 'pending', reason = NULL, finished_at = NULL, next_at = ?, "
        "seq = ?, lane = ? WHERE id = ?",
        [
            (to_stamp(now), last + place, lane, action_id)
            for place, (action_id, lane) in enumerate(rows, start=1)
        ],
    )
