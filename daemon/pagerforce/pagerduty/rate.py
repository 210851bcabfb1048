"""Keeps the key's rate limit, so that PagerDuty never refuses a page because of it. Pure.

Facts: ``pagerduty.requests-per-minute``, ``pagerduty.limit-headers``, ``pagerduty.operation-limits``.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum

import msgspec
from msgspec import Struct

from pagerforce.pagerduty.refusals import parse_number, parse_wait_seconds

SHARE = 0.6
"""pagerforce's share of the limit; the rest is left to other users of the key or the account."""

_USUAL_LIMIT = 960.0
_WINDOW_SECONDS = 60.0
_MOST_REQUESTS = 1e6  # per minute; a larger or negative number in a header is invalid
_MEMORY_SECONDS = 120.0


class RateClass(Enum):
    """The purpose of a request. The value: the part of pagerforce's share that it may use.

    The rest is reserved for the rate classes before it: a note can wait, a page cannot.
    """

    PAGE = 1.0
    STATUS = 0.9
    READ = 0.8
    NOTE = 0.7


_RESERVED_SHARE = {
    RateClass.PAGE: 0.0,
    RateClass.STATUS: 0.01,
    RateClass.READ: 0.02,
    RateClass.NOTE: 0.02,
}
"""The last part of the vendor's limit that a rate class never uses, no matter who used the rest."""


class Hold(Struct, frozen=True):
    """How long a request must wait. ``is_for_all``: the limit is used up for every rate class."""

    seconds: float = 0.0
    is_for_all: bool = False


class RateLimit(Struct):
    """The limit in the last answers, and the sent requests. Times: monotonic seconds."""

    remaining: float | None = None
    _limit: float = 0.0
    _whole: float = 0.0
    _whole_at: float = 0.0
    _reset_at: float = 0.0
    _sent: deque[float] = msgspec.field(default_factory=deque)

    def observe(self, headers: Mapping[str, str], *, status: int, now: float) -> None:
        """Processes an answer's headers."""
        reset = parse_wait_seconds(headers.get("ratelimit-reset"))
        remaining = parse_number(headers.get("ratelimit-remaining"))
        if status == 429:
            remaining = 0.0
        if remaining is None or not 0 <= remaining <= _MOST_REQUESTS:
            return
        self.remaining = remaining
        limit = parse_number(headers.get("ratelimit-limit"))
        if limit is not None and 0 < limit <= _MOST_REQUESTS:
            self._limit = limit
        # Some operations have their own limits, and headers show the closest one. pagerforce's share
        # is of the key's limit: the largest one seen recently. A vendor may also lower that limit.
        if self._limit >= self._whole or now - self._whole_at > _MEMORY_SECONDS:
            self._whole, self._whole_at = self._limit, now
        # Without a reset there is nothing to wait for: the caller backs off.
        self._reset_at = now + (reset or 0.0)

    def note_sent(self, now: float) -> None:
        """Counts a request that is sent now."""
        self._sent.append(now)

    def spent(self, now: float) -> int:
        """The requests that pagerforce sent in the last minute."""
        while self._sent and self._sent[0] <= now - _WINDOW_SECONDS:
            self._sent.popleft()
        return len(self._sent)

    def allowed(self, rate_class: RateClass) -> int:
        """How many of pagerforce's own requests per minute make this rate class wait."""
        return max(1, int((self._whole or _USUAL_LIMIT) * SHARE * rate_class.value))

    def hold(self, rate_class: RateClass, now: float) -> Hold:
        """How long the next request must wait."""
        if (
            self.remaining is not None
            and self.remaining <= self._limit * _RESERVED_SHARE[rate_class]
        ):
            left = self._reset_at - now
            if left > 0:
                return Hold(left, self.remaining <= 0)
        over = self.spent(now) - self.allowed(rate_class)
        if over < 0:
            return Hold()
        return Hold(self._sent[over] + _WINDOW_SECONDS - now, rate_class is RateClass.PAGE)
