"""docs/reference/rules.md describes the code: its examples run, and nothing is missing from it."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from pagerforce.model.action import Rendered
from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES, CommentText
from pagerforce.model.ids import Side
from pagerforce.model.incident import IncidentStatus, Person, Ref
from pagerforce.rules.evaluate import Facts, RuleBook
from pagerforce.rules.expressions import TESTS
from pagerforce.rules.fields import COMMENT_FIELDS, EVENT_FIELDS, INCIDENT_FIELDS, all_names
from pagerforce.rules.filters import FILTERS
from pagerforce.rules.methods import METHODS
from pagerforce.rules.needs import doubts
from pagerforce.rules.operators import Operator
from pagerforce.rules.parse import RULE_KEYS, parse_rulesets
from pagerforce.rules.template import context_of, render_text
from pagerforce.service.catalog import CATALOG as SHIPPED
from unit.rules.rule_examples import (
    AT,
    CATALOG,
    INCIDENT_OBJECT,
    MAPS,
    OBJECTS,
    incident,
    incident_event,
    record_event,
)

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "rules.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FILTER_ROWS = re.findall(r"^\| `(\w+)` \| `(\{\{.*?\}\})` \| `([^`]*)`", PAGE, re.MULTILINE)
FIELD_ROWS = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| `(\{ field = .*?\})` \|", PAGE, re.MULTILINE)
OPERATOR_ROWS = re.findall(
    r"^\| `(\w+)` \| .* \| `(\{ field = .*?\})` \| `(\{ field = .*?\})` \|$", PAGE, re.MULTILINE
)
HOLDS_WHEN = dict(
    re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]* \| ([^|]*) \| `\{ field =", PAGE, re.MULTILINE)
)
ACTION_ROWS = re.findall(
    r"^\| `([a-z]+\.[a-z_]+)` \| .* \| `(\{ do = .*\})` \|$", PAGE, re.MULTILINE
)
(GROUP,) = re.findall(r"^`(\{ any = .*\})`\.$", PAGE, re.MULTILINE)

JANE = Person("005000000000003AAA", "Jane Doe", "jane@example.com")
NOTE = "replacing the line card, #oncall"
BEFORE = {
    "BMCServiceDesk__FKCategory__r.Name": "Printing",
    "Amount__c": 7,
    "Regions__c": "EMEA",
    "Due__c": None,
    "Starts__c": None,
    "Opens__c": None,
    "OwnerId": "005000000000004AAA",
    "Text__c": "Core Switch 7",
    "Active__c": True,
    "Notes__c": None,
    "Name": "00000001",
}
AFTER = BEFORE | {
    "BMCServiceDesk__FKCategory__r.Name": "Network",
    "Amount__c": 12,
    "Regions__c": "EMEA;APAC",
    "Due__c": "2026-05-04",
    "Starts__c": "2026-05-04T12:00:00Z",
    "Opens__c": "09:30:00.000Z",
    "OwnerId": JANE.id,
}


def pagerduty_facts():
    """The page's event in PagerDuty."""
    custom = {"custom_fields": {"region": "EU"}, "assignees": (JANE,)}
    old = incident(priority=Ref("PPRI002", "P2"), **custom)
    now = incident(status=IncidentStatus.ACKNOWLEDGED, **custom)
    comment = CommentText(NOTE, "Jane Doe", AT)
    event = incident_event("annotate", now=now, old=old, actor=JANE, note=NOTE, comment=comment)
    return Facts(event, frozenset({INCIDENT_OBJECT}), {INCIDENT_OBJECT: AFTER})


def salesforce_facts():
    """The page's event in Salesforce."""
    event = record_event(record=AFTER, old=BEFORE, actor=JANE)
    return Facts(event, frozenset({INCIDENT_OBJECT}), {}, incident())


