"""Whether the stream can be trusted: what polls find that it did not announce. Pure.

A poll that moves the cursor of an object has found a change. If an event announced one since the
poll before, or does so within ``ALLOWED_DELAY``, the change was announced; else it was missed. Changes
from before the subscription are not judged.
"""

from collections import deque
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

ALLOWED_DELAY = 30.0
"""Seconds after a poll found a change, within which its event still counts as announced."""

_LAST = 10
_MOST_MISSED = 3  # of the last ten
_PROOF = 3  # announced changes in a row, after which a distrusted object is trusted again
_CLOCK_DOUBT = timedelta(seconds=2)


class _Object(Struct):
    """What is known of one object.

    Attributes:
        since: the server's time of the subscription; None: there is none.
        announced_at: when its last event arrived.
        due: until when the events of found changes may arrive.
        missed: of the last changes, whether each was missed.
    """

    since: datetime | None = None
    announced_at: float = float("-inf")
    due: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=_LAST))
    missed: deque[bool] = msgspec.field(default_factory=lambda: deque(maxlen=_LAST))
    is_distrusted: bool = False

    def judge(self, *, is_missed: bool) -> None:
        self.missed.append(is_missed)
        if self.is_distrusted:
            last = [*self.missed][-_PROOF:]
            if len(last) == _PROOF and not any(last):
                self.is_distrusted = False
                self.missed.clear()
        elif sum(self.missed) >= _MOST_MISSED:
            self.is_distrusted = True
            self.missed.clear()


class Health(Struct):
    """Compares events with what polls find. Times are seconds of the monotonic clock.

    Attributes:
        missed: changes that were not announced, since the start.
        allowed_delay: see ``ALLOWED_DELAY``.
    """

    missed: int = 0
    allowed_delay: float = ALLOWED_DELAY
    _objects: dict[str, _Object] = msgspec.field(default_factory=dict)
    _polled_at: float | None = None

    @property
    def distrusted(self) -> list[str]:
        """Objects with changes that were not announced."""
        return sorted(name for name, item in self._objects.items() if item.is_distrusted)

    def subscribed(self, names: Collection[str], server_now: datetime) -> None:
        """Events of these objects arrive from now on, and of no others."""
        for name in names:
            self._objects.setdefault(name, _Object())
        for name, item in self._objects.items():
            if name not in names:
                item.since = None
            elif item.since is None:
                item.since = server_now + _CLOCK_DOUBT
            if item.since is None:
                item.due.clear()

    def ended(self) -> None:
        """No events arrive until the next subscription. The judgement of objects stays."""
        for item in self._objects.values():
            item.since = None
            item.due.clear()

    def announced(self, names: Collection[str], now: float) -> None:
        """Events of these objects arrived."""
        self.look(now)
        for name in names:
            item = self._objects.get(name)
            if item is None:
                continue
            item.announced_at = now
            while item.due:
                item.due.popleft()
                item.judge(is_missed=False)

    def polled(self, began: float, now: float, found: Mapping[str, datetime]) -> None:
        """A poll ended. ``found``: of each object with changes, the newest stamp."""
        self.look(now)
        before, self._polled_at = self._polled_at, began
        for name, stamp in found.items():
            item = self._objects.get(name)
            if item is None or item.since is None or stamp < item.since:
                continue
            if before is not None and item.announced_at >= before:
                item.judge(is_missed=False)
            else:
                item.due.append(now + self.allowed_delay)

    def look(self, now: float) -> None:
        """Found changes whose events are overdue were missed."""
        for item in self._objects.values():
            while item.due and item.due[0] < now:
                item.due.popleft()
                self.missed += 1
                item.judge(is_missed=True)
