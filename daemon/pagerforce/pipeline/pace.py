"""Pure: when a side is polled next, and how far back the next poll looks."""

from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.model.durations import LONGEST_BACKOFF, OVERLAP
from pagerforce.pipeline.settings import Pace

_NEAR_OVERLAP = timedelta(seconds=10)
_FURTHEST_BACK = timedelta(days=7)  # the retention keeps nothing older


class Budget(Struct, frozen=True):
    """The rest of a side's share of calls.

    Attributes:
        remaining: calls that may still be made in the period; None: no limit is known.
        seconds_left: of the period.
        calls_per_poll: measured.
        allowed: the share itself; 0: no limit is known.
        period_seconds: the length of the period.
    """

    remaining: int | None
    seconds_left: float
    calls_per_poll: float
    allowed: int = 0
    period_seconds: float = 86_400.0

    @property
    def spent(self) -> int:
        """Calls in the current period."""
        return max(0, self.allowed - (self.remaining or 0))

    def forecast(self, interval_seconds: float) -> int:
        """Calls in a period of polling at this pace."""
        return round(self.period_seconds / max(interval_seconds, 0.001) * self.calls_per_poll)


def next_delay(pace: Pace, *, is_busy: bool, failures: int, budget: Budget) -> timedelta:
    """The wait before the next poll.

    The busy pace after a poll that found something, otherwise the calm pace. A failing side is
    asked less and less often. If the forecast exceeds the budget, the wait grows so that the
    remaining calls last.
    """
    wait = min(pace.busy, pace.calm) if is_busy else pace.calm
    if failures:
        wait = min(
            max(wait, pace.calm * 2 ** min(failures - 1, 6)), max(LONGEST_BACKOFF, pace.calm)
        )
    if budget.remaining is not None:
        share = budget.seconds_left * budget.calls_per_poll / max(budget.remaining, 1)
        longest = timedelta(seconds=min(budget.period_seconds, 3600.0))
        wait = max(wait, min(timedelta(seconds=share), longest))
    return wait


class Spare:
    """How many polls may follow the one before at once: on average one per ``every``.

    A single hint need not wait for the busy pace; a flood of hints polls at the busy pace.
    """

    def __init__(self, most: int, every: timedelta) -> None:
        self._most, self._every = float(most), every.total_seconds()
        self._left, self._at = self._most, 0.0

    def has_one(self, now: float) -> bool:
        """Whether a poll at ``now`` (seconds of the monotonic clock) may be one of them."""
        return self._left_at(now) >= 1.0

    def polled(self, now: float) -> None:
        """Counts a poll, whatever started it."""
        self._left, self._at = max(self._left_at(now) - 1.0, 0.0), now

    def _left_at(self, now: float) -> float:
        return min(self._left + max(now - self._at, 0.0) / self._every, self._most)


def low_water_every(late_window: timedelta) -> timedelta:
    """How often to ask Salesforce for the start of its oldest open transaction.

    At least once before a row can leave the window unseen; at most every five minutes
    (``salesforce.low-water-mark``).
    """
    return max(timedelta(minutes=5), min(timedelta(minutes=10), late_window * 2 / 3))


class EarlierPoll(Struct, frozen=True):
    """An earlier poll: how many items it read, and how long ago.

    ``moved``: how far the cursor has moved since that poll began.
    """

    count: int
    seconds_ago: float
    moved: timedelta = timedelta(0)


class LookBack(Struct, frozen=True):
    """A complete poll, as a reader remembers it.

    Attributes:
        at: when it ended, in seconds of the monotonic clock.
        count: how many items it read.
        began: a time not after its beginning, in the remote clock.
    """

    at: float
    count: int
    began: datetime

    @classmethod
    def made(cls, begun: float, ended: float, count: int, read_to: datetime) -> "LookBack":
        """Creates one. ``read_to``: the newest stamp it saw; no stamp is in the future."""
        return cls(ended, count, read_to - timedelta(seconds=ended - begun))

    def seen_from(self, now: float, stamp: datetime) -> EarlierPoll:
        """Its state at ``now`` of the monotonic clock, with the cursor at ``stamp``."""
        return EarlierPoll(self.count, now - self.at, max(stamp - self.began, timedelta(0)))


class Sweep(Struct, frozen=True):
    """How far back to read: far while that is cheap, otherwise far only at intervals.

    Attributes:
        cheap: the number of items that may be read again with every poll.
        every: ``late_window`` is read again at least this often, at any cost.
        often: the same for ``OVERLAP``.
    """

    cheap: int
    every: timedelta
    often: timedelta = timedelta(seconds=10)

    def overlap(
        self, pace: Pace, *, wide: EarlierPoll | None, fast: EarlierPoll | None = None
    ) -> timedelta:
        """The result of ``wide``, a minute, or in a burst a few seconds.

        Args:
            pace: of this side.
            wide: the last poll that looked back far; None: there was none since the start.
            fast: the last one that read at least a minute again; None if each one does.
        """
        if wide is None or _is_due(wide, self.cheap, self.every):
            return self.wide(pace, wide)
        if fast is None or _is_due(fast, self.cheap, self.often):
            return min(OVERLAP, pace.late_window)
        return min(_NEAR_OVERLAP, pace.late_window)

    def wide(self, pace: Pace, last: EarlierPoll | None) -> timedelta:
        """How far to look back for items that no earlier poll could see.

        It goes back ``late_window`` before the cursor of the last such poll, because items hidden
        then may be visible only now. After a restart that cursor is unknown, and the maximum is
        used.
        """
        moved = self.every + OVERLAP if last is None else last.moved
        return max(pace.late_window + min(moved, _FURTHEST_BACK), OVERLAP)


def _is_due(last: EarlierPoll, cheap: int, every: timedelta) -> bool:
    return last.count <= cheap or last.seconds_ago >= every.total_seconds()
