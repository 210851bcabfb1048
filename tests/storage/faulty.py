"""A connection of the store that fails, or copies its files, at a chosen statement.

It is between the store and the real engine of a real state: neither SQLite nor PostgreSQL can be made to run
out of space at the n-th statement. Only tests insert it, through ``Database``'s private attribute.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pagerforce.store.sqlite.trouble import to_store_error

Hook = Callable[[str, int], Awaitable[None]]


class WatchedConnection:
    """Calls ``before`` and ``after`` each statement of a writing transaction with its number in it.

    An error of SQLite that a hook raises is explained as the engine explains its own.
    """

    def __init__(self, inner, before=None, after=None):
        self._inner = inner
        self._before, self._after = before, after
        self._number = 0
        self._is_writing = False

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def begin(self):
        self._is_writing, self._number = True, 0
        await self._watched("BEGIN", self._inner.begin)

    async def commit(self):
        await self._watched("COMMIT", self._inner.commit)
        self._is_writing = False

    async def roll_back(self):
        self._is_writing = False
        await self._inner.roll_back()

    async def run(self, sql, values):
        return await self._watched(sql, self._inner.run, sql, values)

    async def run_many(self, sql, rows):
        return await self._watched(sql, self._inner.run_many, sql, rows)

    async def rows(self, sql, values):
        return await self._watched(sql, self._inner.rows, sql, values)

    async def _watched(self, sql, task, *arguments):
        if not self._is_writing:
            return await task(*arguments)
        self._number += 1
        if self._before is not None:
            try:
                await self._before(sql, self._number)
            except sqlite3.Error as error:
                raise to_store_error(Path("pagerforce.db"), error) from error
        result = await task(*arguments)
        if self._after is not None:
            await self._after(sql, self._number)
        return result


def watch(database, before=None, after=None):
    """Puts a watched connection into an open database."""
    database._connection = WatchedConnection(database._connection, before, after)


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
