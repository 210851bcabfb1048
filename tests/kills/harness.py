"""Kills the real daemon repeatedly while a script works on both sides, then compares the results.

``python -m kills.harness KILLS SEED`` from ``tests/``; ``make kills`` does that. The seed fixes deeds
and kills; their relative timing depends on the machine, which is intended.
"""

import random
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio

from engines import choose_engine
from kills.automation import automate
from kills.crash_points import CrashPoint
from kills.deeds import Script
from kills.ledger import Database, Findings, attempts, check, heard_changes, waiting
from kills.nursery import Life, open_nursery
from pagerforce.sandbox.running import Intervals, open_sandbox

RULES = (Path(__file__).parent / "rules.toml").read_text()
_WRITES = ("incidents.create", "incidents.update", "notes.create", "create", "update", "upsert")
_READS = ("log_entries.list", "incidents.list", "notes.list", "composite", "query", "login")
_LONGEST_LIFE = 100  # number of requests within which a life must reach its named point
_MUCH = 30  # number of waiting actions at which the script lets the daemon catch up
_STUCK_SECONDS = 30.0  # without any progress for that long at the end, it is stuck
_CALLS_TO_READ_ALL = 30  # of both sides: logins, and several polls
_FRESH_EVERY = 10  # one of that many lives is a whole new interpreter


@dataclass
class Reckoning:
    """The result of a run."""

    seed: int
    folder: Path
    kills: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0
    history: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.kills.values())

    def __str__(self) -> str:
        return (
            f"{self.count} kills, {sum(self.deeds.values())} deeds, "
            f"{len(self.findings.lost)} lost, {len(self.findings.doubled)} duplicated, "
            f"{len(self.findings.wrong)} otherwise wrong, in {self.seconds:.0f} s (seed {self.seed})"
        )

    def full(self) -> str:
        """With everything needed to investigate it."""
        (self.folder / "history.txt").write_text("\n".join(self.history) + "\n")
        parts = [str(self), f"deeds: {_words(self.deeds)}", f"kills: {_words(self.kills)}"]
        if not self.findings.is_clean:
            again = f"make kills KILLS={self.count} SEED={self.seed}"
            parts += [str(self.findings), f"history and state: {self.folder}", f"again: {again}"]
        return "\n".join(parts)


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


