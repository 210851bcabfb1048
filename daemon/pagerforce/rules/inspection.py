"""Reads a template without rendering it: whether it is allowed, and which names it uses.

The allowed nodes are listed (``_ALLOWED``), not the forbidden ones. Errors that are certain are
refused here; errors that depend on the values are found when the template is rendered.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import nodes
from msgspec import Struct

from pagerforce.rules.environment import TemplateProblem, parse_template
from pagerforce.rules.expressions import TESTS
from pagerforce.rules.filters import FILTERS, NEEDS_MAPS, check_layout, is_zone
from pagerforce.rules.methods import METHODS
from pagerforce.rules.program import LOOP_PARTS, Program, compile_block
from pagerforce.rules.shelf import Shelf
from pagerforce.rules.values import MAX_NUMBER

ROOTS = frozenset({"event", "incident", "record", "comment", "old", "linked"})
MAX_DEPTH = 40
MAX_NODES = 4_000
"""The limit for names, texts and operators in a template: far more than anybody writes by hand."""
MAX_SHELVED_NODES = 100_000
_WHOLES = {
    ("event",): "event.type",
    ("incident",): "incident.title",
    ("record",): "record.Name",
    ("comment",): "comment.body",
    ("old",): "old.record.Name",
    ("old", "incident"): "old.incident.title",
    ("old", "record"): "old.record.Name",
}
"""Names that have parts and no text, each with one of its parts as an example."""
_OPEN = ("incident", "custom_fields")
"""The customer chooses the names below this one; ``upper`` may be one of them."""

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    *(nodes.Concat, nodes.List, nodes.Tuple),
)
_WITHOUT_PARTS = (
    nodes.Const,
    nodes.Call,
    nodes.Concat,
    nodes.Compare,
    nodes.Test,
    nodes.Mul,
    nodes.Sub,
)
"""Nodes whose result is always text, a number or a boolean."""
_Chain = tuple[str, ...]


class Inspection(Struct, frozen=True):
    """The names that a template uses.

    Attributes:
        roots: the first words it uses, e.g. ``record``; unknown ones too.
        paths: every chain of names from a root, e.g. ``("record", "Owner", "Name")``.
        maps: the maps that its ``translate`` names as constants.
    """

    roots: frozenset[str]
    paths: frozenset[_Chain]
    maps: frozenset[str]


class Template(Struct, frozen=True):
    """A valid template with the function that renders it."""

    inspection: Inspection
    program: Program


_SHELF: Shelf[Template] = Shelf(MAX_SHELVED_NODES)


def is_template(text: str) -> bool:
    """Whether a text has anything to render."""
    return "{{" in text or "{%" in text or "{#" in text


def inspect_template(text: str) -> Inspection:
    """The names that a template uses.

    Raises:
        TemplateProblem: it is not a template, or uses something that is not available here.
    """
    return read_template(text).inspection


def read_template(text: str) -> Template:
    """Prepares a template for rendering.

    Raises:
        TemplateProblem: it is not a template, or uses something that is not available here.
    """
    found = _SHELF.find(text)
    if found is None:
        tree = parse_template(text)
        check = _Check()
        check.check(tree, depth=0, in_loop=False)
        use = _Use()
        use.gather(tree, frozenset())
        roots = frozenset(chain[0] for chain in use.chains)
        inspection = Inspection(roots, frozenset(use.chains), frozenset(use.maps))
        found = Template(inspection, compile_block(tree.body))
        _SHELF.put(text, found, weight=check.nodes)
    return found


class _Check:
    """Searches a template for anything that is not allowed."""

    def __init__(self) -> None:
        self.nodes = 0

    def check(self, node: nodes.Node, *, depth: int, in_loop: bool) -> None:
        """Checks a node and its descendants.

        Raises:
            TemplateProblem: it is not allowed here.
        """
        self.nodes += 1
        problem = self._judge(node, depth, in_loop=in_loop)
        if problem is not None:
            raise TemplateProblem(f"line {node.lineno}: {problem}")
        in_loop = in_loop or isinstance(node, nodes.For)
        for child in node.iter_child_nodes():
            self.check(child, depth=depth + 1, in_loop=in_loop)

    def _judge(self, node: nodes.Node, depth: int, *, in_loop: bool) -> str | None:
        if depth > MAX_DEPTH:
            return "the template is nested too deeply"
        if self.nodes > MAX_NODES:
            return f"the template has more than {MAX_NODES} names, texts and operators"
        if isinstance(node, nodes.For) and in_loop:
            return "a loop inside a loop is not available"
        if not isinstance(node, _ALLOWED):
            return f"{type(node).__name__.lower()} is not available in templates"
        judge = _JUDGES.get(type(node))
        return None if judge is None else judge(node)


def _judge_loop(node: nodes.For) -> str | None:
    if node.recursive:
        return "a recursive loop is not available"
    names = _targets(node)
    if "loop" in names:
        return "a loop's variable cannot be called loop"
    return "a loop's variable cannot have the name of a field" if names & ROOTS else None


def _targets(node: nodes.For) -> frozenset[str]:
    if isinstance(node.target, nodes.Name):
        return frozenset({node.target.name})
    return frozenset(name.name for name in node.target.find_all(nodes.Name))


def _judge_filter(node: nodes.Filter) -> str | None:
    if node.name not in FILTERS:
        return f"unknown filter {node.name!r}; there are {', '.join(sorted(FILTERS))}"
    if node.name == "date":
        return _judge_date(node)
    return _judge_stars(node)


def _judge_date(node: nodes.Filter) -> str | None:
    layout, zone = _argument(node, 0, "layout"), _argument(node, 1, "zone")
    if isinstance(layout, nodes.Const) and isinstance(layout.value, str):
        problem = check_layout(layout.value)
        if problem is not None:
            return problem
    if isinstance(zone, nodes.Const) and not is_zone(str(zone.value)):
        return f"unknown time zone {zone.value!r}"
    return _judge_stars(node)


def _argument(node: nodes.Filter, place: int, name: str) -> nodes.Node | None:
    if len(node.args) > place:
        return node.args[place]
    named: list[Any] = node.kwargs
    return next((pair.value for pair in named if pair.key == name), None)


def _judge_test(node: nodes.Test) -> str | None:
    if node.name in TESTS:
        return _judge_stars(node)
    return f"unknown test {node.name!r}; there are {', '.join(sorted(TESTS))}"


def _judge_stars(node: nodes.Filter | nodes.Test) -> str | None:
    has_stars = node.dyn_args is not None or node.dyn_kwargs is not None
    return "* and ** are not available in templates" if has_stars else None


def _judge_name(name: str) -> str | None:
    return f"{name!r} is not available" if name.startswith("_") else None


def _judge_item(node: nodes.Getitem) -> str | None:
    place = node.arg.node if isinstance(node.arg, nodes.Neg) else node.arg
    if isinstance(place, nodes.Const) and isinstance(place.value, str):
        return _judge_name(place.value)
    if isinstance(place, nodes.Const | nodes.Slice):
        return None
    return "[...] takes a literal name or number, not a computed one"


def _judge_call(node: nodes.Call) -> str | None:
    has_stars = node.dyn_args is not None or node.dyn_kwargs is not None
    if isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS and not has_stars:
        return None
    return f"only these can be called: {', '.join(sorted(METHODS))}"


def _judge_constant(node: nodes.Const) -> str | None:
    value = node.value
    if isinstance(value, int) and not -MAX_NUMBER < value < MAX_NUMBER:
        return "a number has at most 30 digits"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number has at most 308 digits"
    return None


_JUDGES: Mapping[type[nodes.Node], Callable[[Any], str | None]] = {
    nodes.Const: _judge_constant,
    nodes.For: _judge_loop,
    nodes.Filter: _judge_filter,
    nodes.Test: _judge_test,
    nodes.Getattr: lambda node: _judge_name(node.attr),
    nodes.Getitem: _judge_item,
    nodes.Call: _judge_call,
}


class _Use:
    """Collects the longest chain of names at every use of a name, and the maps."""

    def __init__(self) -> None:
        self.chains: set[_Chain] = set()
        self.maps: set[str] = set()

    def gather(self, node: nodes.Node, bound: frozenset[str]) -> None:
        """Reads a node and its descendants.

        Args:
            node: where to begin.
            bound: names that a loop binds to its items here.

        Raises:
            TemplateProblem: a name has no value.
        """
        chain = _chain(node)
        problem = _judge_value(node, chain, bound)
        if problem is not None:
            raise TemplateProblem(f"line {node.lineno}: {problem}")
        if chain is not None:
            if chain[0] not in bound:
                self.chains.add(chain)
            return
        if isinstance(node, nodes.For):
            self._gather_loop(node, bound)
            return
        if isinstance(node, nodes.Filter) and node.name == NEEDS_MAPS:
            name = _argument(node, 0, "name")
            if isinstance(name, nodes.Const) and isinstance(name.value, str):
                self.maps.add(name.value)
        for child in _children(node):
            self.gather(child, bound)

    def _gather_loop(self, node: nodes.For, bound: frozenset[str]) -> None:
        self.gather(node.iter, bound)
        inner = bound | _targets(node)
        if node.test is not None:
            self.gather(node.test, inner)
        for child in node.body:
            self.gather(child, inner | {"loop"})
        for child in node.else_:
            self.gather(child, bound)


def _children(node: nodes.Node) -> Iterable[nodes.Node]:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        # The last name of record.Name.upper() is a method, not a field.
        return (node.node.node, *node.args, *node.kwargs)
    return node.iter_child_nodes()


def _judge_value(node: nodes.Node, chain: _Chain | None, bound: frozenset[str]) -> str | None:
    """Why a name has no value that a template could use; None if it may have one."""
    if isinstance(node, nodes.Output):
        wholes = [one for item in node.nodes if (one := _chain(item)) in _WHOLES]
        return _say_parts(wholes[0]) if wholes else None
    if chain is not None and chain[0] == "loop" and "loop" in bound:
        if chain[1:2] and chain[1] in LOOP_PARTS:
            return None
        return f"a loop has only {', '.join(f'loop.{one}' for one in sorted(LOOP_PARTS))}"
    if isinstance(node, nodes.Getattr) and node.attr in METHODS and not _is_part(chain):
        return f"{node.attr} is a method of text: write {node.attr}()"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, _WITHOUT_PARTS):
        return f"{node.attr} is undefined: the value before it has no parts"
    return None


def _say_parts(whole: _Chain) -> str:
    return f"{'.'.join(whole)} has parts; name one of them, e.g. {_WHOLES[whole]}"


def _is_part(chain: _Chain | None) -> bool:
    """Whether the last name of a chain, which equals a method's name, may be a part."""
    if chain is None:
        return False
    names = chain[1:] if chain[0] == "old" else chain
    return len(names) <= 2 or names[-1] == "title" or names[:2] == _OPEN


def _chain(node: nodes.Node) -> _Chain | None:
    match node:
        case nodes.Name(name=name):
            return (name,)
        case (
            nodes.Getattr(node=inner, attr=name)
            | nodes.Getitem(node=inner, arg=nodes.Const(value=str() as name))
        ):
            head = _chain(inner)
            return None if head is None else (*head, name)
        case _:
            return None
