"""Every field that has a name of its own x every operator x true, false, absent."""

import pytest

from pagerforce.model.event import CommentText
from pagerforce.model.ids import Side
from pagerforce.model.incident import IncidentStatus, Person, Ref
from pagerforce.rules.evaluate import Facts
from pagerforce.rules.fields import all_names
from rules.samples import (
    CHANGES,
    NONE,
    OPERATORS,
    WHEN_ABSENT,
    Sample,
    condition,
    ordered,
    truth,
    truths,
    words,
)
from unit.rules.rule_examples import (
    AT,
    holds,
    incident,
    incident_event,
    problems_of,
    record_event,
    rule_table,
)

JANE = Person("PUSR001", "Jane Doe", "jane@example.com")
SAM = Person("PUSR002", "Sam Lee", "sam@example.com")
NOON = {
    "same": "2026-11-24T13:00:00+01:00",
    "lower": "2026-11-24T11:59:59Z",
    "higher": "2026-11-25",
}


def text(value, before, other, **more):
    """A sample of a plain word."""
    parts = {"part": value[1:3].upper(), "start": value[:2].upper(), "end": value[-2:].upper()}
    pattern = "^" + value.lower().replace("/", "[/]") + "$"
    spelling = {"same": value.upper(), "other": other, "pattern": pattern} | parts | more
    return words(value, before, **spelling)


PEOPLE = Sample(
    (JANE,),
    (SAM,),
    {
        "in": (["x", "JANE@example.com"], ["sam@example.com"]),
        "not_in": (["sam@example.com"], ["PUSR001"]),
        "contains": ("jane doe", "sam lee"),
        "not_contains": ("PUSR002", "PUSR001"),
        "is_empty": (NONE, NONE),
        "is_not_empty": (NONE, NONE),
        "changed": (NONE, NONE),
        "changed_from": ("Sam Lee", "Jane Doe"),
        "changed_to": ("jane@example.com", "sam@example.com"),
    },
)

# Field of incident -> (its sample, the incident's own values that lead to it).
INCIDENT = {
    "id": (text("PINC001", "PINC002", "PINC009"), lambda v: {"id": v}),
    "number": (ordered(7, 6, same=7.0, lower="6", higher=8), lambda v: {"number": v}),
    "title": (text("Disk full", "Disk fine", "Disk"), lambda v: {"title": v}),
    "status": (text("acknowledged", "triggered", "resolved"), lambda v: {"status": v and IncidentStatus(v)}),
    "urgency": (text("high", "low", "low"), lambda v: {"urgency": v}),
    "html_url": (text("https://a/1", "https://a/2", "https://a/3"), lambda v: {"html_url": v}),
    "created_at": (ordered(AT, AT.replace(hour=11), **NOON), lambda v: {"created_at": v}),
    "service.id": (text("PNET001", "PDBA001", "PNET002"), lambda v: {"service": v and Ref(v, "n")}),
    "service.name": (text("Network", "Database", "Net"), lambda v: {"service": v and Ref("P1", v)}),
    "escalation_policy.id": (text("PESC001", "PESC002", "PESC003"), lambda v: {"escalation_policy": v and Ref(v, "n")}),
    "escalation_policy.name": (text("Default", "Other", "Third"), lambda v: {"escalation_policy": v and Ref("P1", v)}),
    "priority.id": (text("PPRI001", "PPRI002", "PPRI003"), lambda v: {"priority": v and Ref(v, "n")}),
    "priority.name": (text("Major", "Minor", "Other"), lambda v: {"priority": v and Ref("P1", v)}),
    "assignees": (PEOPLE, lambda v: {"assignees": v or ()}),
    "resolve_reason": (text("merged", "done", "merge"), lambda v: {"resolve_reason": v}),
    "custom_fields.region": (text("Europe", "Africa", "Asia"), lambda v: {"custom_fields": {"region": v}}),
    "custom_fields.count": (ordered(3, 2, same="3", lower=2, higher=4), lambda v: {"custom_fields": {"count": v}}),
}  # fmt: skip
# Field of event or comment -> (its sample, the event's own values that lead to it).
EVENT = {
    "event.source": (text("pagerduty", None, "salesforce"), None),
    "event.type": (text("annotate", None, "trigger"), None),
    "event.at": (ordered(AT, None, **NOON), None),
    "event.actor.id": (text("PUSR001", None, "PUSR002"), lambda v: {"actor": Person(id=v)}),
    "event.actor.name": (text("Jane Doe", None, "Jane"), lambda v: {"actor": Person(name=v)}),
    "event.actor.email": (text("jane@example", None, "sam@example"), lambda v: {"actor": Person(email=v)}),
    "event.note": (text("on my way", None, "on your way"), lambda v: {"note": v}),
    "event.message": (text("All is well", None, "All is lost"), lambda v: {"message": v}),
    "event.subject": (text("Update", None, "Updates"), lambda v: {"subject": v}),
    "comment.body": (text("on my way", None, "on your way"), lambda v: {"comment": v and CommentText(v, "x", AT)}),
    "comment.author": (text("Jane Doe", None, "Jane"), lambda v: {"comment": v and CommentText("x", v, AT)}),
    "comment.created_at": (ordered(AT, None, **NOON), lambda v: {"comment": v and CommentText("x", "y", v)}),
}  # fmt: skip
LINKED = truth(value=True, before=False)


