"""Reads a template without filling it in: may it run here, and what does it speak of.

What a template may consist of is listed (``_ALLOWED``) instead of what it may not. Without loops in
loops, assignments, powers and repeated text no template can run or grow out of bounds, whatever the
customer's text is.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from pagerforce.rules.environment import ENVIRONMENT, TemplateProblem
from pagerforce.rules.filters import FILTERS, is_zone

ROOTS = frozenset({"event", "incident", "record", "comment", "old", "linked"})
METHODS = frozenset(
    {"upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "splitlines"}
    | {"startswith", "endswith", "removeprefix", "removesuffix"}
)
"""Methods of text that may be called: none of them makes a text longer than it was."""
MAX_TEMPLATE_CHARS = 32_768
MAX_DEPTH = 40

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    *(nodes.Concat, nodes.List, nodes.Tuple),
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a template speaks of.

    Attributes:
        roots: the first words it uses, e.g. ``record``; unknown ones too.
        paths: every chain of names from a root, e.g. ``("record", "Owner", "Name")``.
        maps: the maps its ``translate`` names outright.
    """

    roots: frozenset[str]
    paths: frozenset[tuple[str, ...]]
    maps: frozenset[str]


def is_template(text: str) -> bool:
    """Whether a text has anything to fill in."""
    return "{{" in text or "{%" in text or "{#" in text


@functools.lru_cache(maxsize=20_000)
def inspect_template(text: str) -> Inspection:
    """Reads a template without filling it in.

    Raises:
        TemplateProblem: it is not a template, or uses what is not available here.
    """
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateProblem(f"the template is longer than {MAX_TEMPLATE_CHARS} characters")
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"line {error.lineno}: {error.message}") from error
    except RecursionError as error:
        raise TemplateProblem("the template is nested too deeply") from error
    _check(tree, depth=0, in_loop=False)
    roots = frozenset(find_undeclared_variables(tree))
    return Inspection(roots, _paths(tree, roots), _maps(tree))


def _check(node: nodes.Node, *, depth: int, in_loop: bool) -> None:
    if depth > MAX_DEPTH:
        raise TemplateProblem(f"line {node.lineno}: the template is nested too deeply")
    if isinstance(node, nodes.For) and in_loop:
        raise TemplateProblem(f"line {node.lineno}: a loop inside a loop is not available")
    if not isinstance(node, _ALLOWED):
        what = type(node).__name__.lower()
        raise TemplateProblem(f"line {node.lineno}: {what} is not available in templates")
    judge = _JUDGES.get(type(node))
    problem = None if judge is None else judge(node)
    if problem is not None:
        raise TemplateProblem(f"line {node.lineno}: {problem}")
    for child in node.iter_child_nodes():
        _check(child, depth=depth + 1, in_loop=in_loop or isinstance(node, nodes.For))


def _judge_loop(node: nodes.For) -> str | None:
    if node.recursive:
        return "a recursive loop is not available"
    names = {name.name for name in node.target.find_all(nodes.Name)}
    if isinstance(node.target, nodes.Name):
        names.add(node.target.name)
    return "a loop's variable cannot be called like a field" if names & ROOTS else None


def _judge_filter(node: nodes.Filter) -> str | None:
    if node.name not in FILTERS:
        return f"unknown filter {node.name!r}; there are {', '.join(sorted(FILTERS))}"
    if node.name == "date" and len(node.args) > 1:
        zone = node.args[1]
        if isinstance(zone, nodes.Const) and not is_zone(str(zone.value)):
            return f"unknown time zone {zone.value!r}"
    return None


def _judge_test(node: nodes.Test) -> str | None:
    if node.name in ENVIRONMENT.tests:
        return None
    return f"unknown test {node.name!r}; there are {', '.join(sorted(ENVIRONMENT.tests))}"


def _judge_name(name: str) -> str | None:
    return f"{name!r} is not available" if name.startswith("_") else None


def _judge_item(node: nodes.Getitem) -> str | None:
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return _judge_name(node.arg.value)
    if isinstance(node.arg, nodes.Const | nodes.Slice | nodes.Neg):
        return None
    return "[...] takes a name or a number as it stands, not a computed one"


def _judge_call(node: nodes.Call) -> str | None:
    has_stars = node.dyn_args is not None or node.dyn_kwargs is not None
    if isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS and not has_stars:
        return None
    return f"only these can be called: {', '.join(sorted(METHODS))}"


_JUDGES: Mapping[type[nodes.Node], Callable[[Any], str | None]] = {
    nodes.For: _judge_loop,
    nodes.Filter: _judge_filter,
    nodes.Test: _judge_test,
    nodes.Getattr: lambda node: _judge_name(node.attr),
    nodes.Getitem: _judge_item,
    nodes.Call: _judge_call,
}


def _paths(tree: nodes.Template, roots: frozenset[str]) -> frozenset[tuple[str, ...]]:
    """The longest chain of names at every use of a root."""
    found: set[tuple[str, ...]] = set()
    _gather(tree, roots, found)
    return frozenset(found)


def _gather(node: nodes.Node, roots: frozenset[str], found: set[tuple[str, ...]]) -> None:
    chain = _chain(node)
    if chain is not None and chain[0] in roots:
        found.add(chain)
        return
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        # The last name of record.Name.upper() is a method, not a field.
        _gather(node.node.node, roots, found)
        for argument in (*node.args, *node.kwargs):
            _gather(argument, roots, found)
        return
    for child in node.iter_child_nodes():
        _gather(child, roots, found)


def _chain(node: nodes.Node) -> tuple[str, ...] | None:
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


def _maps(tree: nodes.Template) -> frozenset[str]:
    return frozenset(
        node.args[0].value
        for node in tree.find_all(nodes.Filter)
        if node.name == "translate" and node.args and isinstance(node.args[0], nodes.Const)
    )
