"""Keeps the key's rate limit, so that a page is never the request that is refused. Pure.

Facts: pagerduty.md section 3: 960 requests a minute per key, ``ratelimit-remaining`` and
``ratelimit-reset`` (seconds) on evaluated answers, both absent on some.
"""

from collections.abc import Mapping

from pagerforce.pagerduty.refusals import parse_number, parse_wait_seconds

_RESERVED_SHARE = 0.02
"""The last part of the limit is kept for writes: reading can wait, a page can not."""


class Pace:
    """What the last answers said about the limit. Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.remaining: float | None = None
        self._limit = 0.0
        self._reset_at = 0.0

    def observe(self, headers: Mapping[str, str], *, status: int, now: float) -> None:
        """Takes in an answer's headers."""
        reset = parse_wait_seconds(headers.get("ratelimit-reset"))
        remaining = parse_number(headers.get("ratelimit-remaining"))
        if status == 429:
            remaining = 0.0
        if remaining is None:
            return
        self.remaining = remaining
        self._limit = parse_number(headers.get("ratelimit-limit")) or self._limit
        # Without a reset there is nothing to wait for: the one who asked backs off by himself.
        self._reset_at = now + (reset or 0.0)

    def wait_seconds(self, *, is_write: bool, now: float) -> float:
        """How long the next request has to wait for the limit to be lifted; 0: it may go."""
        reserve = 0.0 if is_write else self._limit * _RESERVED_SHARE
        if self.remaining is None or self.remaining > reserve:
            return 0.0
        return max(self._reset_at - now, 0.0)
