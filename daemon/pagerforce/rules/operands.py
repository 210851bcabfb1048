"""Checks which operator applies to which kind of field, and which values it accepts.

Everything that can be refused when rules are loaded is refused here, with the reason, so that
evaluation never returns a silent false.
Fact: ``salesforce.describe-tells-fields`` (the types).
"""

from collections.abc import Collection
from enum import StrEnum

import re2

from pagerforce.model.value import is_empty
from pagerforce.rules.compare import to_boolean, to_moment, to_number, to_time
from pagerforce.rules.operators import Kind, Operand, Operator, Takes, compile_pattern

MAX_PATTERN_CHARS = 2000
MAX_PATTERN_SIZE = 12_000
"""Instructions in a pattern's program: a repetition has its count times those of its part."""


class FieldKind(StrEnum):
    """The kind of a field's value, for comparisons. The enum's value is the word for messages."""

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

_ALWAYS = (Kind.EMPTY, Kind.CHANGE)


def _of(*kinds: Kind) -> frozenset[Operator]:
    return frozenset(op for op in Operator if op.kind in kinds)


_ORDERED = _of(Kind.SAME, Kind.ORDER, *_ALWAYS)
_WORDS = _of(Kind.SAME, Kind.TEXT, *_ALWAYS)
_OF_MEMBERS = {Operator.IN, Operator.NOT_IN, Operator.CONTAINS, Operator.NOT_CONTAINS}
_PEOPLE = _of(*_ALWAYS) | _OF_MEMBERS
_APPLIES: dict[FieldKind, frozenset[Operator]] = {
    FieldKind.TEXT: _WORDS,
    FieldKind.ID: _WORDS,
    FieldKind.NUMBER: _ORDERED,
    FieldKind.DATE: _ORDERED,
    FieldKind.INSTANT: _ORDERED,
    FieldKind.TIME: _ORDERED,
    FieldKind.BOOLEAN: _of(Kind.SAME, *_ALWAYS),
    FieldKind.PEOPLE: _PEOPLE,
    FieldKind.OPAQUE: _of(Kind.EMPTY) | {Operator.CHANGED},
    FieldKind.ANY: frozenset(Operator),
}
_READERS = {
    FieldKind.NUMBER: (to_number, "a number, e.g. 5"),
    FieldKind.BOOLEAN: (to_boolean, "true or false"),
    FieldKind.DATE: (to_moment, 'a date, e.g. "2026-01-31"'),
    FieldKind.INSTANT: (to_moment, 'a date and time, e.g. "2026-01-31T08:00:00Z"'),
    FieldKind.TIME: (to_time, 'a time of day, e.g. "08:00:00"'),
}


def check_operator(op: Operator, kind: FieldKind) -> str | None:
    """Why the operator cannot apply to such a field; None if it can."""
    if op in _APPLIES[kind]:
        return None
    remedy = ", ".join(word.value for word in Operator if word in _APPLIES[kind])
    return f"{op} cannot apply to {kind}; use one of {remedy}"


def check_operand(op: Operator, value: Operand, kind: FieldKind) -> str | None:
    """Why such a field cannot be compared with the value; None if it can.

    ``value`` has the operator's shape already: a tuple for ``in``/``not_in``, else a scalar.
    """
    if op.takes is Takes.NOTHING:
        return None
    if op is Operator.MATCHES:
        return _check_pattern(value)
    if op.kind is Kind.TEXT:
        return _check_text(op, value)
    if op.kind is Kind.ORDER and kind is FieldKind.ANY:
        return _check_ordered(value)
    reader = _READERS.get(kind)
    for item in value if isinstance(value, tuple) else (value,):
        may_be_empty = is_empty(item) and op.names_value
        if reader is not None and not may_be_empty and reader[0](item) is None:
            return f"the field is {kind}: value must be {reader[1]}"
    return None


def check_field_type(op: str, value: Operand, field_type: str) -> str | None:
    """Checks a condition on a record's field against the field's type from describe.

    Args:
        op: the operator's word.
        value: as in ``Condition.value``.
        field_type: describe's ``type``, e.g. ``picklist``; an unknown one is not checked.

    Returns:
        What is wrong and what to do about it, or None.
    """
    kind = DESCRIBE_KINDS.get(field_type.lower(), FieldKind.ANY)
    operator = Operator(op)
    return check_operator(operator, kind) or check_operand(operator, value, kind)


def check_choice(op: Operator, value: Operand, choices: Collection[str]) -> str | None:
    """Why a value is not one of the words that the field can hold; None if it is."""
    if not op.names_value:
        return None
    for item in value if isinstance(value, tuple) else (value,):
        if not is_empty(item) and str(item).lower() not in choices:
            return f"the field never has the value {item!r}; it is one of {', '.join(choices)}"
    return None


def _check_text(op: Operator, value: Operand) -> str | None:
    if not isinstance(value, str):
        return f"value must be text for {op}"
    if not value:
        return f"{op} needs a text that is not empty; use is_empty or is_not_empty"
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
        return f"not a regular expression for RE2 (no lookaround, no back-references): {text}"
    if size > MAX_PATTERN_SIZE:
        return "the pattern is too large; use smaller numbers in {n}, or * or +"
    return None


def _check_ordered(value: Operand) -> str | None:
    if any(reader(value) is not None for reader in (to_number, to_moment, to_time)):
        return None
    return "value must be a number, a date, a date and time or a time of day: nothing else has an order"