def refused(field, op, operand, run_on="pagerduty"):
    """Whether a rule with this condition is refused when it is loaded, at the operator."""
    problems = problems_of(rule_table(run_on=run_on, conditions=[condition(field, op, operand)]))
    return any("conditions[0].op" in problem for problem in problems)


def some(op, sample):
    """An operand of the right shape for an operator that may not apply."""
    if op in ("is_empty", "is_not_empty", "changed"):
        return NONE
    if op in sample.operands:
        return sample.operands[op][0]
    return ["x"] if op in ("in", "not_in") else "x"


def cells(sample, op):
    return [(operand, holds) for word, operand, holds in truths(sample) if word == op]


def operands(sample, op):
    return {str(one): one for one in sample.operands[op]}.values()


def test_no_field_is_left_out():
    named = {f"incident.{name}" for name in INCIDENT} | set(EVENT) | {"linked"}
    assert set(all_names()) <= named


@pytest.mark.parametrize("name", INCIDENT)
@pytest.mark.parametrize("op", OPERATORS)
def test_a_field_of_the_incident(name, op):
    sample, made_by = INCIDENT[name]
    field = f"incident.{name}"
    if op not in sample.operands:
        is_open = name.startswith("custom_fields.")  # of a type that only PagerDuty knows
        assert refused(field, op, some(op, sample)) is not is_open
        return
    now, old = incident(**made_by(sample.value)), incident(**made_by(sample.before))
    for operand, expected in cells(sample, op):
        facts = Facts(incident_event("update", now=now, old=old))
        assert holds(condition(field, op, operand), facts)[0] is expected, operand
        if op not in CHANGES:
            late = Facts(incident_event("update", now=old, old=now))
            assert holds(condition(f"old.{field}", op, operand), late)[0] is expected
    for operand in operands(sample, op):
        if name != "id":
            nothing = incident(**made_by(None))
            bare = Facts(incident_event("update", now=nothing, old=nothing))
            assert holds(condition(field, op, operand), bare)[0] is WHEN_ABSENT[op]
        if op in CHANGES:
            first = Facts(incident_event(now=now, old=None))
            assert holds(condition(field, op, operand), first)[0] is False
            assert refused(field, op, operand, run_on="salesforce")
        else:
            unlinked = Facts(record_event(record={}))
            assert holds(condition(field, op, operand), unlinked)[0] is WHEN_ABSENT[op]
            linked = Facts(record_event(record={}), incident=now)
            expected = {str(one): held for one, held in cells(sample, op)}.get(str(operand))
            if expected is not None:
                assert holds(condition(field, op, operand), linked)[0] is expected


@pytest.mark.parametrize("field", EVENT)
@pytest.mark.parametrize("op", OPERATORS)
def test_a_field_of_the_event(field, op):
    sample, made_by = EVENT[field]
    if op not in sample.operands or op in CHANGES:
        assert refused(field, op, some(op, sample))
        return
    # A rule that names neither the type nor a comment does not see annotations.
    if field.startswith(("event.source", "event.at", "event.actor")):
        kind = "trigger"
    else:
        kind = "status_update" if field in ("event.message", "event.subject") else "annotate"
    keys = {"at": AT} | ({} if made_by is None else made_by(sample.value))
    for operand, expected in cells(sample, op):
        facts = Facts(incident_event(kind, **keys))
        assert holds(condition(field, op, operand), facts)[0] is expected, operand
    if made_by is None:
        return  # every event has it
    for operand in operands(sample, op):
        facts = Facts(incident_event(kind, **made_by(None)))
        assert holds(condition(field, op, operand), facts)[0] is WHEN_ABSENT[op]


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("run_on", [Side.PAGERDUTY, Side.SALESFORCE])
def test_linked(op, run_on):
    if op not in LINKED.operands or op in CHANGES:
        assert refused("linked", op, some(op, LINKED), run_on=str(run_on))
        return
    make = incident_event if run_on is Side.PAGERDUTY else record_event
    for operand, expected in cells(LINKED, op):
        facts = Facts(make("update"), linked=frozenset({"BMCServiceDesk__Incident__c"}))
        assert holds(condition("linked", op, operand), facts)[0] is expected
        if op not in ("is_empty", "is_not_empty") and operand != [False, True]:
            other = Facts(make("update"), linked=frozenset({"Case"}))
            assert holds(condition("linked", op, operand), other)[0] is not expected


@pytest.mark.parametrize("op", OPERATORS)
def test_a_list_of_a_custom_field(op):
    """Several values: each counts as one member."""
    wanted = {
        "equals": ("A", True), "not_equals": ("a", False), "in": (["x", "b"], True), "not_in": (["x"], True),
        "contains": ("B", True), "not_contains": ("c", True), "is_empty": (NONE, False), "is_not_empty": (NONE, True),
    }  # fmt: skip
    operand, expected = wanted.get(op, (some(op, LINKED), False))
    if op in CHANGES or op in ("greater_than", "at_least", "less_than", "at_most"):
        return
    facts = Facts(incident_event(now=incident(custom_fields={"tags": ["a", "b"]})))
    found, trace = holds(condition("incident.custom_fields.tags", op, operand), facts)
    assert found is expected
    if op not in wanted:
        assert "cannot be compared" in trace.remark
