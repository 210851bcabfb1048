"""An event loop with a clock that stops while anything is ready and then jumps to the next timer.

Nothing in it depends on the time, the network or the randomness of this machine: the same program
does the same on every run.
"""

import asyncio  # noqa: TID251 - the loop itself is created here
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MOST_TURNS = 150_000  # a history has some ten thousand: more means a loop that never waits


class StuckError(Exception):
    """Nothing is ready and no timer runs, or nothing ever waits."""


class _Warp(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.turns += 1
        if timeout is None or self.turns > MOST_TURNS:
            raise StuckError(f"at {self.now:.1f} s, after {self.turns} turns")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop on simulated time."""

    def __init__(self) -> None:
        self._warp = _Warp()
        super().__init__(self._warp)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._warp.now


class Clock:
    """Any clock of the simulation, wrong by ``skew`` seconds: the daemon's host, either vendor."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() + self.skew)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Runs to the end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