class Run:
    """One run against one sandbox."""

    def __init__(self, desk, seed: int) -> None:
        self._desk = desk
        self._rng = random.Random(f"kills {seed}")
        self._began = anyio.current_time()
        self.result = Reckoning(seed, desk.folder)
        self.database = Database(desk.config, desk.folder / "state" / "pagerforce.db")
        heard = partial(heard_changes, self.database)
        self.script = Script(desk, random.Random(f"deeds {seed}"), self._tell, heard)
        self._calls = 0
        for faults in (desk.pagerduty_faults, desk.salesforce_faults):
            # Patched: every request passes here; counting them measures the progress of a life.
            faults.take = partial(self._count, faults.take)

    def _count(self, take, *request):
        self._calls += 1
        return take(*request)

    def _tell(self, text: str) -> None:
        at = anyio.current_time() - self._began
        self.result.history.append(f"{at:8.2f}  {text}")

    async def play(self, kills: int) -> Reckoning:
        log = self._desk.folder / "daemon.log"
        async with open_nursery(self._desk.config, log) as nursery:
            await self._first_start(nursery)
            while self.result.count < kills:
                await self._kill_one(nursery)
            await self._settle(nursery)
        self.result.deeds = self.script.deeds
        self.result.seconds = anyio.current_time() - self._began
        return self.result

    async def _first_start(self, nursery) -> None:
        """The baseline is covered by another test: deeds begin after it."""
        life = await nursery.begin("")
        async with anyio.create_task_group() as group:
            group.start_soon(life.watch)
            while not self._is_read_to_the_end():
                await anyio.sleep(0.05)
            life.send(signal.SIGKILL)
        await life.bury()
        await anyio.sleep(1.1)  # a change in the second of the start counts as new too

    def _is_read_to_the_end(self) -> bool:
        """Whether both baselines are stored."""
        facts = dict(self.database.rows("SELECT name, value FROM fact"))
        return facts.get("baseline:Case") == "done" and "start_at:pagerduty" in facts

    async def _kill_one(self, nursery) -> None:
        point = self._point()
        is_fresh = self.result.count % _FRESH_EVERY == _FRESH_EVERY - 1
        life = await nursery.begin(str(point or ""), is_fresh=is_fresh)
        begun = anyio.current_time()
        if point:
            self.script.provoke(point.operation)
        async with anyio.create_task_group() as group:
            group.start_soon(life.watch)
            await self._live(life, point)
            is_named = life.is_over
            life.send(signal.SIGKILL)
        code = await life.bury()
        if code != -signal.SIGKILL:
            raise AssertionError(f"the daemon ended by itself with {code}: {self._desk.folder}")
        how = _kind_of(point) if point and is_named else "at random"
        self.result.kills[how] += 1
        age = anyio.current_time() - begun
        self._tell(f"--- kill {self.result.count} after {age:.2f} s, {point if is_named else how}")

    async def _live(self, life: Life, point: CrashPoint | None) -> None:
        """Performs deeds until the life ends at its point, or has made its number of requests.

        Requests are counted, not seconds: a loaded machine is slow but makes progress.
        """
        calls, next_deed = self._calls, self._calls
        limit = _LONGEST_LIFE if point else int(self._rng.random() ** 2 * _LONGEST_LIFE)
        while not life.is_over and self._calls - calls < limit:
            if self._calls >= next_deed and waiting(self.database) < _MUCH:
                next_deed = self._calls + self._rng.randint(2, 25)
                self.script.act()
            await anyio.sleep(0.003)
        if not point:
            await anyio.sleep(self._rng.uniform(0, 0.03 if limit else 0.5))

    def _point(self) -> CrashPoint | None:
        """Where the next life ends; None for a random moment."""
        draw = self._rng.random()
        if draw < 0.4:
            return None
        if draw < 0.7:
            return CrashPoint(self._rng.choice(("before", "after")), "", self._rng.randint(1, 25))
        kinds, most = (_WRITES, 1) if draw < 0.94 else (_READS, 4)
        when = self._rng.choice(("before", "during", "after"))
        return CrashPoint(when, self._rng.choice(kinds), self._rng.randint(1, most))

    async def _settle(self, nursery) -> None:
        """The last life runs until everything is quiet, then is asked to stop."""
        life = await nursery.begin("")
        async with anyio.create_task_group() as group:
            group.start_soon(life.watch)
            await self._wait_until_quiet(life)
            await self._linger(life)
            life.send(signal.SIGTERM)
        code = await life.bury()
        self._tell(f"--- stopped with {code}")
        self.result.findings = check(self.script, self.database)
        if code != 0:
            self.result.findings.wrong.append(f"the last daemon ended with {code}")

    async def _wait_until_quiet(self, life: Life) -> None:
        """Until everything is done, or nothing progresses any more."""
        last, since = -1, anyio.current_time()
        while not life.is_over and anyio.current_time() - since < _STUCK_SECONDS:
            if self._is_quiet():
                return
            if (settled := attempts(self.database)) != last:
                last, since = settled, anyio.current_time()
            await anyio.sleep(0.2)

    def _is_quiet(self) -> bool:
        return self.script.is_settled() and waiting(self.database) == 0

    async def _linger(self, life: Life) -> None:
        """Until everything was read once more: duplicates and false events show."""
        calls = self._calls
        with anyio.fail_after(2 * _STUCK_SECONDS):
            while not life.is_over and self._calls - calls < _CALLS_TO_READ_ALL:
                await anyio.sleep(0.1)


def _kind_of(point: CrashPoint) -> str:
    return f"{point.when} {point.operation or 'commit'}"


async def run(kills: int, seed: int, folder: Path) -> Reckoning:
    """One whole run."""
    pace = Intervals("0.2s", "0.1s", "")
    async with open_sandbox(folder, pace=pace, rules=RULES) as desk:
        # Limits are covered by another test: the script does the work of a month in a minute.
        desk.pagerduty.knobs.requests_per_minute = 10**6
        automate(desk.salesforce)
        text = desk.config.read_text() + "\n[delivery]\nloop_limit = 10000\n"
        desk.config.write_text(text)
        choose_engine(desk.config)
        return await Run(desk, seed).play(kills)


def main(words: list[str]) -> int:
    kills = int(words[0])
    seed = int(words[1]) if len(words) > 1 and words[1] else random.SystemRandom().randrange(10**6)
    folder = Path(tempfile.mkdtemp(prefix="pagerforce-kills-"))
    result = anyio.run(run, kills, seed, folder)
    print(result.full())  # noqa: T201
    return 0 if result.findings.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
