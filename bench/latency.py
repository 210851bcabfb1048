"""Time from a change on one side to its effect on the other.

At one poll per second: the real daemon and a sandbox in a process of its own, in real time; people there
make a change each way every second, at a moment that a seed chooses, and the effects are checked every
few milliseconds. At the default intervals: on a simulated clock, with changes so far apart that
the calm pace is kept.
"""

import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bench.bursts import RULES, Daemon, Rig, open_rig, use_default_pace
from bench.process import BrokenBenchmarkError, daemon
from bench.size import Size
from bench.stage import Script, Worlds, make_stage
from bench.table import Bound, Figure
from pagerforce.observe.log import setup_log
from pagerforce.sandbox.salesforce.remedyforce import INCIDENT

P = "BMCServiceDesk__"
JANE = "PJANE01"
_LOOK_SECONDS = 0.004
_PATIENCE_SECONDS = 60.0
_SEED = 6
_APART_SECONDS = 97.0  # longer than the lively pace lasts, and not a multiple of an interval
_TICK = 0.25
_ALONE_SECONDS = 8.0  # between two single changes of one way


@dataclass(slots=True)
class _Watch:
    """The changes, and the times of their effects."""

    waiting: dict[str, tuple[float, str, Callable[[], bool]]] = field(default_factory=dict)
    found: dict[str, list[float]] = field(default_factory=dict)

    def expect(self, key: str, now: float, way: str, is_there: Callable[[], bool]) -> None:
        self.waiting[key] = now, way, is_there

    def look(self, now: float) -> None:
        for key, (began, way, is_there) in list(self.waiting.items()):
            if is_there():
                self.found.setdefault(way, []).append(now - began)
                del self.waiting[key]


def measure(size: Size, folder: Path) -> Iterator[Figure]:
    """Measures both ways, at one poll per second and at the default intervals."""
    found = live(size, folder / "latency")
    for way, seconds in found.items():
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        what = f"{way}, poll 1 s, 60 changes a minute each way"
        half = Bound("half an interval, s", [0.5])
        yield Figure(f"latency p50: {what}", "s", [cuts[49]], reach=0.75, bound=half)
        whole = Bound("an interval, s", [1.0])
        yield Figure(f"latency p99: {what}", "s", [cuts[98]], reach=1.75, bound=whole)
    way = "Salesforce → PagerDuty"
    seconds = live(size, folder / "stream", apart=_ALONE_SECONDS)[way]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    yield Figure(
        f"latency p95: {way}, default intervals and the stream",
        "s",
        [cuts[94]],
        reach=2.0,
        note=f"real time, {len(seconds)} single changes; median {cuts[49]:.2f} s",
    )
    calm = anyio.run(_simulate, size, folder / "calm")
    for way, interval, reach in (
        ("PagerDuty → Salesforce", 3.0, 2.0),
        ("Salesforce → PagerDuty", 15.0, 7.75),
    ):
        yield Figure(
            f"latency p50: {way}, default interval of {interval:.0f} s",
            "s",
            [statistics.median(calm[way])],
            reach=reach,
            bound=Bound("half an interval, s", [interval / 2]),
            note=f"simulated clock in steps of {_TICK} s, {len(calm[way])} single changes",
        )


