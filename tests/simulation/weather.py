"""Faults on both sides and between them, drawn from the seed; ``clear`` ends all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import anyio
from anyio.abc import TaskGroup

from pagerforce.model.ids import Side
from pagerforce.sandbox.faults import Fault, FaultKind
from simulation.moods import Moods
from simulation.plan import Pace
from simulation.stage import Stage

ENDINGS = (
    FaultKind.ERROR_BEFORE,
    FaultKind.ERROR_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.TOO_MANY,
    FaultKind.MALFORMED,
)
WRITES = {Side.PAGERDUTY: ("POST", "PUT"), Side.SALESFORCE: ("POST", "PATCH")}
MOST_ARMED = 3
MOODINESS = 0.3


@dataclass(slots=True)
class Weather:
    """``harm``: 0 to 1, how bad it gets. ``faults``: number of faults. ``moods``: the org's own."""

    group: TaskGroup
    stage: Stage
    pace: Pace
    dice: Random
    tell: Callable[[str], None]
    harm: float
    faults: int = 0
    is_clear: bool = False
    moods: Moods | None = None

    async def run(self) -> None:
        """A fault every now and then, until it is cleared."""
        while not self.is_clear:
            await anyio.sleep(self.dice.expovariate(1 / 6))
            if not self.is_clear and self.dice.random() < self.harm:
                self.faults += 1
                self._strike()
            if not self.is_clear and self.moods is not None and self.dice.random() < MOODINESS:
                self.faults += 1
                self._mood(self.moods)

    def clear(self) -> None:
        """From now on everything works."""
        self.is_clear = True
        for side in Side:
            self.stage.faults[side].clear()
            self.stage.roads[side].is_down = False
            self.stage.roads[side].slow_answers = 0
        self.stage.sf.knobs.lock_errors = self.stage.sf.knobs.query_timeouts = 0
        self.stage.sf.set_remaining_calls(15_000)
        if self.moods is not None:
            self.moods.end()

    # Late visibility --------------------------------------------------------------------------

    def lateness(self) -> float:
        """How late a PagerDuty entry is seen: mostly at once, now and then very late."""
        if self.is_clear or self.dice.random() > 0.25 * self.harm:
            return 0.0
        longest = self.pace.late_pagerduty - 30
        return self.dice.choice([self.dice.uniform(0, 10), self.dice.uniform(0, longest)])

    def delay_row(self) -> None:
        """The next write in Salesforce may happen in a transaction that ends later."""
        if not self.is_clear and self.dice.random() < 0.1 * self.harm:
            self.stage.sf.begin_late(self.dice.uniform(1, self.pace.late_salesforce - 30))

    # Strikes ----------------------------------------------------------------------------------

    def _strike(self) -> None:
        kind = self.dice.choice(
            ["fault"] * 8 + ["outage", "slow", "locks", "timeouts", "session", "quota", "pages"]
        )
        getattr(self, f"_{kind}")()

    def _side(self) -> Side:
        return self.dice.choice(list(Side))

    def _fault(self) -> None:
        side = self._side()
        if len(self.stage.faults[side].armed()) >= MOST_ARMED:
            return
        fault = Fault(
            self.dice.choice(ENDINGS),
            count=self.dice.choice([1, 1, 1, 2, 4]),
            method=self.dice.choice([None, *WRITES[side], *WRITES[side]]),
            status=self.dice.choice([500, 502, 503, 504]),
            seconds=self.dice.choice([0, 5, 20]),
        )
        self.stage.faults[side].add(fault)
        self.tell(f"weather: {side}: {fault.count} x {fault.kind} for {fault.method or 'any'}")

    def _mood(self, moods: Moods) -> None:
        seconds = moods.strike()
        if seconds:
            self._later(seconds, moods.end)

    def _outage(self) -> None:
        side, seconds = self._side(), self.dice.uniform(5, 60)
        road = self.stage.roads[side]
        road.is_down = True
        self.tell(f"weather: {side} cannot be reached for {seconds:.0f} s")
        self._later(seconds, lambda: setattr(road, "is_down", False))

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        async def wait() -> None:
            await anyio.sleep(seconds)
            then()

        self.group.start_soon(wait)

    def _slow(self) -> None:
        side = self._side()
        self.stage.roads[side].slow_answers += 1
        self.tell(f"weather: {side}: an answer comes after the deadline")

    def _locks(self) -> None:
        self.stage.sf.knobs.lock_errors = self.dice.randrange(1, 4)
        self.tell("weather: rows are locked")

    def _timeouts(self) -> None:
        self.stage.sf.knobs.query_timeouts = self.dice.randrange(1, 3)
        self.tell("weather: queries time out")

    def _session(self) -> None:
        self.stage.sf.expire_tokens()
        self.tell("weather: sessions expire")

    def _quota(self) -> None:
        self.stage.sf.set_remaining_calls(self.dice.randrange(5))
        self.tell("weather: the org's calls are used up")
        self._later(self.dice.uniform(5, 60), lambda: self.stage.sf.set_remaining_calls(15_000))

    def _pages(self) -> None:
        self.stage.sf.knobs.batch_size = self.dice.choice([None, 1, 2, 5])
