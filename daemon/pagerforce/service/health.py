"""Heartbeats: what each loop did last, and which loop has done nothing for too long.

``observe/pulse.py`` says what counts as a beat; ``service/watchdog.py`` acts on silence.
"""

import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import anyio
from msgspec import Struct

import pagerforce
from pagerforce.model.durations import SILENT_AFTER
from pagerforce.model.ports import Clock
from pagerforce.observe import pulse

Loop: TypeAlias = Callable[[Callable[[], None]], Awaitable[object]]
"""The body of a loop; its argument is the beat."""

_MOST_PLACES = 6
_OURS = Path(pagerforce.__file__).parent
_GENERATORS = frozenset({"anext_awaitable", "async_generator_asend", "async_generator"})
_LINKS = ("cr_await", "ag_await", "gi_yieldfrom")
_FRAMES = ("cr_frame", "ag_frame", "gi_frame")


class Silence(Struct, frozen=True):
    """A heart that has not beaten for a while.

    Attributes:
        loop: the loop of the heart.
        what: the part of its work that hangs.
        seconds: the time since the last beat.
        place: where the task waits, innermost first: file, line and function, no data.
    """

    loop: str
    what: str
    seconds: float
    place: str


class _Heart:
    """Implements ``observe.pulse.Heart``."""

    __slots__ = ("_hearts", "at", "coro", "loop", "what")

    def __init__(self, hearts: "Heartbeats", loop: str, what: str) -> None:
        self._hearts = hearts
        self.loop = loop
        self.what = what
        self.coro: object = _present_coroutine()
        self.beat()

    def beat(self) -> None:
        self.at = self._hearts.clock.monotonic()

    def begin(self, what: str) -> pulse.Heart:
        return self._hearts.add(self.loop or what, what)

    def end(self) -> None:
        self._hearts.drop(self)


class Heartbeats:
    """The hearts of the daemon's loops, and of the work that they do in parallel.

    Loops beat from the event loop; ``silent``, ``silences`` and ``forgive`` may be called from any
    thread.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._hearts: dict[int, _Heart] = {}

    def register(self, loop: str) -> Callable[[], None]:
        """Adds a loop and returns its beat."""
        return self.add(loop, "").beat

    async def run(self, loop: str, work: Loop) -> None:
        """Runs a loop, which beats by its work, until it ends."""
        heart = self.add(loop, "")
        try:
            with pulse.carrying(heart):
                await work(heart.beat)
        finally:
            heart.end()

    def root(self) -> pulse.Heart:
        """Returns a heart for work that is no loop: it is not watched, but its parts are."""
        return _Heart(self, "", "")

    def add(self, loop: str, what: str) -> _Heart:
        """Watches a heart from now on."""
        heart = _Heart(self, loop, what)
        self._hearts[id(heart)] = heart
        return heart

    def drop(self, heart: _Heart) -> None:
        """Stops watching a heart."""
        self._hearts.pop(id(heart), None)

    def silent(self) -> list[str]:
        """Returns the loops that have done nothing for too long."""
        found = self._silent_for(SILENT_AFTER.total_seconds())
        return list(dict.fromkeys(heart.loop for heart in found))

    def silences(self, seconds: float) -> list[Silence]:
        """Returns the hearts that have been silent for longer than that, longest first."""
        now = self.clock.monotonic()
        found = sorted(self._silent_for(seconds), key=lambda heart: heart.at)
        return [
            Silence(heart.loop, heart.what, round(now - heart.at, 1), place_of_wait(heart.coro))
            for heart in found
        ]

    def forgive(self, seconds: float) -> None:
        """Forgives silence for the time that the whole process did not run."""
        now = self.clock.monotonic()
        for heart in self._hearts.copy().values():
            heart.at = min(heart.at + seconds, now)

    def _silent_for(self, seconds: float) -> list[_Heart]:
        now = self.clock.monotonic()
        hearts = self._hearts.copy().values()  # in one step: a loop may add a heart meanwhile
        return [heart for heart in hearts if now - heart.at > seconds]


def place_of_wait(coro: object) -> str:
    """Returns where a task waits, innermost first: ``database.py:80 (run) < ...``."""
    return _shown(list(_frames_of(coro))[::-1])


def place_of_frame(frame: object) -> str:
    """Returns the present place of a thread, innermost first."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = getattr(frame, "f_back", None)
    return _shown(frames)


def _shown(frames: Sequence[object]) -> str:
    """Returns the innermost place of any code, and the places in pagerforce that led to it."""
    places = [_place(frame) for place, frame in enumerate(frames) if not place or _is_ours(frame)]
    return " < ".join(places[:_MOST_PLACES])


def _is_ours(frame: object) -> bool:
    code = getattr(frame, "f_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(_OURS)


def _present_coroutine() -> object:
    try:
        return anyio.get_current_task().coro
    except RuntimeError:  # no task: the heart is created before the loop runs
        return None


def _place(frame: object) -> str:
    code = getattr(frame, "f_code", None)
    if code is None:
        return "?"
    return f"{Path(code.co_filename).name}:{getattr(frame, 'f_lineno', 0)} ({code.co_name})"


def _frames_of(coro: object) -> Iterator[object]:
    """Yields the frames of a suspended coroutine and of what it awaits, outermost first."""
    for _ in range(100):  # more would be a cycle
        frame = next((f for name in _FRAMES if (f := getattr(coro, name, None))), None)
        if frame is not None:
            yield frame
        inner = next((x for name in _LINKS if (x := getattr(coro, name, None))), None)
        coro = inner if inner is not None else _hidden(coro)
        if coro is None:
            return


def _hidden(awaited: object) -> object:
    """Returns the generator inside an awaitable of ``anext`` or similar; it has no public name."""
    inside = [awaited]
    for _ in range(3):  # the default of anext, the step of the generator, the generator
        if any(hasattr(item, name) for item in inside[:1] for name in _LINKS):
            return inside[0] if inside[0] is not awaited else None
        inside = [x for x in gc.get_referents(*inside) if type(x).__name__ in _GENERATORS]
    return inside[0] if inside else None
