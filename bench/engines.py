"""What PostgreSQL costs beside SQLite: the same work with the state in each, in one run.

The server is on the same host and the same disk, with the distribution's settings and durable commits;
the daemon reaches it over a socket. Its own processor time is not in the daemon's.
"""

import secrets
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio

from bench import catchup, ingest, latency
from bench.size import Size
from bench.stage import Stage
from bench.table import Better, Bound, Figure
from pagerforce.store.postgresql.engine import Place
from pagerforce.store.postgresql.state import PostgresqlState

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from postgresql_server import Server, create_server

_WAYS = ("PagerDuty → Salesforce", "Salesforce → PagerDuty")


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures latency, ingest and a catch-up on both engines."""
    server = create_server(Path(tempfile.gettempdir()), ())
    yield from _latency(size, folder, server)
    yield from _ingest(size, folder, server)
    yield from _catch_up(size, folder, server)


def _in(server: Server, name: str) -> str:
    return f'[state]\nurl = "{server.url()}"\nconnection = "{name}"\n'


def _new_name() -> str:
    return f"bench_{secrets.token_hex(4)}"


def _latency(size: Size, folder: Path, server: Server) -> Iterator[Figure]:
    one = latency.live(size, folder / "live-sqlite")
    two = latency.live(size, folder / "live-postgresql", state=_in(server, _new_name()))
    for way in _WAYS:
        yield Figure(
            f"PostgreSQL: latency p50, {way}, poll 1 s",
            "s",
            [statistics.median(two[way])],
            reach=1.1 * statistics.median(one[way]),
            bound=Bound("with SQLite, s", [statistics.median(one[way])]),
            note="the target is SQLite's and a tenth",
        )


def _ingest(size: Size, folder: Path, server: Server) -> Iterator[Figure]:
    stage, tapes = ingest.prepare(folder / "ingest-engines", size.rows, size.entries)
    for kind, work in (("changed rows", ingest.read_rows), ("log entries", ingest.read_entries)):
        count = size.rows if work is ingest.read_rows else size.entries
        rates: dict[str, list[float]] = {"sqlite": [], "postgresql": []}
        for _ in range(size.runs):
            for engine, found in rates.items():
                if engine == "postgresql":
                    _move(stage, server)
                spent = anyio.run(ingest.replay, stage, tapes, "before", work)
                stage.state = ""
                stage.write_config()
                found.append(count / spent.wall)
        yield Figure(
            f"PostgreSQL: ingest, {kind}",
            "/s",
            rates["postgresql"],
            bound=Bound("with SQLite, /s", rates["sqlite"]),
        )


def _move(stage: Stage, server: Server) -> None:
    """Lets a stage keep its state from before the outage in PostgreSQL."""
    name = _new_name()
    file = stage.folder / "before" / "pagerforce.db"
    PostgresqlState(Place(server.url(), name)).copy_in(file)
    stage.state = _in(server, name)
    stage.write_config()


def _catch_up(size: Size, folder: Path, server: Server) -> Iterator[Figure]:
    backlog = size.backlogs[min(1, len(size.backlogs) - 1)]
    stage = catchup.prepare(folder / "catchup-engines", backlog)
    expected = 2 * max(1, backlog // catchup.ONE_IN)
    one = [catchup.catch_up(stage, expected) for _ in range(size.long_runs)]
    two = []
    for _ in range(size.long_runs):
        _move(stage, server)
        two.append(catchup.catch_up(stage, expected))
    speed = [
        statistics.median(run.seconds for run in one)
        / statistics.median(run.seconds for run in two)
    ]
    yield Figure(
        f"PostgreSQL: speed of a catch-up of {backlog:,} + {backlog:,}, SQLite's is 1",
        "×",
        speed,
        reach=0.6,
        better=Better.AT_LEAST,
        note=f"CPU of the daemon {statistics.median(run.used.cpu_seconds for run in two):.1f} s,"
        f" with SQLite {statistics.median(run.used.cpu_seconds for run in one):.1f} s",
    )
