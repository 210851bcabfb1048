"""Laws of every condition, whatever the data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.rules.evaluate import Facts
from pagerforce.rules.operands import check_field_type
from unit.rules.rule_examples import (
    AT,
    OPERATORS,
    book_of,
    condition,
    holds,
    incident,
    incident_event,
    record_event,
    record_facts,
    rule_table,
)

values = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "A", "b"])
)
literals = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "A", "b"]))


@given(values, values, literals)
def test_laws_of_change(old, new, value):
    facts = Facts(record_event(record={"X__c": new}, old={"X__c": old}))

    def is_true(op, given=None):
        return holds(condition("record.X__c", op, given), facts)[0]

    if is_true("changed_from", value) or is_true("changed_to", value):
        assert is_true("changed")
    assert not (is_true("changed_from", value) and is_true("changed_to", value))
    if old == new and type(old) is type(new):
        assert not is_true("changed")


@given(values, literals, literals)
def test_negations_and_groups_follow_de_morgan(actual, first, second):
    facts = record_facts({"X__c": actual})
    yes = [condition("record.X__c", "equals", one) for one in (first, second)]
    no = [condition("record.X__c", "not_equals", one) for one in (first, second)]

    assert holds({"any": yes}, facts)[0] is not holds({"all": no}, facts)[0]
    assert holds({"all": yes}, facts)[0] is not holds({"any": no}, facts)[0]
    assert (
        holds({"any": yes}, facts)[0]
        is holds(condition("record.X__c", "in", [first, second]), facts)[0]
    )


everything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.integers()),
)
CONDITIONS = [condition("record.X__c", op, value) for op, value, *_ in OPERATORS]


@given(everything)
def test_no_data_makes_a_condition_raise(actual):
    book = book_of(rule_table(when="any", conditions=CONDITIONS))
    custom = [{**one, "field": "incident.custom_fields.region"} for one in CONDITIONS]
    other = book_of(rule_table(run_on="pagerduty", when="any", conditions=custom))

    assert book.evaluate(record_facts({"X__c": actual}), AT).traces
    now = incident(custom_fields={"region": actual})
    assert other.evaluate(Facts(incident_event(now=now)), AT).traces


@pytest.mark.parametrize(
    ("op", "value", "field_type", "words"),
    [
        ("contains", "a", "string", None),
        ("contains", "a", "multipicklist", None),
        ("at_least", 5, "picklist", "cannot apply to text"),
        ("starts_with", "00G", "reference", None),
        ("greater_than", 5, "reference", "cannot apply to an Id"),
        ("at_least", 5, "currency", None),
        ("at_least", "five", "percent", "must be a number"),
        ("equals", "", "double", None),
        ("contains", "5", "int", "cannot apply to a number"),
        ("equals", "yes", "boolean", "true or false"),
        ("equals", True, "boolean", None),
        ("less_than", "2026-01-01", "date", None),
        ("less_than", 5, "datetime", "2026-01-31T08:00:00Z"),
        ("matches", "a", "date", "cannot apply to a date"),
        ("at_most", "10:00", "time", None),
        ("equals", "x", "location", "cannot apply to a compound"),
        ("is_empty", None, "address", None),
        ("in", (1, "x"), "int", "must be a number"),
        ("matches", "a", "textarea", None),
        ("changed", None, "url", None),
        ("at_least", 5, "something new", None),
    ],
)
def test_operators_against_described_types(op, value, field_type, words):
    problem = check_field_type(op, value, field_type)

    assert problem is None if words is None else words in problem
