"""Copies a state between PostgreSQL and a file of SQLite, in either direction, and compares every row.

A backup of a state in PostgreSQL is a file of SQLite, as of any other state: it can be restored into
either engine, looked into without a server, and moved.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection, sql

from pagerforce.errors import StateInUseError, StoreError
from pagerforce.store.engine import Row, column
from pagerforce.store.postgresql.dialect import to_values
from pagerforce.store.postgresql.engine import TO_HOLD, Place, connect
from pagerforce.store.postgresql.migrate import check_schema, create, find_schema
from pagerforce.store.postgresql.trouble import to_store_error
from pagerforce.store.sqlite.copying import Part, Step, put_facts, to_uri
from pagerforce.store.sqlite.migrate import create_tables
from pagerforce.store.sqlite.trouble import to_store_error as to_sqlite_error

_AT_ONCE = 2000
_REFERRING = ("action",)  # to event

Session: TypeAlias = AsyncConnection[Row]


class _Table(Struct, frozen=True):
    """A table to copy; its first columns are its key."""

    name: str
    columns: str
    marks: str
    key: str


def _tables_of(file: sqlite3.Connection) -> list[_Table]:
    """The tables of a file; one that others refer to stands before them."""
    found = []
    # In the order of their creation; the name in the pragma is one of pagerforce's own.
    rows = file.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    for (name,) in rows.fetchall():
        columns = file.execute(f"PRAGMA table_info({name})").fetchall()
        names = [column(row[1]) for row in columns]
        key = [column(row[1]) for row in sorted(columns, key=lambda row: row[5]) if row[5]]
        found.append(_Table(name, ", ".join(names), ", ".join("?" * len(names)), ", ".join(key)))
    return sorted(found, key=lambda table: table.name in _REFERRING)


@asynccontextmanager
async def _session(place: Place, begin: str) -> AsyncIterator[Session]:
    """A transaction in the state's schema; rolled back if the block raises."""
    schema = sql.Identifier(place.schema).as_string(None)
    try:
        async with await connect(place) as session:
            await session.execute(begin.encode())
            await session.execute(f"SET LOCAL search_path = {schema}".encode())
            try:
                yield session
            except BaseException:
                await session.execute(b"ROLLBACK")
                raise
            await session.execute(b"COMMIT")
    except psycopg.Error as error:
        raise to_store_error(place.name, error) from error


async def dump(
    place: Place,
    part: Part,
    facts: Mapping[str, str],
    step: Step | None = None,
    *,
    is_alone: bool = False,
    is_older: bool = False,
) -> None:
    """Copies one state of PostgreSQL into an empty file, also while the daemon writes.

    Args:
        place: the state.
        part: the file.
        facts: rows for the copy's table of facts.
        step: called with the progress.
        is_alone: whether no daemon may use the state meanwhile.
        is_older: whether the state may have an older schema; the copy gets the same.

    Raises:
        StateInUseError: a daemon uses the state, and ``is_alone`` is set.
        StoreError: it failed, or the copy is not equal.
    """
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    try:
        with part.connect() as into:
            async with _session(place, begin) as session:
                if is_alone:
                    await _hold(place, session)
                found = await find_schema(place, session)
                check_schema(place, found, read_only=not is_older)
                create_tables(into, found)
                tables = _tables_of(into)
                for number, table in enumerate(tables):
                    await _fill_file(session, into, table)
                    await _compare(place, session, into, table)
                    if step is not None:
                        step((number + 1) / len(tables))
        put_facts(part, facts)
    except sqlite3.Error as error:
        raise to_sqlite_error(part.target, error) from error


async def _fill_file(session: Session, into: sqlite3.Connection, table: _Table) -> None:
    into.execute("BEGIN")
    insert = f"INSERT INTO {table.name} ({table.columns}) VALUES ({table.marks})"
    async for rows in _pages(session, table):
        into.executemany(insert, rows)
    into.execute("COMMIT")


