"""Which operator applies to which kind of field, and which values it can be given.

Everything that can be refused when rules are loaded is refused here, with the reason, so that
evaluation never has to guess what a silent false would mean.
Fact: ``salesforce.describe-tells-fields`` (the types).
"""

import functools
from collections.abc import Collection
from enum import StrEnum
from typing import Any

import re2

from pagerforce.model.value import Scalar, is_empty
from pagerforce.rules.compare import to_boolean, to_moment, to_number, to_time
from pagerforce.rules.syntax import Operator

Operand = Scalar | tuple[Scalar, ...]

CHANGE_OPERATORS = frozenset({Operator.CHANGED, Operator.CHANGED_FROM, Operator.CHANGED_TO})
LIST_OPERATORS = frozenset({Operator.IN, Operator.NOT_IN})
ORDER_OPERATORS = frozenset(
    {Operator.GREATER_THAN, Operator.AT_LEAST, Operator.LESS_THAN, Operator.AT_MOST}
)
TEXT_OPERATORS = frozenset(
    {
        Operator.CONTAINS,
        Operator.NOT_CONTAINS,
        Operator.STARTS_WITH,
        Operator.ENDS_WITH,
        Operator.MATCHES,
    }
)
EMPTY_OPERATORS = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
VALUELESS_OPERATORS = EMPTY_OPERATORS | {Operator.CHANGED}
SAME_OPERATORS = frozenset(
    {
        Operator.EQUALS,
        Operator.NOT_EQUALS,
        Operator.IN,
        Operator.NOT_IN,
        Operator.CHANGED_FROM,
        Operator.CHANGED_TO,
    }
)
MAX_PATTERN_CHARS = 2000
MAX_PATTERN_SIZE = 12_000
"""Instructions of a pattern's program: a repetition has as many as it counts, times what it repeats."""
_PATTERN_BYTES = 512 * 1024


class FieldKind(StrEnum):
    """What a field holds, as far as comparing is concerned. The value is the word for messages."""

    TEXT = "text"
    ID = "an Id"
    NUMBER = "a number"
    BOOLEAN = "a boolean"
    DATE = "a date"
    INSTANT = "a date and time"
    TIME = "a time of day"
    PEOPLE = "a list of people"
    OPAQUE = "a compound or binary value"
    ANY = "of a type only the org knows"


DESCRIBE_KINDS = {
    "id": FieldKind.ID,
    "reference": FieldKind.ID,
    "boolean": FieldKind.BOOLEAN,
    "int": FieldKind.NUMBER,
    "long": FieldKind.NUMBER,
    "double": FieldKind.NUMBER,
    "currency": FieldKind.NUMBER,
    "percent": FieldKind.NUMBER,
    "date": FieldKind.DATE,
    "datetime": FieldKind.INSTANT,
    "time": FieldKind.TIME,
    "address": FieldKind.OPAQUE,
    "location": FieldKind.OPAQUE,
    "base64": FieldKind.OPAQUE,
    "complexvalue": FieldKind.OPAQUE,
    "json": FieldKind.OPAQUE,
    "anytype": FieldKind.ANY,
    "string": FieldKind.TEXT,
    "textarea": FieldKind.TEXT,
    "picklist": FieldKind.TEXT,
    "multipicklist": FieldKind.TEXT,
    "combobox": FieldKind.TEXT,
    "email": FieldKind.TEXT,
    "phone": FieldKind.TEXT,
    "url": FieldKind.TEXT,
    "encryptedstring": FieldKind.TEXT,
    "datacategorygroupreference": FieldKind.TEXT,
}
"""Describe's ``type`` -> kind. A type that is not listed is treated as ``ANY``."""

_ALWAYS = EMPTY_OPERATORS | CHANGE_OPERATORS
_ORDERED = SAME_OPERATORS | ORDER_OPERATORS | _ALWAYS
_WORDS = SAME_OPERATORS | TEXT_OPERATORS | _ALWAYS
_PEOPLE = LIST_OPERATORS | {Operator.CONTAINS, Operator.NOT_CONTAINS} | _ALWAYS
_APPLIES: dict[FieldKind, frozenset[Operator]] = {
    FieldKind.TEXT: _WORDS,
    FieldKind.ID: _WORDS,
    FieldKind.NUMBER: _ORDERED,
    FieldKind.DATE: _ORDERED,
    FieldKind.INSTANT: _ORDERED,
    FieldKind.TIME: _ORDERED,
    FieldKind.BOOLEAN: SAME_OPERATORS | _ALWAYS,
    FieldKind.PEOPLE: _PEOPLE,
    FieldKind.OPAQUE: EMPTY_OPERATORS | {Operator.CHANGED},
    FieldKind.ANY: frozenset(Operator),
}
_READERS = {
    FieldKind.NUMBER: (to_number, "a number, e.g. 5"),
    FieldKind.BOOLEAN: (to_boolean, "true or false"),
    FieldKind.DATE: (to_moment, 'a date, e.g. "2026-01-31"'),
    FieldKind.INSTANT: (to_moment, 'a date and time, e.g. "2026-01-31T08:00:00Z"'),
    FieldKind.TIME: (to_time, 'a time of day, e.g. "08:00:00"'),
}


