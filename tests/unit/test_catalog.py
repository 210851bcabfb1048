"""The definition of each action is consistent, and exists in one place only."""

import ast
from collections import Counter
from pathlib import Path

import pagerforce
from pagerforce.model.action import FieldState, Purpose
from pagerforce.model.event import PAGERDUTY_TYPES
from pagerforce.model.ids import Side
from pagerforce.service.catalog import CATALOG, SPECS

ROOT = Path(pagerforce.__file__).parent
# The sandbox has stories of its own, with rules of its own.
ELSEWHERE = ("pagerduty/actions", "salesforce/actions", "sandbox")


def texts_of(path):
    """Every string of a module except its documentation."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_no_module_but_its_own_names_an_action():
    found = {
        (path.relative_to(ROOT).as_posix(), do)
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(ELSEWHERE)
        for do in SPECS.keys() & texts_of(path)
    }
    assert found == set()


def test_an_action_is_undone_by_actions_of_its_side_that_act_on_the_same():
    for spec in CATALOG:
        for do in spec.undone_by:
            assert (SPECS[do].side, SPECS[do].target) == (spec.side, spec.target)


def test_what_answers_an_action_is_an_event_of_its_side():
    for spec in CATALOG:
        assert spec.answered_by <= (set(PAGERDUTY_TYPES) if spec.side is Side.PAGERDUTY else set())


def test_the_argument_that_names_a_field_exists():
    named = [spec for spec in CATALOG if isinstance(spec.sets, FieldState)]
    assert named
    for spec in named:
        assert spec.sets.param in {param.name for param in spec.params}


def test_every_purpose_is_done_by_one_action():
    found = Counter(spec.purpose for spec in CATALOG if spec.purpose is not None)
    assert found == dict.fromkeys(Purpose, 1)


def test_only_pagerduty_keeps_log_entries():
    assert all(spec.cost.entries == 0 for spec in CATALOG if spec.side is Side.SALESFORCE)
    assert all(spec.cost.entries > 0 for spec in CATALOG if spec.side is Side.PAGERDUTY)
