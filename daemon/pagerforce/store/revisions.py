"""Rules files that operators applied, as numbered revisions. The highest one standing is in force."""

from dataclasses import dataclass
from datetime import datetime

from pagerforce.model.value import parse_instant
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Row, Transaction

_KEPT = 100
_COLUMNS = "number, at, uid, user, name, content, withdrawn_at"


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied rules file. ``is_withdrawn``: a rollback went behind it."""

    number: int
    at: datetime
    uid: int
    user: str
    name: str
    content: str
    is_withdrawn: bool


def _revision(row: Row) -> Revision:
    number, at, uid, user, name, content, withdrawn_at = row
    return Revision(number, parse_instant(at), uid, user, name, content, withdrawn_at is not None)


async def find_in_force(tx: Transaction) -> Revision | None:
    """The revision in force; None: the rules of the configuration are."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM rules_revision WHERE withdrawn_at IS NULL "
        "ORDER BY number DESC LIMIT 1"
    )
    return None if row is None else _revision(row)


async def find_below(tx: Transaction, number: int) -> Revision | None:
    """The revision that a rollback from this one leads to; None: the configuration's rules."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM rules_revision WHERE withdrawn_at IS NULL AND number < ? "
        "ORDER BY number DESC LIMIT 1",
        (number,),
    )
    return None if row is None else _revision(row)


def label_of(number: int, name: str) -> str:
    """How problems and places name a revision."""
    return f"rules revision {number} ({name})"


async def read_revisions(tx: Transaction) -> list[Revision]:
    """Every revision that is kept, newest first, without their contents: a megabyte each, perhaps."""
    rows = await tx.rows(
        "SELECT number, at, uid, user, name, '', withdrawn_at FROM rules_revision ORDER BY number DESC"
    )
    return [_revision(row) for row in rows]


async def next_number(tx: Transaction) -> int:
    """The number that the next revision will have."""
    row = await tx.row("SELECT coalesce(max(number), 0) + 1 FROM rules_revision")
    return int(row[0]) if row else 1


async def add_revision(
    tx: Transaction, *, name: str, content: str, uid: int, user: str, now: datetime
) -> int:
    """Puts a rules file in force; returns its number. Of the oldest, only the latest 100 stay."""
    number = await next_number(tx)
    await tx.run(
        f"INSERT INTO rules_revision ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (number, to_stamp(now), uid, user, name, content),
    )
    await tx.run("DELETE FROM rules_revision WHERE number <= ?", (number - _KEPT,))
    return number


async def withdraw(tx: Transaction, number: int, now: datetime) -> None:
    """Takes a revision out of force."""
    sql = "UPDATE rules_revision SET withdrawn_at = ? WHERE number = ?"
    await tx.run(sql, (to_stamp(now), number))


async def schema_version(tx: Transaction) -> int:
    """The schema that a database has."""
    row = await tx.row("PRAGMA user_version")
    return int(row[0]) if row else 0
