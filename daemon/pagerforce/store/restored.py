"""After a restore: the database knows less than has happened.

The cursors are in the past, so changes since the backup are read and evaluated again, and many of
their actions were carried out before. Nothing may be done twice. Until both sides have been read
again, and for every event from before the restore, actions are *in doubt*: pagerforce searches
before it sends, and treats everything created since the backup as a possible earlier result. An
action without a searchable trace becomes a dead letter that says so.

Own writes return as well, and the database does not know them. They are found in three turns:

1. *PagerDuty* is read. Incidents with pagerforce's key are linked again; entries of the integration
   user meet no rule; notes that may be pagerforce's wait. People's changes are evaluated, delivered
   and found done, which finds the traces of pagerforce's writes to Salesforce.
2. *Salesforce* is read, in the same way.
3. *Again* PagerDuty: the waiting notes are recognised now, or were a person's.
"""

from datetime import datetime

from pagerforce.model.ids import Side
from pagerforce.model.restore import Doubt, Turn
from pagerforce.store import cursors, facts
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.lanes import HEAD, IS_DUE, LANES, PAUSED_LANES, due_between


async def begin(tx: Transaction) -> bool:
    """At the daemon's start: puts waiting actions of a restored database in doubt. True: it did."""
    turn = await facts.find_fact(tx, facts.RESTORE_TURN)
    if turn is not None and turn not in Turn.__members__.values():
        # The turn can't be read: begin again.
        tx.unreadable.note("fact", facts.RESTORE_TURN)
        turn = Turn.NEW
    if turn != Turn.NEW:
        return False
    positions = await cursors.read_cursors(tx)
    start = positions.get(cursors.PAGERDUTY)
    since = await facts.find_instant(tx, facts.BACKED_UP_AT)
    if (
        since is None
        and await facts.find_fact(tx, facts.BACKED_UP_AT) is not None
        and start is not None
    ):
        since = start.stamp
    if start is None or since is None:  # backed up before the first start: nothing was done yet
        await facts.put_fact(tx, facts.RESTORE_TURN, Turn.DONE)
        return False
    await _doubt_waiting(tx, since)
    await facts.put_fact(tx, facts.RESTORE_CURSOR, to_stamp(start.stamp))
    await facts.put_fact(tx, facts.RESTORE_TURN, Turn.PAGERDUTY)
    return True


async def find(tx: Transaction) -> Doubt | None:
    """The doubt that a restore left; None if there was no restore."""
    turn = await facts.find_fact(tx, facts.RESTORE_TURN)
    if turn is None:
        return None
    start = await facts.find_instant(tx, facts.RESTORE_CURSOR)
    since = await facts.find_instant(tx, facts.RESTORE_SINCE)
    since = since or await facts.find_instant(tx, facts.BACKED_UP_AT)
    if start is None:
        position = (await cursors.read_cursors(tx)).get(cursors.PAGERDUTY)
        start = position.stamp if position else None
    since = since or start
    if start is None or since is None or turn not in Turn.__members__.values():
        return None
    untils = {side: await facts.find_instant(tx, facts.restore_until(side)) for side in Side}
    known = {side: until for side, until in untils.items() if until is not None}
    return Doubt(Turn(turn), since, known, start)


async def note_clock(tx: Transaction, side: Side, server_now: datetime, now: datetime) -> None:
    """Stores when a side is first read again, and the backup's time in its clock.

    ``now``: the same moment in this host's clock.
    """
    doubt = await find(tx)
    if doubt is None or doubt.is_over or side in doubt.until:
        return
    await facts.put_fact(tx, facts.restore_until(side), to_stamp(server_now))
    if side is Side.PAGERDUTY:
        since = doubt.since + (server_now - now)
        await facts.put_fact(tx, facts.RESTORE_SINCE, to_stamp(since))
        await _date_doubts(tx, since)


async def end_turn(tx: Transaction, turn: Turn) -> None:
    """Ends a turn of reading; the next one begins."""
    following = {
        Turn.PAGERDUTY: Turn.SALESFORCE,
        Turn.SALESFORCE: Turn.AGAIN,
        Turn.AGAIN: Turn.DONE,
    }
    if await facts.find_fact(tx, facts.RESTORE_TURN) == turn:
        await facts.put_fact(tx, facts.RESTORE_TURN, following[turn])


async def _doubt_waiting(tx: Transaction, since: datetime) -> None:
    """Marks waiting actions: forgotten ones may have carried them out since then."""
    await tx.run(
        "UPDATE action SET is_uncertain = 1, doubt_since = ? WHERE state IN ('pending', 'in_flight')",
        (to_stamp(since),),
    )


async def _date_doubts(tx: Transaction, since: datetime) -> None:
    """Replaces the time in these marks by a more exact one."""
    sql = "UPDATE action SET doubt_since = ? WHERE doubt_since IS NOT NULL AND finished_at IS NULL"
    await tx.run(sql, (to_stamp(since),))


async def is_doubt_under_way(tx: Transaction, now: datetime) -> bool:
    """Whether an action in doubt is being delivered or could be now; failed ones may wait."""
    row = await tx.row(
        f"WITH RECURSIVE {LANES} SELECT EXISTS (SELECT 1 FROM action WHERE state = 'in_flight' "
        "AND doubt_since IS NOT NULL) OR EXISTS (SELECT 1 FROM lanes CROSS JOIN action "
        f"WHERE action.id = {HEAD} AND doubt_since IS NOT NULL AND {IS_DUE} "
        f"AND lanes.lane NOT IN ({PAUSED_LANES}))",
        due_between(now),
    )
    return bool(row and row[0])
