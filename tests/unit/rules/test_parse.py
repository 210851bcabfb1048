from datetime import date, datetime, time, timedelta

import pytest

from pagerforce.model.ids import Side
from pagerforce.rules.operators import Operator
from pagerforce.rules.parse import parse_duration
from pagerforce.rules.syntax import Condition, Group, Mode
from unit.rules.rule_examples import (
    NOTE,
    OBJECTS,
    pagerduty_rule_with,
    problems_of,
    rule_doing,
    rule_table,
    rule_with,
    rules_of,
)


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
    (rule,) = rules_of(rule_with(any=[inner, {"field": "record.X__c", "op": "is_empty"}]))

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
    (rule,) = rules_of(rule_with(field="record.X__c", op="equals", value=given))

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
        pagerduty_rule_with(field="event.type", op="equals", value="field_value_change"),
        pagerduty_rule_with(field="event.type", op="in", value=["Trigger", "Resolve"]),
        pagerduty_rule_with(field="incident.custom_fields.region", op="at_least", value=5),
        pagerduty_rule_with(field="incident.assignees", op="changed_to", value="jane@x.com"),
        pagerduty_rule_with(field="old.incident.status", op="equals", value="Triggered"),
        rule_with(field="incident.status", op="not_equals", value="RESOLVED"),
        rule_with(field="incident.status", op="equals", value=""),
        rule_with(field="record.OwnerId", op="starts_with", value="00G"),
        rule_with(field="event.at", op="less_than", value="2026-01-01"),
        rule_with(field="linked", op="equals", value=False),
        rule_with(field="comment.created_at", op="at_least", value=date(2026, 1, 1)),
        rule_doing(do="salesforce.set_field", field="X__c", value=""),
        rule_doing(
            do="salesforce.set_field", field="X__c", lookup={"Owner.Name": "{{ incident.id }}"}
        ),
        # A name that is undefined when rendered dead-letters the action; it does not stop the start.
        rule_doing(do="pagerduty.add_note", text="{{ incident.nothing }} {{ nothing }}"),
        rule_table(actions=[NOTE, NOTE]),
        rule_doing(do="pagerduty.create_incident", title="t", urgency="{{ record.Urgency__c }}"),
    ],
)
def test_what_is_allowed(table):
    assert problems_of(table) == []


def test_a_pattern_has_at_most_12_000_instructions():
    def problems_with(instructions):
        # One for each letter, four of the pattern's own.
        pattern = "a{1000}" * 11 + "a" * (instructions - 11_004)
        return problems_of(rule_with(field="record.X__c", op="matches", value=pattern))

    assert problems_with(12_000) == []
    assert "too large" in problems_with(12_001)[0]
