"""The remote side's clock, as the ``Date`` of its answers tells it.

This host's clock may be wrong, and so may a single ``Date``: neither is believed alone. A ``Date`` that
goes on where the last ones stood is taken at once; one that is far off only once a few answers in a row
agree on it.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pagerforce.model.ports import Clock

_EARLIEST, _BEYOND = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(minutes=5)  # as far as a known clock may step at once
_FIRST_STEP = timedelta(days=1)  # as far as it may be from this host's, before anything is known
_AGREEMENT = timedelta(minutes=1)
ENOUGH = 3
"""So many answers in a row have to agree on a clock that is far off."""


class RemoteClock:
    """One side's clock.

    Args:
        clock: this host's; what runs between two answers is measured by its monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: _Mark | None = None
        self._candidate: _Mark | None = None
        self._count = 0

    @property
    def is_known(self) -> bool:
        """Whether a ``Date`` was believed yet."""
        return self._known is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether the last ``Date`` was far off, and waits for others that agree."""
        return self._candidate is not None

    def find(self) -> datetime | None:
        """That clock now; None before anything is known of it."""
        return None if self._known is None else self._known.at(self._clock.monotonic())

    def now(self) -> datetime:
        """That clock now; this host's before anything is known of it."""
        return self.find() or self._clock.now()

    def note(self, date: str | None) -> bool:
        """Takes in the ``Date`` of an answer; whether it was believed."""
        moment = parse_http_date(date)
        if moment is None:
            return False
        seconds = self._clock.monotonic()
        step = _FIRST_STEP if self._known is None else _STEP
        if abs(moment - self.now()) > step and not self._is_agreed(moment, seconds):
            return False
        self._known, self._candidate, self._count = _Mark(moment, seconds), None, 0
        return True

    def _is_agreed(self, moment: datetime, seconds: float) -> bool:
        """Whether enough answers in a row have told this time."""
        before = self._candidate
        agrees = before is not None and abs(moment - before.at(seconds)) <= _AGREEMENT
        self._count = self._count + 1 if agrees else 1
        self._candidate = _Mark(moment, seconds)
        return self._count >= ENOUGH


class _Mark:
    """An instant, and when it was told in monotonic seconds."""

    def __init__(self, moment: datetime, seconds: float) -> None:
        self._moment = moment
        self._seconds = seconds

    def at(self, seconds: float) -> datetime:
        return self._moment + timedelta(seconds=seconds - self._seconds)


def parse_http_date(text: str | None) -> datetime | None:
    """The instant of an HTTP date header; None where it is missing, no date, or not plausible."""
    try:
        moment = parsedate_to_datetime(text or "")
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _EARLIEST <= moment < _BEYOND else None
