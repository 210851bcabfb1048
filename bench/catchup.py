"""Catching up after an outage: the real daemon starts on the backlog of its absence.

Eight hours of entries and row versions; one in a hundred of each matches a rule. Measured from the
start of the process until both sides are read completely and all actions are delivered.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from bench import bounds
from bench.fill import (
    FIELDS,
    change_records,
    fill_entries,
    fill_incidents,
    fill_records,
    record_ids,
)
from bench.process import BrokenBenchmarkError, Used, daemon, used_by
from bench.size import Size
from bench.stage import Serving, Stage, make_stage
from bench.table import Bound, Figure
from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.sandbox.salesforce.remedyforce import INCIDENT
from pagerforce.store import links
from pagerforce.store.links import LinkTime
from pagerforce.store.sqlite.engine import open_database

P = "BMCServiceDesk__"
OUTAGE = timedelta(hours=8)
BEFORE = timedelta(hours=1)
"""The incidents of the entries were triggered within this time before the outage."""
RULES = f"""
[[objects]]
preset = "remedyforce-incident"
fields = {list(FIELDS)}
[objects.comments]
to_pagerduty = false
from_pagerduty = false
[[rulesets]]
name = "both"
[[rulesets.rules]]
name = "acknowledged in PagerDuty"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "event.type", op = "equals", value = "acknowledge" }}]
actions = [{{ do = "salesforce.set_field", field = "{P}FKStatus__c", lookup = {{ Name = "ACKNOWLEDGED" }} }}]
[[rulesets.rules]]
name = "closed in Salesforce"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{P}FKStatus__r.Name", op = "changed_to", value = "CLOSED" }}]
actions = [{{ do = "pagerduty.resolve" }}]
""".replace("'", '"')
ONE_IN = 100
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Caught:
    """One catch-up. Seconds from the start of the process; ``calls``: PagerDuty's, Salesforce's."""

    read_seconds: float
    seconds: float
    used: Used
    calls: tuple[int, int]
    fetched: bounds.Fetched


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures each backlog; the largest must take at most a minute, with the calls its size needs."""
    per_item = {}
    for backlog in size.backlogs:
        stage = prepare(folder / str(backlog), backlog)
        is_last = backlog == size.backlogs[-1]
        runs = size.long_runs if backlog == size.backlogs[0] else 1  # the others take minutes
        caught = [catch_up(stage, 2 * max(1, backlog // ONE_IN)) for _ in range(runs)]
        what = f"catch-up: {backlog:,} entries and {backlog:,} row versions, 1 % matching"
        seconds = [run.seconds for run in caught]
        per_item[backlog] = min(seconds) / backlog
        calls = caught[0].calls
        yield Figure(
            what,
            "s",
            seconds,
            reach=30 if is_last else None,
            bound=Bound("bare fetch of the same pages, s", [run.fetched.wall for run in caught]),
            note=f"read after {max(x.read_seconds for x in caught):.1f} s; {calls[0]:,} PagerDuty"
            f" and {calls[1]:,} Salesforce calls; {max(x.used.cpu_seconds for x in caught):.1f} s"
            " of CPU",
        )
        yield Figure(
            f"{what}: peak memory",
            "MiB",
            [run.used.peak for run in caught],
            reach=170 if is_last else None,
        )
        shutil.rmtree(stage.folder)
    small, large = size.backlogs[0], size.backlogs[-1]
    yield Figure(
        f"cost per entry and row, {large:,} against {small:,}",
        "×",
        [per_item[large] / per_item[small]],
        reach=1.2,
        note="1 is linear; below 1 the start of the process still counts",
    )


def prepare(
    folder: Path,
    backlog: int,
    *,
    linked: int = 0,
    secure: bool = False,
    others: Callable[[Stage, Serving], None] | None = None,
) -> Stage:
    """A daemon's state from before the outage, and the worlds after it.

    Args:
        folder: for everything.
        backlog: entries, and as many row versions.
        linked: how many of each side match a rule, at most every other; else one in a hundred.
        secure: over https.
        others: another program that reads both sides before the outage.
    """
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    begin = end - OUTAGE
    stage = make_stage(folder, RULES, at=begin - BEFORE)
    stage.secure = secure
    linked = linked or max(1, backlog // ONE_IN)
    fill_records(stage.worlds, backlog)
    incidents = fill_incidents(stage.worlds, 2 * linked, begin)
    with stage.serving() as serving, daemon(stage) as running:
        running.until_ready(_PATIENCE_SECONDS)
        running.stop()
        if others is not None:
            others(stage, serving)
    anyio.run(_link, stage, incidents, backlog)
    after = begin + timedelta(minutes=1)
    fill_entries(stage.worlds, backlog, incidents[:linked], after, end, linked)
    change_records(stage.worlds, backlog, after, end, linked)
    stage.worlds.clock.held = None
    shutil.copytree(stage.folder / "state", stage.folder / "before")
    return stage


async def _link(stage: Stage, incidents: list[str], backlog: int) -> None:
    """Links acknowledged incidents to records that stay open, the others to records that are closed."""
    ids = record_ids(backlog)
    at = stage.worlds.clock.now()
    half = len(incidents) // 2
    every = backlog // half
    stays = [ids[number * every] for number in range(half)]
    closes = [ids[number * every + every - 1] for number in range(half)]
    stage.pairs = list(zip(incidents, [*stays, *closes], strict=True))
    async with open_database(stage.database) as database, database.write() as tx:
        for incident, record in stage.pairs:
            time_of = LinkTime(at, at)
            await links.put_link(tx, IncidentId(incident), INCIDENT, RecordId(record), time_of)


def catch_up(stage: Stage, expected: int) -> Caught:
    """One catch-up from the same state with the same backlog and this number of actions."""
    state = stage.folder / "state"
    shutil.rmtree(state)
    shutil.copytree(stage.folder / "before", state)
    os.sync()  # or the first commits would wait for the copy to reach the disk
    with stage.serving() as serving:
        began = time.monotonic()
        with daemon(stage) as running:
            running.until_ready(_PATIENCE_SECONDS)
            read = time.monotonic() - began
            running.until_delivered(_PATIENCE_SECONDS)
            seconds = time.monotonic() - began
            used = used_by(running.pid)
            delivered = running.sample("actions_total", outcome="delivered")
            if delivered != expected:
                raise BrokenBenchmarkError(f"{delivered:.0f} of {expected} actions were delivered")
            running.stop()
        calls = serving.calls()
        return Caught(read, seconds, used, calls, bounds.fetch(serving))
