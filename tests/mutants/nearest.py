"""Which tests are nearest to a module.

First those that import the module, then its package's: ``PACKAGES`` names them. Among those that
import it the ones of pure parts, which are quick, come before those over HTTP and files.
"""

import re
from pathlib import Path

PACKAGES = {
    "diff": ("unit/diff", "property"),
    "own_writes": ("unit/own_writes", "property", "pipeline"),
    "pagerduty/actions": ("unit", "pagerduty", "rules", "pipeline"),
    "pipeline": ("unit", "pipeline"),
    "rules": ("unit/rules", "property", "rules"),
    "salesforce": ("salesforce", "recorded"),
    "salesforce/actions": ("unit", "salesforce", "recorded", "rules", "pipeline"),
    "store": ("store", "migration", "pipeline", "storage"),
}
"""Folders of tests in the order in which they are run."""

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
"""Folders whose tests are slow, or try the whole."""


def nearest(root: Path, module: str) -> list[str]:
    """The files of tests for a module, in the order in which they are run.

    Args:
        root: the repository.
        module: path of the module below it.
    """
    path = Path(module).relative_to("daemon/pagerforce").with_suffix("")
    tests = [file.relative_to(root).as_posix() for file in sorted(root.glob("tests/**/test_*.py"))]
    importing = [test for test in tests if _is_asked(test) and _imports(root / test, path)]
    package = [
        test
        for folder in PACKAGES[path.parent.as_posix()]
        for test in tests
        if test.rpartition("/")[0] == f"tests/{folder}"
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
