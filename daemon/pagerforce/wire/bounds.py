"""Bounds of an answer per operation: size, number of values, nesting. Pure.

The bounds protect memory: one byte of an answer may become eighty bytes of objects. So values are
counted before the text is parsed. Strings are not counted.
"""

from collections.abc import Mapping

from msgspec import Struct

MAX_DEPTH = 64
"""Levels of nested lists and objects; answers of both vendors have fewer than ten."""

_KIB = 1024
_MIB = 1024 * _KIB


class Bounds(Struct, frozen=True):
    """The limits of one answer.

    Attributes:
        size: bytes, unpacked.
        values: members of all lists and objects.
        containers: lists and objects.
    """

    size: int
    values: int
    containers: int


LOGIN = Bounds(64 * _KIB, 1_000, 100)
ONE = Bounds(2 * _MIB, 100_000, 20_000)
"""One object, or a page of reference data."""

MANY = Bounds(8 * _MIB, 400_000, 100_000)
"""A page of rows. A composite answer of 10,000 rows of 20 columns stays below."""

ERROR_BYTES = 64 * _KIB
"""How much is read of an error answer; its status already says most."""

_SMALL = 16 * _KIB  # bytes; larger answers are pages

_BY_OPERATION: Mapping[str, Bounds] = {
    "login": LOGIN,
    "log_entries.list": MANY,
    "incidents.log_entries": MANY,
    "incidents.list": MANY,
    "notes.list": MANY,
    "query": MANY,
    "composite": MANY,
    "update_many": MANY,
    "describe": MANY,
    "updated": MANY,
}

_NO_TEXT = bytes(set(range(256)) - set(b'"[]{},'))


def bounds_of(operation: str) -> Bounds:
    """The bounds of the answer to an operation, by its name."""
    return _BY_OPERATION.get(operation, ONE)


def excess(body: bytes, bounds: Bounds = ONE) -> str | None:
    """The bound that a JSON text exceeds, as text; None if it exceeds none.

    The result for invalid JSON is arbitrary; the parser then refuses the text.
    """
    if len(body) > bounds.size:
        return f"is larger than {bounds.size} bytes"
    few = min(MAX_DEPTH, bounds.containers)
    is_small = len(body) <= _SMALL
    if (
        is_small
        and body.count(b"[") + body.count(b"{") <= few
        and body.count(b",") <= bounds.values
    ):
        return None  # most answers to a single question
    marks = _marks(body)
    if marks.count(b",") > bounds.values:
        return f"holds more than {bounds.values} values"
    brackets = marks.replace(b",", b"")
    if len(brackets) > 2 * bounds.containers:
        return f"holds more than {bounds.containers} lists and objects"
    return _excess_depth(brackets)


def _marks(body: bytes) -> bytes:
    """Brackets, braces and commas of a JSON text, except those within strings.

    Uses only operations that run in C: the text may have megabytes.
    """
    if b"\\" in body:
        # Escaped backslashes first: then each backslash before a quote escapes that quote.
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    pieces = body.translate(None, _NO_TEXT).replace(b'""', b"").split(b'"')
    return b"".join(pieces[::2]) if len(pieces) > 1 else pieces[0]


def _excess_depth(brackets: bytes) -> str | None:
    """Removes the innermost pairs, level by level."""
    for _ in range(MAX_DEPTH):
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not inner:
            return None
        if len(inner) == len(brackets):
            return None  # does not match up: no JSON
        brackets = inner
    return f"is nested more than {MAX_DEPTH} deep"
