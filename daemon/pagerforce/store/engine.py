"""What the store needs of a database engine; everything else about an engine is in its package.

Two engines implement it: ``store/sqlite``, one file on this host, and ``store/postgresql``, a server
that several hosts share. The SQL of the store's modules is the same for both. It follows these
rules, which the tests of both engines hold:

* parameters are question marks; one in a select list that may be null has a ``CAST``;
* flags are integers, 0 or 1; instants are texts; JSON is text (``snapshots.json_part`` looks into it);
* ``INSERT ... ON CONFLICT``, never ``INSERT OR``; ``CASE``, never ``iif`` or a scalar ``max``;
* words of SQL that are names of columns are quoted: ``"do"``, ``"user"``.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = tuple[Any, ...]


_WORDS = frozenset({"do", "user"})


def column(name: str) -> str:
    """A column's name as SQL has it: quoted if it is a word of SQL."""
    return f'"{name}"' if name in _WORDS else name


class Connection(Protocol):
    """An open connection of an engine.

    Every method raises ``StoreError`` for an error of the engine: ``StatementError`` if it concerns
    only the statement and its values, ``StoreUnavailableError`` if it may pass by itself.
    """

    async def begin(self) -> None:
        """Begins a writing transaction."""

    async def commit(self) -> None:
        """Commits it. After an error nothing was stored."""

    async def roll_back(self) -> None:
        """Undoes it, unless the engine has done that already."""

    async def begin_reading(self) -> None:
        """Begins a reading transaction."""

    async def end_reading(self) -> None:
        """Ends it."""

    async def run(self, sql: str, values: Sequence[object]) -> int:
        """Runs one statement; returns the number of rows it touched."""

    async def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Runs one statement for each row of values."""

    async def rows(self, sql: str, values: Sequence[object]) -> list[Row]:
        """All rows of a query."""

    async def schema(self) -> int:
        """The number of the newest migration."""

    async def size_bytes(self) -> int:
        """The space that the state takes, in bytes."""

    async def interrupt(self) -> None:
        """Stops the current statement, if the engine can."""

    async def close(self) -> None:
        """Closes it."""
