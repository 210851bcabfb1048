from datetime import timedelta

import pytest

from pagerforce.model.action import Deferred, Rendered, Unrenderable
from pagerforce.model.incident import IncidentStatus
from pagerforce.rules.evaluate import Facts, RuleBook
from pagerforce.rules.parse import parse_rulesets
from unit.rules.rule_examples import (
    AT,
    CATALOG,
    INCIDENT_OBJECT,
    MAPS,
    NOTE,
    OBJECTS,
    book_of,
    equals,
    incident,
    incident_event,
    many_rules,
    names,
    record_event,
    record_facts,
    rule_table,
    rules_of,
)


def arguments(text, facts, **keys):
    note = {"do": "pagerduty.add_note", "text": text}
    book = book_of(rule_table(run_on=str(facts.event.source), actions=[note], **keys))
    (decision,) = book.evaluate(facts, AT).decisions
    return decision.arguments


def test_a_matching_rule_decides_its_actions_in_order():
    table = rule_table(
        actions=[
            {"do": "pagerduty.create_incident", "title": "{{ record.Name }}", "urgency": "high"},
            {"do": "salesforce.set_field", "field": "A__c", "value": True},
        ]
    )

    evaluation = book_of(table).evaluate(record_facts({"Name": "IN-1"}), AT)

    first, second = evaluation.decisions
    assert (first.ruleset, first.rule, first.index, first.object) == (
        "set",
        "r",
        0,
        INCIDENT_OBJECT,
    )
    assert first.call.do == "pagerduty.create_incident"
    assert first.arguments == Rendered({"title": "IN-1", "urgency": "high"})
    assert second.arguments == Rendered({"field": "A__c", "value": True})
    assert (second.index, second.call.do) == (1, "salesforce.set_field")
    assert evaluation.traces[0].reason == "matched"


def test_a_rule_that_does_not_hold_is_traced_and_decides_nothing():
    table = rule_table(conditions=[equals("record.A__c", 1), equals("record.B__c", 2)])

    evaluation = book_of(table).evaluate(record_facts({"A__c": 5, "B__c": 2}), AT)

    assert evaluation.decisions == ()
    (trace,) = evaluation.traces
    assert (trace.matched, trace.reason) == (False, "conditions do not hold")
    assert [(one.actual, one.expected, one.result) for one in trace.conditions] == [
        (5, 1, False),
        (2, 2, True),
    ]


@pytest.mark.parametrize(("when", "matched"), [("all", False), ("any", True)])
def test_when(when, matched):
    table = rule_table(when=when, conditions=[equals("record.A__c", 1), equals("record.B__c", 9)])

    assert names(book_of(table).evaluate(record_facts({"A__c": 1}), AT)) == [("r", matched)]


@pytest.mark.parametrize("when", ["all", "any"])
def test_no_conditions_hold_always(when):
    assert names(book_of(rule_table(when=when)).evaluate(record_facts(), AT)) == [("r", True)]


def test_rules_see_their_side_and_object_only():
    rules = [
        rule_table(name="here"),
        rule_table(name="case", object="Case"),
        rule_table(name="other side", run_on="pagerduty"),
        rule_table(name="other side, case", run_on="pagerduty", object="Case"),
    ]
    book = book_of(*rules)

    assert names(book.evaluate(record_facts(), AT)) == [("here", True)]
    assert names(book.evaluate(Facts(record_event(object="Case")), AT)) == [("case", True)]
    assert names(book.evaluate(Facts(record_event(object="Lead")), AT)) == []
    assert names(book.evaluate(Facts(incident_event()), AT)) == [
        ("other side", True),
        ("other side, case", True),
    ]


def test_stop_skips_the_rest_of_its_ruleset_only():
    items = [
        (
            "a",
            {
                "name": "a",
                "rules": [
                    rule_table(
                        name="1", stop=True, actions=[], conditions=[equals("record.A__c", 9)]
                    ),
                    rule_table(name="2", stop=True),
                    rule_table(name="3"),
                ],
            },
        ),
        ("b", {"name": "b", "rules": [rule_table(name="4")]}),
    ]
    rules, _ = parse_rulesets(items, catalog=CATALOG, objects=OBJECTS, maps={})

    evaluation = RuleBook(rules).evaluate(record_facts(), AT)

    assert names(evaluation) == [("1", False), ("2", True), ("3", False), ("4", True)]
    assert evaluation.traces[2].reason == 'skipped: rule "2" has stop = true'
    assert [decision.rule for decision in evaluation.decisions] == ["2", "4"]


