"""Reads SOQL by recursive descent.

Facts: docs/vendors/salesforce.md#soql. As on the platform, AND and OR do not mix without
parentheses. Not supported: GROUP BY and aggregates besides COUNT(), TYPEOF, FOR VIEW, geolocation.
"""

from datetime import UTC, date, datetime, time
from functools import lru_cache

from pagerforce.sandbox.salesforce.coerce import parse_moment
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.soql_ast import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Condition,
    DateSpan,
    FieldsOf,
    Includes,
    InList,
    InQuery,
    Literal,
    Not,
    OrderBy,
    Path,
    Select,
)
from pagerforce.sandbox.salesforce.soql_dates import COUNTED_SPANS, PLAIN_SPANS
from pagerforce.sandbox.salesforce.soql_lexer import (
    Token,
    TokenKind,
    malformed,
    read_text,
    tokenize,
)

MAX_DEPTH = 40
"""The deepest nesting of conditions, so that a hostile query cannot exhaust the stack."""

MAX_OFFSET = 2000
MAX_COUNT_DIGITS = 9
_COMPARISONS = {item.value: item for item in Comparison} | {"<>": Comparison.NOT_EQUAL}
_CLAUSES = ("FROM", "WHERE", "ORDER", "LIMIT", "OFFSET", "FOR", "WITH", "GROUP", "HAVING")


