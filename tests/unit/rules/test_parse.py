from datetime import date, datetime, time, timedelta

import pytest

from pagerforce.model.ids import Side
from pagerforce.rules.parse import parse_duration, parse_rulesets
from pagerforce.rules.syntax import Condition, Group, Mode, Operator
from unit.rules.rule_examples import (
    CATALOG,
    NOTE,
    OBJECTS,
    parse,
    problems_of,
    rule_table,
    rules_of,
)


def condition(**keys):
    return rule_table(conditions=[keys])


def pagerduty_condition(**keys):
    return rule_table(run_on="pagerduty", conditions=[keys])


def action(**keys):
    return rule_table(actions=[keys])


def test_every_key_of_a_rule_is_read():
    table = rule_table(
        name="Page",
        run_on="pagerduty",
        when="any",
        enabled=False,
        stop=True,
        max_age="2h",
        conditions=[{"field": "incident.urgency", "op": "equals", "value": "High"}],
    )

    (rule,) = rules_of(table)

    assert (rule.ruleset, rule.name, rule.object) == ("set", "Page", OBJECTS[0])
    assert (rule.run_on, rule.when) == (Side.PAGERDUTY, Mode.ANY)
    assert (rule.enabled, rule.stop, rule.max_age) == (False, True, timedelta(hours=2))
    assert rule.condition == Group(
        Mode.ANY, (Condition("incident.urgency", Operator.EQUALS, "High", "conditions[0]"),)
    )
    assert rule.actions[0].args == {"text": "seen"}
    assert rule.place == "c.toml: rulesets[0].rules[0]"


def test_defaults():
    (rule,) = rules_of(rule_table())

    assert (rule.when, rule.enabled, rule.stop, rule.max_age) == (Mode.ALL, True, False, None)
    assert rule.condition == Group(Mode.ALL, ())


def test_a_rule_without_actions_may_stop():
    (rule,) = rules_of(rule_table(actions=[], stop=True))

    assert rule.actions == ()


def test_groups_nest():
    inner = {"all": [{"field": "linked", "op": "equals", "value": True}]}
    (rule,) = rules_of(condition(any=[inner, {"field": "record.X__c", "op": "is_empty"}]))

    (group,) = rule.condition.items
    assert isinstance(group, Group)
    assert group.mode is Mode.ANY
    assert group.items[0] == Group(
        Mode.ALL, (Condition("linked", Operator.EQUALS, True, "conditions[0].any[0].all[0]"),)
    )
    assert group.items[1].place == "conditions[0].any[1]"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),  # noqa: DTZ001 - TOML's local time
        (datetime.fromisoformat("2026-01-02T03:04:05+02:00"), "2026-01-02T01:04:05Z"),
        (time(9, 30), "09:30:00"),
        (1.5, 1.5),
        (True, True),
    ],
)
def test_values_are_kept_in_their_normal_form(given, kept):
    (rule,) = rules_of(condition(field="record.X__c", op="equals", value=given))

    assert rule.condition.items[0].value == kept


