"""Every field and every operator, on values that hold, do not hold and are absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, Side
from pagerforce.model.incident import IncidentStatus, Person, Ref
from pagerforce.rules.evaluate import Facts
from pagerforce.rules.operators import check_field_type
from pagerforce.rules.template import context_of, render_text
from unit.rules.rule_examples import (
    AT,
    INCIDENT_OBJECT,
    book_of,
    comment,
    holds,
    incident,
    incident_event,
    record_event,
    record_facts,
    rule_table,
)

ABSENT = object()

# op, value, values that hold, values that do not, what an absent value gives
TABLE = [
    ("equals", "Open", ["open", "OPEN"], ["Opened", "", 1, True], False),
    ("equals", 1, [1, 1.0, "1", "1.0"], [2, "one", True, ""], False),
    ("equals", True, [True, "true"], [False, 1, "yes"], False),
    ("equals", "", ["", "  ", None], ["x", 0, False], True),
    ("equals", "2026-01-02T03:04:05Z", ["2026-01-02T03:04:05.000+0000"], ["2026-01-02"], False),
    ("equals", "a0C000000000001", ["a0C000000000001EAA"], ["a0c000000000001EAA"], False),
    ("not_equals", "Open", ["Closed", "", 1], ["open"], True),
    ("not_equals", "", ["x", 0], ["", None], False),
    ("in", ["Open", 2], ["open", 2, "2"], ["x", 3, ""], False),
    ("in", ["", "x"], ["", "X"], ["y"], True),
    ("not_in", ["Open", 2], ["x", ""], ["OPEN", 2], True),
    ("contains", "disk", ["The DISK is full", "disk"], ["dis", "", 5], False),
    ("not_contains", "disk", ["memory", ""], ["disk", 5], True),
    ("starts_with", "INC", ["inc-1"], ["x INC", "", 5], False),
    ("ends_with", "ß", ["Strass", "Straß"], ["Stra", ""], False),
    ("matches", "^db-[0-9]+$", ["DB-17"], ["db-", "xdb-1", "", 5, "\ud800"], False),
    ("matches", "(?-i)DB", ["a DB"], ["a db"], False),
    ("greater_than", 5, [6, "6", 5.5], [5, 4, "x", "", True], False),
    ("at_least", 5, [5, "5.0"], [4.9, ""], False),
    ("less_than", 5, [4, "-1"], [5, ""], False),
    ("at_most", 5, [5, 4], [6, ""], False),
    ("at_least", "2026-01-02", ["2026-01-02", "2026-01-02T00:00:00Z"], ["2026-01-01", 5], False),
    ("less_than", "10:00", ["09:59:00.000Z"], ["10:00:00.000Z", "x"], False),
    ("is_empty", None, ["", " ", None], ["x", 0, False], True),
    ("is_not_empty", None, ["x", 0, False], ["", None], False),
]
CASES = [
    (op, expected, actual, result)
    for op, expected, good, bad, absent in TABLE
    for actual, result in [
        *((one, True) for one in good),
        *((one, False) for one in bad),
        (ABSENT, absent),
    ]
]


def condition(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


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
CONDITIONS = [condition("record.X__c", op, value) for op, value, *_ in TABLE]


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
