"""One seed, one history: what everybody did, and the result."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import anyio
import httpx
import structlog
from anyio.abc import TaskGroup

from pagerforce.model.ids import Side
from simulation.administrator import ASKED_AGAIN, Administrator
from simulation.automation import Org, build, draw_org, flourish
from simulation.checks import Checks
from simulation.hints import Hints
from simulation.homes import Home, open_home
from simulation.ledger import Ledger, Who
from simulation.life import Lives
from simulation.moods import Moods
from simulation.network import URLS, Network
from simulation.people import People
from simulation.plan import Pace, Plan, draw_plan
from simulation.promises import BrokenPromise, Promise
from simulation.stage import Stage, configure, one_key, set_up, work_folder
from simulation.state import is_started, is_waiting, read_state
from simulation.virtual import StuckError, run
from simulation.watch import Watch
from simulation.weather import Weather

PATIENCE_SECONDS = 1300  # the longest wait before a retry is five minutes, a pause lasts fifteen
STOP_SECONDS = 40  # more than a request may take
RECONCILE_SECONDS = 62  # a reconcile leaves later changes to the log


@dataclass(slots=True)
class Outcome:
    """The result of a history. ``promise`` empty: all were kept."""

    seed: int
    promise: str = ""
    problem: str = ""
    lines: list[str] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)


def play(seed: int) -> Outcome:
    """Plays the history of a seed."""
    outcome = Outcome(seed)
    try:
        with work_folder() as folder, open_home(seed, folder) as home, _unhurried(), one_key():
            run(_History(seed, folder, home, outcome).play())
    except (BrokenPromise, StuckError, BaseExceptionGroup) as error:
        found = _find(error)
        if found is None:
            raise
        outcome.promise, outcome.problem = found
    return outcome


@contextmanager
def _unhurried() -> Iterator[None]:
    """A history is too short to need garbage collection, which takes a tenth of its time.

    What existed before it (the modules, above all) need not be scanned either.
    """
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def _find(error: BaseException) -> tuple[str, str] | None:
    """The promise that was broken and how, somewhere inside."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for item in error.exceptions if (found := _find(item))), None)
    if isinstance(error, StuckError):
        return Promise.CONVERGED, f"it never comes to rest: {error}"
    return (error.promise, str(error)) if isinstance(error, BrokenPromise) else None


