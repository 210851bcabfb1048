"""Where the sandbox gets its time from: the wall, or a hand that moves it.

Both sandbox applications ask a clock for the time and never look at the wall themselves, so that
a day of incident life can be played in a second and a timeout can be met without waiting for it.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class SandboxClock(Protocol):
    """Tells the sandbox what time it is."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...


class WallClock:
    """The real time, for ``pagerforce sandbox``."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved, for tests and the demo.

    Args:
        start: the first instant it shows; must be aware.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a sandbox clock needs an aware start time, e.g. with tzinfo=UTC")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was last set to, aware and in UTC."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Moves the clock forward and returns the new instant.

        Raises:
            ValueError: when asked to go back, which no clock of a remote system does.
        """
        if seconds < 0:
            raise ValueError("a sandbox clock does not run backwards")
        self._now += timedelta(seconds=seconds)
        return self._now
