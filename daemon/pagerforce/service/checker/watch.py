"""Looks, within a checker, whether its time is up and whether the daemon is still there."""

import os
import signal
import time
from types import FrameType

from pagerforce.service.checker import bounds

_LOOK_SECONDS = 0.25


class TimeUp(BaseException):
    """The time is up in the middle of something."""


class Watch:
    """A timer's signal interrupts whatever the checker does, to look."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._last = self._ends_at = time.monotonic() + bounds.ANSWER_SECONDS
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def begin(self, seconds: float) -> None:
        """The whole job has so much time from now on."""
        self._last = time.monotonic() + seconds

    def give(self, seconds: float) -> None:
        """The next part of it has so much, if there is as much."""
        self._ends_at = min(self._last, time.monotonic() + seconds)

    def is_over(self) -> bool:
        """Whether it is time to come to an end."""
        return time.monotonic() > self._ends_at

    def stop(self) -> None:
        """Interrupts no more: the answer is being written."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self, _: int, __: FrameType | None) -> None:
        if os.getppid() != self._parent:
            os._exit(1)
        if time.monotonic() > self._ends_at + _LOOK_SECONDS:
            self.stop()
            raise TimeUp
