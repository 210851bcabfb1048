"""Runs a parsed query over rows and returns the records in the API's form."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.render import Json, Parents, Renderer
from pagerforce.sandbox.salesforce.schema import ChildLink, FieldType, SObject, Value
from pagerforce.sandbox.salesforce.soql_ast import OrderBy, Path, Select
from pagerforce.sandbox.salesforce.soql_columns import (
    Column,
    check_sortable,
    columns_of,
    find_child,
    find_object,
    resolve,
    value_at,
)
from pagerforce.sandbox.salesforce.soql_conditions import ConditionCompiler, ids_named, least_named
from pagerforce.sandbox.salesforce.soql_lexer import malformed
from pagerforce.sandbox.salesforce.soql_parser import parse_soql
from pagerforce.sandbox.salesforce.store import Row

_KEPT_ORDERS = (("id",), ("systemmodstamp", "id"))


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a query: every record, before it is split into batches."""

    total: int
    records: list[Json]


@dataclass(frozen=True, slots=True)
class QueryRunner:
    """Answers queries as of one instant.

    Attributes:
        include_deleted: as in ``queryAll``.
    """

    renderer: Renderer
    now: datetime
    include_deleted: bool = False

    def run(self, query: str) -> Found:
        """All results of a query.

        Raises:
            ApiError: the query is malformed, or names something that does not exist.
        """
        select = parse_soql(query)
        item = find_object(self._lens.schema, select.source)
        columns = columns_of(self._lens.schema, item, select)
        children = [child for child in select.items if isinstance(child, Select)]
        attach = [self._child_query(item, child) for child in children]
        rows = self._rows(item, select)
        if select.is_count:
            return Found(len(rows), [])
        records, parents = [], Parents()
        for row in rows:
            record = self.renderer.record(row, columns, parents)
            for name, records_of in attach:
                record[name] = records_of(row)
            records.append(record)
        return Found(len(records), records)

    @property
    def _lens(self) -> Lens:
        return self.renderer.lens

    def _rows(self, item: SObject, select: Select, *, nested: bool = False) -> list[Row]:
        compiler = ConditionCompiler(self._lens, item, self.now, self._ids_of, nested)
        test = None if select.where is None else compiler.compile(select.where)
        keys = [self._sort_key(item, key) for key in select.order_by]
        if select.limit is not None and (ordered := self._in_order(item, select)) is not None:
            found = (row for row in ordered if test is None or test(row))
            return list(islice(found, select.offset, select.offset + select.limit))
        source = self._candidates(item, select)
        rows = [row for row in source if test is None or test(row)]
        for column, key in reversed(keys):
            rows = self._sorted(rows, column, key)
        end = None if select.limit is None else select.offset + select.limit
        return rows[select.offset : end]

    def _in_order(self, item: SObject, select: Select) -> Iterable[Row] | None:
        """Rows in the order that pollers ask for, if the store keeps that order; else None."""
        keys = select.order_by
        asked = tuple(str(key.path).lower() for key in keys)
        is_plain = not any(key.descending or key.nulls_last for key in keys)
        if asked not in _KEPT_ORDERS or not is_plain:
            return None
        least = least_named(select.where, asked[0])
        rows = self._lens.source.in_order(item.name, asked[0], least)
        return None if rows is None else self._live(rows)

    def _candidates(self, item: SObject, select: Select) -> Iterable[Row]:
        """Rows that may fit: those with the Ids in the query, if it has any; else all."""
        ids = ids_named(select.where)
        if ids is None:
            return self._live(self._lens.source.scan(item.name))
        named = (self._lens.source.find(row_id) for row_id in sorted(ids))
        return self._live(row for row in named if row is not None and row.object == item.name)

    def _live(self, rows: Iterable[Row]) -> Iterable[Row]:
        return rows if self.include_deleted else (row for row in rows if not row.is_deleted)

    def _sort_key(self, item: SObject, key: OrderBy) -> tuple[Column, OrderBy]:
        column = resolve(self._lens.schema, item, key.path)
        check_sortable(column)
        return column, key

    def _sorted(self, rows: list[Row], column: Column, key: OrderBy) -> list[Row]:
        valued = [(value_at(self._lens, row, column), row) for row in rows]
        empty = [row for value, row in valued if value is None]
        filled = [(value, row) for value, row in valued if value is not None]
        is_id = column.field.type in {FieldType.ID, FieldType.REFERENCE}
        fold = _as_is if is_id else _folded
        filled.sort(key=lambda pair: fold(pair[0]), reverse=key.descending)  # type: ignore[arg-type,return-value]
        ordered = [row for _, row in filled]
        return ordered + empty if key.nulls_last else empty + ordered

    def _ids_of(self, select: Select) -> frozenset[str]:
        item = find_object(self._lens.schema, select.source)
        if len(select.items) != 1 or not isinstance(select.items[0], Path):
            raise malformed("A semi join sub-select must select exactly one Id or reference field")
        column = resolve(self._lens.schema, item, select.items[0])
        if column.field.type not in {FieldType.ID, FieldType.REFERENCE}:
            raise malformed("A semi join sub-select must select an Id or a reference field")
        values = (
            value_at(self._lens, row, column) for row in self._rows(item, select, nested=True)
        )
        return frozenset(value for value in values if isinstance(value, str))

    def _child_query(
        self, parent: SObject, select: Select
    ) -> tuple[str, Callable[[Row], Json | None]]:
        link = find_child(self._lens.schema, parent, select.source)
        columns = columns_of(self._lens.schema, link.object, select)
        groups = self._group_children(link, select)

        def records_of(row: Row) -> Json | None:
            rows = groups.get(row.id, [])
            end = None if select.limit is None else select.offset + select.limit
            shown = [self.renderer.record(child, columns) for child in rows[select.offset : end]]
            return {"totalSize": len(shown), "done": True, "records": shown} if shown else None

        return link.field.children, records_of

    def _group_children(self, link: ChildLink, select: Select) -> dict[str, list[Row]]:
        """All children by parent; LIMIT and OFFSET apply per parent, so they come later."""
        groups: dict[str, list[Row]] = {}
        for row in self._rows(link.object, replace(select, limit=None, offset=0)):
            parent = self._lens.value(row, link.field)
            if isinstance(parent, str):
                groups.setdefault(parent, []).append(row)
        return groups


def _as_is(value: Value) -> Value:
    return value


def _folded(value: Value) -> Value:
    return value.lower() if isinstance(value, str) else value
