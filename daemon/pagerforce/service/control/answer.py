"""The lines of an answer: how the daemon writes them and how the command reads them.

An answer is JSON lines: ``{"progress": text, "share": 0 to 1 or null}`` and ``{"data": base64}``
any number of times, then ``{"result": value}`` or ``{"error": {"exit": code, "message": text,
"problems": [[where, what], ...]}}``. All of it is ASCII. Other characters are escaped: some would
be mistaken for the end of a line, others can't be encoded.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from pagerforce.errors import (
    ConfigError,
    ForbiddenError,
    PagerforceError,
    Problem,
    WrongOrgError,
)
from pagerforce.model.value import Json
from pagerforce.observe.internal_errors import internal_error_text

_SPLIT_DEPTH = 3
FAILED, USAGE, FORBIDDEN = 1, 2, 3  # docs/reference/commands.md, exit codes


def line_of(key: str, value: Json) -> bytes:
    """Returns one line."""
    return b"".join(iter_line(key, value))


def iter_line(key: str, value: Json) -> Iterator[bytes]:
    """Yields one line in pieces: encoding a long answer at once would stop everything else."""
    yield b"{" + _text(key) + b": "
    yield from _pieces(value, depth=0)
    yield b"}\n"


def _pieces(value: Json, *, depth: int) -> Iterator[bytes]:
    if depth > _SPLIT_DEPTH or not value or not isinstance(value, Mapping | list | tuple):
        yield _text(value)
    elif isinstance(value, Mapping):
        for number, (name, item) in enumerate(value.items()):
            yield (b", " if number else b"{") + _text(name) + b": "
            yield from _pieces(item, depth=depth + 1)
        yield b"}"
    else:
        for number, item in enumerate(value):
            yield b", " if number else b"["
            yield from _pieces(item, depth=depth + 1)
        yield b"]"


def _text(value: Json) -> bytes:
    return json.dumps(value).encode()


def progress_line(text: str, share: float | None) -> bytes:
    """Returns a line with the progress."""
    return json.dumps({"progress": text, "share": share}).encode() + b"\n"


def data_line(chunk: bytes) -> bytes:
    """Returns a line with some bytes of a file."""
    return b'{"data": "' + base64.b64encode(chunk) + b'"}\n'


def show_error(error: Exception) -> dict[str, Json]:
    """Returns an error as the caller gets it; an unexpected error only by its place.

    The code that contains an unexpected error reports it too (``observe/internal_errors.py``).
    """
    if isinstance(error, ConfigError):
        problems = [[item.where, item.what] for item in error.problems]
        return {"exit": USAGE, "message": str(error), "problems": problems}
    if isinstance(error, ForbiddenError):
        return {"exit": FORBIDDEN, "message": str(error), "problems": []}
    if isinstance(error, PagerforceError):
        code = USAGE if isinstance(error, WrongOrgError) else FAILED
        return {"exit": code, "message": str(error), "problems": []}
    return {"exit": FAILED, "message": internal_error_text(error), "problems": []}


def raise_error(shown: dict[str, Any]) -> NoReturn:
    """Raises the error that ``show_error`` returned."""
    message = str(shown.get("message", "the daemon did not say what went wrong"))
    problems = [Problem(str(where), str(what)) for where, what in shown.get("problems", [])]
    if problems:
        raise ConfigError(problems)
    if shown.get("exit") == FORBIDDEN:
        raise ForbiddenError(message)
    raise PagerforceError(message)
