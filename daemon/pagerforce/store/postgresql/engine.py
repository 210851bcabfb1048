"""PostgreSQL as an engine of the store: one schema of a database for each connection of pagerforce.

* One writing transaction at a time, READ COMMITTED, with the server's ``synchronous_commit``.
* A connection that is lost is opened again with the next transaction, on the host of the URL that
  accepts writes.
* If it is lost during COMMIT, nobody says whether that was stored. So each writing transaction counts
  up the row of the table ``batch`` and signs it: a new connection reads there whether the commit
  happened. That read waits for a transaction that is still ending, as both lock the row.
* A session holds the state: another daemon can't open it meanwhile. A pooler in transaction mode
  keeps no session, so the URL must lead to the server itself.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeAlias

import anyio
import psycopg
from msgspec import Struct
from psycopg import AsyncConnection, AsyncCursor, sql

from pagerforce.config.secret import Secret
from pagerforce.errors import (
    StateInUseError,
    StatementError,
    StoreError,
    StoreUnavailableError,
)
from pagerforce.store.database import Database
from pagerforce.store.engine import Row
from pagerforce.store.postgresql.dialect import to_postgresql, to_values
from pagerforce.store.postgresql.trouble import is_connection_lost, to_store_error

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
LOCK_SECONDS = 5
IDLE_SECONDS = 8  # of an open transaction; below the lease, see docs/architecture.md
TO_HOLD = b"SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
"""Holds the state of a schema as long as the session lasts; false if another session does."""
_SESSION = b"SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_TO_END = (
    b"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
    b"WHERE pid = %s AND backend_start = %s"
)
_TRIES_AFTER_COMMIT = 10
_BETWEEN_TRIES_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
_BETWEEN_HOLDS_SECONDS = 0.1
_SSLMODE = "require"  # except on this host


class Place(Struct, frozen=True):
    """Where a state in PostgreSQL is.

    Attributes:
        url: libpq's connection URI without a password; it may name several hosts.
        connection: the name of pagerforce's connection.
        password: None: libpq's own sources.
    """

    url: str
    connection: str
    password: Secret | None = None

    @property
    def name(self) -> str:
        """For messages: hosts, database and connection; no user, password or option."""
        found = psycopg.conninfo.conninfo_to_dict(self.url)
        host = found.get("host") or found.get("hostaddr") or "local"
        return f"postgresql://{host}/{found.get('dbname') or ''} ({self.connection})"

    @property
    def schema(self) -> str:
        """The schema of the state in the database."""
        return f"pagerforce_{self.connection}"


Connect: TypeAlias = Callable[[Place], Awaitable[AsyncConnection[Row]]]
"""Opens a connection to the server."""


class PostgresqlConnection:
    """A connection that is opened when it is needed; see ``store.engine.Connection``."""

    def __init__(self, place: Place, connect: Connect, *, is_writer: bool) -> None:
        self._place = place
        self._connect = connect
        self._is_writer = is_writer
        self._connection: AsyncConnection[Row] | None = None
        self._signature = secrets.token_hex(16)
        # Without parameters, both statements take one round trip.
        self._beginning = (
            "BEGIN; UPDATE batch SET number = number + 1, "
            f"signature = '{self._signature}' RETURNING number"
        ).encode()
        self._session: Row | None = None  # process id and start
        self._batch = 0
        self._is_writing = False

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if self._connection is not None and is_connection_lost(error, self._connection):
                self._forget()
            raise to_store_error(self._place.name, error) from error

    def _forget(self) -> None:
        """The next transaction opens another connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()

    async def _open(self) -> AsyncConnection[Row]:
        if self._connection is None or self._connection.closed:
            connection = await self._connect(self._place)
            try:
                await self._prepare(connection)
            except BaseException:
                connection.pgconn.finish()
                raise
            self._connection = connection
        return self._connection

    async def _prepare(self, connection: AsyncConnection[Row]) -> None:
        await connection.execute(settings(self._place).encode())
        if self._is_writer:
            await self._end_last_session(connection)
            await self._hold(connection)

    async def _end_last_session(self, connection: AsyncConnection[Row]) -> None:
        """Ends this process's lost session: the server may not know yet that it is lost."""
        if self._session is not None:
            await connection.execute(_TO_END, self._session)
        cursor = await connection.execute(_SESSION)
        self._session = await cursor.fetchone()

    async def _hold(self, connection: AsyncConnection[Row]) -> None:
        """Holds the state as long as the session lasts: one writer at a time."""
        cursor = await connection.execute(TO_HOLD, (self._place.schema,))
        if await cursor.fetchone() != (True,):
            raise StateInUseError(
                f"{self._place.name}: another pagerforce uses it: stop that one first"
            )

    async def open(self) -> None:
        """Opens it, to report what is wrong at once.

        Raises:
            StateInUseError: another one has been writing for some seconds: the server may notice
                late that a daemon has ended.
        """
        with self._explaining():
            for _ in range(int(_PATIENCE_SECONDS / _BETWEEN_HOLDS_SECONDS)):
                try:
                    await self._open()
                except StateInUseError:
                    await anyio.sleep(_BETWEEN_HOLDS_SECONDS)
                else:
                    return
            await self._open()

    async def begin(self) -> None:
        """Begins a writing transaction."""
        with self._explaining():
            cursor = await self._outside(self._beginning)
            self._is_writing = True
            cursor.nextset()  # of BEGIN
            row = await cursor.fetchone()
            if row is None:
                raise psycopg.errors.UndefinedTable("the table batch is empty")
            self._batch = int(row[0])

    async def _outside(
        self, text: bytes, parameters: Sequence[object] | None = None
    ) -> AsyncCursor[Row]:
        """Runs a statement outside of transactions; again if the connection was lost before it."""
        is_new = self._connection is None
        try:
            return await (await self._open()).execute(text, parameters)
        except psycopg.OperationalError:
            if is_new or (self._connection is not None and not self._connection.closed):
                raise
            self._forget()
            return await (await self._open()).execute(text, parameters)

    def _known(self) -> AsyncConnection[Row]:
        if self._connection is None:
            raise StoreUnavailableError(f"{self._place.name}: the connection was lost")
        return self._connection

    async def commit(self) -> None:
        """Commits it; finds out whether it was stored where the answer was lost."""
        connection = self._known()
        self._is_writing = False
        try:
            cursor = await connection.execute(b"COMMIT")
        except psycopg.OperationalError as error:
            if not connection.closed:
                self._forget()
            if not await self._is_stored():
                raise to_store_error(self._place.name, error) from error
        except psycopg.Error as error:
            raise to_store_error(self._place.name, error) from error
        else:
            if cursor.statusmessage != "COMMIT":  # a statement had failed, and nobody had noticed
                raise StatementError(f"{self._place.name}: the transaction had failed before")

    async def _is_stored(self) -> bool:
        """Whether the last transaction was committed, by the row that it signed.

        Raises:
            StoreError: nobody can tell: only a restart finds out safely.
        """
        for _ in range(_TRIES_AFTER_COMMIT):
            self._forget()
            try:
                await self._outside(b"BEGIN")
                cursor = await self._known().execute(
                    b"SELECT number, signature FROM batch FOR UPDATE"
                )
                row = await cursor.fetchone()
                await self._known().execute(b"ROLLBACK")
            except (psycopg.Error, StateInUseError):  # the lost session may still hold the state
                await anyio.sleep(_BETWEEN_TRIES_SECONDS)
            else:
                return row == (self._batch, self._signature)
        raise StoreError(
            f"{self._place.name}: the connection was lost during a commit, and the server does not "
            "say whether it was stored: start pagerforce again when the server answers"
        )

    async def roll_back(self) -> None:
        """Undoes it; a lost connection undoes it by itself."""
        self._is_writing = False
        if self._connection is None:
            return
        try:
            await self._connection.execute(b"ROLLBACK")
        except psycopg.Error:
            self._forget()

    async def begin_reading(self) -> None:
        """Nothing to do: each statement sees committed data."""

    async def end_reading(self) -> None:
        """Nothing to do."""

    async def run(self, sql: str, values: Sequence[object]) -> int:
        """Runs one statement; returns the number of rows it touched."""
        with self._explaining():
            text = to_postgresql(sql).encode()
            return (await self._known().execute(text, to_values(values))).rowcount

    async def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Runs one statement for each row of values, without waiting for each answer."""
        with self._explaining():
            async with self._known().cursor() as cursor:
                await cursor.executemany(
                    to_postgresql(sql).encode(), [to_values(values) for values in rows]
                )

    async def rows(self, sql: str, values: Sequence[object]) -> list[Row]:
        """All rows of a query."""
        with self._explaining():
            text, parameters = to_postgresql(sql).encode(), to_values(values)
            if self._is_writing:
                cursor = await self._known().execute(text, parameters)
            else:
                cursor = await self._outside(text, parameters)
            return await cursor.fetchall()

    async def schema(self) -> int:
        """The number of the newest migration."""
        return int((await self.rows("SELECT max(number) FROM migration", ()))[0][0])

    async def size_bytes(self) -> int:
        """Size of the tables with their indexes."""
        rows = await self.rows(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = CAST(? AS regnamespace)",
            (f'"{self._place.schema}"',),
        )
        return int(rows[0][0])

    async def interrupt(self) -> None:
        """Cancels the current statement."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                await self._connection.cancel_safe(timeout=CONNECT_SECONDS)

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            await self._connection.close()


