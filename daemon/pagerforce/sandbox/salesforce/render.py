"""Values and rows in the JSON form of the REST API.

Facts: ``salesforce.rows-nest-parents``, ``salesforce.times-as-answered``: datetimes
as ``2021-05-26T16:37:48.000+0000``, times of day as ``13:14:15.000Z``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.schema import Field, Value
from pagerforce.sandbox.salesforce.soql_columns import Column, parent_at, value_at
from pagerforce.sandbox.salesforce.store import Row

Json = dict[str, object]
Parents = dict[tuple[tuple[str, ...], str], Json]


def render_value(value: Value, fraction: str = "000") -> str | bool | float | None:
    """A field value as JSON; ``fraction``: the milliseconds of every instant."""
    if isinstance(value, datetime):
        return value.strftime(f"%Y-%m-%dT%H:%M:%S.{fraction}+0000")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("milliseconds") + "Z"
    return value


@dataclass(frozen=True, slots=True)
class Renderer:
    """Creates JSON records.

    Attributes:
        base: the path of the API version, ``/services/data/v62.0``.
        fraction: the milliseconds of every instant.
    """

    lens: Lens
    base: str
    fraction: str = "000"

    def record(self, row: Row, columns: Iterable[Column], parents: Parents | None = None) -> Json:
        """A row with these columns, parents nested.

        ``parents``: those of earlier rows of the same query, shared by many rows.
        """
        return self._level(row, list(columns), 0, {} if parents is None else parents)

    def whole(self, row: Row, fields: Iterable[Field]) -> Json:
        """A row with these of its fields."""
        return self.record(row, [Column((), field) for field in fields])

    def _level(self, row: Row, columns: list[Column], depth: int, parents: Parents) -> Json:
        shown: Json = {"attributes": self._attributes(row)}
        for column in columns:
            if len(column.steps) == depth:
                at_end = Column((), column.field, column.is_owner_type)
                value = value_at(self.lens, row, at_end)
                shown[column.field.name] = render_value(value, self.fraction)
            elif (step := column.steps[depth]) not in shown:
                path = column.steps[: depth + 1]
                shown[step] = self._parent(row, path, columns, parents)
        return shown

    def _parent(
        self, row: Row, path: tuple[str, ...], columns: list[Column], parents: Parents
    ) -> Json | None:
        parent = parent_at(self.lens, row, path[-1])
        if parent is None:
            return None
        if (path, parent.id) in parents:
            return parents[path, parent.id]
        depth = len(path)
        below = [column for column in columns if column.steps[:depth] == path]
        shown = parents[path, parent.id] = self._level(parent, below, depth, parents)
        lookup = self.lens.object_of(row).find_parent(path[-1])
        if lookup is not None and len(lookup.reference_to) > 1:
            shown["attributes"] = self._attributes(parent) | {"type": "Name"}
        return shown

    def _attributes(self, row: Row) -> Json:
        return {"type": row.object, "url": f"{self.base}/sobjects/{row.object}/{row.id}"}
