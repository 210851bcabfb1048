"""Builds SOQL: the only place that composes queries and escapes values. Pure.

Names come from the configuration and are checked against the grammar of identifiers; values are
typed literals. Facts: docs/vendors/salesforce.md#soql.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import NewType, TypeAlias, TypeVar

from msgspec import Struct

from pagerforce.errors import RefusedError
from pagerforce.model.value import format_instant

Condition = NewType("Condition", str)
Literal: TypeAlias = str | bool | int | float | datetime | date | None

MAX_STATEMENT = 100_000  # characters of one statement
MAX_PAGE = 2_000  # rows of one batch, as the server caps it
# A WHERE clause may have 4,000 characters; an Id takes 21, and a keyset or filter is added.
_Id = TypeVar("_Id", bound=str)
IDS_PER_QUERY = 150

_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*){0,5}")
_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)


def is_path(text: str) -> bool:
    """Whether the text can be a field name or a parent path of at most five steps up."""
    return _PATH.fullmatch(text) is not None


def check_path(text: str) -> str:
    """The name itself, after a check that it is a valid name.

    Raises:
        RefusedError: it is not a field name, parent path or object name.
    """
    if not is_path(text):
        raise RefusedError(f"{text!r} is not the name of a Salesforce field or object")
    return text


def quote(text: str) -> str:
    """A text literal in single quotes, with all special characters of SOQL escaped."""
    return f"'{text.translate(_ESCAPES)}'"


def literal(value: Literal) -> str:
    """A value in SOQL: text quoted, instants and dates bare, booleans and null as words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            return format_instant(value)
        case date():
            return value.isoformat()
        case str():
            return quote(value)


def compare(path: str, operator: str, value: Literal) -> Condition:
    """``path operator literal``, e.g. ``CreatedDate >= 2026-01-02T03:04:05Z``."""
    return Condition(f"{check_path(path)} {operator} {literal(value)}")


def equals(path: str, value: Literal) -> Condition:
    """``path = literal``."""
    return compare(path, "=", value)


def is_in(path: str, values: Iterable[str]) -> Condition:
    """``path IN ('a', 'b')``; the caller keeps the list short (``chunked``)."""
    return Condition(f"{check_path(path)} IN ({', '.join(quote(value) for value in values)})")


def is_after(stamp_field: str, stamp: datetime, record_id: str) -> Condition:
    """The keyset: rows after this row in the order (stamp, Id), also within one second."""
    later = compare(stamp_field, ">", stamp)
    beside = f"{equals(stamp_field, stamp)} AND {compare('Id', '>', record_id)}"
    return Condition(f"({later} OR ({beside}))")


def configured(where: str) -> tuple[Condition, ...]:
    """A filter from the configuration, in brackets so that it stays one condition."""
    return (Condition(f"({where.strip()})"),) if where.strip() else ()


def chunked(ids: Sequence[_Id], size: int = IDS_PER_QUERY) -> Iterator[Sequence[_Id]]:
    """Slices of a list of Ids, each short enough for one WHERE clause."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


class Select(Struct, frozen=True):
    """One SELECT statement. ``where`` conditions are joined by AND."""

    object: str
    fields: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None

    def text(self) -> str:
        """The statement.

        Raises:
            RefusedError: a name is invalid, or the statement is too long for Salesforce.
        """
        fields = ", ".join(check_path(field) for field in self.fields)
        parts = [f"SELECT {fields} FROM {check_path(self.object)}"]  # noqa: S608 - names are checked
        if self.where:
            parts.append(f"WHERE {' AND '.join(self.where)}")
        if self.order_by:
            order = ", ".join(f"{check_path(field)} ASC" for field in self.order_by)
            parts.append(f"ORDER BY {order}")
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        statement = " ".join(parts)
        if len(statement) > MAX_STATEMENT:
            raise RefusedError(
                f"the query for {self.object} has {len(statement)} characters and Salesforce"
                f" accepts {MAX_STATEMENT}: name fewer fields in [[objects]] and in the rules"
            )
        return statement
