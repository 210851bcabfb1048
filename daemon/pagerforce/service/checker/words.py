"""A checker's answers: one line each, ``{"word": value}``."""

import json
import sys
from collections.abc import Mapping, Sequence


def say(word: str, value: str | float | Sequence[object] | Mapping[str, object]) -> None:
    """Writes one line."""
    sys.stdout.buffer.write(json.dumps({word: value}, separators=(",", ":")).encode() + b"\n")
    sys.stdout.buffer.flush()


def say_rule(line: bytes) -> None:
    """Writes one rule, which is a line already."""
    sys.stdout.buffer.write(b'{"rule":' + line.rstrip() + b"}\n")
