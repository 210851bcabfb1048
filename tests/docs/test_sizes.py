"""No module is longer than 400 lines and no function than 50, without its docstring."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("daemon", "tests", "bench", "monitoring")
MOST_LINES, MOST_OF_A_FUNCTION = 400, 50


def too_long(text):
    """The line and size of each function or module that is too long."""
    count = len(text.splitlines())
    if count > MOST_LINES:
        yield 1, f"the module has {count} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = size_of(node)
            if count > MOST_OF_A_FUNCTION:
                yield node.lineno, f"{node.name} has {count} lines"


def size_of(function):
    body = function.body if ast.get_docstring(function) is None else function.body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_and_no_function_is_too_long(folder):
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in modules
        for line, what in too_long(path.read_text("utf-8"))
    ]
    assert found == []


def function(lines, docstring=""):
    return "\n".join(["class A:", "    async def do(self):", docstring, *["        x = 1"] * lines])


def test_what_is_too_long_is_reported_with_its_place():
    assert list(too_long("\n" * MOST_LINES)) == []
    assert list(too_long("\n" * (MOST_LINES + 1))) == [(1, "the module has 401 lines")]
    assert list(too_long(function(MOST_OF_A_FUNCTION, '        """One.\n\n        Two."""'))) == []
    assert list(too_long(function(MOST_OF_A_FUNCTION + 1))) == [(2, "do has 51 lines")]
    assert list(too_long('def f():\n    """Nothing else."""')) == []
