"""Splits a SOQL text into tokens.

Facts: ``salesforce.text-escapes``, ``salesforce.literals-of-times``.
"""

import re
from dataclasses import dataclass
from enum import Enum

from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.soql_ast import Text

MAX_QUERY_CHARACTERS = 100_000

_ESCAPES = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "n": "\n",
    "N": "\n",
    "r": "\r",
    "R": "\r",
    "t": "\t",
    "T": "\t",
    "b": "\b",
    "B": "\b",
    "f": "\f",
    "F": "\f",
}
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<moment>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|z|[+-]\d{2}:?\d{2}))
  | (?P<day>\d{4}-\d{2}-\d{2})(?![\dT])
  | (?P<clock>\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z?)
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?![\w.])
  | (?P<word>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)
  | (?P<text>'(?:[^'\\]|\\.)*')
  | (?P<symbol><=|>=|!=|<>|[(),=<>:])
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


class TokenKind(Enum):
    """The kind of a token."""

    WORD = "word"
    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    DAY = "day"
    CLOCK = "clock"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its raw text and its start."""

    kind: TokenKind
    raw: str
    position: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any spelling."""
        return self.kind is TokenKind.WORD and self.raw.upper() in words

    def is_symbol(self, symbol: str) -> bool:
        """Whether it is this punctuation."""
        return self.kind is TokenKind.SYMBOL and self.raw == symbol


def malformed(message: str) -> ApiError:
    """The query is not SOQL."""
    return ApiError("MALFORMED_QUERY", message)


def tokenize(query: str) -> list[Token]:
    """All tokens of a query, and one END token.

    Raises:
        ApiError: MALFORMED_QUERY.
    """
    if len(query) > MAX_QUERY_CHARACTERS:
        raise malformed(f"SOQL statements cannot be longer than {MAX_QUERY_CHARACTERS} characters.")
    tokens: list[Token] = []
    position = 0
    while position < len(query):
        match = _TOKEN.match(query, position)
        if match is None or match.lastgroup is None:
            raise _no_token(query, position)
        if match.lastgroup != "space":
            tokens.append(Token(TokenKind(match.lastgroup), match.group(), position))
        position = match.end()
    tokens.append(Token(TokenKind.END, "<EOF>", len(query)))
    return tokens


def read_text(token: Token) -> Text:
    """The value of a quoted token.

    Raises:
        ApiError: MALFORMED_QUERY: an escape that is unknown to SOQL.
    """

    def plain(match: re.Match[str]) -> str:
        return _unescape(match.group(1))

    def pattern(match: re.Match[str]) -> str:
        escaped = match.group(1)
        value = _unescape(escaped)
        return f"\\{value}" if value in {"%", "_", "\\"} else value

    inner = token.raw[1:-1]
    return Text(_ESCAPED.sub(plain, inner), _ESCAPED.sub(pattern, inner))


def _unescape(escaped: str) -> str:
    if escaped in {"%", "_"}:
        return escaped
    if escaped[0] in "uU" and len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    if escaped not in _ESCAPES:
        raise malformed(f"Illegal escape sequence: \\{escaped}")
    return _ESCAPES[escaped]


def _no_token(query: str, position: int) -> ApiError:
    if query[position] == "'":
        return malformed(f"line 1:{position} mismatched character '<EOF>' expecting '''")
    return malformed(f"line 1:{position} no viable alternative at character '{query[position]}'")
