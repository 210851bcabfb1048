"""Conditions on what changed, and on what was before."""

import pytest

from pagerforce.model.incident import IncidentStatus, Person
from pagerforce.rules.evaluate import Facts
from unit.rules.rule_examples import (
    condition,
    holds,
    incident,
    incident_event,
    record_event,
    record_facts,
)


@pytest.mark.parametrize(
    ("op", "value", "before", "after", "result"),
    [
        ("changed", None, ("P1", "P2"), ("P2", "P1"), False),
        ("changed", None, ("P1",), ("P2",), True),
        ("changed_to", "P2", ("P1",), ("P1", "P2"), True),
        ("changed_to", "P2", ("P2",), ("P1", "P2"), False),
        ("changed_from", "P2", ("P2",), ("P1",), True),
    ],
)
def test_changes_of_assignees(op, value, before, after, result):
    old, new = (incident(assignees=tuple(map(Person, ids))) for ids in (before, after))

    facts = Facts(incident_event("assign", now=new, old=old))

    assert holds(condition("incident.assignees", op, value), facts)[0] is result


@pytest.mark.parametrize(
    ("op", "value", "old", "new", "result"),
    [
        ("changed", None, "a", "b", True),
        ("changed", None, "a", "a", False),
        ("changed", None, None, "", False),
        ("changed", None, None, "b", True),
        ("changed_from", "A", "a", "b", True),
        ("changed_from", "A", "a", "A", False),
        ("changed_from", "x", "a", "b", False),
        ("changed_from", "", None, "b", True),
        ("changed_to", "B", "a", "b", True),
        ("changed_to", "B", "b", "B", False),
        ("changed_to", 2, 1, 2.0, True),
        ("changed_to", True, False, True, True),
        ("changed_to", "", "a", None, True),
        ("changed_to", "a0C000000000001", "x", "a0C000000000001EAA", True),
    ],
)
def test_changes_of_a_record(op, value, old, new, result):
    facts = Facts(record_event(record={"X__c": new}, old={"X__c": old}))

    matched, trace = holds(condition("record.X__c", op, value), facts)

    assert matched is result
    assert trace.actual["to"] == new


def test_nothing_changed_on_create_or_where_no_old_value_is_known():
    here = condition("record.X__c", "changed")
    created = record_event("create", record={"X__c": "b"}, old={"X__c": "a"})

    assert not holds(here, Facts(created))[0]
    matched, trace = holds(here, record_facts({"X__c": "b"}))
    assert not matched
    assert trace.remark == "no earlier value is known"


def test_a_formula_of_the_time_has_not_changed():
    event = record_event(record={"Age__c": 2}, old={"Age__c": 1}, changed=())

    assert not holds(condition("record.Age__c", "changed"), Facts(event))[0]


@pytest.mark.parametrize(
    ("field", "op", "value", "result"),
    [
        ("incident.status", "changed", None, True),
        ("incident.status", "changed_to", "acknowledged", True),
        ("incident.status", "changed_from", "triggered", True),
        ("incident.status", "changed_from", "resolved", False),
        ("incident.priority.name", "changed", None, False),
        ("incident.priority.id", "changed_to", "PNEW", False),
        ("incident.custom_fields.tags", "changed", None, True),
        ("old.incident.status", "equals", "triggered", True),
        ("old.incident.custom_fields.tags", "contains", "a", True),
    ],
)
def test_changes_of_an_incident(field, op, value, result):
    new = incident(status=IncidentStatus.ACKNOWLEDGED, custom_fields={"tags": ["a"]})
    facts = Facts(incident_event("acknowledge", now=new, old=incident()))

    assert holds(condition(field, op, value), facts)[0] is result
    assert not holds(condition("incident.status", "changed"), Facts(incident_event()))[0]


def test_old_record():
    facts = Facts(record_event(record={"X__c": "b"}, old={"X__c": "a"}))

    assert holds(condition("old.record.X__c", "equals", "A"), facts)[0]
    assert holds(condition("old.record.X__c", "is_empty"), record_facts({"X__c": "b"}))[0]