@lru_cache(maxsize=256)  # polls repeat the same queries, and a tree never changes
def parse_soql(query: str) -> Select:
    """The tree of a whole query.

    Raises:
        ApiError: MALFORMED_QUERY, with the unexpected token.
    """
    parser = _Parser(tokenize(query))
    select = parser.select(nested=False)
    parser.expect_end()
    return select


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1 if token.kind is not TokenKind.END else 0
        return token

    def _unexpected(self) -> ApiError:
        token = self._next
        if token.kind is TokenKind.END:
            return malformed("unexpected token: <EOF>")
        return malformed(f"unexpected token: '{token.raw}' at position {token.position}")

    def _accept_word(self, *words: str) -> bool:
        found = self._next.is_word(*words)
        self._at += 1 if found else 0
        return found

    def _accept(self, symbol: str) -> bool:
        found = self._next.is_symbol(symbol)
        self._at += 1 if found else 0
        return found

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise self._unexpected()

    def _expect_word(self, word: str) -> None:
        if not self._accept_word(word):
            raise self._unexpected()

    def _word(self) -> Token:
        if self._next.kind is not TokenKind.WORD:
            raise self._unexpected()
        return self._take()

    def expect_end(self) -> None:
        if self._next.kind is not TokenKind.END:
            raise self._unexpected()

    def select(self, *, nested: bool) -> Select:
        self._expect_word("SELECT")
        is_count = self._is_count()
        items = () if is_count else self._items(nested=nested)
        self._expect_word("FROM")
        source = self._word().raw
        where = self._condition() if self._accept_word("WHERE") else None
        order_by = self._order_by() if self._accept_word("ORDER") else ()
        limit = self._count() if self._accept_word("LIMIT") else None
        offset = self._count() if self._accept_word("OFFSET") else 0
        if offset > MAX_OFFSET:
            raise ApiError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        return Select(items, is_count, source, where, order_by, limit, offset)

    def _is_count(self) -> bool:
        tokens = self._tokens[self._at : self._at + 3]
        if len(tokens) < 3 or not tokens[0].is_word("COUNT") or not tokens[1].is_symbol("("):
            return False
        if not tokens[2].is_symbol(")"):
            raise malformed("only COUNT() is supported here, without a field")
        self._at += 3
        return True

    def _items(self, *, nested: bool) -> tuple[Path | FieldsOf | Select, ...]:
        items = [self._item(nested=nested)]
        while self._accept(","):
            items.append(self._item(nested=nested))
        return tuple(items)

    def _item(self, *, nested: bool) -> Path | FieldsOf | Select:
        if self._next.is_symbol("(") and not nested:
            self._take()
            child = self.select(nested=True)
            self._expect(")")
            return child
        if self._next.is_word("FIELDS") and self._tokens[self._at + 1].is_symbol("("):
            self._at += 2
            kind = self._word().raw.upper()
            self._expect(")")
            if kind not in {"ALL", "STANDARD", "CUSTOM"}:
                raise malformed(f"unexpected token: '{kind}'")
            return FieldsOf(kind)
        return self._path()

    def _path(self) -> Path:
        if self._next.is_word(*_CLAUSES):
            raise self._unexpected()
        token = self._word()
        return Path(tuple(token.raw.split(".")), token.position)

    def _count(self) -> int:
        token = self._next
        is_count = token.kind is TokenKind.NUMBER and token.raw.isdigit()
        if not is_count or len(token.raw) > MAX_COUNT_DIGITS:
            raise self._unexpected()
        return int(self._take().raw)

    def _order_by(self) -> tuple[OrderBy, ...]:
        self._expect_word("BY")
        keys = [self._order_key()]
        while self._accept(","):
            keys.append(self._order_key())
        return tuple(keys)

    def _order_key(self) -> OrderBy:
        path = self._path()
        descending = self._accept_word("DESC")
        if not descending:
            self._accept_word("ASC")
        nulls_last = False
        if self._accept_word("NULLS"):
            nulls_last = self._accept_word("LAST")
            if not nulls_last:
                self._expect_word("FIRST")
        return OrderBy(path, descending, nulls_last)

    def _condition(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise malformed("the condition is nested too deeply")
        first = self._term()
        joiner = self._next.raw.upper() if self._next.is_word("AND", "OR") else ""
        terms = [first]
        while joiner and self._accept_word(joiner):
            terms.append(self._term())
        # The other joiner may not follow: the caller reports it as unexpected.
        self._depth -= 1
        if not joiner:
            return first
        return AllOf(tuple(terms)) if joiner == "AND" else AnyOf(tuple(terms))

    def _term(self) -> Condition:
        if self._accept_word("NOT"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise malformed("the condition is nested too deeply")
            term = Not(self._term())
            self._depth -= 1
            return term
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        path = self._path()
        negated = self._accept_word("NOT")
        if self._accept_word("IN"):
            return self._membership(path, negated=negated)
        if negated:
            raise self._unexpected()
        if self._next.is_word("INCLUDES", "EXCLUDES"):
            excludes = self._take().is_word("EXCLUDES")
            return Includes(path, self._texts(), excludes)
        token = self._take()
        operator = _COMPARISONS.get(token.raw.upper())
        if operator is None or token.kind not in {TokenKind.SYMBOL, TokenKind.WORD}:
            self._at -= 1 if token.kind is not TokenKind.END else 0
            raise self._unexpected()
        return Compare(path, operator, self._literal())

    def _membership(self, path: Path, *, negated: bool) -> Condition:
        self._expect("(")
        if self._next.is_word("SELECT"):
            query = self.select(nested=True)
            self._expect(")")
            return InQuery(path, query, negated)
        literals = [self._literal()]
        while self._accept(","):
            literals.append(self._literal())
        self._expect(")")
        return InList(path, tuple(literals), negated)

    def _texts(self) -> tuple[str, ...]:
        self._expect("(")
        texts = [self._text()]
        while self._accept(","):
            texts.append(self._text())
        self._expect(")")
        return tuple(texts)

    def _text(self) -> str:
        if self._next.kind is not TokenKind.TEXT:
            raise self._unexpected()
        return read_text(self._take()).value

    def _literal(self) -> Literal:
        match self._next.kind:
            case TokenKind.TEXT:
                return read_text(self._take())
            case TokenKind.NUMBER:
                return float(self._take().raw)
            case TokenKind.MOMENT:
                return _moment(self._take())
            case TokenKind.DAY:
                return _day(self._take())
            case TokenKind.CLOCK:
                return _clock(self._take())
            case TokenKind.WORD:
                return self._word_literal()
            case _:
                raise self._unexpected()

    def _word_literal(self) -> bool | DateSpan | None:
        word = self._next.raw.upper()
        if word in {"TRUE", "FALSE"}:
            self._take()
            return word == "TRUE"
        if word == "NULL":
            self._take()
            return None
        if word in PLAIN_SPANS:
            self._take()
            return DateSpan(word)
        if word in COUNTED_SPANS:
            self._take()
            self._expect(":")
            return DateSpan(word, self._count())
        raise self._unexpected()


def _moment(token: Token) -> datetime:
    try:
        return parse_moment(token.raw).astimezone(UTC)
    except ValueError as error:
        raise malformed(f"invalid dateTime: {token.raw}") from error


def _day(token: Token) -> date:
    try:
        return date.fromisoformat(token.raw)
    except ValueError as error:
        raise malformed(f"invalid date: {token.raw}") from error


def _clock(token: Token) -> time:
    try:
        return time.fromisoformat(token.raw.removesuffix("Z"))
    except ValueError as error:
        raise malformed(f"invalid time: {token.raw}") from error