def live(
    size: Size, folder: Path, *, apart: float = 1.0, state: str = ""
) -> dict[str, list[float]]:
    """Seconds by way, in real time.

    One poll per second; for changes further ``apart``, the default intervals and the stream.
    """
    stage = make_stage(folder, RULES)
    stage.state = state
    stage.is_streamed = apart > 1.0
    stage.pace = {} if stage.is_streamed else {"poll_interval": "1s", "min_poll_interval": "1s"}
    count = size.live_seconds if apart == 1.0 else max(2, size.live_seconds // 4)
    with stage.serving(_script(count, apart)) as serving, daemon(stage) as running:
        running.until_ready(_PATIENCE_SECONDS)
        serving.begin()
        found = serving.result(count * apart + 2 * _PATIENCE_SECONDS)
        running.stop()
    if not isinstance(found, dict):
        raise BrokenBenchmarkError(str(found))
    return found


def _script(count: int, apart: float) -> Script:
    """``count``: changes each way. ``apart``: seconds between two changes of one way."""

    async def live(worlds: Worlds) -> object:
        """Opens pairs, changes one of them each way from time to time, and returns the latencies."""
        pairs = await _open_pairs(worlds, 2 * count)
        if len(pairs) < 2 * count:
            return f"only {len(pairs)} of {2 * count} pairs were linked"
        chance, watch = random.Random(_SEED), _Watch()  # noqa: S311 - the same moments every run
        begin = anyio.current_time()
        todo = sorted(((n // 2 + chance.random()) * apart, n) for n in range(2 * count))
        end = begin + count * apart + _PATIENCE_SECONDS
        while (todo or watch.waiting) and anyio.current_time() < end:
            now = anyio.current_time()
            while todo and todo[0][0] <= now - begin:
                _, number = todo.pop(0)
                _change(worlds, watch, pairs[number], now, is_ours=number % 2 == 0)
            watch.look(now)
            await anyio.sleep(_LOOK_SECONDS)
        return f"{len(watch.waiting)} effects did not come" if watch.waiting else watch.found

    return live


async def _open_pairs(worlds: Worlds, count: int) -> list[tuple[str, str]]:
    """Records of priority 1, each with the incident that the daemon creates for it."""
    salesforce, state = worlds.salesforce, worlds.pagerduty.state
    category = salesforce.find_id(f"{P}Category__c", Name="Network")
    names = {}
    for number in range(count):
        values = {f"{P}shortDescription__c": f"ticket {number}", f"{P}FKCategory__c": category}
        record_id = salesforce.insert(INCIDENT, values)
        names[str(salesforce.row(INCIDENT, record_id)["Name"])] = record_id
    with anyio.move_on_after(_PATIENCE_SECONDS):
        while len(state.incidents) < count:
            await anyio.sleep(0.1)
        await anyio.sleep(3)  # until the daemon has seen its own entries too
    return [(item.id, names[item.title]) for item in state.incidents.values()]


def _change(
    worlds: Worlds, watch: _Watch, pair: tuple[str, str], now: float, *, is_ours: bool
) -> None:
    incident_id, record_id = pair
    if is_ours:
        status = worlds.salesforce.find_id(f"{P}Status__c", Name="ACKNOWLEDGED")
        worlds.pagerduty.acknowledge(incident_id, by=JANE)

        def is_noted() -> bool:
            row = worlds.salesforce.store.find(record_id)
            return row is not None and row.values[f"{P}FKStatus__c"] == status

        watch.expect(record_id, now, "PagerDuty → Salesforce", is_noted)
        return
    closed = worlds.salesforce.find_id(f"{P}Status__c", Name="CLOSED")
    worlds.salesforce.update(INCIDENT, record_id, {f"{P}FKStatus__c": closed})
    incident = worlds.pagerduty.state.incidents[incident_id]
    watch.expect(incident_id, now, "Salesforce → PagerDuty", lambda: not incident.is_open)


async def _simulate(size: Size, folder: Path) -> dict[str, list[float]]:
    """Seconds by way, on a clock that is moved by hand."""
    async with open_rig(folder, RULES) as rig:
        use_default_pace(rig.desk.config)
        async with rig.daemon() as life:
            setup_log("error", "console", environ={})
            records = [rig.open_record(f"ticket {n}") for n in range(2 * size.calm_changes)]
            while len(await life.links()) < len(records):
                await life.step(1, seconds=30)
            await life.step(3, seconds=120)
            pairs = {record: incident for incident, record, _ in await life.links()}
            return await _calm(rig, life, [(pairs[record], record) for record in records])


async def _calm(rig: Rig, life: Daemon, pairs: list[tuple[str, str]]) -> dict[str, list[float]]:
    worlds = Worlds(rig.remote, rig.pd, rig.sf)  # type: ignore[arg-type]
    watch, chance = _Watch(), random.Random(_SEED)  # noqa: S311 - the same moments every run
    todo = [n * _APART_SECONDS + chance.uniform(0, 30) for n in range(len(pairs))]
    due = dict.fromkeys((life.parts.pagerduty, life.parts.salesforce), 0.0)
    passed, made = 0.0, 0
    while (made < len(pairs) or watch.waiting) and passed < len(pairs) * _APART_SECONDS + 300:
        while made < len(pairs) and todo[made] <= passed:
            _change(worlds, watch, pairs[made], todo[made], is_ours=made % 2 == 0)
            made += 1
        for loop, at in due.items():
            if passed >= at:
                await loop._turn()  # noqa: SLF001 - the loop's own turn and pace, on this clock
                due[loop] = passed + loop._delay().total_seconds()  # noqa: SLF001
        await life.deliver()
        watch.look(passed)
        rig.advance(_TICK)
        passed += _TICK
    if watch.waiting:
        raise BrokenBenchmarkError(f"{len(watch.waiting)} effects did not come")
    return watch.found
