"""A database connection that fails, or copies its files, at a chosen statement.

It is between pagerforce's code and the real aiosqlite connection of a real file: SQLite cannot be made to
run out of space at the n-th statement. Only tests insert it, through ``Database``'s private attribute.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

Hook = Callable[[str, int], Awaitable[None]]


class WatchedConnection:
    """Calls ``before`` and ``after`` each statement of a writing transaction with its number in it."""

    def __init__(self, inner, before=None, after=None):
        self._inner = inner
        self._before, self._after = before, after
        self._number = 0
        self._is_writing = False

    def execute(self, sql, values=()):
        return _Awaitable(self, lambda: self._inner.execute(sql, values), sql)

    def executemany(self, sql, rows):
        return _Awaitable(self, lambda: self._inner.executemany(sql, rows), sql)

    def execute_fetchall(self, sql, values=()):
        return _Awaitable(self, lambda: self._inner.execute_fetchall(sql, values), sql)

    @property
    def in_transaction(self):
        return self._inner.in_transaction

    async def close(self):
        await self._inner.close()

    async def enter(self, sql):
        if sql.startswith("BEGIN"):
            self._is_writing, self._number = True, 0
        if self._is_writing and sql != "ROLLBACK":
            self._number += 1
            if self._before is not None:
                try:
                    await self._before(sql, self._number)
                except BaseException:
                    self._is_writing = False
                    raise

    async def leave(self, sql):
        if self._is_writing and sql != "ROLLBACK" and self._after is not None:
            await self._after(sql, self._number)
        if sql in ("COMMIT", "ROLLBACK"):
            self._is_writing = False


class _Awaitable:
    """Supports both ``await`` and ``async with``, like aiosqlite's own results."""

    def __init__(self, owner, start, sql):
        self._owner, self._start, self._sql = owner, start, sql
        self._cursor = None

    async def _run(self):
        await self._owner.enter(self._sql)
        result = await self._start()
        await self._owner.leave(self._sql)
        return result

    def __await__(self):
        return self._run().__await__()

    async def __aenter__(self):
        self._cursor = await self._run()
        return self._cursor

    async def __aexit__(self, *_):
        await self._cursor.close()


def watch(database, before=None, after=None):
    """Puts a watched connection into an open database."""
    engine = database._connection
    engine._connection = WatchedConnection(engine._connection, before, after)


def sqlite_error(name):
    """An error as SQLite raises it."""
    error = sqlite3.OperationalError(f"injected {name}")
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    return error


@asynccontextmanager
async def watched(rig, before=None, after=None, **options):
    """A daemon with its database watched from the first step after its start."""
    async with rig.daemon(**options) as daemon:
        watch(daemon.parts.database, before, after)
        yield daemon
