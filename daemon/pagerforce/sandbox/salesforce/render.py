"""Values and rows as the REST API puts them into JSON.

Facts: salesforce.md section 2: ``attributes`` on every record, parents nested or null, datetimes
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


def render_value(value: Value) -> str | bool | float | None:
    """A field value as JSON."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("milliseconds") + "Z"
    return value


@dataclass(frozen=True, slots=True)
class Renderer:
    """Makes JSON records.

    Attributes:
        base: the path of the API version, ``/services/data/v62.0``.
    """

    lens: Lens
    base: str

    def record(self, row: Row, columns: Iterable[Column]) -> Json:
        """A row with these columns, parents nested."""
        return self._level(row, list(columns), 0)

    def whole(self, row: Row, fields: Iterable[Field]) -> Json:
        """A row with these fields of its own."""
        return self.record(row, [Column((), field) for field in fields])

    def _level(self, row: Row, columns: list[Column], depth: int) -> Json:
        shown: Json = {"attributes": self._attributes(row)}
        for column in columns:
            if len(column.steps) == depth:
                at_end = Column((), column.field, column.is_owner_type)
                shown[column.field.name] = render_value(value_at(self.lens, row, at_end))
                continue
            step = column.steps[depth]
            if step not in shown:
                below = [c for c in columns if c.steps[: depth + 1] == column.steps[: depth + 1]]
                shown[step] = self._parent(row, step, below, depth + 1)
        return shown

    def _parent(self, row: Row, step: str, columns: list[Column], depth: int) -> Json | None:
        parent = parent_at(self.lens, row, step)
        if parent is None:
            return None
        shown = self._level(parent, columns, depth)
        lookup = self.lens.object_of(row).find_parent(step)
        if lookup is not None and len(lookup.reference_to) > 1:
            shown["attributes"] = self._attributes(parent) | {"type": "Name"}
        return shown

    def _attributes(self, row: Row) -> Json:
        return {"type": row.object, "url": f"{self.base}/sobjects/{row.object}/{row.id}"}
