"""Which tests are nearest to a module.

First tests that import the module, then tests of its package: ``PACKAGES`` names them. Among those that
import it, the quick tests of pure parts come before those over HTTP and files.
"""

import re
from pathlib import Path

PACKAGES = {
    "diff": ("unit/diff", "property", "pipeline/test_story"),
    "own_writes": ("unit/own_writes", "property", "pipeline/test_echoes", "pipeline"),
    "pagerduty/actions": (
        "unit",
        "pagerduty/test_actions",
        "rules",
        "pipeline/test_story",
        "pipeline",
    ),
    "pipeline": (
        "unit",
        "pipeline/test_story",
        "pipeline",
        "abuse/test_internal_errors",
        "system/test_simulate",
    ),
    "rules": (
        "unit/rules",
        "property",
        "rules",
        "badinput/test_configurations",
        "abuse/test_templates",
    ),
    "salesforce": ("salesforce", "recorded"),
    "salesforce/actions": (
        "unit",
        "salesforce",
        "recorded",
        "rules",
        "pipeline/test_story",
        "pipeline",
    ),
    "store": ("store", "migration", "pipeline/test_story", "storage", "control", "pipeline"),
}
"""Folders and files of tests, in their order of execution."""

_QUICK = ("unit", "property")
_NOT_ASKED = (
    "abuse",
    "docs",
    "fuzz",
    "kills",
    "monitoring",
    "mutants",
    "setup",
    "simulation",
    "system",
)
"""Folders with slow tests or tests of the whole: they do not count as importing a module."""


def nearest(root: Path, module: str) -> list[str]:
    """The test files for a module, in their order of execution.

    Args:
        root: the repository.
        module: path of the module below it.
    """
    path = Path(module).relative_to("daemon/pagerforce").with_suffix("")
    tests = [file.relative_to(root).as_posix() for file in sorted(root.glob("tests/**/test_*.py"))]
    importing = [test for test in tests if _is_asked(test) and _imports(root / test, path)]
    package = [
        test
        for place in PACKAGES[path.parent.as_posix()]
        for test in tests
        if f"tests/{place}" in (test.rpartition("/")[0], test.removesuffix(".py"))
    ]
    return [*dict.fromkeys([*sorted(importing, key=_is_slow), *package])]


def _imports(test: Path, path: Path) -> bool:
    package, module = ".".join(path.parent.parts), path.name
    there = rf"pagerforce\.{package}\.{module}\b|from pagerforce\.{package} import .*\b{module}\b"
    return re.search(there, test.read_text()) is not None


def _is_asked(test: str) -> bool:
    return test.split("/")[1] not in _NOT_ASKED


def _is_slow(test: str) -> bool:
    return test.split("/")[1] not in _QUICK