async def _pages(session: Session, table: _Table) -> AsyncIterator[list[Row]]:
    """The rows of a table in the order of its key."""
    async with session.cursor(name="copied") as cursor:
        query = f"SELECT {table.columns} FROM {table.name} ORDER BY {table.key}"
        await cursor.execute(query.encode())
        while rows := await cursor.fetchmany(_AT_ONCE):
            yield rows


async def load(
    place: Place, path: Path, facts: Mapping[str, str], *, aside: str | None, step: Step | None
) -> bool:
    """Makes a state in PostgreSQL from a file; all of it or nothing.

    Args:
        place: the state.
        path: a sound file of the current schema, that nobody else uses.
        facts: rows for the table of facts.
        aside: the name that the schema of an earlier state gets; None: such a state is an error.
        step: called with the progress.

    Returns:
        Whether there was an earlier state.

    Raises:
        StateInUseError: a daemon uses it.
        StoreError: it failed, there is an earlier state, or the copy is not equal.
    """
    origin = sqlite3.connect(to_uri(path, "ro"), uri=True, isolation_level=None)
    origin.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        async with _session(place, "BEGIN") as session:
            await _hold(place, session)
            is_there = await find_schema(place, session) > 0
            if is_there and aside is None:
                raise StoreError(f"{place.name}: there is a state of this connection already")
            if is_there and aside is not None:
                await _rename(session, place.schema, aside)
            await create(place, session)
            tables = _tables_of(origin)
            for number, table in enumerate(tables):
                await _fill_table(session, origin, table)
                await _compare(place, session, origin, table)
                if step is not None:
                    step((number + 1) / len(tables))
            await _put_facts(session, facts)
            await _count_on(session, place)
        return is_there
    except sqlite3.Error as error:
        raise to_sqlite_error(path, error) from error
    finally:
        origin.close()


async def _hold(place: Place, session: Session) -> None:
    cursor = await session.execute(TO_HOLD, (place.schema,))
    if await cursor.fetchone() != (True,):
        raise StateInUseError(f"{place.name}: another pagerforce uses it: stop that one first")


async def _rename(session: Session, schema: str, other: str) -> None:
    text = sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(
        sql.Identifier(schema), sql.Identifier(other)
    )
    await session.execute(text)


async def _fill_table(session: Session, origin: sqlite3.Connection, table: _Table) -> None:
    rows = origin.execute(f"SELECT {table.columns} FROM {table.name} ORDER BY {table.key}")
    async with session.cursor() as cursor:
        text = f"COPY {table.name} ({table.columns}) FROM STDIN"
        async with cursor.copy(text.encode()) as copy:
            for row in rows:
                await copy.write_row(to_values(row))


async def _compare(place: Place, session: Session, file: sqlite3.Connection, table: _Table) -> None:
    """Compares every row of a table on both sides.

    Raises:
        StoreError: they differ.
    """
    rows = file.execute(f"SELECT {table.columns} FROM {table.name} ORDER BY {table.key}")
    async for page in _pages(session, table):
        _must_equal(place, table, page, rows.fetchmany(len(page)))
    _must_equal(place, table, [], rows.fetchmany(1))


def _must_equal(place: Place, table: _Table, found: list[Row], other: Iterable[Row]) -> None:
    if found != [tuple(to_values(row)) for row in other]:
        raise StoreError(
            f"{place.name}: the copy of the table {table.name} is not equal to the original: nothing "
            "was changed; please report this"
        )


async def _put_facts(session: Session, facts: Mapping[str, str]) -> None:
    text = (
        b"INSERT INTO fact (name, value) VALUES (%s, %s) "
        b"ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    for pair in facts.items():
        await session.execute(text, pair)


async def _count_on(session: Session, place: Place) -> None:
    """Lets the server number new rows after the copied ones."""
    cursor = await session.execute(
        b"SELECT table_name, column_name FROM information_schema.columns "
        b"WHERE table_schema = %s AND is_identity = 'YES'",
        (place.schema,),
    )
    for table, name in await cursor.fetchall():
        text = sql.SQL(
            "SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 0) + 1, false) FROM {}"
        ).format(sql.Literal(table), sql.Literal(name), sql.Identifier(name), sql.Identifier(table))
        await session.execute(text)
