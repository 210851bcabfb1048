"""Counts API calls, own and the org's. Facts: docs/vendors/salesforce.md#limits."""

import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

_DAY = timedelta(hours=24)
_STEP = timedelta(minutes=15)
# The per-app form repeats the words with a prefix: ``...; per-app-api-usage=17/250(appName=x)``.
_MOST_CALLS = 10**15  # a larger number is invalid, and may not fit a float
_ORG_USAGE = re.compile(r"(?<![-\w])api-usage=([0-9]{1,15})/([0-9]{1,15})\b")


class OrgUsage(Struct, frozen=True):
    """Calls of the whole org in the last 24 hours, all integrations together."""

    used: int
    allowed: int

    @property
    def remaining(self) -> int:
        """Calls left; 0 if more were made than allowed."""
        return max(0, self.allowed - self.used)


def parse_limit_info(text: str | None) -> OrgUsage | None:
    """Reads ``Sforce-Limit-Info``, in both of its forms; None if it has no usage."""
    found = _ORG_USAGE.search(text or "")
    return OrgUsage(int(found.group(1)), int(found.group(2))) if found else None


def parse_limits(body: Mapping[str, object]) -> OrgUsage | None:
    """Reads ``DailyApiRequests`` of ``/limits``; None if it is missing."""
    daily = body.get("DailyApiRequests")
    if not isinstance(daily, Mapping):
        return None
    allowed, remaining = daily.get("Max"), daily.get("Remaining")
    if not isinstance(allowed, int) or not isinstance(remaining, int):
        return None
    if max(abs(allowed), abs(remaining)) > _MOST_CALLS:
        return None
    return OrgUsage(allowed - remaining, allowed)


class CallUsage:
    """Counts this daemon's own calls, and keeps the org's last report about all calls."""

    def __init__(self) -> None:
        self._total = 0
        self._steps: deque[tuple[datetime, int]] = deque()
        self._org: OrgUsage | None = None

    @property
    def calls_made(self) -> int:
        """API calls since the start; logins do not count against the org's limit."""
        return self._total

    @property
    def org(self) -> OrgUsage | None:
        """The usage in the last answer; None before the first."""
        return self._org

    def count(self, now: datetime) -> None:
        """Counts one API call."""
        self._total += 1
        if self._steps and now - self._steps[-1][0] < _STEP:
            began, calls = self._steps.pop()
            self._steps.append((began, calls + 1))
        else:
            self._steps.append((now, 1))
        self._drop_old(now)

    def calls_in_last_day(self, now: datetime) -> int:
        """This daemon's calls of the last 24 hours, accurate to a quarter of an hour."""
        self._drop_old(now)
        return sum(calls for _, calls in self._steps)

    def note_org(self, usage: OrgUsage | None) -> None:
        """Keeps the org's usage from an answer, if it has any."""
        self._org = usage or self._org

    def _drop_old(self, now: datetime) -> None:
        while self._steps and now - self._steps[0][0] > _DAY:
            self._steps.popleft()
