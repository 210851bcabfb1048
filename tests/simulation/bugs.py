"""Mistakes inserted on purpose, to see that the simulation finds them.

Each replaces one function of the daemon. Patching is intended here: the mistakes must not be in
the daemon, and what they break must be its real code.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from pagerforce.model.ports import EntryBatch, Position, RowBatch
from pagerforce.pagerduty.actions.add_note import AddNote
from pagerforce.pipeline import read_pagerduty, row_intake
from pagerforce.store import cursors, own_writes
from pagerforce.store.database import Database


@contextmanager
def cursor_before_commit() -> Iterator[None]:
    """The cursor moves in a transaction of its own, before the read rows are stored."""
    commit = read_pagerduty.commit_entries

    async def move_then_commit(
        database: Database, batch: EntryBatch, *args: object, **options: object
    ):
        async with database.write() as tx:
            await cursors.move_cursor(tx, cursors.PAGERDUTY, Position(batch.read_to))
        return await commit(database, batch, *args, **options)

    with patch.object(read_pagerduty, "commit_entries", move_then_commit):
        yield


@contextmanager
def row_cursor_before_commit() -> Iterator[None]:
    """The same mistake on Salesforce's side."""
    commit = row_intake.commit_rows

    async def move_then_commit(
        database: Database, batch: RowBatch, *args: object, **options: object
    ):
        async with database.write() as tx:
            for feed, position in batch.positions.items():
                await cursors.move_cursor(tx, feed, position)
        return await commit(database, batch, *args, **options)

    with patch.object(row_intake, "commit_rows", move_then_commit):
        yield


@contextmanager
def expectation_not_consumed() -> Iterator[None]:
    """An expectation of pagerforce keeps explaining entries after it was met."""

    async def keep(*_: object) -> None:
        return None

    with patch.object(own_writes, "note_seen", keep):
        yield


@contextmanager
def note_not_looked_for() -> Iterator[None]:
    """After a lost answer the note is sent again at once."""

    async def find_nothing(*_: object) -> dict[str, str]:
        return {}

    with patch.object(AddNote, "_look_up", find_nothing):
        yield


BUGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "cursor-before-commit": cursor_before_commit,
    "row-cursor-before-commit": row_cursor_before_commit,
    "expectation-not-consumed": expectation_not_consumed,
    "note-not-looked-for": note_not_looked_for,
}
