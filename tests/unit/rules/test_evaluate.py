from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagerforce.model.action import Deferred, Rendered, Unrenderable
from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.model.incident import IncidentStatus
from pagerforce.rules.evaluate import TRACE_ALL_UP_TO, Facts, RuleBook
from pagerforce.rules.index import types_possible
from pagerforce.rules.parse import parse_rulesets
from unit.rules.rule_examples import (
    AT,
    CATALOG,
    INCIDENT_OBJECT,
    MAPS,
    NOTE,
    OBJECTS,
    book_of,
    comment,
    incident,
    incident_event,
    record_event,
    record_facts,
    rule_table,
    rules_of,
)


def equals(field, value):
    return {"field": field, "op": "equals", "value": value}


def names(evaluation):
    return [(trace.rule, trace.matched) for trace in evaluation.traces]


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


@pytest.mark.parametrize("padding", [0, TRACE_ALL_UP_TO + 1], ids=["few rules", "many rules"])
@pytest.mark.parametrize(
    ("side", "condition", "types"),
    [
        ("salesforce", None, {"create", "update", "undelete"}),
        ("salesforce", {"field": "comment.body", "op": "contains", "value": "h"}, {"comment"}),
        ("salesforce", {"field": "event.note", "op": "is_empty"}, {*SALESFORCE_TYPES} - {"delete"}),
        ("salesforce", {"field": "event.type", "op": "is_not_empty"}, set(SALESFORCE_TYPES)),
        ("salesforce", equals("event.type", "Delete"), {"delete"}),
        ("salesforce", {"any": [equals("event.type", "comment")]}, {"comment"}),
        ("pagerduty", None, {*PAGERDUTY_TYPES} - {"annotate", "custom", "status_update"}),
        ("pagerduty", equals("comment.author", "jane doe"), {"annotate"}),
        (
            "pagerduty",
            {"field": "event.type", "op": "is_not_empty"},
            {*PAGERDUTY_TYPES, "odd_type"},
        ),
        ("pagerduty", equals("event.type", "ODD_type"), {"odd_type"}),
        (
            "pagerduty",
            {"field": "event.type", "op": "in", "value": ["trigger", "custom"]},
            {"trigger", "custom"},
        ),
    ],
)
def test_which_events_reach_a_rule(side, condition, types, padding):
    never = equals("record.A__c", "never")
    fillers = [
        rule_table(name=f"{place}", run_on=side, conditions=[never]) for place in range(padding)
    ]
    conditions = [] if condition is None else [condition]
    book = book_of(rule_table(run_on=side, conditions=conditions), *fillers)

    matching = set()
    for name in (*PAGERDUTY_TYPES, "odd_type") if side == "pagerduty" else SALESFORCE_TYPES:
        make = incident_event if side == "pagerduty" else record_event
        has_comment = name in ("comment", "annotate")
        event = make(name, comment=comment() if has_comment else None)
        if book.evaluate(Facts(event), AT).decisions:
            matching.add(name)

    assert matching == types


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
    assert evaluation.traces[2].reason == 'skipped: rule "2" said stop'
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


def many_rules(count):
    return [
        rule_table(
            name=f"rule {place}",
            conditions=[
                {"field": "event.type", "op": "in", "value": ["create", "update"]},
                equals("record.Priority__c", str(place % 5)),
                {"field": "record.Category__c", "op": "in", "value": [f"cat {place // 5}", "all"]},
            ],
        )
        for place in range(count)
    ]


def test_of_many_rules_only_those_that_can_match_are_tried():
    book = book_of(*many_rules(1000))
    facts = record_facts({"Priority__c": 3, "Category__c": "CAT 77"})

    evaluation = book.evaluate(facts, AT)

    assert [decision.rule for decision in evaluation.decisions] == ["rule 388"]
    assert len(evaluation.traces) == 5
    assert len(book.evaluate(facts, AT, every_rule=True).traces) == 1000
    assert book.evaluate(facts, AT, every_rule=True).decisions == evaluation.decisions
    assert book.evaluate(Facts(record_event("undelete")), AT).traces == ()


def test_a_value_that_all_rules_share_is_not_what_they_are_found_by():
    shared = [
        rule_table(
            name=f"rule {place}",
            conditions=[
                {"field": "record.Priority__c", "op": "in", "value": ["1", f"1.{place}"]},
                equals("record.Category__c", f"cat {place // 10}"),
            ],
        )
        for place in range(200)
    ]
    facts = record_facts({"Priority__c": "1", "Category__c": "cat 7"})

    traces = book_of(*shared).evaluate(facts, AT).traces

    assert [trace.rule for trace in traces] == [f"rule {place}" for place in range(70, 80)]


