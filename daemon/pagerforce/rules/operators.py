"""The operators: each line of ``Operator`` defines one completely.

docs/reference/rules.md, "Operators". Checks never raise, whatever the data is.
"""

from collections.abc import Callable
from enum import StrEnum, auto
from functools import lru_cache
from typing import Any, Self

import re2

from pagerforce.model.value import Scalar, is_empty
from pagerforce.rules.compare import order

Operand = Scalar | tuple[Scalar, ...]
Check = Callable[[object], bool | None]
"""True, False, or None if the value cannot be compared in that way."""
Maker = Callable[[Operand, Callable[[object], bool]], Check]
"""Creates the check of a condition from its value and an equality test for that value."""
_LONG_TEXT = 1_000
_PATTERN_BYTES = 512 * 1024


class Kind(StrEnum):
    """The kind of test, which decides on the fields that an operator applies to."""

    SAME = auto()  # whether it is the value
    ORDER = auto()  # whether it is before or after it
    TEXT = auto()  # whether a text holds it
    EMPTY = auto()  # whether there is any value
    CHANGE = (
        auto()
    )  # the same for a value that has just changed; the check gets the old and the new one


class Takes(StrEnum):
    """The value that an operator takes."""

    NOTHING = auto()
    ONE = auto()
    LIST = auto()


@lru_cache(maxsize=20_000)
def compile_pattern(pattern: str) -> Any:  # noqa: ANN401 - google-re2 ships no types
    """Compiles a linear-time regular expression that ignores case, like all text comparisons.

    Raises:
        re2.error: RE2 does not accept the pattern, or it is too large.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True  # only the match itself is needed, and that is faster
    # The memory limit of a pattern; the default is 8 MB for each.
    options.max_mem = _PATTERN_BYTES
    return re2.compile(pattern, options=options)


def _same(_value: Operand, is_it: Callable[[object], bool]) -> Check:
    return is_it


def _empty(_value: Operand, _is_it: Callable[[object], bool]) -> Check:
    return lambda actual: is_empty(actual) or actual in ((), [], {})


def _negated(make: Maker) -> Maker:
    def made(value: Operand, is_it: Callable[[object], bool]) -> Check:
        check = make(value, is_it)

        def negated(actual: object) -> bool | None:
            outcome = check(actual)
            return None if outcome is None else not outcome

        return negated

    return made


def _ordered(*wanted: int) -> Maker:
    """A check for some of the results of ``order``."""

    def made(value: Operand, _is_it: Callable[[object], bool]) -> Check:
        def check(actual: object) -> bool | None:
            place = order(actual, value)
            return None if place is None else place in wanted

        return check

    return made


def _text(holds_of: Callable[[str], Callable[[str], bool]], *, may_be_list: bool = False) -> Maker:
    """A check of a text by ``holds_of`` the value; of a list's members, if it may be a list."""

    def made(value: Operand, is_it: Callable[[object], bool]) -> Check:
        holds = holds_of(str(value))

        def check(actual: object) -> bool | None:
            if isinstance(actual, str):
                return holds(actual)
            if actual is None:
                return False
            return is_it(actual) if may_be_list and isinstance(actual, list | tuple) else None

        return check

    return made


def _contains(value: str) -> Callable[[str], bool]:
    folded = value.casefold()
    return lambda text: folded in _fold(text)


def _starts_with(value: str) -> Callable[[str], bool]:
    folded = value.casefold()
    # No character folds to less than one: text beyond the length cannot matter.
    return lambda text: text[: len(folded)].casefold().startswith(folded)


def _ends_with(value: str) -> Callable[[str], bool]:
    folded = value.casefold()
    return lambda text: text[-len(folded) :].casefold().endswith(folded)


def _matches(value: str) -> Callable[[str], bool]:
    pattern = compile_pattern(value)
    # RE2 reads UTF-8: with bytes, its wrapper need not translate positions in the text, which
    # takes most of the time. UTF-8 cannot encode the lone surrogates that JSON allows.
    return lambda text: pattern.search(text.encode("utf-8", "replace")) is not None


