"""The store's SQL and values in the form that PostgreSQL's driver takes."""

import re
from collections.abc import Sequence
from functools import lru_cache

_PART = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|\?|%""")


@lru_cache(maxsize=1024)
def to_postgresql(sql: str) -> str:
    """A statement with ``%s`` for each parameter, in place of the question mark."""
    return _PART.sub(_driver_form, sql)


def _driver_form(found: re.Match[str]) -> str:
    part = found[0]
    return "%s" if part == "?" else part.replace("%", "%%")


def to_values(values: Sequence[object]) -> list[object]:
    """Parameters as PostgreSQL takes them.

    Flags are integers in the schema. A text cannot contain the character NUL there: it becomes the
    replacement character, U+FFFD.
    """
    return [_to_value(value) for value in values]


def _to_value(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\ufffd")
    return value
