"""Reads JSON bodies of clients, whatever they contain."""

import json
from collections.abc import Callable
from typing import Any


def parse_body(raw: bytes | bytearray, refuse: Callable[[str], object] | None = None) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a request; half a surrogate pair, which is not valid text, becomes U+FFFD.

    Args:
        raw: the body.
        refuse: called with ``NaN`` and the infinities.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return _whole(json.loads(raw, parse_constant=refuse, parse_int=_number))
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None


def _number(digits: str) -> float:
    """A whole number; the nearest float if it does not fit into 64 bits."""
    number = int(digits)
    if -(2**63) <= number < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        raise ValueError("a number in the body is out of range") from None


def _whole(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _text(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
