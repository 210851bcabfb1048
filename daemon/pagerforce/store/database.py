"""The state database: one SQLite file, one writer, transactions that never span the network.

WAL with ``synchronous=FULL``: a committed transaction survives a power cut. The promise "intent is
stored before the call" needs this. Every statement of pagerforce's SQL is in this package.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import aiosqlite
import anyio
import anyio.to_thread

from pagerforce.errors import StoreError, StoreUnavailableError
from pagerforce.host.files import open_folder
from pagerforce.host.rights import rights_of
from pagerforce.host.state import DATABASE, check_state_files
from pagerforce.observe import pulse
from pagerforce.observe.turns import Turns
from pagerforce.store.copying import to_uri
from pagerforce.store.interrupted import undo_interrupted_restore
from pagerforce.store.lock import hold_state
from pagerforce.store.migrate import prepare
from pagerforce.store.reading import access_mode
from pagerforce.store.trouble import concerns_all, to_file_error, to_store_error
from pagerforce.store.unreadable import Unreadable

Row: TypeAlias = tuple[Any, ...]
Connect: TypeAlias = Callable[..., Awaitable[aiosqlite.Connection]]
"""Opens a connection; has the parameters of ``aiosqlite.connect``."""

CONNECT: Connect = aiosqlite.connect

RunBlocking: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a function that waits for the disk."""

IN_THREAD: RunBlocking = anyio.to_thread.run_sync

_TO_TEXT = partial(str, encoding="utf-8", errors="replace")
"""Damaged text is decoded as far as possible; SQLite's module would refuse the whole query."""

BUSY_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 30.0
"""How long one part of the daemon waits for another's transaction."""
LONGEST_STATEMENT_SECONDS = 40.0
"""A longer statement is stopped, if SQLite can stop it, and undone."""
FILE_NAME = DATABASE
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
        self, connection: aiosqlite.Connection, statement: _Statement, unreadable: Unreadable
    ) -> None:
        self._connection = connection
        self._statement = statement
        self.unreadable = unreadable

    async def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Runs one statement; returns the number of rows it touched."""
        with self._statement:
            async with self._connection.execute(sql, values) as cursor:
                return cursor.rowcount

    async def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of values."""
        rest = iter(rows)
        # In portions: many rows at once would look like one statement that does not end.
        while portion := list(islice(rest, _ROWS_AT_ONCE)):
            with self._statement:
                await self._connection.executemany(sql, portion)

    async def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        with self._statement:
            found = await self._connection.execute_fetchall(sql, values)
        return [tuple(row) for row in found]

    async def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """The row of a query that finds at most one, or None."""
        # One trip to the connection's thread; a cursor would need three.
        found = await self.rows(sql, values)
        return found[0] if found else None


class Database:
    """An open state database. Use :func:`open_database`.

    Args:
        path: its file.
        connection: the only connection.
        is_watched: whether a holder that makes no progress counts as a hang of the daemon.
    """

    def __init__(
        self, path: Path, connection: aiosqlite.Connection, *, is_watched: bool = True
    ) -> None:
        self.path = path
        self._connection = connection
        self.unreadable = Unreadable()
        self._statement = _Statement()
        what = "state database" if is_watched else ""
        self._turns = Turns(what, self._busy, LONGEST_WAIT_SECONDS, is_fast=True)

    def _busy(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.path}: another part of pagerforce has kept it busy for "
            f"{LONGEST_WAIT_SECONDS:g} s: is the disk slow, or does it not answer at all?"
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A writing transaction: committed when the block ends, rolled back when it raises.

        No network call may be awaited inside.

        Raises:
            StoreError: SQLite refused (disk full, file damaged or locked), or another part of the
                daemon keeps it busy; nothing was stored.
        """
        async with self._turns.taken():
            with anyio.CancelScope(shield=True):
                # Shielded: after a cancelled commit nobody could tell whether it happened.
                try:
                    with self._statement:
                        await self._connection.execute("BEGIN IMMEDIATE")
                    yield Transaction(self._connection, self._statement, self.unreadable)
                    with self._statement:
                        await self._connection.execute("COMMIT")
                except sqlite3.Error as error:
                    await self._roll_back()
                    raise to_store_error(self.path, error) from error
                except BaseException:
                    await self._roll_back()
                    raise

    async def _roll_back(self) -> None:
        # SQLite may have rolled back by itself already (e.g. when the disk is full).
        if self._connection.in_transaction:
            await self._connection.execute("ROLLBACK")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A reading transaction; sees committed data."""
        async with self._turns.taken():
            try:
                yield Transaction(self._connection, self._statement, self.unreadable)
            except sqlite3.Error as error:
                raise to_store_error(self.path, error) from error

    async def stop_slow_statement(self) -> None:
        """Stops a statement that takes too long, unless the disk itself does not respond."""
        began = self._statement.began
        if began is not None and anyio.current_time() - began > LONGEST_STATEMENT_SECONDS:
            await self._connection.interrupt()

    def size_bytes(self) -> int:
        """Size of the database with its write-ahead log, in bytes."""
        paths = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())


@asynccontextmanager
async def open_database(
    path: Path,
    *,
    read_only: bool = False,
    connect: Connect = CONNECT,
    run_blocking: RunBlocking = IN_THREAD,
) -> AsyncIterator[Database]:
    """Opens the state database; creates and migrates it if needed.

    A writer holds the state until the block ends; no other process can hold it meanwhile. Root
    opens the files of another user with that user's rights.

    Raises:
        StoreError: it cannot be opened, is damaged, or (read_only) does not exist.
        UnsafeFileError: one of its files is a link, no plain file, or another user's.
        StateInUseError: another process has it open for writing.
        SchemaTooNewError: a later pagerforce wrote it.
    """
    async with AsyncExitStack() as stack:
        if not read_only:
            _make_folder(path)
        with rights_of(path.parent):
            if read_only:
                _require(path)
            else:
                stack.enter_context(hold_state(path))
                undo_interrupted_restore(path)
                _check(path)
                _create_private(path)
            await run_blocking(partial(prepare, path, read_only=read_only))
            connection = await _connect(path, connect, read_only=read_only)
        try:
            # A reader on a separate connection blocks nobody.
            yield Database(path, connection, is_watched=not read_only)
        finally:
            with anyio.CancelScope(shield=True), rights_of(path.parent):
                await connection.close()


async def _connect(path: Path, connect: Connect, *, read_only: bool) -> aiosqlite.Connection:
    connection = None
    try:
        connection = await connect(
            to_uri(path, access_mode(path) if read_only else "rw"),
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
        )
        connection.text_factory = _TO_TEXT
        await connection.execute("PRAGMA trusted_schema = OFF")
        await connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            await connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        if connection is not None:
            await connection.close()
        raise to_store_error(path, error) from error
    return connection


def _require(path: Path) -> None:
    if not os.path.lexists(path):
        raise StoreError(f"{path}: there is no state database; has the daemon run on this host?")
    _check(path)


def _check(path: Path) -> None:
    try:
        check_state_files(path)
    except OSError as error:
        raise to_file_error(path, error) from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise to_file_error(path.parent, error) from error


def _create_private(path: Path) -> None:
    """Creates the file for the service user only, because it contains customer text.

    An existing file is not opened: closing it would release the locks that another connection of
    this process holds on it (fcntl(2)).
    """
    try:
        with open_folder(path.parent) as folder, suppress(FileExistsError):
            handle = folder.create(path.name, 0o600)
            try:
                folder.give(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise to_file_error(path, error) from error


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
