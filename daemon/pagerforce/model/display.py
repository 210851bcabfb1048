r"""How text from outside is shown to people: characters that control a terminal become visible.

Titles, names, notes and error texts are written by strangers. A control character in them can
rewrite a terminal, a line break can forge a row, a bidirectional control can reverse a sentence, an
invisible character can make two ids look alike. ``shown`` writes each of these as programmers do:
``\n``, ``\x1b``, ``\u202e``.

A backslash stays single, so that paths and regular expressions remain readable. A text that really
contains the four characters ``\x1b`` therefore looks like one with the control character; a
terminal obeys neither, and ``--json`` distinguishes them.
"""

import json
import re
from collections.abc import Callable

_ALWAYS = (
    "\x7f-\x9f"  # DEL, C1: 0x9b begins an escape sequence on some terminals, 0x85 is a line break
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029"  # line and paragraph separator
    "\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible, and without a use in a line
    "\ud800-\udfff"  # half a character: no encoder takes it
)
_OBEYED = re.compile(f"[\x00-\x1f{_ALWAYS}]")
_OBEYED_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_ALWAYS}]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shown(text: object) -> str:
    """A text as one line for people: no line break, no control character."""
    return _OBEYED.sub(_name, str(text))


def json_text(value: object, *, default: Callable[[object], object] | None = None) -> str:
    """One line of JSON with every such character escaped; parsing it returns the same value.

    Args:
        value: what to write.
        default: converts a value that JSON does not support.
    """
    return _OBEYED.sub(_code, json.dumps(value, ensure_ascii=False, default=default))


def toml_text(text: str) -> str:
    """A TOML document with basic strings only; every such character is escaped.

    Its own line breaks stay, and parsing it returns the same document.
    """
    return _OBEYED_IN_LINES.sub(_code, text)


def _name(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}")


def _code(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
