"""The schemas of both engines mean the same."""

import re
import sqlite3
from contextlib import closing

import pytest

from engines import need_postgresql, open_engine
from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.store.sqlite.migrate import known_schema
from pagerforce.store.sqlite.migrate import migrations as of_sqlite
from postgresql_server import shared_server

pytest.importorskip("psycopg")

from pagerforce.store.postgresql.migrate import migrations as of_postgresql

OWN_TABLES = {"migration", "batch"}
TYPES = {"text": "TEXT", "bigint": "INTEGER", "double precision": "REAL"}


@pytest.fixture(scope="module", autouse=True)
def _server():
    need_postgresql()


@pytest.fixture
def state(tmp_path):
    with open_engine("postgresql", tmp_path) as state:
        yield state


def ask(sql, *values):
    return shared_server().ask(sql, *values)


@pytest.fixture
def sqlite_schema():
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in of_sqlite().values():
            connection.executescript(script)
        yield connection


async def test_both_engines_have_the_same_tables_and_columns(state, sqlite_schema):
    wanted = {}
    for (table,) in sqlite_schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        for _, name, kind, is_needed, default, key in sqlite_schema.execute(
            f"PRAGMA table_info({table})"
        ):
            wanted[table, name] = kind, bool(is_needed or key), default, bool(key)
    async with state.open():
        rows = ask(
            "SELECT a.attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, "
            "pg_get_expr(adbin, adrelid), EXISTS (SELECT 1 FROM pg_index WHERE indrelid = attrelid "
            "AND indisprimary AND attnum = ANY (indkey)), collname "
            "FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid "
            "LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum "
            "LEFT JOIN pg_collation n ON n.oid = attcollation "
            "WHERE relkind = 'r' AND attnum > 0 AND relnamespace = %s::regnamespace",
            state.place.schema,
        )
    found = {}
    for table, name, kind, is_needed, default, is_key, collation in rows:
        plain = table.split(".")[-1]
        if plain not in OWN_TABLES:
            found[plain, name] = TYPES[kind], is_needed, default, is_key
            assert collation in (None, "C"), (plain, name)
    assert found == wanted


async def test_both_engines_have_the_same_indexes(state, sqlite_schema):
    wanted = {
        name: normal(sql)
        for name, sql in sqlite_schema.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        )
    }
    texts = " ".join(of_postgresql().values())
    written = {
        found[1]: normal(found[0].rstrip(";"))
        for found in re.finditer(r"CREATE (?:UNIQUE )?INDEX (\w+) [^;]+;", texts)
    }
    async with state.open():
        rows = ask(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s", state.place.schema
        )
    unique = {
        tuple(sorted(re.findall(r"\((.+?)\)", text)[0].split(", ")))
        for _, text in rows
        if "UNIQUE" in text and "WHERE" not in text
    }
    assert written == wanted
    assert wanted.keys() <= {name for name, _ in rows}
    for (table,) in sqlite_schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        for _, name, is_unique, origin, is_partial in sqlite_schema.execute(
            f"PRAGMA index_list({table})"
        ):
            if is_unique and origin in ("u", "pk") and not is_partial:
                columns = [row[2] for row in sqlite_schema.execute(f"PRAGMA index_info({name})")]
                assert tuple(sorted(columns)) in unique, (table, columns)


def normal(sql):
    return " ".join(sql.replace('"', "").split())


def test_later_migrations_have_the_same_numbers():
    first = min(of_postgresql())
    assert {number for number in of_sqlite() if number > first} == of_postgresql().keys() - {first}


async def test_a_later_schema_is_refused_and_a_missing_one_not_created_by_readers(state):
    with pytest.raises(StoreError, match="there is no state"):
        async with state.open(read_only=True):
            pass
    async with state.open() as database, database.read() as tx:
        assert await tx.schema() == known_schema()
        assert await tx.size_bytes() > 0
    ask(f'INSERT INTO "{state.place.schema}".migration (number) VALUES (99)')
    for read_only in (True, False):
        with pytest.raises(SchemaTooNewError, match="schema 99"):
            async with state.open(read_only=read_only):
                pass
