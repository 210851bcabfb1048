"""Turns the expressions of a template's tree into functions.

Every kind of node that ``inspection.py`` allows has its function here; nothing else is ever run.
Work that grows with its operands is paid for where it is done (``values.py``, ``filters.py``,
``methods.py``).
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from pagerforce.model.value import is_empty
from pagerforce.rules.budget import MAX_CHARS, Budget
from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.filters import FILTERS, NEEDS_MAPS, Maps
from pagerforce.rules.methods import METHODS
from pagerforce.rules.values import (
    ARITHMETIC,
    COMPARISONS,
    Undefined,
    in_bounds,
    is_in,
    is_true,
    item_of,
    join,
    part_of,
    slice_of,
    text_in,
)
from pagerforce.rules.views import EMPTY


class Rendering:
    """One text that is being rendered: the values of its names, its budget, the text so far."""

    __slots__ = ("budget", "maps", "names", "parts", "size")

    def __init__(self, names: Mapping[str, object], maps: Maps, budget: Budget) -> None:
        self.names = names
        self.maps = maps
        self.budget = budget
        self.parts: list[str] = []
        self.size = 0

    def emit(self, text: str) -> None:
        """Adds to the text.

        Raises:
            TemplateProblem: the text exceeds the limit.
        """
        self.size += len(text)
        if self.size > MAX_CHARS:
            raise TemplateProblem(f"the text grows beyond {MAX_CHARS} characters")
        self.parts.append(text)


Value = Callable[[Rendering], object]
Test = Callable[..., bool]
_NOTHING = object()
_TAKES_UNDEFINED = frozenset({"d", "default", "int"})
_ASKS_DEFINED = {"defined": False, "undefined": True}


def build(node: nodes.Node, *, is_strict: bool = True) -> Value:
    """The function that evaluates an expression.

    Args:
        node: the expression.
        is_strict: an undefined name is a problem at once. Otherwise ``Undefined`` is passed on.
    """
    if type(node) in _PASSING:
        return _PASSING[type(node)](node, is_strict=is_strict)
    return _BUILDERS[type(node)](node)


def size_of_tree(node: nodes.Node) -> int:
    """The number of nodes in an expression: the cost of evaluating it, besides its operands."""
    return 1 + sum(map(size_of_tree, node.iter_child_nodes()))


def _strictly(value: Value, *, is_strict: bool) -> Value:
    if not is_strict:
        return value

    def defined(run: Rendering) -> object:
        found = value(run)
        if isinstance(found, Undefined):
            raise TemplateProblem(found.reason)
        return found

    return defined


def _name(node: nodes.Name, *, is_strict: bool) -> Value:
    name = node.name
    hint = " (only comment and annotate events have one)" if name == "comment" else ""
    missing = Undefined(f"{name} is undefined{hint}")
    if not is_strict:
        return lambda run: run.names.get(name, missing)

    def look(run: Rendering) -> object:
        found = run.names.get(name, _NOTHING)
        if found is _NOTHING:
            raise TemplateProblem(missing.reason)
        return found

    return look


def _constant(node: nodes.Const) -> Value:
    value = node.value
    return lambda _run: value


def _attribute(node: nodes.Getattr, *, is_strict: bool) -> Value:
    owner, name = build(node.node), node.attr
    return _strictly(lambda run: part_of(owner(run), name), is_strict=is_strict)


def _item(node: nodes.Getitem, *, is_strict: bool) -> Value:
    owner = build(node.node)
    if isinstance(node.arg, nodes.Slice):
        return _slice(owner, node.arg)
    key = build(node.arg)
    return _strictly(lambda run: item_of(owner(run), key(run)), is_strict=is_strict)


def _slice(owner: Value, node: nodes.Slice) -> Value:
    bounds = [
        (lambda _run: None) if bound is None else build(bound)
        for bound in (node.start, node.stop, node.step)
    ]

    def cut(run: Rendering) -> object:
        wanted = slice(*[bound(run) for bound in bounds])
        return slice_of(run.budget, owner(run), wanted)

    return cut


def _filter(node: nodes.Filter, *, is_strict: bool) -> Value:
    takes_undefined = node.name in _TAKES_UNDEFINED
    function = FILTERS[node.name]
    value = build(node.node, is_strict=not takes_undefined)  # type: ignore[arg-type]  # has one
    arguments, named = _arguments(node, is_strict=not takes_undefined)
    needs_maps = node.name == NEEDS_MAPS

    def filtered(run: Rendering) -> object:
        more = {name: build_(run) for name, build_ in named.items()}
        if needs_maps:
            more["maps"] = run.maps
        return function(run.budget, value(run), *[item(run) for item in arguments], **more)

    def filtered_plainly(run: Rendering) -> object:
        return function(run.budget, value(run), *[item(run) for item in arguments])

    is_plain = not named and not needs_maps
    return _strictly(
        filtered_plainly if is_plain else filtered, is_strict=is_strict and takes_undefined
    )


def _arguments(
    node: nodes.Filter | nodes.Test | nodes.Call, *, is_strict: bool = True
) -> tuple[list[Value], dict[str, Value]]:
    listed = [build(item, is_strict=is_strict) for item in node.args]
    pairs: list[Any] = node.kwargs
    named = {pair.key: build(pair.value, is_strict=is_strict) for pair in pairs}
    return listed, named


def _call(node: nodes.Call) -> Value:
    target: Any = node.node
    name, method = target.attr, METHODS[target.attr]
    owner = build(target.node)
    arguments, named = _arguments(node)

    def called(run: Rendering) -> object:
        text = owner(run)
        if not isinstance(text, str):
            raise TemplateProblem(f"{name}() works on text only")
        more = {key: value(run) for key, value in named.items()}
        return method(run.budget, text, *[item(run) for item in arguments], **more)

    return called


def _test(node: nodes.Test) -> Value:
    if node.name in _ASKS_DEFINED:
        wanted = _ASKS_DEFINED[node.name]
        asked = build(node.node, is_strict=False)
        return lambda run: (asked(run).__class__ is Undefined) is wanted
    test, value = TESTS[node.name], build(node.node)
    arguments, named = _arguments(node)

    def tested(run: Rendering) -> object:
        more = {name: item(run) for name, item in named.items()}
        return test(run.budget, value(run), *[item(run) for item in arguments], **more)

    return tested


def _comparison(node: nodes.Compare) -> Value:
    first = build(node.expr)
    steps = [(COMPARISONS[operand.op], build(operand.expr)) for operand in node.ops]

    def compared(run: Rendering) -> object:
        left = first(run)
        for is_so, value in steps:
            right = value(run)
            if not is_so(run.budget, left, right):
                return False
            left = right
        return True

    return compared


def _both(node: nodes.And, *, is_strict: bool) -> Value:
    left, right = build(node.left), build(node.right, is_strict=is_strict)

    def found(run: Rendering) -> object:
        value = left(run)
        return right(run) if is_true(run.budget, value) else value

    return found


def _either(node: nodes.Or, *, is_strict: bool) -> Value:
    left, right = build(node.left), build(node.right, is_strict=is_strict)

    def found(run: Rendering) -> object:
        value = left(run)
        return value if is_true(run.budget, value) else right(run)

    return found


def _negation(node: nodes.Not) -> Value:
    value = build(node.node)
    return lambda run: not is_true(run.budget, value(run))


def _choice(node: nodes.CondExpr, *, is_strict: bool) -> Value:
    condition, then = build(node.test), build(node.expr1, is_strict=is_strict)
    # Without an else the result is empty.
    if node.expr2 is None:
        other: Value = lambda _run: EMPTY  # noqa: E731 - as the others are functions
    else:
        other = build(node.expr2, is_strict=is_strict)

    def chosen(run: Rendering) -> object:
        return then(run) if is_true(run.budget, condition(run)) else other(run)

    return chosen


def _calculation(node: nodes.BinExpr) -> Value:
    calculate = ARITHMETIC[type(node).__name__.lower()]
    left, right = build(node.left), build(node.right)
    return lambda run: calculate(run.budget, left(run), right(run))


def _sign(change: Callable[[Any], object]) -> Callable[[nodes.UnaryExpr], Value]:
    def built(node: nodes.UnaryExpr) -> Value:
        value = build(node.node)

        def signed(run: Rendering) -> object:
            number = value(run)
            if not isinstance(number, int | float):
                raise TypeError
            return in_bounds(change(number))

        return signed

    return built


def _concatenation(node: nodes.Concat) -> Value:
    values = [build(item) for item in node.nodes]

    def joined(run: Rendering) -> object:
        texts = [text_in(run.budget, value(run)) for value in values]
        return join(run.budget, "", texts)

    return joined


def _list(node: nodes.List | nodes.Tuple) -> Value:
    values = [build(item) for item in node.items]
    return lambda run: [value(run) for value in values]


def _remainder(value: object, by: object) -> int | float:
    for number in (value, by):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TemplateProblem("even, odd and divisibleby work on numbers only")
    return value % by  # type: ignore[operator, no-any-return]  # both are numbers


def _is_empty(budget: Budget, value: object) -> bool:
    if isinstance(value, str):
        budget.read(len(value))
    return is_empty(value)


TESTS: Mapping[str, Test] = {
    "defined": lambda _, value: value.__class__ is not Undefined,
    "divisibleby": lambda _, value, by: _remainder(value, by) == 0,
    "empty": _is_empty,
    "even": lambda _, value: _remainder(value, 2) == 0,
    "in": is_in,
    "none": _is_empty,
    "number": lambda _, value: isinstance(value, int | float),
    "odd": lambda _, value: _remainder(value, 2) == 1,
    "string": lambda _, value: isinstance(value, str),
    "undefined": lambda _, value: value.__class__ is Undefined,
}
"""Every test by its name in a template."""
_PASSING: Mapping[type[nodes.Node], Callable[..., Value]] = {
    nodes.Name: _name,
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.Filter: _filter,
    nodes.And: _both,
    nodes.Or: _either,
    nodes.CondExpr: _choice,
}
"""Expressions that may pass an undefined name on."""
_BUILDERS: Mapping[type[nodes.Node], Callable[[Any], Value]] = {
    nodes.Const: _constant,
    nodes.Call: _call,
    nodes.Test: _test,
    nodes.Compare: _comparison,
    nodes.Not: _negation,
    **dict.fromkeys((nodes.Add, nodes.Sub, nodes.Mul, nodes.Div), _calculation),
    **dict.fromkeys((nodes.FloorDiv, nodes.Mod), _calculation),
    nodes.Neg: _sign(operator.neg),
    nodes.Pos: _sign(operator.pos),
    nodes.Concat: _concatenation,
    nodes.List: _list,
    nodes.Tuple: _list,
}
