"""Rows in memory, with the one property that breaks naive pollers: commit comes after the stamp.

Every row has versions, and each version becomes visible at its own time. So a row written by a long
transaction has the stamp of the write and becomes visible later
(``salesforce.rows-within-late-window``).
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from pagerforce.sandbox.clock import SandboxClock
from pagerforce.sandbox.salesforce.schema import FieldType, Schema, SObject, Value

_FEW = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One state of one row. The keys of ``values`` are API names, without formulas."""

    object: str
    id: str
    values: Mapping[str, Value]

    @property
    def is_deleted(self) -> bool:
        """Whether it is in the Recycle Bin."""
        return self.values["IsDeleted"] is True

    @property
    def stamp(self) -> datetime:
        """SystemModstamp."""
        return self._moment("SystemModstamp")

    @property
    def modified_at(self) -> datetime:
        """LastModifiedDate."""
        return self._moment("LastModifiedDate")

    def _moment(self, name: str) -> datetime:
        value = self.values[name]
        if not isinstance(value, datetime):
            raise TypeError(f"{name} of {self.id} is no instant")
        return value


class RowSource(Protocol):
    """A source of rows: committed rows, or those with one transaction's work on top."""

    def find(self, row_id: str) -> Row | None:
        """The row of that 18-character Id, deleted or not; None if none is visible."""
        ...

    def scan(self, object_name: str) -> Iterator[Row]:
        """All rows of one object, including deleted ones, in the order of creation."""
        ...

    def in_order(
        self, object_name: str, field_name: str, least: str | None = None
    ) -> Iterator[Row] | None:
        """The same by ``id``, or by ``systemmodstamp`` and Id; None if that order is not kept.

        ``least``: the first Id, or the first instant in UTC as ISO 8601.
        """
        ...


@dataclass(slots=True)
class _Cell:
    """All versions of one row: the visible one first, at most one that waits for its commit."""

    versions: list[tuple[datetime, Row]] = field(default_factory=list)

    def visible(self, now: datetime) -> Row | None:
        """The newest committed version; removes older ones."""
        while len(self.versions) > 1 and self.versions[1][0] <= now:
            del self.versions[0]
        at, row = self.versions[0]
        return row if at <= now else None


class RowStore:
    """The committed rows, and those that wait for their commit.

    Args:
        schema: decides which fields to index: lookups, and unique fields.

    Attributes:
        on_put: called for each row before it is stored: its former state, the row, its commit's time.
    """

    def __init__(self, clock: SandboxClock, schema: Schema) -> None:
        self._clock = clock
        self._cells: dict[str, _Cell] = {}
        self._by_object: dict[str, list[str]] = {name: [] for name in schema.objects}
        self._indexed = {item.name: _indexed_fields(item) for item in schema.objects.values()}
        self._index: dict[tuple[str, str, str], dict[str, None]] = {}
        self._last_visible_at = datetime.min.replace(tzinfo=UTC)
        self._orders: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.on_put: list[Callable[[Row | None, Row, datetime], None]] = []

    def find(self, row_id: str) -> Row | None:
        """The committed state of a row."""
        cell = self._cells.get(row_id)
        return None if cell is None else cell.visible(self._clock.now())

    def scan(self, object_name: str) -> Iterator[Row]:
        """The committed state of all rows of an object."""
        now = self._clock.now()
        for row_id in self._by_object[object_name.lower()]:
            row = self._cells[row_id].visible(now)
            if row is not None:
                yield row

    def in_order(
        self, object_name: str, field_name: str, least: str | None = None
    ) -> Iterator[Row] | None:
        """All rows by Id or by SystemModstamp and Id; None while a row waits for its commit."""
        if self._clock.now() < self._last_visible_at:
            return None
        kept = (object_name.lower(), field_name)
        if kept not in self._orders:
            self._orders[kept] = sorted(_place(row, field_name) for row in self.scan(object_name))
        places = self._orders[kept]
        place = ("", least or "") if field_name == "id" else (least or "", "")
        begin = bisect_left(places, place)
        rows = (self.find(row_id) for _, row_id in islice(places, begin, None))
        return (row for row in rows if row is not None)

    def newest(self, row_id: str) -> Row | None:
        """The last written state, committed or not."""
        cell = self._cells.get(row_id)
        return None if cell is None else cell.versions[-1][1]

    def is_locked(self, row_id: str) -> bool:
        """Whether an open transaction holds the row."""
        cell = self._cells.get(row_id)
        return cell is not None and cell.versions[-1][0] > self._clock.now()

    def matches(self, object_name: str, field_name: str, value: str) -> list[str]:
        """Ids of rows whose newest state has this value in an indexed field."""
        return list(self._index.get((object_name, field_name, value.lower()), ()))

    def put(self, rows: Sequence[Row], visible_at: datetime) -> None:
        """Stores the rows of one transaction."""
        self._last_visible_at = max(self._last_visible_at, visible_at)
        for row in rows:
            for tell in self.on_put:
                tell(self.newest(row.id), row, visible_at)
            self._keep_orders(row, is_one_of_many=len(rows) > _FEW)
            cell = self._cells.get(row.id)
            if cell is None:
                self._cells[row.id] = _Cell([(visible_at, row)])
                self._by_object[row.object.lower()].append(row.id)
            else:
                cell.visible(self._clock.now())
                self._unindex(cell.versions[-1][1])
                cell.versions.append((visible_at, row))
            self._reindex(row)

    def purge(self, row_id: str) -> None:
        """Deletes a row permanently, as emptying the Recycle Bin does."""
        row = self._cells.pop(row_id).versions[-1][1]
        for kept in [kept for kept in self._orders if kept[0] == row.object.lower()]:
            del self._orders[kept]
        self._by_object[row.object.lower()].remove(row_id)
        self._unindex(row)

    def commit_open(self) -> None:
        """Ends all open transactions now: all waiting rows become visible."""
        now = self._clock.now()
        self._last_visible_at = min(self._last_visible_at, now)
        for cell in self._cells.values():
            cell.versions = [(min(at, now), row) for at, row in cell.versions]

    def _keep_orders(self, row: Row, *, is_one_of_many: bool) -> None:
        """Inserts a row into every order, or drops orders that are cheaper to create again."""
        before = self.newest(row.id)
        for kept in [kept for kept in self._orders if kept[0] == row.object.lower()]:
            if is_one_of_many:
                del self._orders[kept]
                continue
            places = self._orders[kept]
            if before is not None:
                del places[bisect_left(places, _place(before, kept[1]))]
            insort(places, _place(row, kept[1]))

    def _unindex(self, row: Row) -> None:
        for key in self._keys(row):
            self._index[key].pop(row.id, None)
            if not self._index[key]:
                del self._index[key]

    def _reindex(self, row: Row) -> None:
        for key in self._keys(row):
            self._index.setdefault(key, {})[row.id] = None

    def _keys(self, row: Row) -> Iterator[tuple[str, str, str]]:
        for name in self._indexed[row.object]:
            value = row.values.get(name)
            if isinstance(value, str):
                yield row.object, name, value.lower()


def _indexed_fields(item: SObject) -> tuple[str, ...]:
    return tuple(
        f.name
        for f in item.fields.values()
        if f.external_id or f.unique or (f.type is FieldType.REFERENCE and f.createable)
    )


def _place(row: Row, field_name: str) -> tuple[str, str]:
    return ("" if field_name == "id" else row.stamp.isoformat()), row.id
