"""The state in PostgreSQL for a simulated daemon: a real server, asked without waiting for the loop.

The daemon's own engine runs, over a driver that answers in place: virtual time stands still meanwhile. A
life that ends closes its session, as the kernel does for a killed process.
"""

import asyncio  # noqa: TID251 - its sleep(0) is the cheapest way to let others run
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import psycopg

from pagerforce.store.postgresql.dialect import to_postgresql
from pagerforce.store.postgresql.engine import Place, settings
from pagerforce.store.postgresql.state import PostgresqlState
from postgresql_server import shared_server
from simulation.fuse import Fuse
from simulation.listening import Listener


class ServerHome:
    """A schema for one history."""

    def __init__(self, place: Place, outside: psycopg.Connection[Any]) -> None:
        self._place = place
        self._outside = outside

    def state(self, fuse: Fuse, listener: Listener) -> PostgresqlState:
        """The state for one life of the daemon."""

        async def connect(place: Place) -> "Session":
            fuse.burn("sql", "connect")
            return Session(_connected(place), fuse, listener)

        return PostgresqlState(self._place, connect=connect)  # type: ignore[arg-type]

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What is stored, read from outside."""
        return self._outside.execute(to_postgresql(sql).encode(), values).fetchall()

    def has_tables(self) -> bool:
        """Whether the daemon has begun."""
        text = f"SELECT to_regclass('\"{self._place.schema}\".fact') IS NOT NULL"
        return bool(self.ask(text)[0][0])


def _connected(place: Place) -> psycopg.Connection[Any]:
    return psycopg.connect(place.url, autocommit=True, prepare_threshold=1)


@contextmanager
def open_server_home(seed: int) -> Iterator[ServerHome]:
    """A new schema, dropped at the end."""
    name = f"sim_{os.getpid()}_{seed}_{secrets.token_hex(2)}"
    place = Place(shared_server().url(), name)
    with _connected(place) as outside:
        outside.execute(settings(place).encode())
        try:
            yield ServerHome(place, outside)
        finally:
            outside.execute(f'DROP SCHEMA IF EXISTS "{place.schema}" CASCADE'.encode())


class Session:
    """The part of psycopg's ``AsyncConnection`` that the store uses."""

    def __init__(self, raw: psycopg.Connection[Any], fuse: Fuse, listener: Listener) -> None:
        self._raw = raw
        self._fuse = fuse
        self._listener = listener
        self._has_moved = False

    @property
    def closed(self) -> bool:
        return self._raw.closed

    @property
    def info(self) -> psycopg.ConnectionInfo:
        return self._raw.info

    @property
    def pgconn(self) -> Any:
        return self._raw.pgconn

    async def execute(self, text: bytes | str, values: Sequence[object] | None = None) -> "Cursor":
        await asyncio.sleep(0)
        sql = (text if isinstance(text, str) else text.decode()).replace("%s", "?")
        if sql == "COMMIT":
            self._fuse.burn("commit")
            cursor = self._raw.execute(b"COMMIT")
            self._tell(sql, ())
            self._fuse.burn("committed")
            if self._has_moved:
                self._fuse.burn("moved", "a cursor")
            self._has_moved = False
            return Cursor(cursor)
        self._fuse.burn("sql", sql.lstrip()[:60])
        cursor = self._raw.execute(text, values)
        self._has_moved = self._has_moved or sql.startswith("INSERT INTO cursor ")
        self._tell(sql, values or ())
        return Cursor(cursor)

    def _tell(self, sql: str, values: Sequence[object]) -> None:
        self._listener(sql, values, self._ask)

    def _ask(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._raw.execute(to_postgresql(sql).encode(), values).fetchall()

    @asynccontextmanager
    async def cursor(self) -> AsyncIterator["ManyCursor"]:
        yield ManyCursor(self)

    async def many(self, text: bytes, rows: Iterable[Sequence[object]]) -> None:
        await asyncio.sleep(0)
        sql = text.decode().replace("%s", "?")
        self._fuse.burn("sql", sql.lstrip()[:60])
        rows = list(rows)
        self._raw.cursor().executemany(text, rows)
        for values in rows:
            self._tell(sql, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        with self._raw.transaction():
            yield

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if not self._raw.closed:
            self._raw.rollback()
            # The server learns of a closed socket a moment later, the next life begins at once.
            self._raw.execute(b"SELECT pg_advisory_unlock_all()")
            self._raw.close()


class Cursor:
    """The part of psycopg's ``AsyncCursor`` that the store uses."""

    def __init__(self, raw: psycopg.Cursor[Any]) -> None:
        self._raw = raw
        self.rowcount = raw.rowcount
        self.statusmessage = raw.statusmessage

    def nextset(self) -> bool | None:
        return self._raw.nextset()

    async def fetchone(self) -> Any:
        return self._raw.fetchone()

    async def fetchall(self) -> list[Any]:
        return self._raw.fetchall()


class ManyCursor:
    """A cursor for ``executemany``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def executemany(self, text: bytes, rows: Iterable[Sequence[object]]) -> None:
        await self._session.many(text, rows)
