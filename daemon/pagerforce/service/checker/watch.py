"""Watches, within a checker, whether its time is up and whether the daemon still runs."""

import os
import signal
import time
from types import FrameType

from pagerforce.service.checker import bounds

_LOOK_SECONDS = 0.25


class TimeUp(BaseException):
    """The time is up."""


class Watch:
    """Checks the time by a timer's signal, which interrupts any work of the checker."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._last = self._ends_at = time.monotonic() + bounds.ANSWER_SECONDS
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def begin(self, seconds: float) -> None:
        """Sets the time of the whole job, from now on."""
        self._last = time.monotonic() + seconds

    def give(self, seconds: float) -> None:
        """Sets the time of the next part, within the time of the job."""
        self._ends_at = min(self._last, time.monotonic() + seconds)

    def is_over(self) -> bool:
        """Whether the time of this part is over."""
        return time.monotonic() > self._ends_at

    def stop(self) -> None:
        """Stops interrupting: the answer is being written."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self, _: int, __: FrameType | None) -> None:
        if os.getppid() != self._parent:
            os._exit(1)
        if time.monotonic() > self._ends_at + _LOOK_SECONDS:
            self.stop()
            raise TimeUp
