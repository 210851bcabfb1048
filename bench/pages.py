# ruff: noqa: T201 - a program that prints
"""How SQLite stores wide rows: with and without a rowid, in pages of 4 and 8 KB.

    python -m bench.pages

The rows have the size of a snapshot of 20 fields. Processor time per row, the median of some runs; the file's
size for all rows.
"""

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

BATCH, AT_ONCE, RUNS = 2_000, 500, 3
NAME = "BMCServiceDesk__Incident__c"


def text(row_id: str, version: int) -> str:
    """A snapshot of 1.7 KB."""
    fields = {f"Field_{n}__c": f"value {n} of {row_id}, {version} {'x' * 40}" for n in range(20)}
    return json.dumps({"id": row_id, "object": NAME, "fields": fields})


def measured(work: Callable[[], None], count: int) -> float:
    """Microseconds of processor time per row."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e6 / count


def run(path: Path, page: int, kind: str, count: int) -> tuple[float, float, float, float]:
    """Microseconds to insert, to select and to update a row, and the file's megabytes."""
    ids = [f"a0R{number:012d}EAA" for number in range(count)]
    chosen = random.Random(1)  # noqa: S311 - the same rows in every run
    rows = [(row_id, NAME, text(row_id, 0)) for row_id in ids]
    looked_at = chosen.sample(ids, count // 6)
    changed = [(text(row_id, 1), row_id) for row_id in chosen.sample(ids, count // 3)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (f"page_size = {page}", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(
            "CREATE TABLE record (id TEXT NOT NULL PRIMARY KEY, object TEXT NOT NULL, "
            f"data TEXT NOT NULL) {kind}"
        )
        connection.execute("CREATE INDEX record_object ON record (object, id)")

        def write(sql: str, values: list[tuple[str, ...]]) -> None:
            for start in range(0, len(values), BATCH):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(sql, values[start : start + BATCH])
                connection.execute("COMMIT")

        def select() -> None:
            for start in range(0, len(looked_at), AT_ONCE):
                some = looked_at[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                sql = f"SELECT id, data FROM record WHERE id IN ({marks})"
                connection.execute(sql, some).fetchall()

        insert = "INSERT INTO record VALUES (?, ?, ?)"
        inserted = measured(lambda: write(insert, rows), len(rows))
        selected = measured(select, len(looked_at))
        update = "UPDATE record SET data = ? WHERE id = ?"
        updated = measured(lambda: write(update, changed), len(changed))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return inserted, selected, updated, path.stat().st_size / 1e6


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=30_000)
    rows = parser.parse_args().rows
    print(f"{'page':>6}  {'table':<14}{'insert µs':>10}{'select µs':>11}{'update µs':>11}{'MB':>8}")
    for page in (4096, 8192):
        for name, kind in (("WITHOUT ROWID", "WITHOUT ROWID"), ("rowid", "")):
            with tempfile.TemporaryDirectory() as folder:
                found = [run(Path(folder) / f"{n}.db", page, kind, rows) for n in range(RUNS)]
            insert, select, update, size = (
                statistics.median(each) for each in zip(*found, strict=True)
            )
            print(f"{page:>6}  {name:<14}{insert:>10.1f}{select:>11.1f}{update:>11.1f}{size:>8.1f}")


if __name__ == "__main__":
    main()
