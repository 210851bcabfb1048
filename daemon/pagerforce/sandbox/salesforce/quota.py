"""The org's daily API calls, counted over a rolling 24 hours.

Facts: docs/vendors/salesforce.md#limits.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

DEFAULT_DAILY_CALLS = 15_000
"""The limit of a Developer Edition org."""

_WINDOW = timedelta(hours=24)


@dataclass(slots=True)
class Quota:
    """Counts calls by minute.

    Attributes:
        limit: calls per rolling day.
        app_name: if set, the limit header also has the per-app form.
    """

    limit: int = DEFAULT_DAILY_CALLS
    app_name: str = ""
    _minutes: deque[tuple[datetime, int]] = field(default_factory=deque)
    _used: int = 0

    def used(self, now: datetime) -> int:
        """Calls within the last day."""
        while self._minutes and self._minutes[0][0] <= now - _WINDOW:
            self._used -= self._minutes.popleft()[1]
        return self._used

    def remaining(self, now: datetime) -> int:
        """The remaining calls."""
        return max(0, self.limit - self.used(now))

    def count(self, now: datetime, calls: int = 1) -> None:
        """Counts calls."""
        minute = now.replace(second=0, microsecond=0)
        if self._minutes and self._minutes[-1][0] == minute:
            calls_before = self._minutes.pop()[1]
            self._minutes.append((minute, calls_before + calls))
        else:
            self._minutes.append((minute, calls))
        self._used += calls

    def leave(self, remaining: int, now: datetime) -> None:
        """Pretends that others used the org's calls, so that this many remain."""
        missing = self.remaining(now) - remaining
        if missing < 0:
            self._minutes.clear()
            self._used = 0
            missing = self.limit - remaining
        if missing > 0:
            self.count(now, missing)

    def header(self, now: datetime) -> str:
        """The value of ``Sforce-Limit-Info``."""
        usage = f"api-usage={self.used(now)}/{self.limit}"
        if not self.app_name:
            return usage
        per_app = f"per-app-api-usage={self.used(now)}/{self.limit}(appName={self.app_name})"
        return f"{usage}; {per_app}"
