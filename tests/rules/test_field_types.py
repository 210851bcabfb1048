"""Every type of field x every operator x true, false, absent, with the rules only."""

import pytest

from pagerforce.rules.evaluate import Facts
from pagerforce.rules.operands import check_field_type
from rules.kit import WINDOW, is_, rule, staged
from rules.samples import (
    CHANGES,
    COMPOUND,
    COMPOUND_OPERATORS,
    NONE,
    OPERATORS,
    TYPES,
    WHEN_ABSENT,
    condition,
    truths,
)
from unit.rules.rule_examples import holds, record_event, record_facts

FIELD = "record.Field__c"
# An operand that each operator accepts, whatever the type.
SOME = {
    "in": ["x"],
    "not_in": ["x"],
    "matches": "x",
    "is_empty": NONE,
    "is_not_empty": NONE,
    "changed": NONE,
}
CELLS = [(kind, op) for kind in TYPES for op in OPERATORS]


def said(kind, op, operand):
    value = None if operand is NONE else tuple(operand) if isinstance(operand, list) else operand
    return check_field_type(op, value, kind)


def updated(**values):
    """An update event that changed ``Field__c`` and nothing else."""
    return Facts(record_event(**values))


@pytest.mark.parametrize(("kind", "op"), CELLS)
def test_an_operator_and_a_type(kind, op):
    sample = TYPES[kind]
    if op not in sample.operands:
        refusal = said(kind, op, SOME.get(op, sample.value))
        assert refusal is not None
        assert "cannot apply" in refusal
        return
    good, bad = sample.operands[op]
    assert said(kind, op, good) is None
    assert said(kind, op, bad) is None
    was = updated(record={"Field__c": sample.value}, old={"Field__c": sample.before})
    for word, operand, expected in truths(sample):
        if word == op:
            assert holds(condition(FIELD, op, operand), was)[0] is expected, operand
    for facts in absences(op):
        for operand in (good, bad):
            assert holds(condition(FIELD, op, operand), facts)[0] is WHEN_ABSENT[op]
    if op in CHANGES:
        same = updated(record={"Field__c": sample.value}, old={"Field__c": sample.value})
        assert holds(condition(FIELD, op, good), same)[0] is False
    if op == "is_empty":
        blank = record_facts(record={"Field__c": " "})
        assert holds(condition(FIELD, op, NONE), blank)[0] is True


def absences(op):
    """A field that was not read, one that is null, and, for changes, one that is new."""
    yield record_facts(record={})
    yield record_facts(record={"Field__c": None})
    yield updated(record={"Field__c": None}, old={"Field__c": None})
    if op in CHANGES:
        yield updated(type="create", record={"Field__c": "x"})


@pytest.mark.parametrize("kind", COMPOUND)
@pytest.mark.parametrize("op", OPERATORS)
def test_a_compound_value_has_no_single_one(kind, op):
    refusal = said(kind, op, SOME.get(op, "x"))
    assert (refusal is None) is (op in COMPOUND_OPERATORS)


@pytest.mark.parametrize(
    ("kind", "operand"),
    [
        ("double", "many"),
        ("boolean", "perhaps"),
        ("date", "tomorrow"),
        ("datetime", "noon"),
        ("time", "25:00"),
    ],
)
@pytest.mark.parametrize("op", ["equals", "in", "changed_to"])
def test_an_operand_that_no_value_of_the_type_can_equal(kind, operand, op):
    given = [operand] if op == "in" else operand
    assert "value must be" in said(kind, op, given)
    assert said(kind, op, [""] if op == "in" else "") is None, "empty text means an empty field"


# Over HTTP: every type in test_every_type.py; here fields of another record ------------------

ACCOUNT = "001000000000001AAA"
NOTE = {"do": "pagerduty.add_note", "text": "x"}


def matched(entry):
    return {trace["rule"] for trace in entry["rules"] if trace["matched"]}


async def test_a_parents_field_and_a_formula_over_http(folder):
    cells = [
        rule("parent", "salesforce", [is_("record.Account__r.Name", "equals", "example CORP")], NOTE, obj=WINDOW),
        rule("parent is", "salesforce", [is_("record.Account__r.Name", "changed_to", "Example Corp")], NOTE, obj=WINDOW),
        rule("formula", "salesforce", [is_("record.Account_Name__c", "changed_to", "Example Corp")], NOTE, obj=WINDOW),
        rule("no parent", "salesforce", [is_("record.Account__r.Name", "is_empty")], NOTE, obj=WINDOW),
        rule("was no parent", "salesforce", [is_("old.record.Account__r.Name", "is_empty"), is_("event.type", "equals", "update")], NOTE, obj=WINDOW),
    ]  # fmt: skip
    async with staged(folder, *cells, objects=[{"name": WINDOW}]) as (rig, daemon):
        window = rig.sf.insert(WINDOW, {"Name": "n"})
        await daemon.step(2)
        rig.sf.update(WINDOW, window, {"Account__c": ACCOUNT})
        await daemon.step(2)
        create, update = await daemon.log()
        assert matched(create) == {"no parent"}
        assert matched(update) == {"parent", "parent is", "formula", "was no parent"}
