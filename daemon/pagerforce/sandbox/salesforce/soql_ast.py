"""The syntax tree of a SOQL query: frozen nodes, names in the query's spelling."""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum


class Comparison(Enum):
    """Comparison operators; ``<>`` is read as ``!=``."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LIKE = "LIKE"


@dataclass(frozen=True, slots=True)
class Path:
    """A field or a path over parents: ``Owner.Name`` is ``("Owner", "Name")``.

    Attributes:
        position: its start in the query text, for error messages.
    """

    steps: tuple[str, ...]
    position: int

    def __str__(self) -> str:
        return ".".join(self.steps)


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A date function such as ``TODAY`` or ``LAST_N_DAYS:3``."""

    name: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted literal.

    Attributes:
        value: the text with every escape resolved.
        pattern: the same for LIKE, but wildcards and backslashes keep their escapes.
    """

    value: str
    pattern: str


Literal = Text | bool | float | datetime | date | time | DateSpan | None


@dataclass(frozen=True, slots=True)
class Compare:
    """``field op literal``."""

    path: Path
    operator: Comparison
    literal: Literal


@dataclass(frozen=True, slots=True)
class InList:
    """``field IN (…)`` or ``NOT IN``."""

    path: Path
    literals: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class InQuery:
    """A semi-join or anti-join: ``field IN (SELECT …)``."""

    path: Path
    query: "Select"
    negated: bool


@dataclass(frozen=True, slots=True)
class Includes:
    """``multipicklist INCLUDES ('a;b', 'c')`` or ``EXCLUDES``; ``;`` asks for all of them."""

    path: Path
    values: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Not:
    """``NOT condition``."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conditions joined by AND."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions joined by OR."""

    conditions: tuple["Condition", ...]


Condition = Compare | InList | InQuery | Includes | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """``FIELDS(ALL)``, ``FIELDS(STANDARD)`` or ``FIELDS(CUSTOM)``."""

    kind: str


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One sort key."""

    path: Path
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """A whole query, or a subquery; in a child subquery ``source`` is the relationship."""

    items: tuple["Path | FieldsOf | Select", ...]
    is_count: bool
    source: str
    where: Condition | None = None
    order_by: tuple[OrderBy, ...] = ()
    limit: int | None = None
    offset: int = 0
