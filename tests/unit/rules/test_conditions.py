"""Every field and every operator, on values that hold, do not hold and are absent."""

import pytest

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, Side
from pagerforce.model.incident import Person, Ref
from pagerforce.rules.evaluate import Facts
from pagerforce.rules.template import context_of, render_text
from unit.rules.rule_examples import (
    AT,
    INCIDENT_OBJECT,
    OPERATORS,
    comment,
    condition,
    holds,
    incident,
    incident_event,
    record_event,
    record_facts,
)

ABSENT = object()
CASES = [
    (op, expected, actual, result)
    for op, expected, good, bad, absent in OPERATORS
    for actual, result in [
        *((one, True) for one in good),
        *((one, False) for one in bad),
        (ABSENT, absent),
    ]
]


@pytest.mark.parametrize(("op", "expected", "actual", "result"), CASES)
def test_operators_on_a_record(op, expected, actual, result):
    record = {} if actual is ABSENT else {"X__c": actual}

    matched, trace = holds(condition("record.X__c", op, expected), record_facts(record))

    assert matched is result
    assert trace.result is result
    assert trace.actual == (None if actual is ABSENT else actual)
    assert (trace.field, trace.op, trace.place) == ("record.X__c", op, "conditions[0]")


@pytest.mark.parametrize(
    ("op", "value", "actual"),
    [
        ("greater_than", 5, "x"),
        ("contains", "x", 5),
        ("at_most", 5, None),
        ("starts_with", "x", True),
    ],
)
def test_what_cannot_be_compared_is_false_and_the_trace_says_so(op, value, actual):
    matched, trace = holds(condition("record.X__c", op, value), record_facts({"X__c": actual}))

    assert not matched
    assert "cannot be compared" in trace.remark


INCIDENT_FIELDS = [
    ("incident.id", "PINC001"),
    ("incident.number", 7),
    ("incident.title", "disk full ON db-1"),
    ("incident.status", "triggered"),
    ("incident.urgency", "HIGH"),
    ("incident.html_url", "https://acme.pagerduty.com/incidents/PINC001"),
    ("incident.created_at", "2026-11-24T13:00:00+01:00"),
    ("incident.service.id", "PNET001"),
    ("incident.service.name", "network"),
    ("incident.escalation_policy.id", "PESC001"),
    ("incident.escalation_policy.name", "Default"),
    ("incident.priority.id", "PPRI001"),
    ("incident.priority.name", "p1"),
    ("incident.custom_fields.region", "eu"),
    ("incident.custom_fields.count", "3"),
    ("incident.custom_fields.items", "none"),
]


@pytest.mark.parametrize(("field", "value"), INCIDENT_FIELDS)
def test_every_field_of_an_incident(field, value):
    here = condition(field, "equals", value)

    assert holds(here, Facts(incident_event()))[0]
    assert not holds(here, Facts(incident_event(now=incident(**_emptied()))))[0]
    assert holds(here, Facts(record_event(), incident=incident()))[0]
    matched, trace = holds(here, Facts(record_event()))
    assert not matched
    assert trace.actual is None


def _emptied():
    names = ("number", "title", "status", "urgency", "html_url", "created_at", "service")
    names += ("escalation_policy", "priority", "resolve_reason")
    return dict.fromkeys(names) | {"id": "PELSE01", "assignees": (), "custom_fields": {}}


def test_resolve_reason():
    facts = Facts(incident_event("merge", now=incident(resolve_reason="merge_resolve_reason")))

    assert holds(condition("incident.resolve_reason", "starts_with", "merge"), facts)[0]


@pytest.mark.parametrize(
    ("op", "value", "people", "result"),
    [
        ("contains", "JANE@example.com", (Person(email="jane@example.com"),), True),
        ("contains", "jane doe", (Person("P1"), Person("P2", "Jane Doe")), True),
        ("contains", "P1", (Person("P1"),), True),
        ("contains", "P", (Person("P1"),), False),
        ("contains", "P1", (), False),
        ("not_contains", "P1", (Person("P2"),), True),
        ("not_contains", "P1", (), True),
        ("in", ["P9", "p2"], (Person("P1"), Person("P2")), True),
        ("in", ["P9"], (Person("P1"),), False),
        ("not_in", ["P9", "P2"], (Person("P2"),), False),
        ("is_empty", None, (), True),
        ("is_empty", None, (Person("P1"),), False),
        ("is_not_empty", None, (Person("P1"),), True),
    ],
)
def test_assignees(op, value, people, result):
    facts = Facts(incident_event(now=incident(assignees=people)))

    matched, trace = holds(condition("incident.assignees", op, value), facts)

    assert matched is result
    assert [one["id"] for one in trace.actual] == [one.id for one in people]


