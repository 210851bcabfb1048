"""The state database: one writer, transactions that never span the network.

It is in SQLite (``store/sqlite``) or in PostgreSQL (``store/postgresql``). Every statement of
pagerforce's SQL is in this package.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from types import TracebackType

import anyio

from pagerforce.errors import StoreUnavailableError
from pagerforce.observe import pulse
from pagerforce.observe.turns import Turns
from pagerforce.store.engine import Connection, Row
from pagerforce.store.trouble import concerns_all
from pagerforce.store.unreadable import Unreadable

__all__ = ["Database", "Row", "Transaction", "savepoint"]

LONGEST_WAIT_SECONDS = 30.0
"""How long one part of the daemon waits for another's transaction."""
LONGEST_STATEMENT_SECONDS = 40.0
"""A longer statement is stopped, if the engine can stop it, and undone."""
_ROWS_AT_ONCE = 5_000


class _Statement:
    """The current statement; entered for each. A finished statement counts as progress."""

    def __init__(self) -> None:
        self.began: float | None = None

    def __enter__(self) -> None:
        self.began = anyio.current_time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.began = None
        if error is None or isinstance(error, Exception):  # a cancelled one keeps running
            pulse.beat()


class Transaction:
    """The statements of one transaction; from :meth:`Database.write` and ``read``."""

    def __init__(
        self, connection: Connection, statement: _Statement, unreadable: Unreadable
    ) -> None:
        self._connection = connection
        self._statement = statement
        self.unreadable = unreadable

    async def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Runs one statement; returns the number of rows it touched."""
        with self._statement:
            return await self._connection.run(sql, values)

    async def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of values."""
        rest = iter(rows)
        # In portions: many rows at once would look like one statement that does not end.
        while portion := list(islice(rest, _ROWS_AT_ONCE)):
            with self._statement:
                await self._connection.run_many(sql, portion)

    async def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        with self._statement:
            return await self._connection.rows(sql, values)

    async def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """The row of a query that finds at most one, or None."""
        found = await self.rows(sql, values)
        return found[0] if found else None

    async def schema(self) -> int:
        """The number of the state's newest migration."""
        with self._statement:
            return await self._connection.schema()

    async def size_bytes(self) -> int:
        """The space that the state takes, in bytes."""
        with self._statement:
            return await self._connection.size_bytes()


class Database:
    """An open state. Use ``State.open``.

    Args:
        name: of the state, for messages.
        connection: the only connection.
        is_watched: whether a holder that makes no progress counts as a hang of the daemon.
    """

    def __init__(self, name: str, connection: Connection, *, is_watched: bool = True) -> None:
        self.name = name
        self._connection = connection
        self.unreadable = Unreadable()
        self._statement = _Statement()
        what = "state database" if is_watched else ""
        self._turns = Turns(what, self._busy, LONGEST_WAIT_SECONDS, is_fast=True)

    def _busy(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.name}: another part of pagerforce has kept it busy for "
            f"{LONGEST_WAIT_SECONDS:g} s: is the disk slow, or does it not answer at all?"
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A writing transaction: committed when the block ends, rolled back when it raises.

        No network call may be awaited inside.

        Raises:
            StoreError: the engine refused (disk full, damaged, locked, away), or another part of the
                daemon keeps it busy; nothing was stored.
        """
        async with self._turns.taken():
            with anyio.CancelScope(shield=True):
                # Shielded: after a cancelled commit nobody could tell whether it happened.
                try:
                    with self._statement:
                        await self._connection.begin()
                    yield Transaction(self._connection, self._statement, self.unreadable)
                    with self._statement:
                        await self._connection.commit()
                except BaseException:
                    await self._connection.roll_back()
                    raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A reading transaction; sees committed data."""
        async with self._turns.taken():
            await self._connection.begin_reading()
            try:
                yield Transaction(self._connection, self._statement, self.unreadable)
            finally:
                await self._connection.end_reading()

    async def stop_slow_statement(self) -> None:
        """Stops a statement that takes too long, unless the engine itself does not respond."""
        began = self._statement.began
        if began is not None and anyio.current_time() - began > LONGEST_STATEMENT_SECONDS:
            await self._connection.interrupt()


@asynccontextmanager
async def savepoint(tx: Transaction) -> AsyncIterator[None]:
    """Undoes the writes of the block when it raises; the rest of the transaction stays.

    A full disk or a damaged file concerns every part: then the whole transaction ends.
    """
    await tx.run("SAVEPOINT part")
    try:
        yield
    except Exception as error:
        if not concerns_all(error):
            await tx.run("ROLLBACK TO part")
            await tx.run("RELEASE part")
        raise
    await tx.run("RELEASE part")
