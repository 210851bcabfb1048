"""Records that the daily comparison does not find any more: deleted for good, or hidden from us.

A row that is purged leaves no stamp for a poll to find (``salesforce.deletions-are-forgotten``),
so its snapshot is all that tells. A permission that was taken from our
user looks the same: where many are missing at once that is the likelier story, and nothing is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pagerforce.model.ids import RecordId
from pagerforce.model.record import Record
from pagerforce.store import snapshots
from pagerforce.store.database import Transaction

_ALWAYS_CREDIBLE = 20
_CREDIBLE_SHARE = 0.1
_MOST = 2000
"""Looked up in one comparison; the next day's goes on."""


@dataclass(slots=True)
class Absentees:
    """Snapshots of one object that a reading of all its rows passed over.

    ``count``: how many there were, of ``held`` that were passed in all; ``ids``: those to look up.
    """

    object: str
    ids: list[RecordId] = field(default_factory=list)
    count: int = 0
    held: int = 0
    _last: RecordId | None = None

    async def look(self, tx: Transaction, seen: Sequence[RecordId]) -> None:
        """Takes one page of rows, in the server's order of Ids.

        What lies after the page before and up to the end of this one, and is not in it, is missing.
        Ids that are not in the order of their characters tell nothing and are passed over.
        """
        if not seen:
            return
        first, self._last = self._last, seen[-1]
        if list(seen) != sorted(seen) or (first is not None and first >= seen[0]):
            return
        self._take(await snapshots.living_ids(tx, self.object, after=first, to=seen[-1]), seen)

    async def look_behind(self, tx: Transaction) -> None:
        """Takes what is held beyond the last row, once all pages are read."""
        self._take(await snapshots.living_ids(tx, self.object, after=self._last), ())

    def _take(self, known: Sequence[RecordId], seen: Sequence[RecordId]) -> None:
        there = set(seen)
        missing = [item for item in known if item not in there]
        self.held += len(known)
        self.count += len(missing)
        self.ids += missing[: _MOST - len(self.ids)]

    @property
    def is_absurd(self) -> bool:
        """More are missing at once than people delete in a day, or everything is."""
        if self.count == self.held:
            return self.count > 1
        return self.count > max(_ALWAYS_CREDIBLE, self.held * _CREDIBLE_SHARE)

    def deletions(
        self, held: Mapping[RecordId, Record], there: Sequence[Record], at: datetime
    ) -> tuple[Record, ...]:
        """Pure: what is to be taken as deleted, given the answer to a look by Id.

        Rows that are there but outside the object's filter stay as they are.
        """
        found = {row.id: row for row in there}
        deleted = tuple(row for row in there if row.is_deleted)
        return deleted + tuple(
            replace(record, is_deleted=True, stamp=at, modified_at=at)
            for record_id, record in held.items()
            if record_id not in found
        )
