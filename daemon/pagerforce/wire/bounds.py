"""How large, full and deep an answer may be, by what was asked for. Pure.

Memory is what a bound protects: one byte of an answer may become eighty bytes of objects. So the text
is counted before it is parsed, and strings are left out of the count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_DEPTH = 64
"""Lists and objects within one another; what both vendors send has less than ten."""

_KIB = 1024
_MIB = 1024 * _KIB


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that an answer may hold.

    Attributes:
        size: bytes, unpacked.
        values: members of lists and objects, all together.
        containers: lists and objects.
    """

    size: int
    values: int
    containers: int


LOGIN = Bounds(64 * _KIB, 1_000, 100)
ONE = Bounds(2 * _MIB, 100_000, 20_000)
"""One thing, or a page of reference data."""

MANY = Bounds(8 * _MIB, 400_000, 100_000)
"""A page of rows. A composite answer of 10,000 rows of 20 columns stays below."""

ERROR_BYTES = 64 * _KIB
"""Of an answer that says no, this much is read: its status already says the most."""

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
    """What of a JSON text is beyond its bounds; None where nothing is.

    Of what is no JSON at all it says anything; the parser then refuses it.
    """
    if len(body) > bounds.size:
        return f"is larger than {bounds.size} bytes"
    few = min(MAX_DEPTH, bounds.containers)
    if body.count(b"[") + body.count(b"{") <= few and body.count(b",") <= bounds.values:
        return None  # most answers to a single question
    marks = _marks(body)
    if marks.count(b",") > bounds.values:
        return f"holds more than {bounds.values} values"
    brackets = marks.replace(b",", b"")
    if len(brackets) > 2 * bounds.containers:
        return f"holds more than {bounds.containers} lists and objects"
    return _excess_depth(brackets)


def _marks(body: bytes) -> bytes:
    """Brackets, braces and commas of a JSON text, those within strings left out.

    Only operations that walk the text in C: it may have megabytes.
    """
    if b"\\" in body:
        # Escaped backslashes go first, so that a backslash before a quote is one that escapes it.
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    pieces = body.translate(None, _NO_TEXT).replace(b'""', b"").split(b'"')
    return b"".join(pieces[::2]) if len(pieces) > 1 else pieces[0]


def _excess_depth(brackets: bytes) -> str | None:
    """Each pass takes away what is innermost."""
    for _ in range(MAX_DEPTH):
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not inner:
            return None
        if len(inner) == len(brackets):
            return None  # does not match up: no JSON
        brackets = inner
    return f"is nested more than {MAX_DEPTH} deep"
