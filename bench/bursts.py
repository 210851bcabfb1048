"""API calls of one change, and of a burst: many changes on one side within a minute, until confirmed.

Run it from the top of the repository: ``.venv/bin/python -m bench.bursts [CHANGES]``. The daemon's own
loops decide when each side is polled, at the default intervals, on a clock that is moved by hand; the
sandbox answers over HTTP. Prints the calls of each side by operation, from the first change until every
effect is confirmed; it has no targets.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench.size import Size
from bench.stage import NO_LIMIT
from bench.table import Bound, Figure
from pagerforce.observe.log import setup_log
from pagerforce.salesforce.client import MAX_SUBREQUESTS
from rig import INCIDENT, JANE, Daemon, P, Rig, open_rig

RULES = f"""
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "both"
[[rulesets.rules]]
name = "page"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "event.type", op = "equals", value = "create" }}]
actions = [{{ do = "pagerduty.create_incident", title = "{{{{ record.Name }}}}" }}]
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
"""
BURST_SECONDS = 60
TICK = 0.5
COLD, WARM = (f"one acknowledge → one field: Salesforce calls, {how}" for how in ("cold", "warm"))
_OF_POLLS = frozenset({"composite", "updated"})


def count(daemon: Daemon) -> Counter[tuple[str, str]]:
    """Calls so far by system and operation."""
    found: Counter[tuple[str, str]] = Counter()
    for family in daemon.parts.metrics.registry.collect():
        if family.name == "pagerforce_api_requests":
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels["system"], sample.labels["operation"]] += int(sample.value)
    return found


async def live(
    rig: Rig, daemon: Daemon, act: Callable[[float], None], is_done: Callable[[], Awaitable[bool]]
) -> float:
    """Lets both loops poll at their own times, until all is done; returns the elapsed seconds."""
    due = dict.fromkeys((daemon.parts.pagerduty, daemon.parts.salesforce), 0.0)
    passed = 0.0
    while passed < 600 and not (passed >= BURST_SECONDS and await is_done()):
        act(passed)
        for loop, at in due.items():
            if passed >= at:
                await loop._turn()  # noqa: SLF001 - the loop's own turn and pace, on this clock
                due[loop] = passed + loop._delay().total_seconds()  # noqa: SLF001
        await daemon.deliver()
        rig.advance(TICK)
        passed += TICK
    return passed


async def is_always() -> bool:
    """For ``live``: nothing is waited for."""
    return True


@dataclass(frozen=True, slots=True)
class Burst:
    """The cost of one burst. ``calls``: by system and operation."""

    what: str
    changes: int
    seconds: float
    calls: Counter[tuple[str, str]]

    def of(self, system: str) -> dict[str, int]:
        """Calls of one side by operation."""
        return {name: n for (side, name), n in sorted(self.calls.items()) if side == system and n}

    def show(self, system: str) -> str:
        """Calls of one side as text."""
        parts = ", ".join(f"{name} {n}" for name, n in self.of(system).items())
        return f"{sum(self.of(system).values())} calls ({parts})"


async def measure_burst(
    rig: Rig, daemon: Daemon, what: str, targets: list[str], act: Callable[[str], object]
) -> Burst:
    """One burst."""
    waiting = list(targets)
    rate = len(targets) / BURST_SECONDS

    def some(passed: float) -> None:
        while waiting and len(targets) - len(waiting) <= passed * rate:
            act(waiting.pop())

    async def is_done() -> bool:
        async with daemon.parts.database.read() as tx:
            row = await tx.row(
                "SELECT count(*) FROM action WHERE state IN ('pending', 'in_flight')"
            )
        return not waiting and row is not None and row[0] == 0

    before = count(daemon)
    seconds = await live(rig, daemon, some, is_done)
    return Burst(what, len(targets), seconds, count(daemon) - before)


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures each burst's calls and compares them with the target."""
    for burst in anyio.run(all_bursts, size.burst, folder / "bursts"):
        yield from _figures(burst)


