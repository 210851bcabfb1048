"""Tries one mutant: a copy of the tree, the nearest tests, then seeds of the simulation."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mutants.mutant import Mutant
from mutants.nearest import nearest

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
_PYTEST = ("pytest", "-x", "-v", "--tb=no", "-p", "no:cacheprovider")
_FAILED = re.compile(
    r"^(tests/\S+\.py::.+?) (?:FAILED|ERROR|Timeout \(.*)(?: +\[.*)?$", re.MULTILINE
)
_NOT_COLLECTED = re.compile(r"^ERROR (tests/\S+\.py)", re.MULTILINE)
_BROKEN = re.compile(r"^(seed \d+): BROKEN", re.MULTILINE)
_MEMORY = 6 << 30
"""Memory limit of one process in bytes: a mistake can allocate all memory."""


class Outcome(StrEnum):
    """The result of testing a mutant."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"
    EQUIVALENT = "equivalent"
    STILLBORN = "not importable"


@dataclass(frozen=True)
class Verdict:
    """The outcome, the test or seed that caused it, and the elapsed time."""

    outcome: Outcome
    by: str = ""
    seconds: float = 0.0


@dataclass
class Trial:
    """Tries mutants of one tree, which it only reads.

    Args:
        root: the repository.
        seeds: number of seeds of the simulation for a mutant that no test caught.
        deadline: seconds for one mutant in total.
        hung_after: more seconds than any test takes; a test that takes longer is ended, and has
            caught the mistake.
    """

    root: Path
    seeds: int
    deadline: float
    hung_after: float = 300
    unsound: set[str] = field(default_factory=set)
    """Tests that fail without a mistake, too: they prove nothing and are left out."""
    _sound: set[str] = field(default_factory=set)

    def judge(self, mutant: Mutant) -> Verdict:
        """Tries it until something catches it."""
        began = time.monotonic()
        try:
            with self._copy(mutant) as tree:
                outcome, by = self._try(tree, mutant, began + self.deadline)
        except subprocess.TimeoutExpired:
            outcome, by = Outcome.TIMED_OUT, ""
        return Verdict(outcome, by, time.monotonic() - began)

    def _try(self, tree: Path, mutant: Mutant, until: float) -> tuple[Outcome, str]:
        module = Path(mutant.module).relative_to("daemon").with_suffix("")
        if _run(tree, ("-c", f"import {'.'.join(module.parts)}"), until)[0]:
            return Outcome.STILLBORN, ""
        files = nearest(tree, mutant.module)
        while by := self._failed_test(tree, files, until):
            if by in self.unsound:
                raise RuntimeError(f"{by} fails without a mutant, too, and can't be left out")
            if self._is_sound(by):
                return Outcome.CAUGHT, by
        by = _broken_seed(tree, f"1-{self.seeds}", until) if self.seeds else ""
        return (Outcome.CAUGHT if by else Outcome.SURVIVED), by

    def _is_sound(self, test: str) -> bool:
        """Whether a test passes without the mistake."""
        if not test.startswith("tests/") or test in self._sound:
            return True
        with self._copy() as clean:
            failed = self._failed_test(clean, [test], time.monotonic() + self.deadline)
        (self.unsound if failed else self._sound).add(test)
        return not failed

    def _failed_test(self, tree: Path, tests: list[str], until: float) -> str:
        """The id of the first test that fails or hangs; empty if all pass."""
        without = [f"--deselect={test}" for test in sorted(self.unsound)]
        hanging = (f"faulthandler_timeout={self.hung_after}", "faulthandler_exit_on_timeout=true")
        given = [*without, *(part for option in hanging for part in ("-o", option)), *tests]
        code, said = _run(tree, ("-m", *_PYTEST, *given), until)
        if code == 0:
            return ""
        failed = _FAILED.search(said) or _NOT_COLLECTED.search(said)
        return failed[1] if failed else f"pytest, which ended with {code}"

    @contextmanager
    def _copy(self, mutant: Mutant | None = None) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            tree = Path(folder, "tree")
            shutil.copytree(self.root, tree, symlinks=True, ignore=_LEFT_OUT)
            if mutant is not None:
                (tree / mutant.module).write_text(mutant.mutated)
            yield tree


def _broken_seed(tree: Path, seeds: str, until: float) -> str:
    """The first seed that breaks a promise; empty if all promises are kept."""
    code, said = _run(tree, ("-m", "simulation", seeds, "--first", "--jobs", "1"), until)
    if code == 0:
        return ""
    broken = _BROKEN.search(said)
    return broken[1] if broken else f"the simulation, which ended with {code}"


def _run(tree: Path, arguments: tuple[str, ...], until: float) -> tuple[int, str]:
    """Runs Python on that tree's code; child processes that remain or exceed the time are killed."""
    paths = os.pathsep.join(str(tree / part) for part in ("daemon", "tests"))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tree,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            code = process.wait(max(0.0, until - time.monotonic()))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return code, output.read()
