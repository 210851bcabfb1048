"""Checks that a file contains exactly the tables and indexes that the migrations create.

Other objects would run with the daemon's rights whenever the file is read or written: triggers,
views, expressions in indexes, columns and checks, virtual tables. So the declaration of every
object, without spaces and comments, is compared with a database that the migrations created up to
the file's schema.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache
from typing import TypeAlias

from pagerforce.store.sqlite.migrate import migrations

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))"""
    r"""|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\w+|.""",
    re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,60}")
_SHOWN = 3
_MOST_OBJECTS = 1000  # many times the real number; more make no difference
_LONGEST = 100_000  # likewise

_Objects: TypeAlias = dict[tuple[str, str], str]
"""The objects of a database: by kind and name, their table and declaration."""


def compare_schema(connection: sqlite3.Connection, schema: int) -> str:
    """Compares a file with the objects that the migrations create.

    Args:
        connection: to the file.
        schema: the file's own schema number; one that this program knows.

    Returns:
        The foreign, missing or differing objects; ``""`` if there are none.

    Raises:
        sqlite3.Error: it can't be read.
    """
    wanted, found = _objects_of(schema), _read(connection)
    foreign = [key for key in found if key not in wanted]
    missing = [key for key in wanted if key not in found]
    other = [key for key in found if key in wanted and found[key] != wanted[key]]
    texts = [
        f"{said} {_names(keys)}"
        for said, keys in (
            ("contains objects that pagerforce does not create:", foreign),
            ("lacks", missing),
            ("differs from pagerforce's schema:", other),
        )
        if keys
    ]
    return "; ".join(texts)


def _names(keys: list[tuple[str, str]]) -> str:
    shown = [f"{_harmless(kind)} {_harmless(name)}" for kind, name in sorted(keys)[:_SHOWN]]
    rest = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _harmless(text: str) -> str:
    """The name if it has the form of pagerforce's names, else a placeholder."""
    return text if _PLAIN.fullmatch(text) else "(with an unusual name)"


@cache
def _objects_of(schema: int) -> _Objects:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for number, script in migrations().items():
            if number <= schema:
                connection.executescript(script)
        return _read(connection)


def _read(connection: sqlite3.Connection) -> _Objects:
    """All objects of a database; those without text or with duplicates match no schema."""
    sql = (
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(tbl_name AS BLOB), CAST(sql AS BLOB) "
        f"FROM sqlite_schema LIMIT {_MOST_OBJECTS}"
    )
    found: _Objects = {}
    for row in connection.execute(sql):
        kind, name, table, text = (_as_text(value) for value in row)
        said = f"{table}: {_normal(text)}"
        found[kind, name] = said if (kind, name) not in found else "twice"
    return found


def _as_text(value: bytes | None) -> str:
    return "" if value is None else value[:_LONGEST].decode("utf-8", "backslashreplace")


def _normal(sql: str) -> str:
    """A declaration without spaces and comments, which depend on the program that wrote it."""
    return " ".join(token[0] for token in _TOKEN.finditer(sql) if token["space"] is None)
