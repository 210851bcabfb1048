"""The daemon, one life after the other on the same database file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

import anyio

from pagerforce.config.load import Loaded
from pagerforce.config.secret import Secrets
from pagerforce.pipeline.deliver import Deliverer
from pagerforce.pipeline.poll import PollLoop
from pagerforce.salesforce.stream.loop import StreamLoop
from pagerforce.service.certificates import Certificates
from pagerforce.service.gauges import Gauges
from pagerforce.service.health import Heartbeats
from pagerforce.service.refresh import Refresher
from pagerforce.service.systemd import Notifier
from pagerforce.service.watchdog import EVENT_LOOP, Watchdog
from pagerforce.service.wiring import Outside, Parts, wire
from simulation.fuse import ANY, Fuse, Killed
from simulation.homes import Home
from simulation.network import Network
from simulation.plan import LONG_ABSENCE, SHORT_ABSENCE, Plan
from simulation.virtual import Clock
from simulation.watch import Watch


@dataclass(slots=True)
class Lives:
    """Starts the daemon again whenever it has died, until it is asked to stop.

    Attributes:
        watch: called with every statement, and for every crash.
        ended: set when the last life is over.
        crashes: how many lives ended by a crash.
    """

    loaded: Loaded
    secrets: Secrets
    network: Network
    dice: Random
    tell: Callable[[str], None]
    watch: Watch
    plan: Plan
    home: Home
    crashes: int = 0
    ended: anyio.Event = field(default_factory=anyio.Event)
    _parts: Parts | None = None
    _hints: int = 0
    _fuse: Fuse = field(default_factory=Fuse)
    _is_calm: bool = False
    _was_long_away: bool = False
    _base: float | None = None
    _stopping: anyio.Event = field(default_factory=anyio.Event)

    def calm(self) -> None:
        """No further crash, except of a neglected daemon that has not caught up yet."""
        self._is_calm = True
        self._fuse.left = None

    def is_well(self) -> bool:
        """Whether the daemon runs and its last polls of both sides succeeded."""
        loops = () if self._parts is None else (self._parts.pagerduty, self._parts.salesforce)
        return bool(loops) and all(x.state.is_current and not x.state.failures for x in loops)

    def reconcile_soon(self) -> None:
        """The next poll compares the open incidents."""
        if self._parts is not None:
            self._parts.pagerduty_reader.reconcile_soon()

    def stop(self) -> None:
        """Ends the current life cleanly, like SIGTERM."""
        self._stopping.set()

    async def run(self) -> None:
        """One life after the other."""
        jitter = Random(self.dice.random())
        while not self._stopping.is_set():
            self._fuse = self._drawn()
            clock = Clock(self._skew())
            self.tell(f"daemon starts, its clock {clock.skew:+.0f} s")
            try:
                await self._live(clock, jitter)
            except (Killed, BaseExceptionGroup) as error:
                if not _is_death(error):
                    raise
                self.crashes += 1
                self._hints = self.hints
                self._parts = None
                self.watch.died()
                self.tell(f"daemon killed: {self._fuse.where}")
                await self._stay_away()
        self.ended.set()

    @property
    def hints(self) -> int:
        """How many answers with change events arrived."""
        stream = None if self._parts is None else self._parts.stream
        return self._hints + (0 if stream is None else stream.state.events)

    async def _stay_away(self) -> None:
        """Mostly somebody starts it again soon; a neglected one stays dead longer than polls look back."""
        pace = self.plan.pace
        longest = self.dice.choice([SHORT_ABSENCE] * 3 + [LONG_ABSENCE])
        seconds = self.dice.uniform(1, longest)
        is_neglected = self.plan.is_neglected and not self._is_calm
        self._was_long_away = is_neglected and self.dice.random() < 0.7
        if self._was_long_away:
            seconds = pace.first_look_back + self.dice.uniform(30, 150)
        await anyio.sleep(seconds)

    def _skew(self) -> float:
        """The host's clock: wrong by minutes, a little different each time, now and then set again."""
        if self._base is None or self.dice.random() < 0.1:
            self._base = self.dice.choice([0.0, self.dice.uniform(-420, 420)])
        return self._base + self.dice.uniform(-2, 2)

    def _drawn(self) -> Fuse:
        """Where this life ends, if it does: anywhere, or at a sensitive point."""
        dice = self.dice
        was_long_away, self._was_long_away = self._was_long_away, False
        if dice.random() >= self.plan.crash_rate:
            return Fuse()
        if was_long_away and (self._is_calm or dice.random() < 0.7):
            return Fuse("moved", dice.randrange(2))  # the first commits after the absence
        if self._is_calm:
            return Fuse()
        if self.plan.is_neglected and not self.crashes:
            return Fuse("moved", dice.randrange(12, 30))  # while people are active
        kind, most = dice.choice(
            [
                (ANY, 300),
                (ANY, 4000),
                ("write", 12),
                ("commit", 60),
                ("committed", 60),
                ("moved", 20),
                ("read", 60),
            ]
        )
        return Fuse(kind, dice.randrange(most))

    async def _live(self, clock: Clock, jitter: Random) -> None:
        outside = Outside(
            random=jitter,
            state=self.home.state(self._fuse, self.watch.statement),
            transports=self.network.transports(self._fuse),
        )
        async with wire(
            self.loaded, self.secrets, clock, {}, is_shadow=False, outside=outside
        ) as parts:
            self._parts = parts
            # What the daemon would contain is a failure here.
            parts.metrics.count_internal_error = _fail  # type: ignore[method-assign]
            sweep = self.plan.pace.as_sweep()
            if sweep is not None:
                parts.pagerduty_reader.sweep = parts.salesforce_reader.sweep = sweep
            await self._loops(parts, clock)

    async def _loops(self, parts: Parts, clock: Clock) -> None:
        """What ``service.daemon`` starts and stops, without its signals and its metrics page."""
        hearts = Heartbeats(clock)
        both = (parts.pagerduty, parts.salesforce)
        loops: dict[str, PollLoop | Deliverer | Refresher | StreamLoop] = {
            "pagerduty": parts.pagerduty,
            "salesforce": parts.salesforce,
            "delivery": parts.deliverer,
        }
        if parts.stream is not None:
            loops["stream"] = parts.stream
        if self.plan.has_refresher:
            gauges = Gauges.of(parts, clock, Certificates.of(self.loaded, self.secrets))
            loops["refresh"] = Refresher(gauges, parts.metrics, clock, both, Notifier({}), None)
        watch = partial(Watchdog(hearts, Notifier({}), clock).run, parts.database)
        async with anyio.create_task_group() as watched:
            watched.start_soon(hearts.run, EVENT_LOOP, watch, name=EVENT_LOOP)
            async with anyio.create_task_group() as group:
                for name, loop in loops.items():
                    group.start_soon(hearts.run, name, loop.run, name=name)
                await self._stopping.wait()
                for loop in loops.values():
                    loop.stop()
            watched.cancel_scope.cancel()


class InternalFault(BaseException):
    """The daemon had an internal error."""


def _fail(part: str) -> None:
    raise InternalFault(part)


async def _at_once(work: Callable[[], None]) -> None:
    """A thread would add the machine's real time to the history."""
    work()


def _is_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_death(item) for item in error.exceptions)
    return isinstance(error, Killed)
