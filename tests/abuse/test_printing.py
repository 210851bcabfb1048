"""Nothing in the program prints except the functions that make text safe to show."""

import ast
from pathlib import Path

import pagerforce

SOURCE = Path(pagerforce.__file__).parent

PRINTING = {"print", "input", "breakpoint", "os.write", "os.writev"}
PRINTING |= {f"sys.{name}" for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
PRINTING |= {f"typer.{name}" for name in ("echo", "secho", "prompt", "confirm", "progressbar")}
LIBRARIES = ("rich", "colorama", "click", "getpass", "readline")
# The checker's standard output is a pipe to the daemon; it writes JSON lines there.
CHECKER = Path("service/checker/words.py")
# These print nothing: one flushes before exit, one forwards the numbers of signals through a pipe.
SILENT = {Path("__main__.py"), Path("service/watchdog.py")}
MAY_PRINT = {
    Path("cli/display.py"),
    Path("cli/progress.py"),
    Path("observe/log.py"),
    CHECKER,
    *SILENT,
}


def around(tree):
    """The places where a module prints directly."""
    for node in ast.walk(tree):
        for name in named(node):
            if name in PRINTING or name.split(".")[0] in LIBRARIES:
                yield node.lineno, name


def named(node):
    """What a node imports, or the function or attribute that it names."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    if isinstance(node, ast.Import):
        return [item.name for item in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{item.name}" for item in node.names)]
    return []


def test_only_one_place_prints():
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE)
        places = list(around(ast.parse(path.read_text())))
        if places and name not in MAY_PRINT:
            found[str(name)] = places
    assert found == {}


def test_the_check_for_it_sees_each_way_around():
    for code in (
        "print('x')",
        "import sys\nsys.stdout.write('x')",
        "from sys import stderr",
        "import typer\ntyper.echo('x')",
        "from typer import echo",
        "from rich.console import Console",
        "import rich",
        "import os\nos.write(1, b'x')",
    ):
        assert list(around(ast.parse(code))), code
