"""What is wrong in a rule is named with its place and the remedy, all of it at once."""

import pytest

from pagerforce.rules.parse import parse_rulesets
from unit.rules.rule_examples import (
    CATALOG,
    OBJECTS,
    pagerduty_rule_with,
    parse,
    problems_of,
    rule_doing,
    rule_table,
    rule_with,
)

BROKEN = [
    # rules
    (rule_table(naem="x"), "rules[0].naem: unknown key", 'did you mean "name"'),
    (rule_table(name=...), "rules[0].name:", "is required"),
    (rule_table(name="  "), "rules[0].name:", "must not be empty"),
    (rule_table(object="Case2"), "rules[0].object:", 'did you mean "Case"'),
    (rule_table(object=...), "rules[0].object:", "is required"),
    (rule_table(run_on="sales"), "rules[0].run_on:", '"pagerduty" or "salesforce"'),
    (rule_table(run_on=...), "rules[0].run_on:", "is required"),
    (rule_table(when="some"), "rules[0].when:", '"all" or "any"'),
    (rule_table(enabled="yes"), "rules[0].enabled:", "true or false"),
    (rule_table(stop=1), "rules[0].stop:", "true or false"),
    (rule_table(max_age="2 hours"), "rules[0].max_age:", "is not a duration"),
    (rule_table(max_age="0s"), "rules[0].max_age:", "is not a duration"),
    (rule_table(max_age=7200), "rules[0].max_age:", "is not a duration"),
    (rule_table(actions=[]), "rules[0].actions:", "stop = true"),
    (rule_table(actions=...), "rules[0].actions:", "stop = true"),
    (rule_table(actions={}), "rules[0].actions:", "must be a list"),
    (rule_table(conditions="x"), "rules[0].conditions:", "must be a list"),
    ("x", "rules[0]:", "must be a table"),
    # conditions
    (rule_table(conditions=["x"]), "conditions[0]:", "must be a table"),
    (rule_with(field="record.X__c", op="is_empty", vlaue=1), "conditions[0].vlaue:", '"value"'),
    (rule_with(op="is_empty"), "conditions[0].field:", "is required"),
    (rule_with(field="record.X__c"), "conditions[0].op:", "is required"),
    (rule_with(field="record.X__c", op="equal", value=1), "conditions[0].op:", '"equals"'),
    (rule_with(field="record.X__c", op="equals"), "conditions[0].value:", "is required by equals"),
    (rule_with(field="record.X__c", op="equals", value=["a"]), "conditions[0].value:", "use in"),
    (rule_with(field="record.X__c", op="in", value="a"), "conditions[0].value:", "takes a list"),
    (rule_with(field="record.X__c", op="in", value=[]), "conditions[0].value:", "at least one"),
    (rule_with(field="record.X__c", op="in", value=[[]]), "conditions[0].value[0]:", "not a list"),
    (rule_with(field="record.X__c", op="is_empty", value=1), "conditions[0].value:", "no value"),
    (rule_with(field="record.X__c", op="changed", value=1), "[0].value:", "changed_to"),
    (rule_with(field="record.X__c", op="changed_to", value=[1]), "[0].value:", "any = [...]"),
    (rule_with(field="record.X__c", op="equals", value={}), "conditions[0].value:", "not a table"),
    (
        rule_with(field="record.X__c", op="equals", value={"lookup": {}}),
        "conditions[0].value:",
        "X__r.Name",
    ),
    (
        rule_with(field="record.X__c", op="at_least", value=float("nan")),
        "[0].value:",
        "must be a finite number",
    ),
    (rule_with(field="record.X__c", op="matches", value="(a"), "[0].value:", "missing )"),
    (rule_with(field="record.X__c", op="matches", value="(?=a)"), "[0].value:", "lookaround"),
    (rule_with(field="record.X__c", op="matches", value="a" * 2001), "[0].value:", "longer"),
    (rule_with(field="record.X__c", op="contains", value=""), "[0].value:", "use is_empty"),
    (rule_with(field="record.X__c", op="contains", value=5), "[0].value:", "must be text"),
    (rule_with(field="record.X__c", op="greater_than", value="x"), "[0].value:", "has an order"),
    (rule_with(field="record.", op="is_empty"), "conditions[0].field:", "API name"),
    (rule_with(field="record.X__r", op="is_empty"), "conditions[0].field:", "X__r.Name"),
    (rule_with(field="record.X__c.Name", op="is_empty"), "conditions[0].field:", "X__r"),
    (rule_with(field="record.a.b.c.d.e.f.g", op="is_empty"), "[0].field:", "more than 5 parents"),
    (rule_with(field="incident.foo", op="is_empty"), "[0].field:", "unknown field 'incident.foo'"),
    (rule_with(field="incident.titel", op="is_empty"), "[0].field:", "incident.title"),
    (rule_with(field="incident.service", op="is_empty"), "[0].field:", "incident.service.name"),
    (rule_with(field="event.bar", op="is_empty"), "conditions[0].field:", "unknown field"),
    (rule_with(field="old.event.type", op="is_empty"), "conditions[0].field:", "unknown field"),
    (rule_with(field="nothing", op="is_empty"), "conditions[0].field:", "fields begin with"),
    (rule_with(field="old.incident.status", op="is_empty"), "[0].field:", "old.record.*"),
    (pagerduty_rule_with(field="old.record.X__c", op="is_empty"), "[0].field:", "old.incident.*"),
    (rule_with(field="incident.status", op="changed"), "[0].op:", "can never hold"),
    (pagerduty_rule_with(field="record.X__c", op="changed"), "[0].op:", "can never hold"),
    (rule_with(field="old.record.X__c", op="changed"), "[0].op:", "without old."),
    (rule_with(field="comment.body", op="changed"), "[0].op:", "record.* and incident.*"),
    (rule_with(field="event.at", op="contains", value="x"), "[0].op:", "a date and time"),
    (rule_with(field="event.at", op="at_least", value="soon"), "[0].value:", "2026-01-31T08"),
    (rule_with(field="linked", op="greater_than", value=1), "[0].op:", "a boolean"),
    (rule_with(field="linked", op="equals", value="yes"), "[0].value:", "true or false"),
    (rule_with(field="incident.title", op="at_least", value=5), "[0].op:", "cannot apply to text"),
    (rule_with(field="incident.number", op="contains", value="5"), "[0].op:", "a number"),
    (rule_with(field="incident.number", op="equals", value="five"), "[0].value:", "a number"),
    (rule_with(field="incident.assignees", op="equals", value="x"), "[0].op:", "contains"),
    (rule_with(field="incident.status", op="equals", value="open"), "[0].value:", "triggered"),
    (rule_with(field="incident.urgency", op="in", value=["high", "mid"]), "[0].value:", "low"),
    (rule_with(field="event.source", op="equals", value="pager"), "[0].value:", "pagerduty"),
    (rule_with(field="event.type", op="equals", value="trigger"), "[0].value:", "undelete"),
    (
        pagerduty_rule_with(field="event.type", op="equals", value="resolve_log_entry"),
        "[0].value:",
        '"resolve"',
    ),
    (rule_with(any=[]), "conditions[0].any:", "at least one"),
    (rule_with(any="x"), "conditions[0].any:", "must be a list"),
    (rule_with(any=[], all=[]), "conditions[0]:", "either any"),
    (rule_with(all=[], field="linked"), "conditions[0]:", "either any"),
    # actions
    (rule_table(actions=["x"]), "actions[0]:", "must be a table"),
    (rule_doing(text="x"), "actions[0].do:", "is required"),
    (rule_doing(do="pagerduty.add_notes", text="x"), "actions[0].do:", '"pagerduty.add_note"'),
    (rule_doing(do="pagerduty.add_note", text="x", txt="x"), "actions[0].txt:", '"text"'),
    (rule_doing(do="pagerduty.add_note"), "actions[0].text:", "is required by pagerduty.add_note"),
    (rule_doing(do="pagerduty.add_note", text=""), "actions[0].text:", "must not be empty"),
    (rule_doing(do="pagerduty.add_note", text=True), "actions[0].text:", "must be text"),
    (rule_doing(do="pagerduty.add_note", text=["a"]), "actions[0].text:", "not a list"),
    (rule_doing(do="pagerduty.reassign"), "actions[0]:", "exactly one of assignees"),
    (
        rule_doing(do="pagerduty.reassign", assignees=["a"], escalation_policy="b"),
        "actions[0]:",
        "both assignees and escalation_policy",
    ),
    (rule_doing(do="pagerduty.reassign", assignees=[]), "actions[0].assignees:", "list of texts"),
    (rule_doing(do="pagerduty.reassign", assignees=[1]), "actions[0].assignees[0]:", "a number"),
    (
        rule_doing(
            do="pagerduty.create_incident", title="t", assignees=["a"], escalation_policy="b"
        ),
        "actions[0]:",
        "takes only one of",
    ),
    (
        rule_doing(do="pagerduty.create_incident", title="t", urgency="urgent"),
        "actions[0].urgency:",
        '"high" or "low"',
    ),
    (
        rule_doing(do="salesforce.set_field", field="X__r.Name", value="a"),
        "actions[0].field:",
        "with lookup",
    ),
    (
        rule_doing(do="salesforce.set_field", field="{{ event.type }}", value="a"),
        "actions[0].field:",
        "a template is not possible here",
    ),
    (
        rule_doing(do="salesforce.set_field", field=5, value="a"),
        "actions[0].field:",
        "must be a name",
    ),
    (
        rule_doing(do="salesforce.set_field", field="A__c", value={"lokup": {}}),
        "actions[0].value:",
        "{ lookup =",
    ),
    (
        rule_doing(do="salesforce.set_field", field="A__c", lookup={}),
        "actions[0].lookup:",
        "a table of Field = value",
    ),
    (
        rule_doing(do="salesforce.set_field", field="A__c", lookup={"No Name": "x"}),
        "actions[0].lookup.No Name:",
        "API name",
    ),
    (
        rule_doing(do="salesforce.create_record", fields={"A__r.B": 1}),
        "actions[0].fields.A__r.B:",
        "API name",
    ),
    (
        rule_doing(do="salesforce.create_record", fields={"A__c": [1]}),
        "actions[0].fields.A__c:",
        "not a list",
    ),
    (
        rule_doing(do="salesforce.create_record", object="Cas", fields={"A__c": 1}),
        "actions[0].object:",
        'did you mean "Case"',
    ),
    (rule_doing(do="pagerduty.add_note", text="{{ a"), "actions[0].text:", "template: line 1"),
    (
        rule_doing(do="pagerduty.add_note", text="{{ record.A | uper }}"),
        "actions[0].text:",
        "unknown filter 'uper'",
    ),
    (
        rule_doing(do="pagerduty.add_note", text="{{ record.A | translate('prio') }}"),
        "actions[0].text:",
        'unknown map "prio"; did you mean "priority"',
    ),
    (
        rule_doing(do="pagerduty.add_note", text="{{ event.at | date('%H', 'Mars/Dune') }}"),
        "actions[0].text:",
        "unknown time zone",
    ),
    (
        rule_doing(do="pagerduty.add_note", text="{{ record['a' ~ 'b'] }}"),
        "actions[0].text:",
        "not a computed one",
    ),
]