def test_arguments_of_each_kind():
    table = rule_table(
        actions=[
            {"do": "salesforce.set_field", "field": "A__c", "value": False},
            {"do": "salesforce.set_field", "field": "A__c", "lookup": {"Name": "CLOSED"}},
            {"do": "salesforce.set_field", "field": "A__c", "value": {"lookup": {"Name": "x"}}},
            {
                "do": "salesforce.create_record",
                "object": "Case",
                "fields": {"Subject": "{{ incident.title }}", "B__c": {"lookup": {"Name": "y"}}},
            },
            {"do": "pagerduty.create_incident", "title": 5, "assignees": "a@example.com"},
        ]
    )

    (rule,) = rules_of(table)

    assert [call.args for call in rule.actions] == [
        {"field": "A__c", "value": False},
        {"field": "A__c", "lookup": {"Name": "CLOSED"}},
        {"field": "A__c", "value": {"lookup": {"Name": "x"}}},
        {
            "object": "Case",
            "fields": {"Subject": "{{ incident.title }}", "B__c": {"lookup": {"Name": "y"}}},
        },
        {"title": "5", "assignees": ["a@example.com"]},
    ]


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
    (condition(field="record.X__c", op="is_empty", vlaue=1), "conditions[0].vlaue:", '"value"'),
    (condition(op="is_empty"), "conditions[0].field:", "is required"),
    (condition(field="record.X__c"), "conditions[0].op:", "is required"),
    (condition(field="record.X__c", op="equal", value=1), "conditions[0].op:", '"equals"'),
    (condition(field="record.X__c", op="equals"), "conditions[0].value:", "is required by equals"),
    (condition(field="record.X__c", op="equals", value=["a"]), "conditions[0].value:", "use in"),
    (condition(field="record.X__c", op="in", value="a"), "conditions[0].value:", "takes a list"),
    (condition(field="record.X__c", op="in", value=[]), "conditions[0].value:", "at least one"),
    (condition(field="record.X__c", op="in", value=[[]]), "conditions[0].value[0]:", "not a list"),
    (condition(field="record.X__c", op="is_empty", value=1), "conditions[0].value:", "no value"),
    (condition(field="record.X__c", op="changed", value=1), "[0].value:", "changed_to"),
    (condition(field="record.X__c", op="changed_to", value=[1]), "[0].value:", "any = [...]"),
    (condition(field="record.X__c", op="equals", value={}), "conditions[0].value:", "not a table"),
    (
        condition(field="record.X__c", op="equals", value={"lookup": {}}),
        "conditions[0].value:",
        "X__r.Name",
    ),
    (
        condition(field="record.X__c", op="at_least", value=float("nan")),
        "[0].value:",
        "must be a finite number",
    ),
    (condition(field="record.X__c", op="matches", value="(a"), "[0].value:", "missing )"),
    (condition(field="record.X__c", op="matches", value="(?=a)"), "[0].value:", "lookaround"),
    (condition(field="record.X__c", op="matches", value="a" * 2001), "[0].value:", "longer"),
    (condition(field="record.X__c", op="contains", value=""), "[0].value:", "use is_empty"),
    (condition(field="record.X__c", op="contains", value=5), "[0].value:", "must be text"),
    (condition(field="record.X__c", op="greater_than", value="x"), "[0].value:", "has an order"),
    (condition(field="record.", op="is_empty"), "conditions[0].field:", "API name"),
    (condition(field="record.X__r", op="is_empty"), "conditions[0].field:", "X__r.Name"),
    (condition(field="record.X__c.Name", op="is_empty"), "conditions[0].field:", "X__r"),
    (condition(field="record.a.b.c.d.e.f.g", op="is_empty"), "[0].field:", "more than 5 parents"),
    (condition(field="incident.foo", op="is_empty"), "[0].field:", "unknown field 'incident.foo'"),
    (condition(field="incident.titel", op="is_empty"), "[0].field:", "incident.title"),
    (condition(field="incident.service", op="is_empty"), "[0].field:", "incident.service.name"),
    (condition(field="event.bar", op="is_empty"), "conditions[0].field:", "unknown field"),
    (condition(field="old.event.type", op="is_empty"), "conditions[0].field:", "unknown field"),
    (condition(field="nothing", op="is_empty"), "conditions[0].field:", "fields begin with"),
    (condition(field="old.incident.status", op="is_empty"), "[0].field:", "old.record.*"),
    (pagerduty_condition(field="old.record.X__c", op="is_empty"), "[0].field:", "old.incident.*"),
    (condition(field="incident.status", op="changed"), "[0].op:", "can never hold"),
    (pagerduty_condition(field="record.X__c", op="changed"), "[0].op:", "can never hold"),
    (condition(field="old.record.X__c", op="changed"), "[0].op:", "without old."),
    (condition(field="comment.body", op="changed"), "[0].op:", "record.* and incident.*"),
    (condition(field="event.at", op="contains", value="x"), "[0].op:", "a date and time"),
    (condition(field="event.at", op="at_least", value="soon"), "[0].value:", "2026-01-31T08"),
    (condition(field="linked", op="greater_than", value=1), "[0].op:", "a boolean"),
    (condition(field="linked", op="equals", value="yes"), "[0].value:", "true or false"),
    (condition(field="incident.title", op="at_least", value=5), "[0].op:", "cannot apply to text"),
    (condition(field="incident.number", op="contains", value="5"), "[0].op:", "a number"),
    (condition(field="incident.number", op="equals", value="five"), "[0].value:", "a number"),
    (condition(field="incident.assignees", op="equals", value="x"), "[0].op:", "contains"),
    (condition(field="incident.status", op="equals", value="open"), "[0].value:", "triggered"),
    (condition(field="incident.urgency", op="in", value=["high", "mid"]), "[0].value:", "low"),
    (condition(field="event.source", op="equals", value="pager"), "[0].value:", "pagerduty"),
    (condition(field="event.type", op="equals", value="trigger"), "[0].value:", "undelete"),
    (
        pagerduty_condition(field="event.type", op="equals", value="resolve_log_entry"),
        "[0].value:",
        '"resolve"',
    ),
    (condition(any=[]), "conditions[0].any:", "at least one"),
    (condition(any="x"), "conditions[0].any:", "must be a list"),
    (condition(any=[], all=[]), "conditions[0]:", "either any"),
    (condition(all=[], field="linked"), "conditions[0]:", "either any"),
    # actions
    (rule_table(actions=["x"]), "actions[0]:", "must be a table"),
    (action(text="x"), "actions[0].do:", "is required"),
    (action(do="pagerduty.add_notes", text="x"), "actions[0].do:", '"pagerduty.add_note"'),
    (action(do="pagerduty.add_note", text="x", txt="x"), "actions[0].txt:", '"text"'),
    (action(do="pagerduty.add_note"), "actions[0].text:", "is required by pagerduty.add_note"),
    (action(do="pagerduty.add_note", text=""), "actions[0].text:", "must not be empty"),
    (action(do="pagerduty.add_note", text=True), "actions[0].text:", "must be text"),
    (action(do="pagerduty.add_note", text=["a"]), "actions[0].text:", "not a list"),
    (action(do="pagerduty.reassign"), "actions[0]:", "exactly one of assignees"),
    (
        action(do="pagerduty.reassign", assignees=["a"], escalation_policy="b"),
        "actions[0]:",
        "both assignees and escalation_policy",
    ),
    (action(do="pagerduty.reassign", assignees=[]), "actions[0].assignees:", "list of texts"),
    (action(do="pagerduty.reassign", assignees=[1]), "actions[0].assignees[0]:", "a number"),
    (
        action(do="pagerduty.create_incident", title="t", assignees=["a"], escalation_policy="b"),
        "actions[0]:",
        "takes only one of",
    ),
    (
        action(do="pagerduty.create_incident", title="t", urgency="urgent"),
        "actions[0].urgency:",
        '"high" or "low"',
    ),
    (
        action(do="salesforce.set_field", field="X__r.Name", value="a"),
        "actions[0].field:",
        "with lookup",
    ),
    (
        action(do="salesforce.set_field", field="{{ event.type }}", value="a"),
        "actions[0].field:",
        "a template cannot stand here",
    ),
    (action(do="salesforce.set_field", field=5, value="a"), "actions[0].field:", "must be a name"),
    (
        action(do="salesforce.set_field", field="A__c", value={"lokup": {}}),
        "actions[0].value:",
        "{ lookup =",
    ),
    (
        action(do="salesforce.set_field", field="A__c", lookup={}),
        "actions[0].lookup:",
        "a table of Field = value",
    ),
    (
        action(do="salesforce.set_field", field="A__c", lookup={"No Name": "x"}),
        "actions[0].lookup.No Name:",
        "API name",
    ),
    (
        action(do="salesforce.create_record", fields={"A__r.B": 1}),
        "actions[0].fields.A__r.B:",
        "API name",
    ),
    (
        action(do="salesforce.create_record", fields={"A__c": [1]}),
        "actions[0].fields.A__c:",
        "not a list",
    ),
    (
        action(do="salesforce.create_record", object="Cas", fields={"A__c": 1}),
        "actions[0].object:",
        'did you mean "Case"',
    ),
    (action(do="pagerduty.add_note", text="{{ a"), "actions[0].text:", "template: line 1"),
    (
        action(do="pagerduty.add_note", text="{{ record.A | uper }}"),
        "actions[0].text:",
        "unknown filter 'uper'",
    ),
    (
        action(do="pagerduty.add_note", text="{{ record.A | translate('prio') }}"),
        "actions[0].text:",
        'unknown map "prio"; did you mean "priority"',
    ),
    (
        action(do="pagerduty.add_note", text="{{ event.at | date('%H', 'Mars/Dune') }}"),
        "actions[0].text:",
        "unknown time zone",
    ),
    (
        action(do="pagerduty.add_note", text="{{ record['a' ~ 'b'] }}"),
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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("5m", 300), ("24h", 86400), ("2d", 172800), ("1.5h", 5400)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5M", "999999999d", "1h30m"])
def test_what_is_no_duration(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    "table",
    [
        pagerduty_condition(field="event.type", op="equals", value="field_value_change"),
        pagerduty_condition(field="event.type", op="in", value=["Trigger", "Resolve"]),
        pagerduty_condition(field="incident.custom_fields.region", op="at_least", value=5),
        pagerduty_condition(field="incident.assignees", op="changed_to", value="jane@x.com"),
        pagerduty_condition(field="old.incident.status", op="equals", value="Triggered"),
        condition(field="incident.status", op="not_equals", value="RESOLVED"),
        condition(field="incident.status", op="equals", value=""),
        condition(field="record.OwnerId", op="starts_with", value="00G"),
        condition(field="event.at", op="less_than", value="2026-01-01"),
        condition(field="linked", op="equals", value=False),
        condition(field="comment.created_at", op="at_least", value=date(2026, 1, 1)),
        action(do="salesforce.set_field", field="X__c", value=""),
        action(do="salesforce.set_field", field="X__c", lookup={"Owner.Name": "{{ incident.id }}"}),
        # A name that is undefined when rendered dead-letters the action; it does not stop the start.
        action(do="pagerduty.add_note", text="{{ incident.nothing }} {{ nothing }}"),
        rule_table(actions=[NOTE, NOTE]),
        action(do="pagerduty.create_incident", title="t", urgency="{{ record.Urgency__c }}"),
    ],
)
def test_what_is_allowed(table):
    assert problems_of(table) == []
