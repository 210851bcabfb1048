"""Limits the logins: Salesforce counts them per user, and locks out users with too many.

Fact: ``salesforce.login-rate``. Up to 20 at once are allowed, for example after a restart of the
org; then one every twenty seconds. That is 180 an hour; the vendor's limit is 3,600 an hour for all
logins of one user.
"""

from pagerforce.model.ports import Clock

_AT_ONCE = 20.0
_SECONDS_EACH = 20.0


class LoginBudget:
    """A token bucket for logins."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = _AT_ONCE
        self._as_of = clock.monotonic()

    def take(self) -> float:
        """Takes one login and returns 0, or returns the seconds until the next one is available."""
        now = self._clock.monotonic()
        self._left = min(_AT_ONCE, self._left + (now - self._as_of) / _SECONDS_EACH)
        self._as_of = now
        if self._left < 1:
            return (1 - self._left) * _SECONDS_EACH
        self._left -= 1
        return 0.0