def test_a_disabled_rule_does_nothing_and_does_not_stop():
    book = book_of(rule_table(name="off", enabled=False, stop=True), rule_table(name="on"))

    evaluation = book.evaluate(record_facts(), AT)

    assert names(evaluation) == [("off", False), ("on", True)]
    assert evaluation.traces[0].reason == "disabled"
    assert len(evaluation.decisions) == 1


@pytest.mark.parametrize(("age", "acts"), [(7200, True), (7201, False), (-60, True)])
def test_max_age(age, acts):
    book = book_of(rule_table(name="aged", max_age="2h", stop=True), rule_table(name="next"))

    evaluation = book.evaluate(record_facts(), AT + timedelta(seconds=age))

    # Too old an event still matches: it stops the ruleset as it would have done in time.
    assert names(evaluation) == [("aged", True), ("next", False)]
    assert bool(evaluation.decisions) is acts
    if not acts:
        assert "recorded, not acted upon" in evaluation.traces[0].reason


def test_arguments_that_speak_of_what_is_not_linked_yet_wait():
    text = "{{ incident.number }}"

    assert arguments(text, record_facts()) == Deferred()
    assert arguments("{{ record.Name }}", record_facts({"Name": "a"})) == Rendered({"text": "a"})
    linked = Facts(record_event(), frozenset({INCIDENT_OBJECT}), incident=incident())
    assert arguments(text, linked) == Rendered({"text": "7"})
    assert arguments("{{ record.Name }}", Facts(incident_event())) == Deferred()
    records = {INCIDENT_OBJECT: {"Name": "a"}}
    assert arguments("{{ record.Name }}", Facts(incident_event(), records=records)) == Rendered(
        {"text": "a"}
    )
    assert arguments(text, Facts(incident_event())) == Rendered({"text": "7"})
    assert (
        arguments("{{ record.Name }}", Facts(incident_event(), records={"Case": {}})) == Deferred()
    )


def test_a_template_that_fails_is_a_decision_with_its_reason():
    assert arguments("{{ event.nope }}", record_facts()) == Unrenderable(
        "text: event.nope is undefined"
    )
    assert arguments("{{ comment.body }}", record_facts()) == Unrenderable(
        "text: comment is undefined (only comment and annotate events have one)"
    )
    unmapped = arguments("{{ record.P | translate('strict') }}", record_facts({"P": "P7"}))
    assert unmapped == Unrenderable("text: map \"strict\" has no value for 'P7' and no default")


def test_each_event_is_seen_with_its_own_state():
    book = book_of(
        rule_table(run_on="pagerduty", conditions=[equals("incident.status", "resolved")])
    )
    states = [("trigger", "triggered"), ("acknowledge", "acknowledged"), ("resolve", "resolved")]

    matches = [
        book.evaluate(Facts(incident_event(name, now=incident(status=IncidentStatus(state)))), AT)
        .traces[0]
        .matched
        for name, state in states
    ]

    assert matches == [False, False, True]


def test_linked_is_of_the_rules_object():
    conditions = [equals("linked", True)]
    book = book_of(
        rule_table(name="a", run_on="pagerduty", conditions=conditions),
        rule_table(name="b", run_on="pagerduty", object="Case", conditions=conditions),
    )

    facts = Facts(incident_event(), linked=frozenset({"Case"}))

    assert names(book.evaluate(facts, AT)) == [("a", False), ("b", True)]


def test_the_places_of_a_trace_show_its_groups():
    group = {"any": [equals("record.A__c", 1), {"all": [equals("record.B__c", 2)]}]}

    (trace,) = (
        book_of(rule_table(conditions=[group])).evaluate(record_facts({"B__c": 2}), AT).traces
    )

    assert trace.matched
    assert [(one.place, one.result) for one in trace.conditions] == [
        ("conditions[0].any[0]", False),
        ("conditions[0].any[1].all[0]", True),
    ]


def test_the_same_facts_give_the_same_evaluation():
    rules = rules_of(*many_rules(600), rule_table(name="all", actions=[NOTE, NOTE]))
    facts = record_facts({"Priority__c": "2", "Category__c": "all"})

    first, second = (RuleBook(rules, MAPS).evaluate(facts, AT) for _ in range(2))

    assert first == second
    assert [trace.rule for trace in first.traces] == [
        *(f"rule {place}" for place in range(2, 600, 5)),
        "all",
    ]
