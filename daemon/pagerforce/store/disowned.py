"""Log entries that were taken for our own doing by an attempt that did nothing after all.

A person uses the integration's account and does, while an attempt of ours is under way, what it is
about to do: the poll takes their entry for ours, and then the attempt finds nothing left to do. The
entry is forgotten and read again, now as what it is.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from pagerforce.model.ids import IncidentId, Side
from pagerforce.model.value import parse_stamp
from pagerforce.store.cursors import put_fact
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import each

_READ_AGAIN = "read_again_from:pagerduty:"  # and the action's id


async def disown(tx: Transaction, action_id: str, incident_id: IncidentId) -> None:
    """Nothing came of this action: entries that were taken for its echo are to be read again."""
    where = "FROM event WHERE incident_id = ? AND echo_of = ? AND source = ?"
    values = (incident_id, action_id, Side.PAGERDUTY.value)
    row = await tx.row(f"SELECT min(at) {where}", values)
    if row is not None and row[0] is not None:
        await tx.run(f"DELETE {where}", values)
        await put_fact(tx, f"{_READ_AGAIN}{action_id}", str(row[0]))


async def find_disowned(tx: Transaction) -> Mapping[str, datetime]:
    """From when on the log is to be read again, by the names to end that with."""
    rows = await tx.rows(
        "SELECT name, value FROM fact WHERE name BETWEEN ? AND ?", (_READ_AGAIN, f"{_READ_AGAIN}~")
    )
    return dict(each(tx, "fact", rows, lambda row: (row[0], parse_stamp(row[1]))))


async def forget_disowned(tx: Transaction, names: Collection[str]) -> None:
    """The log was read again for these."""
    await tx.run_many("DELETE FROM fact WHERE name = ?", [(name,) for name in names])
