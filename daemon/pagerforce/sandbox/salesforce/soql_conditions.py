"""Converts WHERE to a function from row to boolean, after a check of every comparison's types.

Facts: docs/vendors/salesforce.md#soql: text compares case-insensitively, Ids exactly except that 15
and 18 characters are the same; long text can't be filtered.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any

from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.lens import Lens
from pagerforce.sandbox.salesforce.schema import TEXT_TYPES, Field, FieldType, SObject, Value
from pagerforce.sandbox.salesforce.soql_ast import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    DateSpan,
    Includes,
    InList,
    InQuery,
    Literal,
    Not,
    Select,
    Text,
)
from pagerforce.sandbox.salesforce.soql_columns import (
    Column,
    check_filterable,
    resolve,
    value_at,
)
from pagerforce.sandbox.salesforce.soql_dates import Span, span_of
from pagerforce.sandbox.salesforce.soql_lexer import malformed
from pagerforce.sandbox.salesforce.store import Row

Test = Callable[[Row], bool]
Operand = str | bool | float | datetime | date | time | Span | None

_ID_TYPES = frozenset({FieldType.ID, FieldType.REFERENCE})
_EXACT_ONLY = frozenset({FieldType.BOOLEAN, FieldType.REFERENCE, FieldType.MULTIPICKLIST})
_OPERATORS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.LESS: operator.lt,
    Comparison.LESS_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_EQUAL: operator.ge,
}
"""Both sides now have the field's type."""
_RANGES = frozenset(_OPERATORS) - {Comparison.EQUAL}
_AT_LEAST = {Comparison.EQUAL, Comparison.GREATER, Comparison.GREATER_EQUAL}
_LITERAL_TYPES: Mapping[FieldType, tuple[type, ...]] = {
    FieldType.BOOLEAN: (bool,),
    FieldType.INTEGER: (float,),
    FieldType.LONG: (float,),
    FieldType.DOUBLE: (float,),
    FieldType.CURRENCY: (float,),
    FieldType.PERCENT: (float,),
    FieldType.TIME: (time,),
    FieldType.DATE: (date, DateSpan),
    FieldType.DATETIME: (datetime, DateSpan),
}


@dataclass(frozen=True, slots=True)
class ConditionCompiler:
    """Compiles conditions on one object.

    Attributes:
        subquery: runs a semi-join's query and returns the values of its one column.
        nested: whether this is a semi-join's own WHERE, which may not contain another one.
    """

    lens: Lens
    item: SObject
    now: datetime
    subquery: Callable[[Select], frozenset[str]]
    nested: bool = False

    def compile(self, condition: Condition) -> Test:
        """The test that a row must pass.

        Raises:
            ApiError: an unknown field, or a comparison that its type does not allow.
        """
        match condition:
            case AllOf(conditions) | AnyOf(conditions):
                tests = [self.compile(item) for item in conditions]
                joined = all if isinstance(condition, AllOf) else any
                return lambda row: joined(test(row) for test in tests)
            case Not(inner):
                test = self.compile(inner)
                return lambda row: not test(row)
            case Compare():
                return self._compare(condition)
            case InList():
                return self._in_list(condition)
            case InQuery():
                return self._in_query(condition)
            case Includes():
                return self._includes(condition)

    def _column(self, condition: Compare | InList | InQuery | Includes) -> Column:
        column = resolve(self.lens.schema, self.item, condition.path)
        check_filterable(column)
        return column

    def _compare(self, condition: Compare) -> Test:
        column = self._column(condition)
        if condition.operator is Comparison.LIKE:
            return self._like(column, condition.literal)
        if condition.operator in _RANGES and column.field.type in _EXACT_ONLY:
            raise _bad_operator(column.field)
        wanted = self._operand(column.field, condition.literal)
        return lambda row: _holds(self._folded(row, column), condition.operator, wanted)

    def _folded(self, row: Row, column: Column) -> Value:
        """The value for comparisons: text in lower case, everything else unchanged."""
        value = value_at(self.lens, row, column)
        is_text = column.field.type in TEXT_TYPES and isinstance(value, str)
        return str(value).lower() if is_text else value

    def _like(self, column: Column, literal: Literal) -> Test:
        if column.field.type not in TEXT_TYPES or not isinstance(literal, Text):
            raise _bad_operator(column.field)
        matches = partial(_fits_pattern, like_pattern(literal.pattern))
        return lambda row: matches(value_at(self.lens, row, column))

    def _in_list(self, condition: InList) -> Test:
        column = self._column(condition)
        wanted = [self._operand(column.field, literal) for literal in condition.literals]

        def test(row: Row) -> bool:
            value = self._folded(row, column)
            found = any(_holds(value, Comparison.EQUAL, item) for item in wanted)
            return found is not condition.negated

        return test

    def _in_query(self, condition: InQuery) -> Test:
        column = self._column(condition)
        if self.nested:
            raise malformed("Nested semi join sub-selects are not supported")
        if column.field.type not in _ID_TYPES:
            raise malformed(f"The left operand field '{column}' must be an Id or a reference field")
        ids = self.subquery(condition.query)

        def test(row: Row) -> bool:
            return (value_at(self.lens, row, column) in ids) is not condition.negated

        return test

    def _includes(self, condition: Includes) -> Test:
        column = self._column(condition)
        if column.field.type is not FieldType.MULTIPICKLIST:
            raise _bad_operator(column.field)
        groups = [set(value.lower().split(";")) for value in condition.values]

        def test(row: Row) -> bool:
            value = self._folded(row, column)
            chosen = set(value.split(";")) if isinstance(value, str) else set()
            return any(group <= chosen for group in groups) is not condition.negated

        return test

    def _operand(self, field: Field, literal: Literal) -> Operand:
        if literal is None:
            return None
        if field.type in _ID_TYPES:
            return _id_operand(literal)
        if field.type in TEXT_TYPES:
            if not isinstance(literal, Text):
                raise _bad_literal(field, "string and should be enclosed in quotes")
            return literal.value.lower() or None
        allowed = _LITERAL_TYPES[field.type]
        is_moment_for_day = field.type is FieldType.DATE and isinstance(literal, datetime)
        if not isinstance(literal, allowed) or is_moment_for_day:
            kind = "dateTime" if field.type is FieldType.DATETIME else field.type.value
            raise _bad_literal(field, f"{kind} and should not be enclosed in quotes")
        if isinstance(literal, DateSpan):
            return self._span(literal)
        return literal.value if isinstance(literal, Text) else literal

    def _span(self, literal: DateSpan) -> Span:
        try:
            return span_of(literal.name, literal.count, self.now)
        except (OverflowError, ValueError) as error:
            raise malformed(f"date literal out of range: {literal.name}") from error


