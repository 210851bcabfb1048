"""Incidents whose trigger is seen after what followed it: their actions go in the order of the events."""

from datetime import datetime

from pagerforce.model.ids import EventId
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import MOST


async def put_behind(tx: Transaction, event_id: EventId, reason: str, now: datetime) -> None:
    """Puts what followed an incident's trigger, but was seen before it, behind what it led to.

    What waits for its first attempt, and what was skipped for this reason: no record was made yet.
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
