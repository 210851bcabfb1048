"""The records that the daemon is writing to, for polls that read at the same time."""

import msgspec
from msgspec import Struct

from pagerforce.model.ids import RecordId


class WriteLog(Struct):
    """The records of own writes, so that a poll knows which rows it may have read half-written."""

    _clock: int = 0
    _under_way: dict[RecordId, int] = msgspec.field(default_factory=dict)
    _last: dict[RecordId, int] = msgspec.field(default_factory=dict)

    def mark(self) -> int:
        """A point in time for ``touched_since``, taken before a poll reads."""
        self._clock += 1
        self._last = {key: at for key, at in self._last.items() if key in self._under_way}
        return self._clock

    def begin(self, record_id: RecordId) -> None:
        """Notes that a write to this record starts."""
        self._under_way[record_id] = self._under_way.get(record_id, 0) + 1
        self._last[record_id] = self._clock

    def end(self, record_id: RecordId) -> None:
        """Notes that a write to this record is settled."""
        left = self._under_way.get(record_id, 0) - 1
        if left > 0:
            self._under_way[record_id] = left
        else:
            self._under_way.pop(record_id, None)
        self._last[record_id] = self._clock

    def touched_since(self, mark: int) -> frozenset[RecordId]:
        """The records that were written since ``mark``, or are being written now."""
        ended = {key for key, at in self._last.items() if at >= mark}
        return frozenset(ended | self._under_way.keys())
