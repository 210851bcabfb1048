"""docs/rules.md says what the code does: its examples run, and nothing is missing from it."""

import re
import tomllib
from pathlib import Path

import pytest

from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.rules.environment import ENVIRONMENT
from pagerforce.rules.fields import COMMENT_FIELDS, EVENT_FIELDS, INCIDENT_FIELDS
from pagerforce.rules.filters import FILTERS
from pagerforce.rules.inspection import METHODS
from pagerforce.rules.needs import doubts
from pagerforce.rules.parse import RULE_KEYS, parse_rulesets
from pagerforce.rules.syntax import Operator
from pagerforce.rules.template import context_of, render_text
from unit.rules.rule_examples import CATALOG, MAPS, OBJECTS, incident_event

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FILTER_ROWS = re.findall(r"^\| `[^|]+ \| `(\{\{.*?\}\})` \| `([^`]*)`", PAGE, re.MULTILINE)


def test_there_are_examples():
    assert len(EXAMPLES) >= 8
    assert len(FILTER_ROWS) >= 8


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_rule_without_a_doubt(text):
    table = tomllib.loads("[[rulesets]]\nname = 'x'\n" + text)["rulesets"][0]

    rules, problems = parse_rulesets([("x", table)], catalog=CATALOG, objects=OBJECTS, maps=MAPS)

    assert problems == ()
    assert rules
    assert doubts(rules) == ()


@pytest.mark.parametrize(("text", "result"), FILTER_ROWS)
def test_every_filter_example_gives_what_it_says(text, result):
    template = text.replace("\\|", "|")

    assert render_text(template, context_of(incident_event()), MAPS) == result


def test_nothing_is_missing():
    words = set(re.findall(r"[a-z_]+", PAGE))
    fields = {
        part
        for path in (*EVENT_FIELDS, *INCIDENT_FIELDS, *COMMENT_FIELDS)
        for part in path.split(".")
    }

    assert set(Operator) <= words
    assert set(FILTERS) <= words
    assert words >= METHODS
    assert set(ENVIRONMENT.tests) <= words
    assert {*PAGERDUTY_TYPES, *SALESFORCE_TYPES} <= words
    assert set(RULE_KEYS) <= words
    assert fields <= words
    for spec in CATALOG:
        assert f"`{spec.do}`" in PAGE
