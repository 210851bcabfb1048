"""Ingest: rows and log entries a second, from the HTTP answer to committed SQLite.

The sandbox's answers are recorded once over HTTP and then replayed at once, so that decoding,
comparing, evaluating and storing are measured, and not the sandbox. For comparison the same rows, as
the daemon stored them, are inserted by bare ``sqlite3`` in batches of the same size.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from bench.catchup import RULES
from bench.fill import change_records, fill_entries, fill_incidents, fill_records
from bench.process import BrokenBenchmarkError
from bench.replay import HandClock, Tapes, parts_of
from bench.size import Size
from bench.stage import Stage, make_stage
from bench.table import Better, Bound, Figure
from pagerforce.service.daemon import spare_collector
from pagerforce.service.wiring import Parts

_START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_AWAY = timedelta(hours=1)
_ROW_BATCH, _ENTRY_BATCH = 2_000, 800
_INCIDENTS = 50


async def _first_rows(parts: Parts) -> None:
    await parts.salesforce_reader.start()


async def read_rows(parts: Parts) -> None:
    """Reads Salesforce to the end."""
    await parts.salesforce_reader.poll()


async def read_entries(parts: Parts) -> None:
    """Reads PagerDuty to the end."""
    await parts.pagerduty_reader.poll()


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures rows seen for the first time, rows that have changed, and log entries."""
    stage, tapes = prepare(folder / "ingest", size.rows, size.entries)
    yield _figure(stage, tapes, size, "first")
    yield _figure(stage, tapes, size, "changed")
    yield _figure(stage, tapes, size, "entries")


def prepare(folder: Path, rows: int, entries: int) -> tuple[Stage, Tapes]:
    """A state before an outage (in the folder ``before``), and the answers to all that follows."""
    stage = make_stage(folder, RULES, at=_START)
    fill_records(stage.worlds, rows)
    incidents = fill_incidents(stage.worlds, _INCIDENTS)
    tapes = Tapes()
    with stage.serving():
        anyio.run(_prepare, stage, tapes)
    worlds, after = stage.worlds, _START + timedelta(minutes=2)
    fill_entries(worlds, entries, incidents, after, after + _AWAY)
    change_records(worlds, rows, after, after + _AWAY)
    worlds.clock.held = after + _AWAY
    with stage.serving():
        anyio.run(_record_changes, stage, tapes)
    return stage, tapes


def _figure(stage: Stage, tapes: Tapes, size: Size, kind: str) -> Figure:
    what, state, work, count, table, batch, reach, note = {
        "first": (
            "Salesforce rows of 20 fields, first seen", "none", _first_rows, size.rows, "record",
            _ROW_BATCH, 35_000, "decoded and stored as snapshots",
        ),
        "changed": (
            "Salesforce rows of 20 fields, changed", "before", read_rows, size.rows, "event",
            _ROW_BATCH, 12_000, "compared with the snapshot, evaluated, journalled before and after",
        ),
        "entries": (
            "log entries with their incident", "before", read_entries, size.entries, "event",
            _ENTRY_BATCH, 16_000, "folded into the incident, evaluated, journalled before and after",
        ),
    }[kind]  # fmt: skip
    seconds = []
    for _ in range(size.runs):
        seconds.append(anyio.run(replay, stage, tapes, state, work).wall)
        stored = _count(stage.database, table)
        if stored < count:
            raise BrokenBenchmarkError(f"{kind}: {stored} of {count} were stored")
    bare = [_insert(stage, table, batch) for _ in range(size.runs)]
    return Figure(
        f"ingest: {what}",
        "/s",
        [count / each for each in seconds],
        reach=reach,
        better=Better.AT_LEAST,
        bound=Bound("bare sqlite3 insert of the same rows, /s", bare),
        note=note,
    )


async def _prepare(stage: Stage, tapes: Tapes) -> None:
    """The first start, recorded; the changes are read into the state after it."""
    async with tapes.recording(), parts_of(stage, HandClock(_START), tapes) as parts:
        await parts.pagerduty_reader.start()
        await parts.salesforce_reader.start()
    shutil.copytree(stage.folder / "state", stage.folder / "before")


async def _record_changes(stage: Stage, tapes: Tapes) -> None:
    async with tapes.recording():
        await replay(stage, tapes, "before", read_rows)
        await replay(stage, tapes, "before", read_entries)


@dataclass(frozen=True, slots=True)
class Spent:
    """Elapsed seconds, and seconds of the processor."""

    wall: float
    cpu: float


async def poll_both(parts: Parts) -> None:
    """Both sides, read to the end."""
    await read_rows(parts)
    await read_entries(parts)


async def replay(
    stage: Stage, tapes: Tapes, state: str, work: Callable[[Parts], Awaitable[None]]
) -> Spent:
    """Does the work on a copy of a state; returns what it took."""
    shutil.rmtree(stage.folder / "state", ignore_errors=True)
    clock = HandClock(_START)
    if state != "none":
        shutil.copytree(stage.folder / state, stage.folder / "state")
        os.sync()  # or the first commits would wait for the copy to reach the disk
        clock.advance((2 * _AWAY).total_seconds())
    spare_collector()  # like the daemon
    async with parts_of(stage, clock, tapes) as parts:
        if state != "none":
            await parts.pagerduty_reader.start()
            await parts.salesforce_reader.start()
        began, cpu = time.perf_counter(), time.process_time()
        await work(parts)
        return Spent(time.perf_counter() - began, time.process_time() - cpu)


def _count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def _insert(stage: Stage, table: str, batch: int) -> float:
    """Rows a second of bare sqlite3, into a table of the same structure, with the same durability."""
    with closing(sqlite3.connect(stage.database)) as source:
        rows = source.execute(f"SELECT * FROM {table}").fetchall()
        schema = [
            sql
            for (sql,) in source.execute(
                "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL", (table,)
            )
        ]
    path = stage.folder / "bare.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        for sql in schema:
            target.execute(sql)
        marks = ",".join("?" * len(rows[0]))
        began = time.perf_counter()
        for start in range(0, len(rows), batch):
            target.execute("BEGIN IMMEDIATE")
            target.executemany(
                f"INSERT INTO {table} VALUES ({marks})",
                rows[start : start + batch],
            )
            target.execute("COMMIT")
        return len(rows) / (time.perf_counter() - began)
