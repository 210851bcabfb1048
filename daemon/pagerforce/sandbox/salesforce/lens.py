"""Reads field values of rows: stored ones, formulas, and paths over parents.

A lookup to a deleted row reads as empty, as on the platform, and has its value again after an
undelete; a master-detail field keeps its Id.
"""

from dataclasses import dataclass

from pagerforce.sandbox.salesforce.schema import Field, FieldType, Schema, SObject, Value
from pagerforce.sandbox.salesforce.store import Row, RowSource

MAX_PARENT_STEPS = 5


@dataclass(frozen=True, slots=True)
class Lens:
    """Reads rows of one source with one schema.

    Attributes:
        system: the whole schema, if ``schema`` is one user's: formulas use every right,
            for every reader.
    """

    schema: Schema
    source: RowSource
    system: Schema | None = None

    def object_of(self, row: Row) -> SObject:
        """The row's type."""
        return self.schema.get(row.object)

    def value(self, row: Row, field: Field) -> Value:
        """The value of a field."""
        if field.formula is not None:
            full = self if self.system is None else Lens(self.system, self.source)
            return field.formula(lambda path: full.at(row, path))
        stored = row.values.get(field.name)
        if field.type is FieldType.REFERENCE and isinstance(stored, str) and not field.cascade:
            target = self.source.find(stored)
            is_gone = target is not None and target.is_deleted
            return None if is_gone and field.name != "MasterRecordId" else stored
        return stored

    def parent(self, row: Row, field: Field) -> Row | None:
        """The row of a lookup, or None if it is empty or not visible."""
        target = self.value(row, field)
        parent = self.source.find(target) if isinstance(target, str) else None
        return parent if parent is not None and self.schema.find(parent.object) else None

    def at(self, row: Row, path: str) -> Value:
        """The value at a dotted path from a row, in any spelling; empty if a parent is missing.

        Raises:
            KeyError: the path is not in the schema.
        """
        *steps, last = path.split(".")
        current: Row | None = row
        item = self.object_of(row)
        for step in steps:
            lookup = item.find_parent(step)
            if lookup is None:
                raise KeyError(path)
            current = None if current is None else self.parent(current, lookup)
            item = self.schema.get(lookup.reference_to[0] if current is None else current.object)
        field = item.find(last)
        if field is None:
            raise KeyError(path)
        return None if current is None else self.value(current, field)
