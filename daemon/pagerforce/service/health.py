"""Heartbeats: healthy while every loop beats, which also feeds systemd's watchdog."""

from collections.abc import Callable

from pagerforce.model.ports import Clock

LONGEST_SILENCE_SECONDS = 30.0


class Heartbeats:
    """The beats of the daemon's loops."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def register(self, loop: str) -> Callable[[], None]:
        """Adds a loop; the function given back is its beat."""
        self._last[loop] = self._clock.monotonic()

        def beat() -> None:
            self._last[loop] = self._clock.monotonic()

        return beat

    def silent(self) -> list[str]:
        """Loops that have not beaten for too long."""
        now = self._clock.monotonic()
        return [name for name, at in self._last.items() if now - at > LONGEST_SILENCE_SECONDS]