def ids_named(condition: Condition | None) -> set[str] | None:
    """The only Ids of rows that can pass; None if any can."""
    match condition:
        case AllOf(conditions):
            return next((ids for one in conditions if (ids := ids_named(one)) is not None), None)
        case Compare(path, Comparison.EQUAL, literal):
            literals = [literal]
        case InList(path, many, negated=False):
            literals = list(many)
        case _:
            return None
    if len(path.steps) != 1 or path.steps[0].lower() != "id":
        return None
    named = (canonical_id(one.value) for one in literals if isinstance(one, Text))
    return {row_id for row_id in named if row_id is not None}


def least_named(condition: Condition | None, field_name: str) -> str | None:
    """The least ``id`` or ``systemmodstamp`` of rows that can pass; None if any can.

    In the form of ``RowStore.in_order``: instants as ISO 8601 in UTC.
    """
    match condition:
        case AllOf(conditions):
            found = [least_named(one, field_name) for one in conditions]
            return max((low for low in found if low is not None), default=None)
        case AnyOf(conditions):
            found = [least_named(one, field_name) for one in conditions]
            lows = [low for low in found if low is not None]
            return min(lows) if len(lows) == len(found) else None
        case Compare(path, comparison, literal) if comparison in _AT_LEAST:
            if len(path.steps) != 1 or path.steps[0].lower() != field_name:
                return None
            if isinstance(literal, datetime):
                return literal.astimezone(UTC).isoformat()
            return canonical_id(literal.value) if isinstance(literal, Text) else None
        case _:
            return None


def like_pattern(pattern: str) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression: ``%`` any text, ``_`` one character."""
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            parts.append(re.escape(next(characters, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _fits_pattern(pattern: re.Pattern[str], value: Value) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _id_operand(literal: Literal) -> str:
    row_id = canonical_id(literal.value) if isinstance(literal, Text) else None
    if row_id is None:
        shown = literal.value if isinstance(literal, Text) else literal
        raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {shown}")
    return row_id


def _bad_operator(field: Field) -> ApiError:
    return ApiError(
        "INVALID_QUERY_FILTER_OPERATOR",
        f"invalid operator on {field.type.value} field '{field.name}'",
    )


def _bad_literal(field: Field, wanted: str) -> ApiError:
    return ApiError(
        "INVALID_FIELD",
        f"value of filter criterion for field '{field.name}' must be of type {wanted}",
    )


def _holds(value: Value, comparison: Comparison, wanted: Operand) -> bool:
    if comparison is Comparison.NOT_EQUAL:
        return not _holds(value, Comparison.EQUAL, wanted)
    if value is None or wanted is None:
        return comparison is Comparison.EQUAL and value is wanted
    if isinstance(wanted, tuple):
        return _in_span(value, comparison, wanted)
    return _OPERATORS[comparison](value, wanted)


def _in_span(value: Value, comparison: Comparison, span: Span) -> bool:
    moment = value if isinstance(value, datetime) else None
    if moment is None and isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    if moment is None:
        return False
    start, end = span
    return {
        Comparison.EQUAL: start <= moment < end,
        Comparison.LESS: moment < start,
        Comparison.LESS_EQUAL: moment < end,
        Comparison.GREATER: moment >= end,
        Comparison.GREATER_EQUAL: moment >= start,
    }[comparison]