@pytest.mark.parametrize(
    ("table", "place", "words"), BROKEN, ids=[f"{place}{words}" for _, place, words in BROKEN]
)
def test_a_broken_rule_is_named_with_its_place_and_remedy(table, place, words):
    problems = problems_of(table)

    assert len(problems) == 1, problems
    assert place in problems[0]
    assert words in problems[0]
    rules, _ = parse(table)
    assert rules == ()


def test_every_problem_is_reported_at_once_and_good_rules_survive():
    bad = rule_table(
        name="bad",
        run_on="x",
        conditions=[{"field": "incident.foo", "op": "is"}],
        actions=[{"do": "nothing"}],
    )

    rules, problems = parse(bad, rule_table(name="good"))

    assert [problem.where.removeprefix("c.toml: rulesets[0].") for problem in problems] == [
        "rules[0].run_on",
        "rules[0].conditions[0].field",
        "rules[0].conditions[0].op",
        "rules[0].actions[0].do",
    ]
    assert [rule.name for rule in rules] == ["good"]


def test_rule_names_are_unique_within_a_ruleset_only():
    assert 'rules[1].name: "r" is already the name of' in problems_of(rule_table(), rule_table())[0]
    items = [(f"c: {name}", {"name": name, "rules": [rule_table()]}) for name in ("a", "b")]

    rules, problems = parse_rulesets(items, catalog=CATALOG, objects=OBJECTS, maps={})

    assert problems == ()
    assert [(rule.ruleset, rule.name) for rule in rules] == [("a", "r"), ("b", "r")]


def test_ruleset_problems():
    items = [
        ("c: [0]", {"name": "a", "rule": []}),
        ("c: [1]", {"name": "a"}),
        ("c: [2]", {"rules": []}),
        ("c: [3]", []),
        ("c: [4]", {"name": "b", "rules": {}}),
    ]

    _, problems = parse_rulesets(items, catalog=CATALOG, objects=OBJECTS, maps={})

    assert [str(problem) for problem in problems] == [
        'c: [0].rule: unknown key; did you mean "rules"?',
        'c: [1].name: "a" is already the name of c: [0]; rename one',
        "c: [2].name: is required",
        "c: [3]: must be a table, not a list",
        "c: [4].rules: must be a list, not a table",
    ]


def test_groups_nested_without_end_are_refused():
    deep = {"field": "linked", "op": "equals", "value": True}
    for _ in range(2000):
        deep = {"any": [deep]}

    (problem,) = problems_of(rule_table(conditions=[deep]))

    assert "nested more than 10 deep" in problem
