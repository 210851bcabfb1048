"""An HTTP answer, read to its end, and its JSON."""

import json
import math
import re
from typing import NoReturn

import httpx
import orjson
from msgspec import Struct

from pagerforce.errors import MalformedError, RemoteError, TooLargeError, UnknownOutcomeError
from pagerforce.wire.bounds import ONE, Bounds, bounds_of, excess

# Half of a surrogate pair in a JSON text, after its escaped backslashes were replaced.
_LONE_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_LONE_LOW = re.compile(r"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}")
# A possible half. Rare; this search is much faster than the replacement.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_BACKSLASH, _STAND_IN = "\\\\", "\0\0"  # a JSON text has no NUL of its own
_LONGEST_NUMBER = 400  # characters; longer ones are slow to parse and out of range anyway


class OutOfRange:
    """Replaces a number in a parsed answer that does not fit 64 bits.

    No reader mistakes it for a value, and nothing can store it by accident.
    """

    def __repr__(self) -> str:
        return "OUT_OF_RANGE"


OUT_OF_RANGE = OutOfRange()
MAX_INTEGER = 2**63 - 1


def parse_json(body: bytes, bounds: Bounds = ONE) -> object:
    """Parses JSON into values that can be stored.

    Half a surrogate pair, which UTF-8 cannot encode, becomes U+FFFD. A number beyond 64 bits
    becomes ``OUT_OF_RANGE``, or the nearest float.

    Raises:
        ExcessError: the text has more bytes, values or levels than the bounds allow.
        ValueError: the text is not JSON in UTF-8.
    """
    what = excess(body, bounds)
    if what is not None:
        raise ExcessError(what)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_odd(body)


def tellable(text: str, most: int) -> str:
    """Text of a remote side as one printable line, cut to ``most`` characters."""
    line = " ".join(text[: 4 * most].split())
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    return line if len(line) <= most else line[: most - 3] + "..."


class ExcessError(ValueError):
    """A JSON text exceeds its bounds; it was not parsed."""


def _parse_odd(body: bytes) -> object:
    """Parses what the fast parser refuses: odd numbers, half a pair, a byte order mark, no JSON."""
    text = body.decode("utf-8-sig")
    if _HALF.search(text) is not None and "\0" not in text:
        text = text.replace(_BACKSLASH, _STAND_IN)
        text = _LONE_LOW.sub(r"\\ufffd", _LONE_HIGH.sub(r"\\ufffd", text))
        text = text.replace(_STAND_IN, _BACKSLASH)
    try:
        return json.loads(
            text, parse_int=_to_integer, parse_float=_to_float, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _to_integer(digits: str) -> int | OutOfRange:
    if len(digits) > len(str(-MAX_INTEGER)):
        return OUT_OF_RANGE
    number = int(digits)
    return number if -MAX_INTEGER - 1 <= number <= MAX_INTEGER else OUT_OF_RANGE


def _to_float(digits: str) -> float | OutOfRange:
    number = float(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
    return number if math.isfinite(number) else OUT_OF_RANGE


def _refuse(word: str) -> NoReturn:
    """Refuses ``NaN`` and ``Infinity``, which only Python accepts as JSON."""
    raise ValueError(f"{word} is not JSON")


class Answer(Struct, frozen=True):
    """The answer to one request.

    Attributes:
        operation: the operation's name, for messages.
        is_write: whether the request was a write.
        body: the decoded body, of bounded size.
    """

    operation: str
    is_write: bool
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> object:
        """The body as JSON; None if it is empty.

        Raises:
            MalformedError: it is not JSON.
            TooLargeError: it exceeds the bounds of its operation.
            UnknownOutcomeError: one of these, and the request was a write.
        """
        if not self.body.strip():
            return None
        try:
            return parse_json(self.body, bounds_of(self.operation))
        except ExcessError as error:
            raise self.too_large(f"the answer {error}") from error
        except ValueError as error:
            raise self.malformed("the answer is not JSON") from error

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object.

        Raises:
            MalformedError: it is no JSON object.
            UnknownOutcomeError: it is no JSON object, and the request was a write.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise self.malformed("the answer is not a JSON object")
        return value

    def malformed(self, what: str) -> RemoteError:
        """The error for an answer that cannot be understood.

        After a write such an answer leaves the outcome unknown; the effect must be searched for.
        """
        message = f"{self.operation}: {what}"
        if self.is_write:
            return UnknownOutcomeError(message, status=self.status)
        return MalformedError(message, status=self.status)

    def too_large(self, what: str) -> RemoteError:
        """The error for an answer that exceeds its bounds. A read may request less."""
        if self.is_write:
            return self.malformed(what)
        return TooLargeError(f"{self.operation}: {what}", status=self.status)
