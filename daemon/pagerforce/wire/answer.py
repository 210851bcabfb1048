"""An HTTP answer, read to its end, and its JSON."""

import json
import re
from dataclasses import dataclass
from typing import NoReturn

import httpx
import orjson

from pagerforce.errors import MalformedError, RemoteError, UnknownOutcomeError

# An escape within a JSON text: a whole surrogate pair, half of one, or any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# What may be one, and hardly ever is there: found many times faster than every escape is looked at.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(body: bytes) -> object:
    """JSON that can be stored: half a surrogate pair, which UTF-8 has no form for, becomes U+FFFD.

    Raises:
        ValueError: it is not JSON in UTF-8, or nested too deeply.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_odd(body)


def _parse_odd(body: bytes) -> object:
    """What the fast parser refuses: half a pair, a byte order mark, or no JSON at all."""
    text = body.decode("utf-8-sig")
    if _HALF.search(text) is not None:
        text = _ESCAPE.sub(_mend, text)
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _mend(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape["half"] else escape[0]


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
            UnknownOutcomeError: it is not JSON, and the request was a write.
        """
        if not self.body.strip():
            return None
        try:
            return parse_json(self.body)
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