def test_conditions_of_several_rules_that_look_alike_are_judged_by_their_own_value():
    values = [True, 1, "1", 1.0, True]
    tables = [
        rule_table(name=f"{place}", conditions=[equals("record.A__c", value)])
        for place, value in enumerate(values)
    ]
    tables.append(rule_table(name="old", conditions=[equals("old.record.A__c", True)]))
    book = book_of(*tables)

    flag = book.evaluate(record_facts({"A__c": True}, old={"A__c": False}), AT).traces
    number = book.evaluate(record_facts({"A__c": 1}, old={"A__c": True}), AT).traces

    assert [trace.matched for trace in flag] == [True, False, False, False, True, False]
    assert [trace.matched for trace in number] == [False, True, True, True, False, True]
    assert [repr(trace.conditions[0].expected) for trace in flag[:5]] == list(map(repr, values))


def test_rules_of_several_objects_keep_the_order_of_the_file():
    objects = [OBJECTS[0], "Case", OBJECTS[0], "Case"]
    tables = [
        rule_table(name=f"{place}", run_on="pagerduty", object=name)
        for place, name in enumerate(objects)
    ]

    evaluation = book_of(*tables).evaluate(Facts(incident_event()), AT)

    assert [decision.rule for decision in evaluation.decisions] == ["0", "1", "2", "3"]


def test_a_custom_field_with_several_values_is_found_among_many_rules():
    conditions = [equals("incident.custom_fields.tags", "B")]
    never = [equals("incident.title", "never")]
    fillers = [
        rule_table(
            name=f"pad {place}", run_on="pagerduty", conditions=never, enabled=place % 2 == 0
        )
        for place in range(TRACE_ALL_UP_TO)
    ]
    fillers.append(rule_table(name="off", run_on="pagerduty", conditions=conditions, enabled=False))
    book = book_of(rule_table(run_on="pagerduty", conditions=conditions), *fillers)

    assert names(book.evaluate(Facts(incident_event()), AT)) == [("r", True)]


def test_event_types_narrow_each_other():
    conditions = [
        {"any": [equals("event.type", "Create")]},
        {"field": "event.type", "op": "in", "value": ["create", "update"]},
    ]

    (rule,) = rules_of(rule_table(conditions=conditions))

    assert types_possible(rule) == {"create"}


FIELDS = (
    "record.A__c",
    "record.B__c",
    "incident.title",
    "incident.custom_fields.tags",
    "event.type",
)
VALUES = ["1", 1, "a", "A", "", True, "true", "2026-01-02", "a0C000000000001", "update"]
leaves = st.builds(
    lambda field, op, value: {"field": field, "op": op, "value": [value] if "in" in op else value},
    st.sampled_from(FIELDS[:4]),
    st.sampled_from(["equals", "in", "not_equals", "not_in"]),
    st.sampled_from(VALUES),
) | st.builds(
    lambda op, value: {"field": "event.type", "op": op, "value": [value] if op == "in" else value},
    st.sampled_from(["equals", "in", "not_equals"]),
    st.sampled_from(SALESFORCE_TYPES),
)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda mode, items: {mode: items},
        st.sampled_from(["any", "all"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)
tables = st.lists(
    st.tuples(st.lists(trees, max_size=3), st.sampled_from(["all", "any"]), st.booleans()),
    min_size=1,
    max_size=6,
)
contents = st.sampled_from([*VALUES, None, 1.0, "01", "a0C000000000001EAA", "2026-01-02T00:00:00Z"])


@settings(max_examples=150)
@given(tables, contents, contents, st.sampled_from(SALESFORCE_TYPES))
def test_the_index_never_changes_what_is_decided(given_rules, first, second, type_name):
    never = [equals("record.Never__c", "x")]
    rules = [
        rule_table(name=f"{place}", conditions=conditions, when=when, stop=stop)
        for place, (conditions, when, stop) in enumerate(given_rules)
    ]
    padding = [
        rule_table(name=f"pad {place}", conditions=never) for place in range(TRACE_ALL_UP_TO)
    ]
    facts = Facts(
        record_event(type_name, record={"A__c": first, "B__c": second}), incident=incident()
    )

    by_index = book_of(*rules, *padding).evaluate(facts, AT)
    one_by_one = book_of(*rules).evaluate(facts, AT)

    assert by_index.decisions == one_by_one.decisions


def test_the_same_facts_give_the_same_evaluation():
    rules = rules_of(*many_rules(600), rule_table(name="all", actions=[NOTE, NOTE]))
    facts = record_facts({"Priority__c": "2", "Category__c": "all"})

    first, second = (RuleBook(rules, MAPS).evaluate(facts, AT) for _ in range(2))

    assert first == second
    assert [trace.rule for trace in first.traces] == [
        *(f"rule {place}" for place in range(2, 600, 5)),
        "all",
    ]