@pytest.mark.parametrize(
    ("op", "value", "result"),
    [
        ("contains", "A", True),
        ("contains", "c", False),
        ("in", ["c", "b"], True),
        ("starts_with", "a", False),
        ("greater_than", 1, False),
        ("is_empty", None, False),
    ],
)
def test_a_custom_field_with_several_values(op, value, result):
    facts = Facts(incident_event())

    assert holds(condition("incident.custom_fields.tags", op, value), facts)[0] is result


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("event.source", "equals", "PagerDuty"),
        ("event.type", "in", ["annotate"]),
        ("event.at", "equals", "2026-11-24T12:00:00Z"),
        ("event.actor.id", "equals", "PUSR001"),
        ("event.actor.name", "equals", "jane"),
        ("event.actor.email", "ends_with", "@EXAMPLE.com"),
        ("event.note", "contains", "look"),
        ("comment.body", "contains", "hel"),
        ("comment.author", "equals", "jane doe"),
        ("comment.created_at", "at_most", "2026-11-24T12:00:00Z"),
        ("linked", "equals", True),
    ],
)
def test_fields_of_the_event(field, op, value):
    actor = Person("PUSR001", "Jane", "jane@example.com")
    full = incident_event("annotate", actor=actor, note="Looking", comment=comment())
    full_facts = Facts(full, linked=frozenset({INCIDENT_OBJECT}))
    bare = Event(EventId("e"), Side.PAGERDUTY, "zzz", AT.replace(year=2020), incident=incident())
    always = [{"field": "event.type", "op": "is_not_empty"}]

    assert holds({"all": [condition(field, op, value), *always]}, full_facts)[0]
    if field != "event.source":
        assert not holds({"all": [condition(field, op, value), *always]}, Facts(bare))[0]


def test_the_linked_record_is_seen_by_an_incident_rule():
    here = condition("record.X__c", "equals", "a")

    assert holds(here, Facts(incident_event(), records={INCIDENT_OBJECT: {"X__c": "A"}}))[0]
    assert not holds(here, Facts(incident_event(), records={"Case": {"X__c": "A"}}))[0]


def test_parents_and_names_in_another_case():
    facts = record_facts({"BMCServiceDesk__FKCategory__r.Name": "Network", "Owner": None})

    assert holds(
        condition("record.BMCServiceDesk__FKCategory__r.Name", "equals", "network"), facts
    )[0]
    assert holds(
        condition("record.bmcservicedesk__fkcategory__r.NAME", "equals", "network"), facts
    )[0]
    assert holds(condition("record.Owner.Name", "is_empty"), facts)[0]


@pytest.mark.parametrize("record", [None, {}])
def test_a_deleted_record_is_seen_as_it_last_was(record):
    old = {"X__c": "a"}
    gone = Event(
        id=EventId("e"),
        source=Side.SALESFORCE,
        type="delete",
        at=AT,
        object=INCIDENT_OBJECT,
        record=record,
        old_record=old,
    )
    conditions = [
        condition("event.type", "equals", "delete"),
        condition("record.X__c", "equals", "a"),
    ]

    assert holds({"all": conditions}, Facts(gone))[0]
    assert render_text("{{ record.X__c }}", context_of(gone), {}) == "a"


def test_ids_mind_their_case():
    facts = record_facts({"OwnerId": "00500000000000A", "X__c": "12345678901234A"})

    assert not holds(condition("record.OwnerId", "equals", "00500000000000a"), facts)[0]
    assert holds(condition("record.X__c", "equals", "12345678901234a"), facts)[0]


def test_an_event_that_does_not_know_its_incident_uses_the_present_one():
    event = Event(EventId("e"), Side.PAGERDUTY, "trigger", AT)
    here = condition("incident.number", "equals", 7)

    assert holds(here, Facts(event, incident=incident()))[0]
    assert not holds(here, Facts(event))[0]


def test_a_priority_that_only_has_a_name():
    facts = Facts(incident_event(now=incident(priority=Ref("", "P1"))))

    assert holds(condition("incident.priority.id", "is_empty"), facts)[0]
