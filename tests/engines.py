"""The engines that keep the state in tests: SQLite, and PostgreSQL.

Tests of the store run on both. The other tests keep the state in SQLite, or with
``STATE=postgresql`` in PostgreSQL. Each state has a schema of its own.
"""

import os
import secrets
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pagerforce.store.sqlite.state import SqliteState
from pagerforce.store.state import State
from pagerforce.store.unreadable import COLUMNS
from postgresql_server import find_programs, shared_server

ENGINES = ("sqlite", "postgresql")
IS_POSTGRESQL = os.environ.get("STATE") == "postgresql"


def need_postgresql() -> None:
    """Skips the test where PostgreSQL is not installed, except in CI, where it must be."""
    if find_programs() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed (apt install postgresql; see CONTRIBUTING.md)")


@contextmanager
def open_engine(engine: str, folder: Path) -> Iterator[State]:
    """A new state in this engine."""
    if engine == "sqlite":
        yield SqliteState(folder / "pagerforce.db")
        return
    need_postgresql()
    from pagerforce.store.postgresql.engine import Place  # noqa: PLC0415 - its driver is optional
    from pagerforce.store.postgresql.state import PostgresqlState  # noqa: PLC0415

    with _schema() as (url, name):
        yield PostgresqlState(Place(url, name))


def choose_engine(config: Path) -> None:
    """Lets a configuration keep its state in the engine of this run."""
    if not IS_POSTGRESQL:
        return
    need_postgresql()
    url, name = shared_server().url(), f"test_{secrets.token_hex(6)}"
    with config.open("a", encoding="utf-8") as file:
        file.write(f'\n[state]\nurl = "{url}"\nconnection = "{name}"\n')


class Frozen:
    """The state of a moment, to be put back when the daemon has ended."""

    def __init__(self, config: Path, path: Path) -> None:
        self._path, self._copy = path, path.with_suffix(".then")
        self._state = tomllib.loads(config.read_text(encoding="utf-8")).get("state")
        self.is_taken = False

    def take(self) -> None:
        """Copies the state as it is now."""
        self.is_taken = True
        if self._state is not None:
            self._each("CREATE TABLE {0}_then AS TABLE {0}", COLUMNS)
            return
        with closing(sqlite3.connect(self._path)) as source:
            with closing(sqlite3.connect(self._copy)) as copy:
                source.backup(copy)

    def put_back(self) -> None:
        """Replaces the state by the copy."""
        if self._state is not None:
            self._each("DELETE FROM {0}", reversed(COLUMNS))
            self._each("INSERT INTO {0} SELECT * FROM {0}_then; DROP TABLE {0}_then", COLUMNS)
            return
        for ending in ("-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self._copy.chmod(0o600)
        self._copy.replace(self._path)

    def _each(self, text: str, tables: Iterable[str]) -> None:
        import psycopg  # noqa: PLC0415 - optional

        with psycopg.connect(self._state["url"]) as connection:
            name = f'"pagerforce_{self._state["connection"]}"'
            connection.execute(f"SET search_path = {name}".encode())
            for table in tables:
                connection.execute(text.format(table).encode())


@contextmanager
def _schema() -> Iterator[tuple[str, str]]:
    name = f"test_{secrets.token_hex(6)}"
    try:
        yield shared_server().url(), name
    finally:
        shared_server().ask(f'DROP SCHEMA IF EXISTS "pagerforce_{name}" CASCADE')
