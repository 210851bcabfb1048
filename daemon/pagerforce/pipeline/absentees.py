"""Records that the daily comparison does not find any more: purged, or hidden from pagerforce.

A purged row leaves no stamp for a poll to find (``salesforce.deletions-are-forgotten``): only its
snapshot shows that it existed. A lost permission of the integration user looks the same. If many
rows are missing at once, this is the more likely cause, and nothing is done.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.ids import RecordId
from pagerforce.model.record import Record
from pagerforce.store import snapshots
from pagerforce.store.database import Transaction

_ALWAYS_CREDIBLE = 20
_CREDIBLE_SHARE = 0.1
_MOST = 2000
"""The limit of records looked up in one comparison; the next day's continues."""


class Absentees(Struct):
    """Snapshots of one object that were missing when all its rows were read.

    ``count``: how many were missing, of all ``held`` snapshots; ``ids``: those to look up.
    """

    object: str
    ids: list[RecordId] = msgspec.field(default_factory=list)
    count: int = 0
    held: int = 0
    _last: RecordId | None = None

    async def look(self, tx: Transaction, seen: Sequence[RecordId]) -> None:
        """Takes one page of rows, in the server's order of Ids.

        A snapshot is missing if its Id is after the previous page, not after the end of this one,
        and not in it. A page whose Ids are not in the order of their characters is ignored.
        """
        if not seen:
            return
        first, self._last = self._last, seen[-1]
        if list(seen) != sorted(seen) or (first is not None and first >= seen[0]):
            return
        self._take(await snapshots.living_ids(tx, self.object, after=first, to=seen[-1]), seen)

    async def look_behind(self, tx: Transaction) -> None:
        """Takes the snapshots after the last row, once all pages are read."""
        self._take(await snapshots.living_ids(tx, self.object, after=self._last), ())

    def _take(self, known: Sequence[RecordId], seen: Sequence[RecordId]) -> None:
        there = set(seen)
        missing = [item for item in known if item not in there]
        self.held += len(known)
        self.count += len(missing)
        self.ids += missing[: _MOST - len(self.ids)]

    @property
    def is_absurd(self) -> bool:
        """Whether more are missing than people delete in a day, or all of them."""
        if self.count == self.held:
            return self.count > 1
        return self.count > max(_ALWAYS_CREDIBLE, self.held * _CREDIBLE_SHARE)

    def deletions(
        self, held: Mapping[RecordId, Record], there: Sequence[Record], at: datetime
    ) -> tuple[Record, ...]:
        """Pure: the records to treat as deleted, given the answer to a query by Id.

        Rows that exist but are outside the object's filter stay as they are.
        """
        found = {row.id: row for row in there}
        deleted = tuple(row for row in there if row.is_deleted)
        return deleted + tuple(
            replace(record, is_deleted=True, stamp=at, modified_at=at)
            for record_id, record in held.items()
            if record_id not in found
        )