def _fold(text: str) -> str:
    return text.casefold() if len(text) < _LONG_TEXT else _fold_long(text)


# Many rules search the same long text.
@lru_cache(maxsize=4)
def _fold_long(text: str) -> str:
    return text.casefold()


def _changed(_value: Operand, _is_it: Callable[[object], bool]) -> Check:
    return lambda _pair: True


def _changed_from(_value: Operand, is_it: Callable[[object], bool]) -> Check:
    return lambda pair: isinstance(pair, tuple) and is_it(pair[0]) and not is_it(pair[1])


def _changed_to(_value: Operand, is_it: Callable[[object], bool]) -> Check:
    return lambda pair: isinstance(pair, tuple) and is_it(pair[1]) and not is_it(pair[0])


class Operator(StrEnum):
    """The operators, by the words in the configuration.

    Attributes:
        kind: the kind of its test.
        make: creates its check.
        doc: when it holds, as in the reference.
        takes: the value that it takes.
    """

    kind: Kind
    make: Maker
    doc: str
    takes: Takes

    def __new__(
        cls,
        word: str,
        kind: Kind = Kind.SAME,
        make: Maker = _same,
        doc: str = "",
        takes: Takes = Takes.ONE,
    ) -> Self:
        """Creates an operator from a line below."""
        self = str.__new__(cls, word)
        self._value_ = word
        self.kind, self.make, self.doc, self.takes = kind, make, doc, takes
        return self

    EQUALS = ("equals", Kind.SAME, _same, "the values are the same")
    NOT_EQUALS = ("not_equals", Kind.SAME, _negated(_same), "the values are not the same")
    IN = (
        "in",
        Kind.SAME,
        _same,
        "it is the same as one of them; a list: one of its members is",
        Takes.LIST,
    )
    NOT_IN = ("not_in", Kind.SAME, _negated(_same), "it is none of them", Takes.LIST)
    CONTAINS = (
        "contains",
        Kind.TEXT,
        _text(_contains, may_be_list=True),
        "the text contains the value; a list: a member is the same",
    )
    NOT_CONTAINS = (
        "not_contains",
        Kind.TEXT,
        _negated(_text(_contains, may_be_list=True)),
        "the opposite of `contains`",
    )
    STARTS_WITH = ("starts_with", Kind.TEXT, _text(_starts_with), "it begins with the value")
    ENDS_WITH = ("ends_with", Kind.TEXT, _text(_ends_with), "it ends with the value")
    MATCHES = (
        "matches",
        Kind.TEXT,
        _text(_matches),
        "the pattern is found anywhere; RE2, linear time: no lookaround, no back-references",
    )
    GREATER_THAN = ("greater_than", Kind.ORDER, _ordered(1), "it is more, or later")
    AT_LEAST = ("at_least", Kind.ORDER, _ordered(0, 1), "it is as much or more")
    LESS_THAN = ("less_than", Kind.ORDER, _ordered(-1), "it is less, or earlier")
    AT_MOST = ("at_most", Kind.ORDER, _ordered(-1, 0), "it is as much or less")
    IS_EMPTY = (
        "is_empty",
        Kind.EMPTY,
        _empty,
        "null, missing, blank text, empty list",
        Takes.NOTHING,
    )
    IS_NOT_EMPTY = ("is_not_empty", Kind.EMPTY, _negated(_empty), "it is not", Takes.NOTHING)
    CHANGED = (
        "changed",
        Kind.CHANGE,
        _changed,
        "the old value is known and differs",
        Takes.NOTHING,
    )
    CHANGED_FROM = ("changed_from", Kind.CHANGE, _changed_from, "it changed, and was the value")
    CHANGED_TO = (
        "changed_to",
        Kind.CHANGE,
        _changed_to,
        "it changed, and is the value; people: a person who was added",
    )

    @property
    def names_value(self) -> bool:
        """Whether it takes a value that the field itself can have."""
        return self.kind is Kind.SAME or (
            self.kind is Kind.CHANGE and self.takes is not Takes.NOTHING
        )
