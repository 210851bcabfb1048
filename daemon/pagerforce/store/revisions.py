"""Rules files that operators applied, as numbered revisions. The highest valid one is in force."""

import tomllib
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct

from pagerforce.model.value import parse_stamp
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Row, Transaction
from pagerforce.store.unreadable import MOST, attempt

_KEPT = 100
_TABLES = frozenset({"rulesets", "maps"})
_NO_NUMBER = 2**63 - 1
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = 'number, at, uid, "user", name, content, withdrawn_at'  # a word of SQL


class Revision(Struct, frozen=True):
    """One applied rules file. ``is_withdrawn``: a rollback went to an earlier one."""

    number: int
    at: datetime
    uid: int
    user: str
    name: str
    content: str
    is_withdrawn: bool


def _revision(tx: Transaction, row: Row) -> Revision:
    """A revision; its time is only for people, so a damaged time has no other effect."""
    number, at, uid, user, name, content, withdrawn_at = row
    applied_at = attempt(tx, "rules_revision", number, lambda: parse_stamp(at)) or _UNKNOWN
    return Revision(number, applied_at, uid, user, name, content, withdrawn_at is not None)


async def find_in_force(tx: Transaction) -> Revision | None:
    """The revision in force; None: the rules of the configuration."""
    return await _highest(tx, _NO_NUMBER)


async def _highest(tx: Transaction, below: int) -> Revision | None:
    """The highest revision that is not withdrawn and can be read."""
    while True:
        row = await tx.row(
            f"SELECT {_COLUMNS} FROM rules_revision WHERE withdrawn_at IS NULL AND number < ? "
            "ORDER BY number DESC LIMIT 1",
            (below,),
        )
        if row is None:
            return None
        if attempt(tx, "rules_revision", row[0], partial(_tables_of, row[5])) is not None:
            return _revision(tx, row)
        below = row[0]


def _tables_of(content: str) -> frozenset[str]:
    """The tables of a rules file; they were checked when it was applied, so others mean damage."""
    names = frozenset(tomllib.loads(content))
    if not names <= _TABLES:
        raise ValueError("is no rules file")
    return names


async def find_below(tx: Transaction, number: int) -> Revision | None:
    """The target of a rollback from this revision; None: the configuration's rules."""
    return await _highest(tx, number)


def label_of(number: int, name: str) -> str:
    """The name of a revision in problems and places."""
    return f"rules revision {number} ({name})"


async def read_revisions(tx: Transaction) -> list[Revision]:
    """All kept revisions, newest first, without their contents (up to a megabyte each)."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS.replace('content', chr(39) * 2)} FROM rules_revision ORDER BY number DESC"
    )
    return [_revision(tx, row) for row in rows]


async def next_number(tx: Transaction) -> int:
    """The number of the next revision."""
    sql = f"SELECT coalesce(max(number), 0) + 1 FROM rules_revision WHERE number < {MOST}"
    row = await tx.row(sql)
    return int(row[0]) if row else 1


async def add_revision(
    tx: Transaction, *, name: str, content: str, uid: int, user: str, now: datetime
) -> int:
    """Puts a rules file in force; returns its number. Only the latest 100 revisions are kept."""
    number = await next_number(tx)
    await tx.run(
        f"INSERT INTO rules_revision ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (number, to_stamp(now), uid, user, name, content),
    )
    await tx.run("DELETE FROM rules_revision WHERE number > ?", (number,))  # damaged
    await tx.run("DELETE FROM rules_revision WHERE number <= ?", (number - _KEPT,))
    return number


async def withdraw(tx: Transaction, number: int, now: datetime) -> None:
    """Takes a revision out of force."""
    sql = "UPDATE rules_revision SET withdrawn_at = ? WHERE number = ?"
    await tx.run(sql, (to_stamp(now), number))