async def connect(place: Place) -> AsyncConnection[Row]:
    """A new connection to the host that accepts writes.

    Raises:
        psycopg.Error: there is none.
    """
    options: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "pagerforce",
        "client_encoding": "utf-8",
    }
    given = psycopg.conninfo.conninfo_to_dict(place.url)
    if "," in str(given.get("host") or given.get("hostaddr") or ""):
        options["target_session_attrs"] = "read-write"
    if place.password is not None:
        options["password"] = place.password.reveal()
    if not given.get("sslmode") and not is_local(str(given.get("host") or "")):
        options["sslmode"] = _SSLMODE
    conninfo = psycopg.conninfo.make_conninfo(place.url, **options)
    return await AsyncConnection.connect(conninfo, autocommit=True)


def unproved_mode(place: Place) -> str:
    """The sslmode that does not prove the server's identity; ``""`` if it does, or on this host."""
    given = psycopg.conninfo.conninfo_to_dict(place.url)
    if is_local(str(given.get("host") or "")):
        return ""
    mode = str(given.get("sslmode") or _SSLMODE)
    return "" if mode == "verify-full" else mode


def is_local(hosts: str) -> bool:
    """Whether all hosts of a URL are sockets or loopback addresses."""
    local = ("", "localhost", "127.0.0.1", "::1")
    return all(host in local or host.startswith(("/", "@")) for host in hosts.split(","))


def settings(place: Place) -> str:
    """The statements that set what a session needs."""
    schema = sql.Identifier(place.schema).as_string(None)
    pairs = {
        "search_path": schema,
        "statement_timeout": f"'{STATEMENT_SECONDS}s'",
        "lock_timeout": f"'{LOCK_SECONDS}s'",
        "idle_in_transaction_session_timeout": f"'{IDLE_SECONDS}s'",
        "default_transaction_isolation": "'read committed'",
    }
    return "; ".join(f"SET {name} = {value}" for name, value in pairs.items())


@asynccontextmanager
async def open_prepared(
    place: Place, connect: Connect, *, read_only: bool
) -> AsyncIterator[Database]:
    """Opens a state that has this program's schema.

    Raises:
        StoreError: it cannot be used; ``StateInUseError``: another daemon writes to it.
    """
    connection = PostgresqlConnection(place, connect, is_writer=not read_only)
    try:
        await connection.open()
        yield Database(place.name, connection, is_watched=not read_only)
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()
