"""An HTTP answer, read to its end, and its JSON."""

import json
import math
import re
from dataclasses import dataclass
from typing import NoReturn

import httpx
import orjson

from pagerforce.errors import MalformedError, RemoteError, TooLargeError, UnknownOutcomeError
from pagerforce.wire.bounds import ONE, Bounds, bounds_of, excess

# Half of a surrogate pair within a JSON text whose escaped backslashes were taken out of the way.
_LONE_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_LONE_LOW = re.compile(r"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}")
# What may be one, and hardly ever is there: found much faster than the rest is done.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_BACKSLASH, _STAND_IN = "\\\\", "\0\0"  # a JSON text has no NUL of its own
_LONGEST_NUMBER = 400  # characters; longer ones cost much to read and are out of range anyway


class OutOfRange:
    """Stands in a parsed answer for a number that 64 bits have no form for.

    No reader takes it for a value, and nothing can store it by mistake.
    """

    def __repr__(self) -> str:
        return "OUT_OF_RANGE"


OUT_OF_RANGE = OutOfRange()
MAX_INTEGER = 2**63 - 1


def parse_json(body: bytes, bounds: Bounds = ONE) -> object:
    """JSON that can be stored.

    Half a surrogate pair, which UTF-8 has no form for, becomes U+FFFD. A number beyond 64 bits becomes
    ``OUT_OF_RANGE``, or the float that is nearest.

    Raises:
        ExcessError: it is larger, fuller or deeper than the bounds allow.
        ValueError: it is not JSON in UTF-8.
    """
    what = excess(body, bounds)
    if what is not None:
        raise ExcessError(what)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_odd(body)


def tellable(text: str, most: int) -> str:
    """What a remote side says, as one line of printable characters for people, cut where it is long."""
    line = " ".join(text[: 4 * most].split())
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    return line if len(line) <= most else line[: most - 3] + "..."


class ExcessError(ValueError):
    """A JSON text is beyond its bounds; it was not parsed."""


def _parse_odd(body: bytes) -> object:
    """What the fast parser refuses: odd numbers, half a pair, a byte order mark, or no JSON at all."""
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
    """``NaN`` and ``Infinity``: Python's own invention."""
    raise ValueError(f"{word} is not JSON")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        operation: the operation's name, for messages.
        is_write: whether the request was to change something.
        body: the decoded body, of bounded size.
    """

    operation: str
    is_write: bool
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> object:
        """The body as JSON; None where it is empty.

        Raises:
            MalformedError: it is not JSON.
            TooLargeError: it is beyond the bounds of its operation.
            UnknownOutcomeError: either, and the request was a write.
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
            MalformedError: it is not one.
            UnknownOutcomeError: it is not one, and the request was a write.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise self.malformed("the answer is not a JSON object")
        return value

    def malformed(self, what: str) -> RemoteError:
        """The error for an answer that is not understood.

        An odd answer to a write leaves open whether it was done, so that one is looked for.
        """
        message = f"{self.operation}: {what}"
        if self.is_write:
            return UnknownOutcomeError(message, status=self.status)
        return MalformedError(message, status=self.status)

    def too_large(self, what: str) -> RemoteError:
        """The error for an answer beyond its bounds. A read may ask for less."""
        if self.is_write:
            return self.malformed(what)
        return TooLargeError(f"{self.operation}: {what}", status=self.status)
