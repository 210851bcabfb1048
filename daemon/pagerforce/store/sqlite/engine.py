"""SQLite as an engine of the store: one file, one writer.

WAL with ``synchronous=FULL``: a committed transaction survives a power cut. The promise "intent is
stored before the call" needs this.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import aiosqlite
import anyio
import anyio.to_thread

from pagerforce.errors import StoreError
from pagerforce.host.files import open_folder
from pagerforce.host.rights import rights_of
from pagerforce.host.state import DATABASE, check_state_files
from pagerforce.store.database import Database
from pagerforce.store.engine import Row
from pagerforce.store.sqlite.copying import to_uri
from pagerforce.store.sqlite.interrupted import undo_interrupted_restore
from pagerforce.store.sqlite.lock import hold_state
from pagerforce.store.sqlite.migrate import prepare
from pagerforce.store.sqlite.reading import access_mode
from pagerforce.store.sqlite.trouble import to_file_error, to_store_error

Connect: TypeAlias = Callable[..., Awaitable[aiosqlite.Connection]]
"""Opens a connection; has the parameters of ``aiosqlite.connect``."""

CONNECT: Connect = aiosqlite.connect

RunBlocking: TypeAlias = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a function that waits for the disk."""

IN_THREAD: RunBlocking = anyio.to_thread.run_sync

_TO_TEXT = partial(str, encoding="utf-8", errors="replace")
"""Damaged text is decoded as far as possible; SQLite's module would refuse the whole query."""

BUSY_SECONDS = 10.0
FILE_NAME = DATABASE


class SqliteConnection:
    """An open file; see ``store.engine.Connection``."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self._path = path
        self._connection = connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise to_store_error(self._path, error) from error

    async def begin(self) -> None:
        """Begins a writing transaction."""
        with self._explaining():
            await self._connection.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """Commits it."""
        with self._explaining():
            await self._connection.execute("COMMIT")

    async def roll_back(self) -> None:
        """Undoes it; SQLite may have done so already (e.g. when the disk is full)."""
        if self._connection.in_transaction:
            with self._explaining():
                await self._connection.execute("ROLLBACK")

    async def begin_reading(self) -> None:
        """Nothing to do: each statement sees committed data."""

    async def end_reading(self) -> None:
        """Nothing to do."""

    async def run(self, sql: str, values: Sequence[object]) -> int:
        """Runs one statement; returns the number of rows it touched."""
        with self._explaining():
            async with self._connection.execute(sql, values) as cursor:
                return cursor.rowcount

    async def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Runs one statement for each row of values."""
        with self._explaining():
            await self._connection.executemany(sql, rows)

    async def rows(self, sql: str, values: Sequence[object]) -> list[Row]:
        """All rows of a query, in one trip to the connection's thread."""
        with self._explaining():
            return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]

    async def schema(self) -> int:
        """The number of the newest migration."""
        return int((await self.rows("PRAGMA user_version", ()))[0][0])

    async def size_bytes(self) -> int:
        """Size of the file with its write-ahead log."""
        paths = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    async def interrupt(self) -> None:
        """Stops the current statement, unless the disk itself does not respond."""
        await self._connection.interrupt()

    async def close(self) -> None:
        """Closes the file."""
        await self._connection.close()


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
            make_folder(path)
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
            yield Database(str(path), SqliteConnection(path, connection), is_watched=not read_only)
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


def make_folder(path: Path) -> None:
    """Creates the folder of a database for the service user only; raises ``StoreError``."""
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