def _figures(burst: Burst) -> Iterator[Figure]:
    what = f"{burst.changes:,} × {burst.what}"
    share = burst.changes / 1000
    salesforce, pagerduty = burst.of("salesforce"), burst.of("pagerduty")
    writes = sum(n for name, n in pagerduty.items() if name.startswith("incidents.update"))
    notes = pagerduty.get("notes.create", 0)
    note = f"confirmed after {burst.seconds:.0f} s; {burst.show('pagerduty')} on the other side"
    match burst.what:
        case _ if burst.what in (COLD, WARM):
            made = sum(n for name, n in salesforce.items() if name not in _OF_POLLS)
            note = f"besides polls; {burst.show('salesforce')}"
            yield Figure(burst.what, "calls", [made], reach=2, note=note)
        case "acknowledged in PagerDuty → status in Salesforce":
            note = f"confirmed after {burst.seconds:.0f} s; {burst.show('salesforce')}"
            least = ceil(burst.changes / MAX_SUBREQUESTS) + salesforce.get("composite", 0)
            yield Figure(
                f"{what}: Salesforce calls",
                "calls",
                [sum(salesforce.values())],
                reach=47 * share,
                bound=Bound("full requests of guarded writes, and the polls", [least]),
                note=note,
            )
        case "closed in Salesforce → resolved in PagerDuty":
            note = f"confirmed after {burst.seconds:.0f} s; {burst.show('pagerduty')}"
            yield Figure(
                f"{what}: PagerDuty write calls", "calls", [writes], reach=20 * share, note=note
            )
        case "notes in PagerDuty → comments in Salesforce":
            made = sum(n for name, n in salesforce.items() if name not in _OF_POLLS)
            note = f"confirmed after {burst.seconds:.0f} s; {burst.show('salesforce')}"
            yield Figure(
                f"{what}: Salesforce calls besides polls",
                "calls",
                [made],
                reach=10 * share,
                note=note,
            )
        case _:
            note = f"confirmed after {burst.seconds:.0f} s; {burst.show('pagerduty')}"
            yield Figure(
                f"{what}: PagerDuty calls per note besides polls",
                "calls",
                [(notes + pagerduty.get("notes.list", 0)) / burst.changes],
                reach=1,
                note=note,
            )


async def main(changes: int) -> None:
    """Measures every burst, one after the other, and prints its cost."""
    with tempfile.TemporaryDirectory() as folder:
        for burst in await all_bursts(changes, Path(folder)):
            sys.stdout.write(
                f"{burst.what}: {burst.changes} changes in {BURST_SECONDS} s,"
                f" confirmed after {burst.seconds:.0f} s\n"
            )
            for system in ("salesforce", "pagerduty"):
                sys.stdout.write(f"  {system}: {burst.show(system)}\n")


async def all_bursts(changes: int, folder: Path) -> list[Burst]:
    """Every burst, one after the other, with the same pairs."""
    async with open_rig(folder, RULES) as rig:
        use_default_pace(rig.desk.config)
        return [burst async for burst in bursts(rig, changes)]


def use_default_pace(config: Path) -> None:
    """Sets both intervals to their defaults."""
    lines = config.read_text().splitlines()
    config.write_text("\n".join(x for x in lines if "poll_interval" not in x) + "\n")


async def bursts(rig: Rig, changes: int) -> AsyncIterator[Burst]:
    """One change before and one after its lookup is cached, then one burst of each kind."""
    async with rig.daemon() as daemon:
        setup_log("error", "console", environ={})
        # Otherwise a request waits for the limit while this clock does not move.
        rig.pd.knobs.requests_per_minute = NO_LIMIT
        for number in range(changes + 2):
            rig.open_record(f"ticket {number}")
        while len(await daemon.links()) < changes + 2:
            await daemon.step(1, seconds=30)
        await daemon.step(3, seconds=120)
        single, other, *pairs = await daemon.links()
        incidents, records = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        kinds: list[tuple[str, list[str], Callable[[str], object]]] = [
            (
                "notes in PagerDuty → comments in Salesforce",
                incidents,
                lambda incident: rig.pd.annotate(incident, "Looking into it", by=JANE),
            ),
            (
                "comments in Salesforce → notes in PagerDuty",
                records,
                lambda record: rig.comment(record, "The line card is broken"),
            ),
            (
                "acknowledged in PagerDuty → status in Salesforce",
                incidents,
                lambda incident: rig.pd.acknowledge(incident, by=JANE),
            ),
            (
                "closed in Salesforce → resolved in PagerDuty",
                records,
                lambda record: rig.set_status(record, "CLOSED"),
            ),
        ]
        await live(rig, daemon, lambda _: None, is_always)  # the loops' first turns check the org
        for what, (incident, *_) in ((COLD, single), (WARM, other)):
            yield await measure_burst(
                rig, daemon, what, [incident], lambda key: rig.pd.acknowledge(key, by=JANE)
            )
        for what, targets, act in kinds:
            yield await measure_burst(rig, daemon, what, targets, act)
            await daemon.step(3, seconds=120)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
