"""Comparison with the alternatives: the same sandbox, the same data, one run, over https.

Loading: a store that already has every record gets eight hours of log entries and a newer version
of every record. Writing: as many changes each way, once all of them exist.
"""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from math import ceil
from pathlib import Path

from bench import catchup
from bench.fill import FIELDS, P
from bench.loaders.job import Job, write_job
from bench.process import BrokenBenchmarkError, run_program
from bench.size import Size
from bench.stage import Serving, Stage
from bench.table import Bound, Figure
from pagerforce.sandbox.salesforce.remedyforce import INCIDENT

PLAIN_LOOP = "simple-salesforce and pagerduty in a loop"
LOADERS = {"dlt into DuckDB": "bench.loaders.dlt_duckdb", PLAIN_LOOP: "bench.loaders.plain"}
_REACH = {"wall": 0.85, "cpu": 0.95, "calls": 1.1}
"""pagerforce's cost of loading, as a multiple of the plain loop's."""
ENTRIES, ROWS = 100, 2_000
"""The most entries and rows of one answer."""
_LABELS = {"wall": "wall", "cpu": "CPU", "peak": "peak memory", "calls": "API calls"}
WRITER = "bench.loaders.one_by_one"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one program; ``calls`` of both sides together."""

    wall: float
    cpu: float
    peak: float
    calls: int


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures loading, then writing; pagerforce's figure is the bound of every row."""
    stage = catchup.prepare(
        folder / "load", size.loaded, linked=1, secure=True, others=_load_before
    )
    run = catchup.catch_up(stage, 2)
    costs = {"pagerforce": _cost(run)}
    for name, module in LOADERS.items():
        with stage.serving() as serving:
            costs[name] = _theirs(stage, serving, module, size.loaded)
    what = f"loading {size.loaded:,} entries and {size.loaded:,} rows"
    least = {
        "wall": ("bare fetch of the same pages", run.fetched.wall),
        "cpu": ("bare fetch of the same pages", run.fetched.cpu),
        "calls": ("full pages", ceil(size.loaded / ENTRIES) + ceil(size.loaded / ROWS)),
    }
    for label, reach in _REACH.items():
        theirs = getattr(costs[PLAIN_LOOP], label)
        title = f"{what}: pagerforce against the plain loop, {_LABELS[label]}"
        name, lowest = least[label]
        yield Figure(
            title,
            "×",
            [getattr(costs["pagerforce"], label) / theirs],
            reach=reach,
            bound=Bound(f"{name}, ×", [lowest / theirs]),
        )
    yield from _rows(what, costs)
    shutil.rmtree(stage.folder)
    stage = catchup.prepare(folder / "write", 2 * size.written, linked=size.written, secure=True)
    costs = {"pagerforce": _cost(catchup.catch_up(stage, 2 * size.written))}
    with stage.serving() as serving:
        costs["one call per change"] = _theirs(stage, serving, WRITER, size.written)
    yield from _rows(f"writing {size.written:,} changes each way", costs)


def _rows(what: str, costs: dict[str, Cost]) -> Iterator[Figure]:
    ours = costs.pop("pagerforce")
    for name, cost in costs.items():
        for unit, label in (
            ("s", "wall"),
            ("s", "cpu"),
            ("MiB", "peak"),
            ("calls", "calls"),
        ):
            bound = Bound("pagerforce", [getattr(ours, label)])
            title = f"{what}: {name}, {_LABELS[label]}"
            yield Figure(title, unit, [getattr(cost, label)], bound=bound)


def _cost(run: catchup.Caught) -> Cost:
    return Cost(run.seconds, run.used.cpu_seconds, run.used.peak, sum(run.calls))


def _theirs(stage: Stage, serving: Serving, module: str, expected: int) -> Cost:
    path = write_job(_job(stage, serving))
    before, began = sum(serving.calls()), time.monotonic()
    told = json.loads(run_program(module, str(path)))
    wall = time.monotonic() - began
    if told["rows"] < expected or told["entries"] < expected:
        raise BrokenBenchmarkError(f"{module}: {told} of {expected}")
    return Cost(wall, told["cpu"], told["peak"], sum(serving.calls()) - before)


def _load_before(stage: Stage, serving: Serving) -> None:
    """Every loader stores the data from before the outage."""
    path = write_job(_job(stage, serving))
    for module in LOADERS.values():
        run_program(module, str(path))


def _job(stage: Stage, serving: Serving) -> Job:
    salesforce = stage.worlds.salesforce
    now = salesforce.clock.now().astimezone(UTC).replace(microsecond=0)
    status = salesforce.find_id(f"{P}Status__c", Name="ACKNOWLEDGED")
    links = stage.pairs
    half = len(links) // 2
    return Job(
        pagerduty_url=serving.pagerduty_url,
        salesforce_url=serving.salesforce_url,
        token=serving.token,
        folder=str(stage.folder),
        begin=(now - catchup.OUTAGE - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        end=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        object=INCIDENT,
        fields=FIELDS,
        records={record: {f"{P}FKStatus__c": status} for _, record in links[:half]},
        incidents=tuple(incident for incident, _ in links[half:]),
    )
