"""SQLite without a thread: a replacement for ``aiosqlite.connect`` that runs in place, deterministically.

It is the real SQLite on a real file. Where aiosqlite would pass a statement to its thread, other
tasks get their turn here too. A connection that is closed with an open transaction leaves the file as
a killed process does: uncommitted data is lost.
"""

import asyncio  # noqa: TID251 - its sleep(0) is the cheapest way to let others run
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from simulation.fuse import Fuse
from simulation.listening import Listener


async def at_once(task: Callable[[], None]) -> None:
    """Runs what waits for the disk in place."""
    task()


class Disk:
    """Opens the state database for one life of the daemon.

    ``listener``: called with each statement once it has run.
    """

    def __init__(self, fuse: Fuse, listener: Listener) -> None:
        self._fuse = fuse
        self._listener = listener

    async def connect(self, database: str, **options: Any) -> "Connection":
        self._fuse.burn("sql", "connect")
        return Connection(sqlite3.connect(database, **options), self._fuse, self._listener)


class Connection:
    """The part of ``aiosqlite.Connection`` that the store uses."""

    def __init__(self, raw: sqlite3.Connection, fuse: Fuse, listener: Listener) -> None:
        self._raw = raw
        self._fuse = fuse
        self._listener = listener
        self._has_moved = False

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def execute(self, sql: str, values: Sequence[object] = ()) -> "_Execution":
        return _Execution(self, sql, values)

    async def execute_fetchall(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        return (await self.run(sql, values)).fetchall()

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await asyncio.sleep(0)
        self._fuse.burn("sql", sql.lstrip()[:60])
        rows = list(rows)
        self._raw.executemany(sql, rows)
        for values in rows:
            self._listener(sql, values, self._ask)

    async def executescript(self, script: str) -> None:
        await asyncio.sleep(0)
        self._fuse.burn("sql", "script")
        self._raw.executescript(script)

    def _ask(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._raw.execute(sql, values).fetchall()

    async def close(self) -> None:
        self._raw.close()

    async def run(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        await asyncio.sleep(0)
        if sql == "COMMIT":
            self._fuse.burn("commit")
            cursor = self._raw.execute(sql)
            self._listener(sql, values, self._ask)
            self._fuse.burn("committed")
            if self._has_moved:
                self._fuse.burn("moved", "a cursor")
            self._has_moved = False
            return cursor
        self._fuse.burn("sql", sql.lstrip()[:60])
        cursor = self._raw.execute(sql, values)
        self._has_moved = self._has_moved or sql.startswith("INSERT INTO cursor ")
        self._listener(sql, values, self._ask)
        return cursor


class _Execution:
    """Awaitable, and an async context manager, like aiosqlite's."""

    def __init__(self, connection: Connection, sql: str, values: Sequence[object]) -> None:
        self._connection, self._sql, self._values = connection, sql, values

    def __await__(self) -> Generator[Any, None, "_Cursor"]:
        return self._start().__await__()

    async def __aenter__(self) -> "_Cursor":
        return await self._start()

    async def __aexit__(self, *_: object) -> None:
        return None

    async def _start(self) -> "_Cursor":
        return _Cursor(await self._connection.run(self._sql, self._values))


class _Cursor:
    def __init__(self, raw: sqlite3.Cursor) -> None:
        self._raw = raw
        self.rowcount = raw.rowcount

    async def fetchone(self) -> Any:
        row = self._raw.fetchone()
        self._raw.close()
        return row
