"""Limits on a TOML text, checked in one pass before it is parsed.

The parser recurses with nesting, and its time and memory grow with the square of a key's parts. The
code that reads its tables recurses too. So a text is measured first.
"""

import re

LARGEST_RULES_BYTES = 1024 * 1024
MOST_PARTS = 40  # of one dotted key
DEEPEST = 40  # of arrays and inline tables in each other
MOST_VALUES = 200_000
LONGEST_WORD = 1000  # characters of a bare key, a number or a date

_TOKEN = re.compile(
    r"""
      (?P<skip> [\ \t\r]++ | \#[^\n]*+ )
    | (?P<string> \"{3} (?: [^"\\]++ | \\. | "(?!"") )*+ \"{3}
                | '{3} (?: [^']++ | '(?!'') )*+ '{3}
                | "(?!"") (?: [^"\\\n]++ | \\. )*+ "
                | '(?!'') [^'\n]*+ ' )
    | (?P<broken> ["'] )
    | (?P<mark> [.,=\[\]{}\n] )
    | (?P<word> [^\s.,=\[\]{}"'\#]++ )
    """,
    re.VERBOSE | re.DOTALL,
)


def check_bounds(text: str) -> tuple[int, str] | None:
    """Returns line and reason why a text must not be parsed; None if it may be.

    The parser reports invalid TOML.
    """
    meter = _Meter()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "broken":
            break  # a string without an end: the parser stops here too
        wrong = ""
        if kind == "mark":
            wrong = meter.mark(token[0])
        elif kind == "word" and token.end() - token.start() > LONGEST_WORD:
            wrong = f"has a bare key or a number of more than {LONGEST_WORD} characters: shorten it"
        if wrong:
            return text.count("\n", 0, token.start()) + 1, wrong
    return None


class _Meter:
    """Counts the parts of a text."""

    def __init__(self) -> None:
        self._dots = self._depth = self._values = 0

    def mark(self, mark: str) -> str:
        """Counts one punctuation mark; returns the exceeded limit, or ``""``."""
        if mark == ".":
            self._dots += 1
            if self._dots >= MOST_PARTS:
                return f"is nested too deeply, a key of more than {MOST_PARTS} parts: flatten it"
            return ""
        self._dots = 0
        match mark:
            case "[" | "{":
                self._depth += 1
                self._values += 1
            case "]" | "}":
                self._depth = max(0, self._depth - 1)
            case "=" | ",":
                self._values += 1
        if self._depth > DEEPEST:
            return f"is nested too deeply, more than {DEEPEST} levels: flatten it"
        if self._values > MOST_VALUES:
            return f"has more than {MOST_VALUES} values: split it"
        return ""
