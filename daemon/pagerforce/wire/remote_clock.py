"""The remote side's clock, from the ``Date`` header of its answers.

This host's clock may be wrong, and so may a single ``Date``: neither is trusted alone. A ``Date``
that continues the last ones is accepted at once. One that is far off is accepted after a few
consecutive answers agree on it. One that is a little behind was cut to its second or arrived late: a
clock that follows it would be behind by as much as an answer may take. Only if several in a row are
behind, the newest of them is accepted.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pagerforce.model.ports import Clock

_EARLIEST, _BEYOND = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(minutes=5)  # the largest step of a known clock that one answer can cause
_FIRST_STEP = timedelta(days=1)  # the largest difference to this host's clock for the first answer
_AGREEMENT = timedelta(minutes=1)
_CUT = timedelta(seconds=1)
ENOUGH = 3
"""The number of consecutive answers that must agree on a clock that is far off, or behind."""


class RemoteClock:
    """One side's clock.

    Args:
        clock: this host's clock; its monotonic time measures the time between two answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: _Mark | None = None
        self._candidate: _Mark | None = None
        self._count = 0
        self._late: list[_Mark] = []

    @property
    def is_known(self) -> bool:
        """Whether a ``Date`` was accepted yet."""
        return self._known is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether the last ``Date`` was far off and waits for others that agree."""
        return self._candidate is not None

    def find(self) -> datetime | None:
        """The current time of that clock; None before it is known."""
        return None if self._known is None else self._known.at(self._clock.monotonic())

    def now(self) -> datetime:
        """The current time of that clock; this host's time before it is known."""
        return self.find() or self._clock.now()

    def note(self, date: str | None) -> bool:
        """Processes the ``Date`` of an answer; returns whether it was accepted."""
        moment = parse_http_date(date)
        if moment is None:
            return False
        seconds = self._clock.monotonic()
        step = _FIRST_STEP if self._known is None else _STEP
        if abs(moment - self.now()) > step and not self._is_agreed(moment, seconds):
            return False
        self._candidate, self._count = None, 0
        mark = _Mark(moment, seconds)
        if self._known is None or not timedelta(0) < self._known.at(seconds) - moment <= _STEP:
            self._known, self._late = mark, []
        elif self._known.at(seconds) - moment <= _CUT:
            self._late = []
        else:
            self._late.append(mark)
            if len(self._late) >= ENOUGH:
                self._known = max(self._late, key=lambda late: late.at(seconds))
                self._late = []
        return True

    def _is_agreed(self, moment: datetime, seconds: float) -> bool:
        """Whether enough consecutive answers agree on this time."""
        before = self._candidate
        agrees = before is not None and abs(moment - before.at(seconds)) <= _AGREEMENT
        self._count = self._count + 1 if agrees else 1
        self._candidate = _Mark(moment, seconds)
        return self._count >= ENOUGH


class _Mark:
    """An instant, and the monotonic seconds when it was received."""

    def __init__(self, moment: datetime, seconds: float) -> None:
        self._moment = moment
        self._seconds = seconds

    def at(self, seconds: float) -> datetime:
        return self._moment + timedelta(seconds=seconds - self._seconds)


def parse_http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date header; None if it is missing, invalid or implausible."""
    try:
        moment = parsedate_to_datetime(text or "")
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _EARLIEST <= moment < _BEYOND else None
