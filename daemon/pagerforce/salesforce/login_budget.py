"""How many logins there may be: Salesforce counts those of a user, and locks out who tries too often.

Fact: ``salesforce.login-rate``. A few at once are free, as after a restart of the org; then one every
twenty seconds, 180 an hour, where the vendor's limit is 3,600 for all that log in as this user.
"""

from pagerforce.model.ports import Clock

_AT_ONCE = 20.0
_SECONDS_EACH = 20.0


class LoginBudget:
    """A bucket of logins that fills again by itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = _AT_ONCE
        self._as_of = clock.monotonic()

    def take(self) -> float:
        """Takes one login: 0, or the seconds until there is one where none is left."""
        now = self._clock.monotonic()
        self._left = min(_AT_ONCE, self._left + (now - self._as_of) / _SECONDS_EACH)
        self._as_of = now
        if self._left < 1:
            return (1 - self._left) * _SECONDS_EACH
        self._left -= 1
        return 0.0
