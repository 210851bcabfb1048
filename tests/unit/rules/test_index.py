"""Of many rules only those that can match are tried, with the same result."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.rules.evaluate import TRACE_ALL_UP_TO, Facts
from pagerforce.rules.index import types_possible
from unit.rules.rule_examples import (
    AT,
    OBJECTS,
    book_of,
    comment,
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
