"""What goes next: the first waiting action of each lane.

From lane to lane along an index, each looked at once, so that a long backlog is not read through for
every action that leaves it.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pagerforce.model.outbox import Action
from pagerforce.store.codec import to_stamp
from pagerforce.store.damaged import DamagedAction, read_row
from pagerforce.store.database import Transaction
from pagerforce.store.outbox import COLUMNS
from pagerforce.store.snapshots import marks

LONGEST_WAIT = timedelta(minutes=5)
"""No action waits longer for its next attempt, whatever the other side asks for. One that seems to have
longer to wait was stored before this host's clock was set back: it is due."""

_TICK = timedelta(microseconds=1)  # the resolution of a stamp
_WAITING = "state IN ('pending', 'in_flight')"
LANES = f"""lanes (lane) AS (SELECT min(lane) FROM action WHERE {_WAITING} UNION ALL
  SELECT (SELECT min(lane) FROM action WHERE {_WAITING} AND lane > lanes.lane) FROM lanes
  WHERE lanes.lane IS NOT NULL)"""
HEAD = f"(SELECT id FROM action WHERE lane = lanes.lane AND {_WAITING} ORDER BY seq, part LIMIT 1)"
_HEAD_COLUMNS = ", ".join(f"action.{name}" for name in COLUMNS.split(", "))
IS_DUE = "next_at NOT BETWEEN ? AND ?"
"""With ``due_between``: its time has come, or lies so late that the clock must have been set back."""
_BUSY_LANES = "SELECT lane FROM action WHERE state = 'in_flight'"
PAUSED_LANES = "SELECT lane FROM pause WHERE ended_at IS NULL"
_LEADS_TO_PAGE = (
    f"EXISTS (SELECT 1 FROM action AS page WHERE page.lane = lanes.lane AND page.is_page = 1 "
    f"AND page.{_WAITING})"
)


@dataclass(frozen=True, slots=True)
class Heads:
    """The first waiting actions of lanes, and those of them whose rows can't be read."""

    actions: Sequence[Action]
    unreadable: Sequence[DamagedAction] = ()


def due_between(now: datetime) -> tuple[str, str]:
    """What ``IS_DUE`` takes: between these two an action waits."""
    return to_stamp(now + _TICK), to_stamp(now + LONGEST_WAIT)


async def has_work(tx: Transaction) -> bool:
    """Whether anything waits or a pause is to end: cheap, for the many times when there is nothing."""
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
    """The first waiting action of each lane that may go now; lanes with a page first, then the oldest.

    A lane gives nothing while one of its actions is in flight, its first one is not yet due or of a
    kind not in ``kinds`` (its side is halted), while it is paused, or while one of the actions
    ``under_way`` is in it: claimed, and perhaps in another lane then, as lanes join.
    """
    sql = f"""
        WITH RECURSIVE {LANES}
        SELECT {_HEAD_COLUMNS} FROM lanes CROSS JOIN action ON action.id = {HEAD}
        WHERE {IS_DUE} AND do IN ({marks(kinds)}) AND lanes.lane NOT IN ({_BUSY_LANES})
          AND lanes.lane NOT IN ({PAUSED_LANES})
          AND lanes.lane NOT IN (SELECT lane FROM action WHERE id IN (SELECT value FROM json_each(?)))
        ORDER BY {_LEADS_TO_PAGE} DESC, seq, part LIMIT ?"""
    values = [*due_between(now), *kinds, json.dumps(list(under_way)), limit]
    found = [read_row(row, now) for row in await tx.rows(sql, values)]
    damaged = [item for item in found if isinstance(item, DamagedAction)]
    for item in damaged:
        tx.unreadable.note("action", item.action.id)
    return Heads([item for item in found if isinstance(item, Action)], damaged)
