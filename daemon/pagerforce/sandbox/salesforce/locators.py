"""Query results with further pages.

Fact: ``salesforce.query-more-locator``.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.ids import canonical_id, make_id
from pagerforce.sandbox.salesforce.render import Json

MAX_PER_USER = 10
_PREFIX = "01g"
_OFFSET = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Cursor:
    user_id: str
    records: list[Json]
    opened_at: datetime
    batch_size: int


@dataclass(slots=True)
class Locators:
    """Open cursors; if there are too many, the oldest of a user is removed."""

    _cursors: dict[str, _Cursor] = field(default_factory=dict)
    _serial: int = 0

    def open(self, user_id: str, records: list[Json], batch_size: int, now: datetime) -> str:
        """Stores a result and returns its Id."""
        own = [key for key, cursor in self._cursors.items() if cursor.user_id == user_id]
        if len(own) >= MAX_PER_USER:
            del self._cursors[own[0]]
        self._serial += 1
        locator = make_id(_PREFIX, self._serial)
        self._cursors[locator] = _Cursor(user_id, records, now, batch_size)
        return locator

    def read(
        self, token: str, user_id: str, now: datetime, good_for_seconds: float
    ) -> tuple[list[Json], int, int]:
        """All records of ``<locator>-<offset>``, the offset and the batch size.

        Raises:
            ApiError: INVALID_QUERY_LOCATOR.
        """
        locator, _, offset = token.rpartition("-")
        cursor = self._cursors.get(canonical_id(locator) or "")
        is_own = cursor is not None and cursor.user_id == user_id
        if cursor is None or not is_own or _OFFSET.fullmatch(offset) is None:
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        if (now - cursor.opened_at).total_seconds() > good_for_seconds:
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor.records, int(offset), cursor.batch_size
