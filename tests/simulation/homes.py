"""Where the state of a history is: a file of SQLite or, with ``STATE=postgresql``, a schema of a server."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from pagerforce.store.sqlite.state import SqliteState
from pagerforce.store.state import State
from simulation.disk import Disk, at_once
from simulation.fuse import Fuse
from simulation.listening import Listener

IS_POSTGRESQL = os.environ.get("STATE") == "postgresql"


class Home(Protocol):
    """The place of a history's state."""

    def state(self, fuse: Fuse, listener: Listener) -> State:
        """The state for one life of the daemon."""

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What is stored, read from outside."""

    def has_tables(self) -> bool:
        """Whether the daemon has begun."""


class FileHome:
    """A file of SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def state(self, fuse: Fuse, listener: Listener) -> State:
        """The state for one life of the daemon."""
        connect = Disk(fuse, listener).connect
        return SqliteState(self._path, connect, at_once)  # type: ignore[arg-type]

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What is stored, read from outside."""
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(sql, values).fetchall()

    def has_tables(self) -> bool:
        """Whether the daemon has begun."""
        return self._path.exists() and bool(
            self.ask("SELECT name FROM sqlite_schema WHERE name = 'fact'")
        )


@contextmanager
def open_home(seed: int, folder: Path) -> Iterator[Home]:
    """A new home for a history."""
    if not IS_POSTGRESQL:
        yield FileHome(folder / "state" / "pagerforce.db")
        return
    from simulation.server import open_server_home  # noqa: PLC0415 - its driver is optional

    with open_server_home(seed) as home:
        yield home
