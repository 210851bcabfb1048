"""Retention: what is deleted, and when. It keeps the database's size (docs/reference/storage.md).

Never deleted early:

* an event whose log entry, row or comment may be read again: its id prevents a second event. So
  pruning keeps everything that is newer than the oldest cursor minus the longest look back;
* waiting actions and dead letters, with their events: an operator decides about those;
* snapshots of records that still exist in Salesforce: the daily comparison reads every row, and one
  without a snapshot would be a new record;
* pairs with current work: an open incident, a change on either side, a waiting action.

Every call is one small piece of work in a separate transaction; the caller pauses in between.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.model.news import COMMENT_DAYS
from pagerforce.model.ports import PARENTS
from pagerforce.store import cursors, shared_texts
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.operators import REFUSED
from pagerforce.store.snapshots import json_part, marks
from pagerforce.store.unreadable import MOST

JOURNAL_DAYS = timedelta(days=90)
JOURNAL_EVENTS = 250_000
PAIR_DAYS = timedelta(days=365)
# The longest look back of a feed: Salesforce's low water mark reaches 14 days, its recycle bin 15.
LOOK_BACK = timedelta(days=16)
OPERATOR_DAYS = timedelta(days=365)
OPERATOR_ENTRIES = 100_000
REFUSED_ENTRIES = 20_000
_BATCH = 200  # some ten milliseconds of work

_UNFINISHED = "('pending', 'in_flight', 'dead_letter')"


class Limits(Struct, frozen=True):
    """The retention times and numbers.

    Attributes:
        journal: events and finished actions with their attempts.
        events: most events, whatever their age, except those within the look back.
        pairs: incidents, links, notes, after the last change on either side.
        comments: comments once seen.
        operators: calls of operators, also refused ones.
        operator_entries: most of these, whatever their age.
        refused_entries: most refused ones, so that refusals can't push out calls that did
            something.
        look_back: the longest look back of a feed; at least the longest late window.
    """

    journal: timedelta = JOURNAL_DAYS
    events: int = JOURNAL_EVENTS
    pairs: timedelta = PAIR_DAYS
    comments: timedelta = COMMENT_DAYS
    operators: timedelta = OPERATOR_DAYS
    operator_entries: int = OPERATOR_ENTRIES
    refused_entries: int = REFUSED_ENTRIES
    look_back: timedelta = LOOK_BACK


class Progress(Struct):
    """The positions of the slow walks through the tables; each walk starts again at its end."""

    event: int = 0
    incident: str = ""
    record: str = ""
    comment: str = ""
    operator: int = 0


async def prune_journal(tx: Transaction, now: datetime, limits: Limits, progress: Progress) -> int:
    """Deletes finished events, oldest first, a stretch at a time; returns how many."""
    floor = await _oldest_needed(tx, limits)
    stretch = await tx.rows(
        "SELECT seq, at, seen_at, EXISTS (SELECT 1 FROM action WHERE event_seq = event.seq AND state "
        f"IN {_UNFINISHED}) FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
        (progress.event, _BATCH),
    )
    surplus = await _surplus(tx, "event", limits.events)
    seen_before, at_before = to_stamp(now - limits.journal), to_stamp(floor) if floor else ""
    due = [
        row for row in stretch if (row[2] < seen_before or row[0] <= surplus) and row[1] < at_before
    ]
    # After a stretch without deletions there are only newer events.
    progress.event = stretch[-1][0] if due else 0
    seqs = [seq for seq, _, _, is_unfinished in due if not is_unfinished]
    await tx.run("DELETE FROM pause WHERE ended_at < ?", (seen_before,))
    actions = f"SELECT id FROM action WHERE event_seq IN ({marks(seqs)})"
    await tx.run(f"DELETE FROM attempt WHERE action_id IN ({actions})", seqs)
    await tx.run(f"DELETE FROM expectation WHERE action_id IN ({actions})", seqs)
    await tx.run(f"DELETE FROM action WHERE event_seq IN ({marks(seqs)})", seqs)
    used = await shared_texts.used_by(tx, seqs)
    await tx.run(f"DELETE FROM event WHERE seq IN ({marks(seqs)})", seqs)
    await shared_texts.drop_unused(tx, used)
    return len(seqs)


async def _oldest_needed(tx: Transaction, limits: Limits) -> datetime | None:
    """The oldest time that may be read again; None: nothing was ever read.

    Parents may stay unchanged for years. Their changes are not reported twice: the snapshots have
    them.
    """
    positions = await cursors.read_cursors(tx)
    stamps = (place.stamp for feed, place in positions.items() if not feed.startswith(PARENTS))
    oldest = min(stamps, default=None)
    return None if oldest is None else oldest - limits.look_back


async def _surplus(tx: Transaction, table: str, most: int) -> int:
    """The newest sequence number beyond the most rows; the numbers have few gaps."""
    row = await tx.row(f"SELECT max(seq) FROM {table} WHERE seq < {MOST}")
    return int(row[0] or 0) - most if row else 0


async def prune_incidents(
    tx: Transaction, now: datetime, limits: Limits, progress: Progress
) -> int:
    """Deletes pairs closed long ago, a stretch of the table at a time; returns how many."""
    before = to_stamp(now - limits.pairs)
    stretch = await tx.rows(
        "SELECT id FROM incident WHERE id > ? ORDER BY id LIMIT ?", (progress.incident, _BATCH)
    )
    progress.incident = stretch[-1][0] if len(stretch) == _BATCH else ""
    ids = [row[0] for row in stretch]
    rows = await tx.rows(
        f"SELECT id FROM incident WHERE id IN ({marks(ids)}) AND is_open = 0 "
        f"AND coalesce(entry_at, {json_part('data', '$.updated_at')}, '9') < ? "
        f"AND coalesce({json_part('data', '$.updated_at')}, entry_at) < ? "
        "AND NOT EXISTS (SELECT 1 FROM link JOIN record ON record.id = link.record_id "
        "WHERE link.incident_id = incident.id "
        f"AND coalesce({json_part('record.data', '$.modified_at')}, '9') >= ?) "
        f"AND NOT EXISTS (SELECT 1 FROM lane_member JOIN action ON action.lane = lane_member.lane "
        f"WHERE lane_member.member = incident.id AND action.state IN {_UNFINISHED})",
        (*ids, before, before, before),
    )
    gone = [row[0] for row in rows]
    for table, column in (
        ("note", "incident_id"),
        ("lane_member", "member"),
        ("link", "incident_id"),
        ("merged_link", "incident_id"),
        ("merged_record", "incident_id"),
        ("incident", "id"),
    ):
        await tx.run(f"DELETE FROM {table} WHERE {column} IN ({marks(gone)})", gone)
    return len(gone)


async def prune_records(tx: Transaction, now: datetime, limits: Limits, progress: Progress) -> int:
    """Deletes records without links that were deleted in Salesforce long ago; returns how many.

    The recycle bin holds them for 15 days (``salesforce.deletions-are-forgotten``): nothing
    undeletes them.
    """
    stretch = await tx.rows(
        "SELECT id FROM record WHERE id > ? ORDER BY id LIMIT ?", (progress.record, _BATCH)
    )
    progress.record = stretch[-1][0] if len(stretch) == _BATCH else ""
    ids = [row[0] for row in stretch]
    rows = await tx.rows(
        f"SELECT id FROM record WHERE id IN ({marks(ids)}) "
        f"AND {json_part('data', '$.is_deleted')} = '1' AND {json_part('data', '$.stamp')} < ? "
        "AND NOT EXISTS (SELECT 1 FROM link WHERE link.record_id = record.id) "
        "AND NOT EXISTS (SELECT 1 FROM lane_member JOIN action ON action.lane = lane_member.lane "
        "WHERE lane_member.member = record.id "
        f"AND action.state IN {_UNFINISHED})",
        (*ids, to_stamp(now - limits.journal)),
    )
    gone = [row[0] for row in rows]
    for table, column in (
        ("recheck", "id"),
        ("lane_member", "member"),
        ("merged_record", "record_id"),
        ("record", "id"),
    ):
        await tx.run(f"DELETE FROM {table} WHERE {column} IN ({marks(gone)})", gone)
    return len(gone)


async def prune_comments(tx: Transaction, now: datetime, limits: Limits, progress: Progress) -> int:
    """Deletes comments seen long ago; returns how many. See ``model.news``."""
    stretch = await tx.rows(
        "SELECT id, seen_at FROM comment WHERE id > ? ORDER BY id LIMIT ?",
        (progress.comment, _BATCH),
    )
    progress.comment = stretch[-1][0] if len(stretch) == _BATCH else ""
    before = to_stamp(now - limits.comments - limits.look_back)
    gone = [row_id for row_id, seen_at in stretch if seen_at is not None and seen_at < before]
    await tx.run(f"DELETE FROM comment WHERE id IN ({marks(gone)})", gone)
    return len(gone)


async def prune_operators(
    tx: Transaction, now: datetime, limits: Limits, progress: Progress
) -> int:
    """Deletes old calls of operators, oldest first; returns how many entries."""
    surplus = await _surplus(tx, "operator_action", limits.operator_entries)
    oldest = await tx.rows("SELECT seq, at FROM operator_action ORDER BY seq LIMIT ?", (_BATCH,))
    before = to_stamp(now - limits.operators)
    gone = [seq for seq, at in oldest if at < before or seq <= surplus]
    if len(gone) < _BATCH:
        gone += await _refused_beyond(tx, limits.refused_entries)
    progress.operator = gone[-1] if len(gone) >= _BATCH else 0
    await tx.run(f"DELETE FROM operator_action WHERE seq IN ({marks(gone)})", gone)
    return len(gone)


async def _refused_beyond(tx: Transaction, most: int) -> list[int]:
    """Refusals beyond the most that are kept, oldest first."""
    row = await tx.row("SELECT count(*) FROM operator_action WHERE outcome = ?", (REFUSED,))
    beyond = int(row[0]) - most if row else 0
    rows = await tx.rows(
        "SELECT seq FROM operator_action WHERE outcome = ? ORDER BY seq LIMIT ?",
        (REFUSED, max(0, min(_BATCH, beyond))),
    )
    return [row[0] for row in rows]
