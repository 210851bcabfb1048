"""One unit of work: sees committed rows with its own work on top; commits or disappears."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from pagerforce.sandbox.salesforce.errors import lock_failed
from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.schema import Schema, Value
from pagerforce.sandbox.salesforce.store import Row, RowStore


class Transaction:
    """Staged rows over the store.

    Args:
        user_id: the acting user; becomes the author of the writes.
        now: the instant of the writes, whole seconds: the stamp of the rows.

    Attributes:
        saves_alerted: whether to save a row that a duplicate rule only alerts to, as a person does
            after reading the alert; callers of the API must allow it.
    """

    def __init__(self, store: RowStore, schema: Schema, user_id: str, now: datetime) -> None:
        self.user_id = user_id
        self.now = now
        self.schema = schema
        self.saves_alerted = True
        self._store = store
        self._staged: dict[str, Row] = {}

    @property
    def lens(self) -> Lens:
        """Reads values as this transaction sees them."""
        return Lens(self.schema, self)

    def find(self, row_id: str) -> Row | None:
        """The row as this transaction sees it."""
        return self._staged.get(row_id) or self._store.find(row_id)

    def scan(self, object_name: str) -> Iterator[Row]:
        """All rows of an object as this transaction sees them."""
        seen = set()
        for row in self._store.scan(object_name):
            seen.add(row.id)
            yield self._staged.get(row.id, row)
        for row in list(self._staged.values()):
            if row.object.lower() == object_name.lower() and row.id not in seen:
                yield row

    def in_order(
        self, object_name: str, field_name: str, least: str | None = None
    ) -> Iterator[Row] | None:
        """None: work that is not stored yet has no order."""
        return None if self._staged else self._store.in_order(object_name, field_name, least)

    def holders(self, object_name: str, field_name: str, value: str) -> list[Row]:
        """Live rows with this value in an indexed field, including those of open transactions."""
        candidates = dict.fromkeys(self._store.matches(object_name, field_name, value))
        candidates.update(dict.fromkeys(self._staged))
        rows = (self._staged.get(row_id) or self._store.newest(row_id) for row_id in candidates)
        return [
            row
            for row in rows
            if row is not None
            and row.object == object_name
            and not row.is_deleted
            and _same_text(row.values.get(field_name), value)
        ]

    def keyed(self, object_name: str, field_name: str, value: str) -> list[Row]:
        """Live rows with this value in an indexed field, as this transaction sees them."""
        seen = (self.find(row.id) for row in self.holders(object_name, field_name, value))
        return [row for row in seen if row is not None and not row.is_deleted]

    def deleted_children(self, object_name: str, field_name: str, parent_id: str) -> list[Row]:
        """Deleted rows whose master is this one."""
        found = (
            self.find(item) for item in self._store.matches(object_name, field_name, parent_id)
        )
        return [row for row in found if row is not None and row.is_deleted]

    def stage(self, row: Row) -> None:
        """Writes a row.

        Raises:
            ApiError: an open transaction holds it.
        """
        if self._store.is_locked(row.id):
            raise lock_failed(row.id)
        self._staged[row.id] = row

    def touch(self, row_id: str, values: Mapping[str, Value], *, as_edit: bool) -> None:
        """Lets automation change a row: always moves SystemModstamp.

        ``as_edit``: whether it also counts as a modification by the acting user.
        """
        row = self.find(row_id)
        if row is None:
            return
        stamps: dict[str, Value] = {"SystemModstamp": self.now}
        if as_edit:
            stamps |= {"LastModifiedDate": self.now, "LastModifiedById": self.user_id}
        self.stage(Row(row.object, row.id, {**row.values, **values, **stamps}))

    def staged(self) -> list[Row]:
        """The rows to commit."""
        return list(self._staged.values())

    def mark(self) -> dict[str, Row]:
        """A savepoint for :meth:`rewind`."""
        return dict(self._staged)

    def rewind(self, mark: dict[str, Row]) -> None:
        """Drops the rows staged since the savepoint."""
        self._staged = dict(mark)


def _same_text(stored: Value, wanted: str) -> bool:
    return isinstance(stored, str) and stored.lower() == wanted.lower()
