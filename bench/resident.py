"""The daemon's use of resources without changes, with an empty store and with a million snapshots.

Two real daemons, each with a sandbox of its own, side by side at the default intervals: memory,
processor time, and the time from the start of the process until it is ready.
"""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio

from bench import bounds, ingest
from bench.fill import FIELDS, fill_records
from bench.process import MIB, daemon, environ, pause
from bench.size import Size
from bench.stage import Stage, make_stage
from bench.table import Bound, Figure

RULES = f"""
[[objects]]
preset = "remedyforce-incident"
fields = {list(FIELDS)}
""".replace("'", '"')
_PATIENCE_SECONDS = 60.0
_SEEN = 100
_INTERVALS = 3.0, 15.0  # the defaults
_COPY = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO record (id, object, data)
SELECT printf('a0R%012dEAA', 900000000 + n), object,
  replace(data, id, printf('a0R%012dEAA', 900000000 + n))
FROM number, (SELECT id, object, data FROM record LIMIT 1)
"""


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures start, idle time and polls, small and large."""
    small = _stage(folder / "small")
    large = _stage(folder / "large")
    _grow(large.database, size.snapshots)
    many = f"{size.snapshots:,} snapshots"
    imports = [_imports() for _ in range(size.runs)]
    starts = {stage.folder.name: _starts(stage, size.runs) for stage in (small, large)}
    yield Figure(
        f"start to ready, {many}",
        "s",
        starts["large"],
        reach=0.8,
        bound=Bound("the imports alone, s", [seconds for seconds, _ in imports]),
    )
    yield Figure("start to ready, empty store", "s", starts["small"])
    with small.serving() as serving, large.serving(), daemon(small) as one, daemon(large) as two:
        for running in (one, two):
            running.until_ready(_PATIENCE_SECONDS)
        pause(size.idle_seconds / 6)  # the start is over
        before = [running.used() for running in (one, two)]
        bare = bounds.idle_percent(serving, size.idle_seconds, _INTERVALS)
        after = [running.used() for running in (one, two)]
    cpu = [
        100 * (y.cpu_seconds - x.cpu_seconds) / size.idle_seconds
        for x, y in zip(before, after, strict=True)
    ]
    yield from _poll_cost(size, folder)
    yield Figure(
        "memory idle",
        "MiB",
        [after[0].resident],
        reach=78,
        bound=Bound("the imports alone, MiB", [memory for _, memory in imports]),
    )
    yield Figure(
        f"memory idle, {many}: above an empty store",
        "MiB",
        [after[1].resident - after[0].resident],
        reach=10,
    )
    polls = Bound("bare httpx making the same polls, %", [bare])
    for what, percent in (("", cpu[0]), (f", {many}", cpu[1])):
        title = f"CPU idle, default intervals{what}"
        yield Figure(title, "% of a core", [percent], reach=0.4, bound=polls)


def _poll_cost(size: Size, folder: Path) -> Iterator[Figure]:
    """The same poll with replayed answers on a small store and on a large one, by turns."""
    stage, tapes = ingest.prepare(folder / "poll", min(size.rows, 2_000), min(size.entries, 1_000))
    shutil.copytree(stage.folder / "before", stage.folder / "large")
    _grow(stage.folder / "large" / stage.database.name, size.snapshots)
    spent: dict[str, list[float]] = {"before": [], "large": []}
    for _ in range(size.long_runs):
        for state, found in spent.items():
            run = anyio.run(ingest.replay, stage, tapes, state, ingest.poll_both)
            found.append(run.cpu)
    shutil.rmtree(stage.folder)
    yield Figure(
        f"a poll with {size.snapshots:,} snapshots, against one with few",
        "×",
        [large / small for small, large in zip(*spent.values(), strict=True)],
        reach=1.1,
        note="CPU seconds of reading 2,000 changed rows and 1,000 entries",
    )


def _stage(folder: Path) -> Stage:
    """A daemon that has read a few records."""
    stage = make_stage(folder, RULES)
    fill_records(stage.worlds, _SEEN)
    with stage.serving(), daemon(stage) as running:
        running.until_ready(_PATIENCE_SECONDS)
        running.stop()
    return stage


def _grow(path: Path, snapshots: int) -> None:
    """The number of snapshots of a large installation: copies of a record that was read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_COPY, (snapshots,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _starts(stage: Stage, runs: int) -> list[float]:
    """Seconds from the start of the process until it is ready."""
    found = []
    with stage.serving():
        for _ in range(runs):
            began = time.monotonic()
            with daemon(stage) as running:
                running.until_ready(_PATIENCE_SECONDS)
                found.append(time.monotonic() - began)
                running.stop()
    return found


def _imports() -> tuple[float, float]:
    """A process that imports what the daemon imports, and ends: its seconds, and its MiB."""
    began = time.monotonic()
    program = (
        "from pagerforce.__main__ import command_line; command_line(['run'])\n"
        "print(open('/proc/self/status').read())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, env=environ(), capture_output=True, text=True
    )
    seconds = time.monotonic() - began
    (resident,) = (line.split()[1] for line in run.stdout.splitlines() if "VmRSS:" in line)
    return seconds, float(resident) / MIB
