"""The clock of the sandbox: the real time, or a clock that tests move.

Both sandbox applications get the time from this clock only, so that a day of incidents can run in a
second, and a timeout needs no wait.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class SandboxClock(Protocol):
    """The source of the sandbox's time."""

    def now(self) -> datetime:
        """The current instant, aware and in UTC."""
        ...


class WallClock:
    """The real time, for ``pagerforce sandbox``."""

    def now(self) -> datetime:
        """The current instant, aware and in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only on request, for tests and the demo.

    Args:
        start: the first instant it shows; must be aware.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a sandbox clock needs an aware start time, e.g. with tzinfo=UTC")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant of the last setting, aware and in UTC."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Moves the clock forward and returns the new instant.

        Raises:
            ValueError: ``seconds`` is negative; the clock of a remote system does not go back.
        """
        if seconds < 0:
            raise ValueError("a sandbox clock does not run backwards")
        self._now += timedelta(seconds=seconds)
        return self._now