class _History:
    """Creates everybody and lets them act."""

    def __init__(self, seed: int, folder: Path, home: Home, outcome: Outcome) -> None:
        self._seed = seed
        self._folder = folder
        self._outcome = outcome
        self._home = home
        self._administrator: Administrator

    def _dice(self, name: str) -> Random:
        """Each has its own, so that one more throw of one changes nothing for the others."""
        return Random(f"{self._seed}/{name}")

    def _tell(self, text: str) -> None:
        self._outcome.lines.append(f"{anyio.current_time():9.2f}  {text}")

    async def play(self) -> None:
        plan = draw_plan(self._seed, self._dice("plan"))
        org = draw_org(self._dice("org"))
        pace = plan.pace
        stage = set_up(self._dice("stage"))
        stage.pd.knobs.acknowledge_with_assignments = plan.both.value
        async with anyio.create_task_group() as group:
            weather = Weather(group, stage, pace, self._dice("weather"), self._tell, plan.harm)
            weather.moods = self._automate(org, stage)
            ledger = Ledger(stage.pd, stage.sf, self._tell, weather.lateness)
            dice = self._dice("people")
            people = People(
                stage.pd, stage.sf, dice, self._tell, weather.delay_row, ledger.repeated
            )
            people.flourish = partial(flourish, org, self._dice("flourish"))
            self._administrator = Administrator(
                stage.sf, self._dice("administrator"), self._tell, org.is_administered
            )
            watch = Watch(ledger)
            lives = self._lives(group, stage, watch, plan, org)
            group.start_soon(lives.run, name="lives")
            while not is_started(self._home):
                await anyio.sleep(1)
            await anyio.sleep(2)  # both APIs count in whole seconds
            ledger.on_daemon = watch.daemon_did
            ledger.listen()
            group.start_soon(weather.run, name="weather")
            await self._live_through(stage, people, weather, plan, ledger)
            self._tell("the weather clears")
            weather.clear()
            self._administrator.leave()
            lives.calm()
            while not lives.is_well():
                await anyio.sleep(1)
            await self._judge(Checks(ledger, people, watch, self._administrator), lives, pace)
            self._outcome.totals |= {
                "deeds": people.done,
                "crashes": lives.crashes,
                "faults": weather.faults,
                "minutes": int(anyio.current_time() / 60),
                "automated": int(org.is_automated),
                "rewriting": int(org.rewrites),
                "streamed": int(pace.stream is not None),
                "hints": lives.hints,
            }
            lives.stop()
            with anyio.fail_after(STOP_SECONDS):
                await lives.ended.wait()
            group.cancel_scope.cancel()

    def _automate(self, org: Org, stage: Stage) -> Moods | None:
        """Builds the org, and what it does to its callers, if it has temporary refusals."""
        build(org, stage.sf, self._tell)
        if not org.is_automated:
            return None
        stage.sf.instance_url = URLS[Side.SALESFORCE]
        dice, faults = self._dice("automation"), stage.faults[Side.SALESFORCE]
        return Moods(stage.sf, faults, dice, self._tell, [*org.moods])

    def _lives(self, group: TaskGroup, stage: Stage, watch: Watch, plan: Plan, org: Org) -> Lives:
        loaded, secrets = configure(self._folder, plan, org)
        self._listen(watch)

        def served(side: Side, request: httpx.Request) -> Callable[[], None]:
            """Requests of the daemon are recorded as its own."""
            watch.ledger.who = Who.DAEMON
            after = watch.request(side, request)

            def done() -> None:
                watch.ledger.who = Who.PEOPLE
                watch.ledger.note_truths()
                after()

            return done

        has_stream = plan.pace.stream is not None
        hints = Hints(stage.sf, self._dice("hints")) if has_stream else None
        return Lives(
            loaded,
            secrets,
            Network(group, stage.roads, self._dice("network"), served, hints),
            self._dice("crashes"),
            self._tell,
            watch,
            plan,
            self._home,
        )

    async def _live_through(
        self, stage: Stage, people: People, weather: Weather, plan: Plan, ledger: Ledger
    ) -> None:
        dice = self._dice("gaps")
        for _ in range(plan.deeds):
            stage.pd.hide_new_entries(weather.lateness())
            people.act()
            self._administrator.act()
            ledger.note_truths()
            stage.pd.hide_new_entries(0)
            await anyio.sleep(plan.gap(dice))

    async def _judge(self, checks: Checks, lives: Lives, pace: Pace) -> None:
        """Lets everything come to rest, checks it, and checks that it stays so."""
        await anyio.sleep(checks.ledger.seconds_hidden())
        if self._administrator.is_there:
            await anyio.sleep(ASKED_AGAIN)
        end = anyio.current_time() + PATIENCE_SECONDS
        while not await self._is_at_rest(checks.ledger, lives, pace):
            if anyio.current_time() > end:
                break
        state = read_state(self._home)
        self._outcome.totals |= asdict(checks.run(state))
        did = checks.ledger.daemon_did
        lives.reconcile_soon()
        await anyio.sleep(pace.looking_back)
        if checks.ledger.daemon_did != did or read_state(self._home).marks != state.marks:
            raise BrokenPromise(Promise.QUIET, "something still happens")

    async def _is_at_rest(self, ledger: Ledger, lives: Lives, pace: Pace) -> bool:
        """Whether nothing happened while polls and a reconcile read everything."""
        began = anyio.current_time()
        await _let_look(ledger, lives, pace)
        return ledger.last_second < began and not is_waiting(self._home)

    def _listen(self, watch: Watch) -> None:
        """The daemon's log is part of the history."""

        def take(_logger: object, method: str, event: structlog.typing.EventDict) -> str:
            name = str(event.pop("event"))
            event.pop("part", None)
            shown = " ".join(f"{key}={value}" for key, value in event.items() if value is not None)
            self._tell(f"  log: {method} {name} {shown}")
            watch.logged(name, shown)
            raise structlog.DropEvent

        structlog.configure(
            processors=[take], wrapper_class=structlog.make_filtering_bound_logger(20)
        )


async def _let_look(ledger: Ledger, lives: Lives, pace: Pace) -> None:
    """Until polls have seen everything, and then a reconcile; its own turn may be minutes away."""
    await anyio.sleep(pace.looking_back)
    while (left := ledger.last_second + RECONCILE_SECONDS - anyio.current_time()) > 0:
        await anyio.sleep(left)
    lives.reconcile_soon()
    await anyio.sleep(2 * pace.rarest + 10)
