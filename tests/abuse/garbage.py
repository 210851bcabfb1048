"""Puts garbage into a state database, column by column."""

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutation import mutate

HUGE = "9" * 400
TEXTS = (
    "''",
    "' '",
    "'garbage'",
    "'{'",
    "'[1]'",
    "'null'",
    "'7'",
    "'\"text\"'",
    """'{"a": 1}'""",
    """'{"id": 5, "object": [], "fields": 7, "type": {}, "source": 0, "at": []}'""",
    f"""'{{"id": "PABC", "number": {HUGE}, "fields": {{"a": {HUGE}}}}}'""",
    f"'{HUGE}'",
    "'9999-12-31T23:59:59.000000Z'",
    "'0001-01-01T00:00:00.000000Z'",
    "'2999-01-01T00:00:00.000000Z'",
    "CAST(x'ff00fe' AS TEXT)",
    "CAST(x'7b2261223a2022ff227d' AS TEXT)",
    "printf('%.*c', 10000000, 'x')",
    "printf('%.*c', 100000, '[')",
    "char(27) || '[2J' || char(10)",
)
INTEGERS = ("-1", "0", "2", "9223372036854775807", "-9223372036854775808", "1000000000000")
MUTATED = "(another shape)"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the schema."""

    table: str
    name: str
    kind: str
    may_be_null: bool
    is_key: bool

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    def garbage(self) -> list[str]:
        """The garbage for the column, as SQL expressions."""
        null = ["NULL"] if self.may_be_null else []
        return [*(INTEGERS if self.kind == "INTEGER" else (*TEXTS, MUTATED)), *null]


def columns_of(path: Path) -> list[Column]:
    """Every column of every table, as the schema has them."""
    found = []
    with _open(path) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        for (table,) in tables.fetchall():
            if table.startswith("sqlite_"):
                continue
            for _, name, kind, not_null, _, key in db.execute(f"PRAGMA table_info({table})"):
                found.append(Column(table, name, kind, not not_null and not key, bool(key)))
    return found


def count_rows(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    with _open(path) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in {column.table for column in columns_of(path)}
        }


def damage(path: Path, column: Column, garbage: str, rng: random.Random) -> int:
    """Puts garbage into a column of one row or of all rows; returns the number of damaged rows."""
    with _open(path) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        rows = list(_rows(db, column))
        if column.is_key or rng.random() < 0.5:
            rows = rng.sample(rows, 1)
        done = 0
        for where, value in rows:
            sql = _mutated(value, rng) if garbage == MUTATED else garbage
            try:
                db.execute(f"UPDATE {column.table} SET {column.name} = {sql} WHERE {where}")
                done += 1
            except sqlite3.IntegrityError:
                continue  # two rows with the same key
        return done


def _rows(db: sqlite3.Connection, column: Column) -> Iterator[tuple[str, object]]:
    """Each row by its key, with the value of the column."""
    info = list(db.execute(f"PRAGMA table_info({column.table})"))
    keys = [row[1] for row in info if row[5]]
    quoted = ", ".join(f"quote({key})" for key in keys)
    sql = f"SELECT {quoted}, {column.name} FROM {column.table}"
    for *values, value in db.execute(sql).fetchall():
        yield (
            " AND ".join(f"{key} = {text}" for key, text in zip(keys, values, strict=True)),
            value,
        )


def _mutated(value: object, rng: random.Random) -> str:
    try:
        parsed = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    text = json.dumps(mutate(parsed, rng)) if isinstance(parsed, dict | list) else "?"
    return "'" + text.replace("'", "''").replace("\\u0000", "") + "'"


def _open(path: Path) -> "_Connection":
    return _Connection(path)


class _Connection:
    """A connection that commits and closes."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._db.commit()
        self._db.close()