def tried(condition, facts):
    """Whether a condition is true of an event; None if no rule of its side may use it."""
    either = {"field": "event.type", "op": "is_not_empty"}  # it then sees every event
    rule = {
        "name": "r",
        "object": INCIDENT_OBJECT,
        "run_on": str(facts.event.source),
        "conditions": [condition, either],
        "actions": [{"do": "pagerduty.acknowledge"}],
    }
    table = {"name": "x", "rules": [rule]}
    rules, problems = parse_rulesets([("x", table)], catalog=CATALOG, objects=OBJECTS, maps=MAPS)
    if problems:
        return None
    (trace,) = RuleBook(rules, MAPS).evaluate(facts, AT).traces
    return trace.matched


def read(text):
    """An inline table of the page; pipes are escaped with a backslash there."""
    return tomllib.loads("it = " + text.replace("\\|", "|"))["it"]


def outcomes(text):
    return [tried(read(text), facts) for facts in (pagerduty_facts(), salesforce_facts())]


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


@pytest.mark.parametrize(("fields", "text"), FIELD_ROWS)
def test_every_field_has_an_example_that_holds(fields, text):
    name = read(text)["field"]
    shapes = [
        re.escape(one).replace(r"<name>", ".+").replace(r"<field>", ".+").replace(r"\*", ".+")
        for one in re.findall(r"`([^`]+)`", fields)
    ]
    assert any(re.fullmatch(shape, name) for shape in shapes)
    assert True in outcomes(text)


@pytest.mark.parametrize(("op", "holds", "fails"), OPERATOR_ROWS)
def test_every_operator_has_an_example_of_true_and_of_false(op, holds, fails):
    assert read(holds)["op"] == read(fails)["op"] == op
    assert True in outcomes(holds)
    found = outcomes(fails)
    assert False in found
    assert True not in found


def test_the_group_is_a_condition():
    assert outcomes(GROUP)[1] is True


@pytest.mark.parametrize(("do", "text"), ACTION_ROWS)
def test_every_action_has_an_example_that_is_filled_in(do, text):
    action = read(text)
    assert action["do"] == do
    facts = pagerduty_facts() if do == "salesforce.create_record" else salesforce_facts()
    rule = {
        "name": "r",
        "object": INCIDENT_OBJECT,
        "run_on": str(facts.event.source),
        "actions": [action],
    }
    if facts.event.source is Side.PAGERDUTY:
        rule["conditions"] = [{"field": "event.type", "op": "equals", "value": "annotate"}]
    table = {"name": "x", "rules": [rule]}
    rules, problems = parse_rulesets([("x", table)], catalog=SHIPPED, objects=OBJECTS, maps=MAPS)
    assert problems == ()
    assert doubts(rules) == ()
    (decision,) = RuleBook(rules, MAPS).evaluate(facts, AT + timedelta(seconds=1)).decisions
    assert isinstance(decision.arguments, Rendered)
    assert "{{" not in str(decision.arguments.args)
    assert set(decision.arguments.args) == set(action) - {"do"}


@pytest.mark.parametrize(("name", "text", "result"), FILTER_ROWS)
def test_every_filter_example_gives_what_it_says(name, text, result):
    template = text.replace("\\|", "|")

    assert f"| {name}" in template
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
    assert set(METHODS) <= words
    assert set(TESTS) <= words
    assert {*PAGERDUTY_TYPES, *SALESFORCE_TYPES} <= words
    assert set(RULE_KEYS) <= words
    assert fields <= words


def test_every_table_has_every_row():
    named = {name for fields, _ in FIELD_ROWS for name in re.findall(r"`([^`]+)`", fields)}
    patterns = {"record.<field>", "old.record.*", "old.incident.*", "incident.custom_fields.<name>"}
    assert named == set(all_names()) | patterns
    assert {op for op, *_ in OPERATOR_ROWS} == set(Operator)
    assert {op: op.doc for op in Operator} == HOLDS_WHEN
    assert {do for do, _ in ACTION_ROWS} == {spec.do for spec in SHIPPED}
    assert {name for name, *_ in FILTER_ROWS} == set(FILTERS)
