"""The runner on a small tree of its own, and the list of survivors of the repository."""

import hashlib
from pathlib import Path

import pytest

from mutants.mutant import Mutant, read_survivors
from mutants.nearest import PACKAGES, nearest
from mutants.trial import Outcome, Trial

ROOT = Path(__file__).resolve().parents[2]
MODULE = "daemon/pagerforce/diff/later.py"
CODE = """
def is_later(one: int, other: int) -> bool:
    return one > other


def nobody_asks(one: int) -> int:
    return one + 1
"""
TESTS = """
from pathlib import Path

from pagerforce.diff.later import is_later


def test_order():
    assert is_later(2, 1)
    assert not is_later(1, 2)


def test_that_fails_anyway():
    Path("left behind").write_text("")
    assert not is_later(1, 2) and False
"""


@pytest.fixture
def tree(tmp_path):
    """A package, its tests and a simulation that does nothing."""
    files = {
        MODULE: CODE,
        "daemon/pagerforce/__init__.py": "",
        "tests/unit/diff/test_later.py": TESTS,
        "tests/simulation.py": "import sys; print('seed 7: BROKEN' if '1-7' in sys.argv else ''); sys.exit('1-7' in sys.argv)",
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def mistake(before: str, after: str) -> Mutant:
    assert before in CODE
    return Mutant(MODULE, "by hand", CODE, CODE.replace(before, after))


def contents(tree: Path) -> dict[str, str]:
    files = (path for path in sorted(tree.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def trial(tree: Path, seeds: int = 0, deadline: float = 300, hung_after: float = 300) -> Trial:
    return Trial(tree, seeds, deadline, hung_after)


def test_mistake_that_a_test_sees_is_caught_by_it(tree):
    verdict = trial(tree).judge(mistake("one > other", "one < other"))
    assert (verdict.outcome, verdict.by) == (
        Outcome.CAUGHT,
        "tests/unit/diff/test_later.py::test_order",
    )


def test_mistake_in_dead_code_survives(tree):
    assert trial(tree).judge(mistake("one + 1", "one - 1")).outcome is Outcome.SURVIVED


def test_test_that_fails_anyway_catches_nothing_and_is_named(tree):
    judge = trial(tree)
    judge.judge(mistake("one + 1", "one - 1"))
    assert judge.unsound == {"tests/unit/diff/test_later.py::test_that_fails_anyway"}


def test_a_mutant_that_passes_the_tests_runs_in_the_simulation(tree):
    verdict = trial(tree, seeds=7).judge(mistake("one + 1", "one - 1"))
    assert (verdict.outcome, verdict.by) == (Outcome.CAUGHT, "seed 7")


def test_test_that_never_ends_has_caught_the_mistake(tree):
    endless = mistake("return one > other", "while True: pass")
    verdict = trial(tree, hung_after=3).judge(endless)
    assert (verdict.outcome, verdict.by) == (
        Outcome.CAUGHT,
        "tests/unit/diff/test_later.py::test_order",
    )


def test_mutant_has_a_time_limit(tree):
    endless = mistake("return one > other", "while True: pass")
    assert trial(tree, deadline=5).judge(endless).outcome is Outcome.TIMED_OUT


def test_what_cannot_be_imported_is_no_mutant(tree):
    assert trial(tree).judge(mistake("-> bool", "-> truth")).outcome is Outcome.STILLBORN


def test_tree_is_left_as_it_was(tree):
    before = contents(tree)
    judge = trial(tree, seeds=7)
    judge.judge(mistake("one > other", "one < other"))
    judge.judge(mistake("one + 1", "one - 1"))
    assert contents(tree) == before


def test_tests_that_import_the_module_come_before_its_package():
    files = nearest(ROOT, "daemon/pagerforce/own_writes/life.py")
    assert files[0] == "tests/unit/own_writes/test_life.py"
    assert "tests/pipeline/test_echoes.py" in files


@pytest.mark.parametrize(
    "place", sorted({place for places in PACKAGES.values() for place in places})
)
def test_named_tests_are_there(place):
    path = ROOT / "tests" / place
    assert path.with_suffix(".py").is_file() or [*path.glob("test_*.py")]


@pytest.mark.parametrize("item", read_survivors(), ids=lambda item: item.before)
def test_listed_survivor_is_in_the_code_or_its_test_exists(item):
    """A test stays valid when the code moves; a reason why something is no mistake does not."""
    assert bool(item.equivalent) != bool(item.caught_by)
    if item.caught_by:
        file, _, test = item.caught_by.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text()
    else:
        lines = [line.strip() for line in (ROOT / item.module).read_text().splitlines()]
        assert all(line in lines for line in item.before.splitlines())


def test_choice_is_that_of_the_seed():
    pytest.importorskip("cosmic_ray", reason="make mutants installs the tool that makes them")
    from mutants.choose import choose  # noqa: PLC0415 - only if the tool is installed

    chosen = choose(ROOT, 3, 1)
    assert chosen == choose(ROOT, 3, 1) != choose(ROOT, 3, 2)
    for mutant in chosen:
        assert (ROOT / mutant.module).read_text() == mutant.original
        assert mutant.before != mutant.after