@functools.lru_cache(maxsize=20_000)
def compile_pattern(pattern: str) -> Any:  # noqa: ANN401 - google-re2 ships no types
    """Compiles a linear-time regular expression that ignores case, as all text comparing does.

    Raises:
        re2.error: the pattern is not one RE2 takes, or is larger than it may be.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True  # only whether it matches is asked, and that is found faster
    # What a pattern may keep in memory; the default is 8 MB for each.
    options.max_mem = _PATTERN_BYTES
    return re2.compile(pattern, options=options)


def check_operator(op: Operator, kind: FieldKind) -> str | None:
    """Why the operator cannot apply to such a field; None where it can."""
    if op in _APPLIES[kind]:
        return None
    remedy = ", ".join(word.value for word in Operator if word in _APPLIES[kind])
    return f"{op} cannot apply to {kind}; use one of {remedy}"


def check_operand(op: Operator, value: Operand, kind: FieldKind) -> str | None:
    """Why the value is not one that such a field can be compared with; None where it is.

    ``value`` has the operator's shape already: a tuple for ``in``/``not_in``, else a scalar.
    """
    if op in VALUELESS_OPERATORS:
        return None
    if op is Operator.MATCHES:
        return _check_pattern(value)
    if op in TEXT_OPERATORS:
        return _check_text(op, value)
    if op in ORDER_OPERATORS and kind is FieldKind.ANY:
        return _check_ordered(value)
    reader = _READERS.get(kind)
    for item in value if isinstance(value, tuple) else (value,):
        may_be_empty = is_empty(item) and op in SAME_OPERATORS
        if reader is not None and not may_be_empty and reader[0](item) is None:
            return f"the field is {kind}: value must be {reader[1]}"
    return None


def check_field_type(op: str, value: Operand, field_type: str) -> str | None:
    """Judges a condition on a record's field once describe has told the field's type.

    Args:
        op: the operator's word.
        value: as in ``Condition.value``.
        field_type: describe's ``type``, e.g. ``picklist``; one that is unknown is not judged.

    Returns:
        What is wrong and what to do about it, or None.
    """
    kind = DESCRIBE_KINDS.get(field_type.lower(), FieldKind.ANY)
    operator = Operator(op)
    return check_operator(operator, kind) or check_operand(operator, value, kind)


def check_choice(op: Operator, value: Operand, choices: Collection[str]) -> str | None:
    """Why a value is none of the words that the field can hold; None where it is."""
    if op not in SAME_OPERATORS:
        return None
    for item in value if isinstance(value, tuple) else (value,):
        if not is_empty(item) and str(item).lower() not in choices:
            return f"{item!r} is never its value; it is one of {', '.join(choices)}"
    return None


def _check_text(op: Operator, value: Operand) -> str | None:
    if not isinstance(value, str):
        return f"value must be text for {op}"
    if not value:
        return f"{op} with an empty text says nothing; use is_empty or is_not_empty"
    return None


def _check_pattern(value: Operand) -> str | None:
    if not isinstance(value, str) or not value:
        return "value must be a regular expression, as text"
    if len(value) > MAX_PATTERN_CHARS:
        return f"the pattern is longer than {MAX_PATTERN_CHARS} characters"
    try:
        size = compile_pattern(value).programsize
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return (
            f"not a regular expression that RE2 takes (no lookaround, no back-references): {text}"
        )
    if size > MAX_PATTERN_SIZE:
        return "the pattern is too large; count less in {n}, or use * or +"
    return None


def _check_ordered(value: Operand) -> str | None:
    if any(reader(value) is not None for reader in (to_number, to_moment, to_time)):
        return None
    return "value must be a number, a date, a date and time or a time of day: nothing else has an order"
