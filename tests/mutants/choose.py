"""Chooses mutants at random by a seed; cosmic-ray creates them.

Only its operators are used (``cosmic_ray.plugins``, ``cosmic_ray.mutating``), not its runner. A module
is drawn by its length, then a place in it, then one of the possible mistakes there: so an expression with
many possible mistakes is drawn no more often than one with a single one.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from mutants.mutant import Mutant

SCOPE = (
    "pipeline/*.py",
    "store/*.py",
    "store/*/*.py",
    "diff/*.py",
    "rules/*.py",
    "own_writes/*.py",
    "pagerduty/actions/*.py",
    "salesforce/actions/*.py",
    "salesforce/error_table.py",
    "salesforce/login_table.py",
    "salesforce/answers.py",
)
"""Code that decides whether an incident is lost or duplicated, below ``daemon/pagerforce``."""

_NO_MISTAKE = ("_Is_Eq", "_IsNot_NotEq", "_Eq_Is", "_NotEq_IsNot")
"""Members of enumerations and None are equal only if they are identical."""


def choose(root: Path, count: int, seed: int) -> list[Mutant]:
    """This number of different mutants of the tree; the same for the same code and seed."""
    found: list[Mutant] = []
    for mutant in _draw(root, random.Random(f"mutants {seed}")):
        if mutant not in found:
            found.append(mutant)
        if len(found) == count:
            break
    return found


def _draw(root: Path, rng: random.Random) -> Iterator[Mutant]:
    folder = root / "daemon" / "pagerforce"
    texts = {path: path.read_text() for glob in SCOPE for path in sorted(folder.glob(glob))}
    lengths = [len(text.splitlines()) for text in texts.values()]
    while True:
        path = rng.choices([*texts], lengths)[0]
        if not (places := _places(text := texts[path])):
            continue
        name, occurrence = rng.choice(rng.choice(places))
        mutated = mutate_code(text, get_operator(name)(), occurrence)
        if mutated is not None and _changes_what_runs(text, mutated):
            module = path.relative_to(root).as_posix()
            yield Mutant(module, name.removeprefix("core/"), text, mutated)


@cache
def _places(text: str) -> list[list[tuple[str, int]]]:
    """For each place of a text the operators that fit, each with its count up to that place."""
    nodes = [*ast_nodes(get_ast(text))]
    places = defaultdict(list)
    for name in sorted(operator_names()):
        if name.endswith(_NO_MISTAKE) or (make := get_operator(name)).arguments():
            continue
        operator = make()
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, position in enumerate(positions):
            places[position].append((name, occurrence))
    return [places[position] for position in sorted(places)]


def _changes_what_runs(text: str, mutated: str) -> bool:
    """False if only type hints or guards of dataclasses differ; a syntax error is not a mutant."""
    try:
        return _what_runs(text) != _what_runs(mutated)
    except SyntaxError:
        return False


def _what_runs(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="frozen" | "slots"):
                node.value = ast.Constant(None)
            case ast.AnnAssign() | ast.arg():
                node.annotation = ast.Constant(None)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
    return ast.dump(tree)
