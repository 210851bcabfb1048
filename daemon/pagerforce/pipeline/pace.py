"""Pure: when a side is polled next, and how far back the next poll looks."""

from dataclasses import dataclass
from datetime import timedelta

from pagerforce.pipeline.settings import Pace

FAST_OVERLAP = timedelta(seconds=60)
_MAX_BACKOFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a side's own share of calls.

    Attributes:
        remaining: calls that may still be made in the period; None: no limit is known.
        seconds_left: of the period.
        calls_per_poll: measured.
    """

    remaining: int | None
    seconds_left: float
    calls_per_poll: float


def next_delay(pace: Pace, *, is_busy: bool, failures: int, budget: Budget) -> timedelta:
    """The wait before the next poll.

    The busy pace after a poll that found something, the calm pace else; a failing side is asked
    ever less often; and where the forecast exceeds the budget, the wait stretches so that the
    remaining calls last.
    """
    wait = min(pace.busy, pace.calm) if is_busy else pace.calm
    if failures:
        wait = min(max(wait, pace.calm * 2 ** min(failures - 1, 6)), max(_MAX_BACKOFF, pace.calm))
    if budget.remaining is not None:
        share = budget.seconds_left * budget.calls_per_poll / max(budget.remaining, 1)
        wait = max(wait, min(timedelta(seconds=share), timedelta(hours=1)))
    return wait


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far back to read: far while that costs little, else far only now and then."""

    cheap: int
    every: timedelta

    def overlap(self, pace: Pace, *, last_wide_count: int, since_wide_seconds: float) -> timedelta:
        """``late_window`` for a wide poll, a minute for a fast one."""
        is_cheap = last_wide_count <= self.cheap
        if is_cheap or since_wide_seconds >= self.every.total_seconds():
            return max(pace.late_window, FAST_OVERLAP)
        return min(FAST_OVERLAP, pace.late_window)
