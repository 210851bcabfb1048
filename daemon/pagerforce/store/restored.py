"""After a restore: the database remembers less than has happened.

The cursors stand in the past, so that what has happened since is read again and decided again, and
much of it was carried out before. Nothing may be done twice: until both sides have been read anew,
and for every event from before the restore, what is decided is *in doubt*: looked for before it is
sent, with everything that was made since the backup as a possible earlier doing of it; and what
can't be looked for becomes a dead letter saying so.

Own writes come back as well, and nothing remembers them. They are found in three turns:

1. *PagerDuty* is read. Incidents with our key are linked again; entries of our own user meet no
   rule; notes that may be ours wait. What people did is ruled on, delivered and found done, which
   brings back the traces of our writes to Salesforce.
2. *Salesforce* is read, and the same happens there.
3. *Again* PagerDuty: the notes that waited are recognised now, or were a person's after all.
"""

from datetime import datetime

from pagerforce.model.ids import Side
from pagerforce.model.restore import Doubt, Turn
from pagerforce.store import cursors, facts
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.lanes import HEAD, IS_DUE, LANES, PAUSED_LANES, due_between


async def begin(tx: Transaction) -> bool:
    """At the daemon's start: what waits in a database just restored is in doubt. True: it was."""
    turn = await facts.find_fact(tx, facts.RESTORE_TURN)
    if turn is not None and turn not in Turn.__members__.values():
        # How far it had come can't be read: the caution begins again.
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
    if start is None or since is None:  # the first start comes only now: nothing was ever done
        await facts.put_fact(tx, facts.RESTORE_TURN, Turn.DONE)
        return False
    await _doubt_waiting(tx, since)
    await facts.put_fact(tx, facts.RESTORE_CURSOR, to_stamp(start.stamp))
    await facts.put_fact(tx, facts.RESTORE_TURN, Turn.PAGERDUTY)
    return True


async def find(tx: Transaction) -> Doubt | None:
    """What a restore left in doubt; None where there never was one."""
    turn = await facts.find_fact(tx, facts.RESTORE_TURN)
    if turn is None:
        return None
    start = await facts.find_instant(tx, facts.RESTORE_CURSOR)
    since = await facts.find_instant(tx, facts.RESTORE_SINCE) or await facts.find_instant(
        tx, facts.BACKED_UP_AT
    )
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
    """Notes when a side is read anew for the first time, and the backup's time in its clock.

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
    """What was to be read in this turn has been read; the next one begins."""
    following = {
        Turn.PAGERDUTY: Turn.SALESFORCE,
        Turn.SALESFORCE: Turn.AGAIN,
        Turn.AGAIN: Turn.DONE,
    }
    if await facts.find_fact(tx, facts.RESTORE_TURN) == turn:
        await facts.put_fact(tx, facts.RESTORE_TURN, following[turn])


async def _doubt_waiting(tx: Transaction, since: datetime) -> None:
    """What waits may have been carried out since then, by what was forgotten."""
    await tx.run(
        "UPDATE action SET is_uncertain = 1, doubt_since = ? WHERE state IN ('pending', 'in_flight')",
        (to_stamp(since),),
    )


async def _date_doubts(tx: Transaction, since: datetime) -> None:
    """The same with a better known moment."""
    sql = "UPDATE action SET doubt_since = ? WHERE doubt_since IS NOT NULL AND finished_at IS NULL"
    await tx.run(sql, (to_stamp(since),))


async def is_doubt_under_way(tx: Transaction, now: datetime) -> bool:
    """Whether something in doubt is being delivered or could be now; what failed may wait."""
    row = await tx.row(
        f"WITH RECURSIVE {LANES} SELECT EXISTS (SELECT 1 FROM action WHERE state = 'in_flight' "
        "AND doubt_since IS NOT NULL) OR EXISTS (SELECT 1 FROM lanes CROSS JOIN action "
        f"ON action.id = {HEAD} WHERE doubt_since IS NOT NULL AND {IS_DUE} "
        f"AND lanes.lane NOT IN ({PAUSED_LANES}))",
        due_between(now),
    )
    return bool(row and row[0])
