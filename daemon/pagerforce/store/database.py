"""The state database: one SQLite file, one writer, transactions that never span the network.

WAL with ``synchronous=FULL``: a committed transaction survives a power cut, which the promise
"intent is stored before the call" rests on. Every statement of pagerforce's SQL is in this package.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import aiosqlite
import anyio

from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.store.reading import access_mode

Row: TypeAlias = tuple[Any, ...]
BUSY_SECONDS = 10.0
FILE_NAME = "pagerforce.db"


class Transaction:
    """The statements of one transaction; given out by :meth:`Database.write` and ``read``."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Runs one statement; returns the number of rows it touched."""
        async with self._connection.execute(sql, values) as cursor:
            return cursor.rowcount

    async def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of values, in one go."""
        await self._connection.executemany(sql, rows)

    async def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a query."""
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]

    async def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """The first row of a query, or None."""
        async with self._connection.execute(sql, values) as cursor:
            row = await cursor.fetchone()
        return None if row is None else tuple(row)


class Database:
    """An open state database. Use :func:`open_database`."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = anyio.Lock()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A writing transaction: committed when the block ends, rolled back when it raises.

        Nothing on the network may be awaited inside.

        Raises:
            StoreError: SQLite refused (disk full, file damaged or locked); nothing was stored.
        """
        async with self._lock:
            with anyio.CancelScope(shield=True):
                # Shielded: a cancelled commit would leave it unknown whether it happened.
                try:
                    await self._connection.execute("BEGIN IMMEDIATE")
                    try:
                        yield Transaction(self._connection)
                    except BaseException:
                        await self._connection.execute("ROLLBACK")
                        raise
                    await self._connection.execute("COMMIT")
                except sqlite3.Error as error:
                    if self._connection.in_transaction:
                        await self._connection.execute("ROLLBACK")
                    raise StoreError(f"{self.path}: {error}") from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Reading only; sees what is committed."""
        async with self._lock:
            try:
                yield Transaction(self._connection)
            except sqlite3.Error as error:
                raise StoreError(f"{self.path}: {error}") from error

    def size_bytes(self) -> int:
        """Size of the database with its write-ahead log, in bytes."""
        paths = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())


@asynccontextmanager
async def open_database(path: Path, *, read_only: bool = False) -> AsyncIterator[Database]:
    """Opens the state database, creating and migrating it where needed.

    Raises:
        StoreError: it cannot be opened, is damaged, or (read_only) does not exist.
        SchemaTooNewError: a later pagerforce wrote it.
    """
    try:
        connection = await aiosqlite.connect(
            _location(path, read_only=read_only),
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
        )
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be opened: {error}") from error
    try:
        await _prepare(path, connection, read_only=read_only)
        yield Database(path, connection)
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


def _location(path: Path, *, read_only: bool) -> str:
    """The SQLite URI; makes the file first where it may be written."""
    if read_only and not path.exists():
        raise StoreError(f"{path}: there is no state database; has the daemon run on this host?")
    if not read_only:
        _create_private(path)
    return f"{path.absolute().as_uri()}?mode={access_mode(path) if read_only else 'rw'}"


def _create_private(path: Path) -> None:
    """Customers' text is inside: only the service user may read the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: cannot be created: {error.strerror}") from error


async def _prepare(path: Path, connection: aiosqlite.Connection, *, read_only: bool) -> None:
    try:
        for pragma in ("foreign_keys = ON", f"busy_timeout = {int(BUSY_SECONDS * 1000)}"):
            await connection.execute(f"PRAGMA {pragma}")
        if not read_only:
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
        await _migrate(path, connection, read_only=read_only)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def migrations() -> tuple[str, ...]:
    """The scripts that make the schema, oldest first; their number is the schema version."""
    folder = resources.files("pagerforce.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return tuple((folder / name).read_text("utf-8") for name in names)


async def _migrate(path: Path, connection: aiosqlite.Connection, *, read_only: bool) -> None:
    async with connection.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    version = int(row[0]) if row else 0
    scripts = migrations()
    if version > len(scripts):
        raise SchemaTooNewError(
            f"{path}: was written by a later pagerforce (schema {version}, this one knows "
            f"{len(scripts)}); install that version again or restore a backup"
        )
    if read_only and version < len(scripts):
        raise StoreError(
            f"{path}: has an older schema; start the daemon once to bring it up to date"
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        await connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
        )
