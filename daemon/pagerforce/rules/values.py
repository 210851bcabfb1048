"""Operations of templates on values: parts, comparisons, arithmetic, text. All are paid for.

A value is text, a number, a boolean, a list or a view. Nothing else can be reached: a name that is
not a part of a view is undefined, even if Python has an attribute of that name.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from pagerforce.rules.budget import Budget
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.views import EmptyText, View, size_of, text_of

MAX_NUMBER = 10**30
"""The limit for whole numbers: no field of either side holds a longer one."""
_STEPS_PER_SEARCH = 1024
_LONGEST_NEEDLE = 64


class Undefined:
    """The value of an undefined name. Any use except a test for it is a problem."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a list, as templates see it."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def part_of(owner: object, name: str) -> object:
    """``owner.name``; undefined if the owner has no such part."""
    if isinstance(owner, View):
        try:
            return owner[name]
        except KeyError:
            return Undefined(f"{owner!r}.{name} is undefined")
    if isinstance(owner, EmptyText):
        return owner
    if isinstance(owner, Mapping) and name in owner:
        return owner[name]
    return Undefined(f"{name} is undefined: the value before it has no parts")


def item_of(owner: object, key: object) -> object:
    """``owner[key]``; undefined if the owner has no such item."""
    if isinstance(key, str):
        return part_of(owner, key)
    if isinstance(owner, EmptyText):
        return ""
    if isinstance(key, int) and isinstance(owner, Sequence):
        try:
            return owner[key]
        except IndexError:
            pass
    return Undefined(f"[{key}] is undefined: there is no such item")


def slice_of(budget: Budget, owner: object, bounds: slice) -> object:
    """``owner[start:stop:step]`` of a text or a list.

    Raises:
        TypeError: it is neither, or a bound is not a whole number.
        ValueError: the step is 0.
    """
    if not isinstance(owner, Sequence):
        raise TypeError
    length = len(range(*bounds.indices(len(owner))))
    if isinstance(owner, EmptyText):
        return ""
    (budget.make if isinstance(owner, str) else budget.hold)(length)
    return owner[bounds]


def text_in(budget: Budget, value: object) -> str:
    """The text of a value; for a list, its joined texts.

    Raises:
        NotAValueError: it has parts and no text of its own.
    """
    if isinstance(value, str):
        return value
    if is_list(value):
        budget.hold(len(value))
        budget.spend(len(value))
        texts = [text_in(budget, item) for item in value]
        return join(budget, ", ", texts)
    return text_of(value)


def join(budget: Budget, separator: str, texts: Sequence[str]) -> str:
    """The texts with the separator between them; paid for by its length before it is built."""
    budget.make(sum(map(len, texts)) + len(separator) * max(0, len(texts) - 1))
    return separator.join(texts)


def is_true(budget: Budget, value: object) -> bool:
    """Whether a value counts as true."""
    if isinstance(value, View):
        budget.spend(size_of(value))
    return bool(value)


def search(budget: Budget, text: str, wanted: str) -> None:
    """Pays for searching one text in another."""
    per_place = min(len(wanted), _LONGEST_NEEDLE)
    budget.spend(len(text) * per_place // _STEPS_PER_SEARCH)


def is_equal(budget: Budget, left: object, right: object) -> bool:
    """``left == right``."""
    if isinstance(left, str) and isinstance(right, str):
        budget.read(min(len(left), len(right)))
        return left == right
    if is_list(left) and is_list(right):
        return _are_equal(budget, left, right)
    return bool(left == right)


def _are_equal(budget: Budget, left: Sequence[object], right: Sequence[object]) -> bool:
    if len(left) != len(right):
        return False
    budget.spend(len(left))
    return all(is_equal(budget, one, other) for one, other in zip(left, right, strict=True))


def is_in(budget: Budget, wanted: object, owner: object) -> bool:
    """``wanted in owner``: a part of a text, or an item of a list.

    Raises:
        TypeError: the owner is neither, or something other than text is searched for in a text.
    """
    if isinstance(owner, str) and isinstance(wanted, str):
        search(budget, owner, wanted)
        return wanted in owner
    if not is_list(owner):
        raise TypeError
    budget.spend(len(owner))
    return any(is_equal(budget, item, wanted) for item in owner)


def in_bounds(number: object) -> object:
    """Checks a calculated number and returns it.

    Raises:
        TemplateProblem: it is longer than any number on either side.
    """
    if isinstance(number, float) and not math.isfinite(number):
        raise TemplateProblem("a number grows out of bounds")
    if isinstance(number, int) and not -MAX_NUMBER < number < MAX_NUMBER:
        raise TemplateProblem("a number grows beyond 30 digits")
    return number


def add(budget: Budget, left: object, right: object) -> object:
    """``left + right``: of numbers, texts or lists."""
    if isinstance(left, str) and isinstance(right, str):
        budget.make(len(left) + len(right))
        return left + right
    if is_list(left) and is_list(right):
        budget.hold(len(left) + len(right))
        return [*left, *right]
    return _calculate(operator.add, left, right)


def _calculate(
    calculate: Callable[[object, object], object], left: object, right: object
) -> object:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise TypeError
    return in_bounds(calculate(left, right))


def _calculator(calculate: Callable[[object, object], object]) -> "Operation":
    return lambda _, left, right: _calculate(calculate, left, right)


def _on_numbers(sign: str, calculate: Callable[[object, object], object]) -> "Operation":
    def operation(_: Budget, left: object, right: object) -> object:
        if isinstance(left, bool) or isinstance(right, bool):
            raise TemplateProblem(f"{sign} works on numbers only")
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise TemplateProblem(f"{sign} works on numbers only")
        return in_bounds(calculate(left, right))

    return operation


def _ordering(is_so: Callable[[Any, Any], object]) -> "Operation":
    def operation(budget: Budget, left: object, right: object) -> object:
        if isinstance(left, str) and isinstance(right, str):
            budget.read(min(len(left), len(right)))
        elif not isinstance(left, int | float) or not isinstance(right, int | float):
            raise TypeError
        return bool(is_so(left, right))

    return operation


Operation = Callable[[Budget, object, object], object]
ARITHMETIC: Mapping[str, Operation] = {
    "add": add,
    "sub": _calculator(operator.sub),
    "mul": _on_numbers("*", operator.mul),
    "div": _calculator(operator.truediv),
    "floordiv": _calculator(operator.floordiv),
    "mod": _on_numbers("%", operator.mod),
}
"""Arithmetic operators, by the names of their nodes."""
COMPARISONS: Mapping[str, Operation] = {
    "eq": is_equal,
    "ne": lambda budget, left, right: not is_equal(budget, left, right),
    "lt": _ordering(operator.lt),
    "lteq": _ordering(operator.le),
    "gt": _ordering(operator.gt),
    "gteq": _ordering(operator.ge),
    "in": is_in,
    "notin": lambda budget, left, right: not is_in(budget, left, right),
}
"""Comparison operators, by Jinja's names."""
