"""Creates and migrates the schema of a state in PostgreSQL.

Scripts have the numbers of SQLite's (``store/sqlite/migrations``) and the same meaning; the first one
has all that came before PostgreSQL was supported. Each runs in one transaction together with its
number. Two hosts that start at once wait for each other.
"""

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import TypeAlias

import psycopg
from psycopg import AsyncConnection, sql

from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.store.engine import Row
from pagerforce.store.postgresql.engine import Connect, Place, connect, unproved_mode
from pagerforce.store.postgresql.trouble import to_store_error
from pagerforce.store.sqlite.migrate import known_schema
from pagerforce.store.state import Server

_DURABLE = ("synchronous_commit", "fsync", "full_page_writes")
_OLDEST_SERVER = 140000
_LOCK = 0x50474643  # "PGFC": of the advisory lock
_OWN_TABLES = """
CREATE TABLE migration (number bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE batch (number bigint NOT NULL, signature text NOT NULL);
INSERT INTO batch VALUES (0, '');
"""


Copy: TypeAlias = Callable[[int], Awaitable[None]]
"""Copies the state before its migration to a schema."""


def migrations() -> dict[int, str]:
    """The scripts that create the schema, by number, oldest first."""
    folder = resources.files("pagerforce.store.postgresql") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return {int(name.split("_", 1)[0]): (folder / name).read_text("utf-8") for name in names}


async def prepare(
    place: Place, connect: Connect, *, read_only: bool, copy: Copy | None = None
) -> None:
    """Checks the server and the state and, unless read only, migrates it.

    ``copy``: copies a state before its migration.

    Raises:
        StoreError: it cannot be used; it is unchanged.
        SchemaTooNewError: a later pagerforce wrote it.
    """
    try:
        async with await connect(place) as connection:
            await _check_server(place, connection)
            if read_only:
                check_schema(place, await find_schema(place, connection), read_only=True)
            else:
                await _migrate(place, connection, copy)
    except psycopg.Error as error:
        raise to_store_error(place.name, error) from error


async def has_schema(place: Place) -> bool:
    """Whether there is a state.

    Raises:
        StoreError: the server can't be asked.
    """
    try:
        async with await connect(place) as connection:
            return await find_schema(place, connection) > 0
    except psycopg.Error as error:
        raise to_store_error(place.name, error) from error


async def look(place: Place) -> Server:
    """What ``check`` says about the server.

    Raises:
        StoreError: it cannot be used, or the state was written by a later pagerforce.
    """
    try:
        async with await connect(place) as connection:
            await _check_server(place, connection)
            check_schema(place, await find_schema(place, connection), read_only=False)
            version = await _value(connection, "SHOW server_version")
            durable = {name: await _value(connection, f"SHOW {name}") for name in _DURABLE}
            standbys = await _value(connection, "SHOW synchronous_standby_names")
    except psycopg.Error as error:
        raise to_store_error(place.name, error) from error
    return Server(
        f"PostgreSQL {version}",
        unproved_mode(place),
        [name for name, value in durable.items() if value == "off"],
        bool(standbys),
    )


async def _check_server(place: Place, connection: AsyncConnection[Row]) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise StoreError(f"{place.name}: is older than PostgreSQL 14: upgrade the server")
    encoding = await _value(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"{place.name}: has the encoding {encoding}: create the database with ENCODING 'UTF8'"
        )


async def _value(connection: AsyncConnection[Row], text: str, *values: object) -> object:
    cursor = await connection.execute(text.encode(), values)
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def find_schema(place: Place, connection: AsyncConnection[Row]) -> int:
    """The number of the state's newest migration; 0 if there is no state."""
    table = sql.Identifier(place.schema, "migration").as_string(None)
    if await _value(connection, "SELECT to_regclass(%s)", table) is None:
        return 0
    return int(str(await _value(connection, f"SELECT coalesce(max(number), 0) FROM {table}")))


def check_schema(place: Place, found: int, *, read_only: bool) -> None:
    """Refuses a state of a later pagerforce and, to readers, one that is not of this schema.

    Raises:
        StoreError: as it says; ``SchemaTooNewError``: install the later version.
    """
    known = known_schema()
    if found > known:
        raise SchemaTooNewError(
            f"{place.name}: was written by a later pagerforce (schema {found}, this one knows "
            f"{known}): install that version again, or restore a backup of that time"
        )
    if read_only and not found:
        raise StoreError(f"{place.name}: there is no state; has the daemon run?")
    if read_only and found < known:
        raise StoreError(f"{place.name}: has an older schema; start the daemon once to migrate it")


async def _migrate(place: Place, connection: AsyncConnection[Row], copy: Copy | None) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        found = await find_schema(place, connection)
        check_schema(place, found, read_only=False)
        if not found:
            await create(place, connection)
            return
        if copy is not None and found < known_schema():
            await copy(known_schema())
        schema = sql.Identifier(place.schema).as_string(None)
        await connection.execute(f"SET LOCAL search_path = {schema}".encode())
        await _run_scripts(connection, found)


async def create(place: Place, connection: AsyncConnection[Row]) -> None:
    """Creates the schema of a state within a transaction, and selects it for the rest of it."""
    schema = sql.Identifier(place.schema).as_string(None)
    await connection.execute(f"CREATE SCHEMA {schema}".encode())
    await connection.execute(f"SET LOCAL search_path = {schema}".encode())
    await connection.execute(_OWN_TABLES.encode())
    await _run_scripts(connection, 0)


async def _run_scripts(connection: AsyncConnection[Row], found: int) -> None:
    for number, script in migrations().items():
        if number > found:
            await connection.execute(script.encode())
            await connection.execute("INSERT INTO migration (number) VALUES (%s)", (number,))
    functions = resources.files("pagerforce.store.postgresql") / "functions.sql"
    await connection.execute(functions.read_text("utf-8").encode())
