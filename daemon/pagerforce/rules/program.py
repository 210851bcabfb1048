"""Turns a template's tree into a function that renders it: its text, its choices, its loops.

The steps of a block are counted at its beginning: one for each node.
"""

from collections.abc import Callable, Iterable, Sequence

from jinja2 import nodes

from pagerforce.rules.environment import TemplateProblem
from pagerforce.rules.expressions import Rendering, Value, build, size_of_tree
from pagerforce.rules.values import is_list, is_true, text_in
from pagerforce.rules.views import View

LOOP_PARTS = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
    | {"depth", "depth0"}
)
Program = Callable[[Rendering], None]
_Names = dict[str, object]


def compile_block(block: Iterable[nodes.Node]) -> Program:
    """The function that renders a template, or a part of one."""
    steps: list[Program] = []
    cost = 1
    for node in block:
        if isinstance(node, nodes.Output):
            steps += map(_emitter, node.nodes)
            cost += sum(map(size_of_tree, node.nodes))
        elif isinstance(node, nodes.If):
            steps.append(_choice(node))
            cost += sum(size_of_tree(one.test) for one in (node, *node.elif_))
        elif isinstance(node, nodes.For):
            steps.append(_loop(node))
            cost += size_of_tree(node.iter)

    def filled(run: Rendering) -> None:
        run.budget.spend(cost)
        for step in steps:
            step(run)

    return filled


def _emitter(node: nodes.Node) -> Program:
    if isinstance(node, nodes.TemplateData):
        text = node.data
        return lambda run: run.emit(text)
    value = build(node)

    def emit(run: Rendering) -> None:
        found = value(run)
        run.emit(found if isinstance(found, str) else text_in(run.budget, found))

    return emit


def _choice(node: nodes.If) -> Program:
    cases = [(build(one.test), compile_block(one.body)) for one in (node, *node.elif_)]
    other = compile_block(node.else_)

    def chosen(run: Rendering) -> None:
        for condition, body in cases:
            if is_true(run.budget, condition(run)):
                return body(run)
        return other(run)

    return chosen


def _loop(node: nodes.For) -> Program:
    items_of, assign = build(node.iter), _assigner(node.target)
    body, other = compile_block(node.body), compile_block(node.else_)
    choose = _chooser(node.test, assign)
    names_loop = any(name.name == "loop" for name in node.find_all(nodes.Name))

    def looped(run: Rendering) -> None:
        outer = run.names
        names = dict(outer)
        run.names = names
        items = choose(run, names, _checked(items_of(run)))
        for index, item in enumerate(items):
            run.budget.spend(1)
            assign(names, item)
            if names_loop:
                names["loop"] = LoopView(items, index)
            body(run)
        run.names = outer
        if not items:
            other(run)

    return looped


def _checked(items: object) -> Sequence[object]:
    if isinstance(items, str) or is_list(items):
        return items
    raise TemplateProblem("a loop needs a list")


_Assign = Callable[[_Names, object], None]


def _assigner(target: nodes.Node) -> _Assign:
    if isinstance(target, nodes.Name):
        name = target.name

        def assign(names: _Names, item: object) -> None:
            names[name] = item

        return assign
    parts = [_assigner(part) for part in target.iter_child_nodes()]

    def unpack(names: _Names, item: object) -> None:
        values = _checked(item)
        if len(values) != len(parts):
            raise TemplateProblem("a loop needs as many names as its items have parts")
        for part, value in zip(parts, values, strict=True):
            part(names, value)

    return unpack


def _chooser(
    test: nodes.Node | None, assign: _Assign
) -> Callable[[Rendering, _Names, Sequence[object]], Sequence[object]]:
    """A function that applies the loop's own ``if`` to its items."""
    if test is None:
        return lambda _run, _names, items: items
    is_wanted: Value = build(test)
    cost = 1 + size_of_tree(test)

    def choose(run: Rendering, names: _Names, items: Sequence[object]) -> Sequence[object]:
        chosen: list[object] = []
        for item in items:
            run.budget.spend(cost)
            assign(names, item)
            if is_true(run.budget, is_wanted(run)):
                chosen.append(item)
        run.budget.hold(len(chosen))
        return chosen

    return choose


class LoopView(View):
    """``loop``: the position of a loop in its items."""

    __slots__ = ("_index", "_items")

    def __init__(self, items: Sequence[object], index: int) -> None:
        super().__init__("loop", {})
        self._items = items
        self._index = index

    def __getitem__(self, name: str) -> object:
        index, length = self._index, len(self._items)
        places = {
            "index": index + 1,
            "index0": index,
            "revindex": length - index,
            "revindex0": length - index - 1,
            "first": index == 0,
            "last": index == length - 1,
            "length": length,
            "depth": 1,
            "depth0": 0,
        }
        if name in places:
            return places[name]
        other = {"previtem": index - 1, "nextitem": index + 1}[name]
        if not 0 <= other < length:
            raise KeyError(name)
        return self._items[other]
