"""Every type of field x every operator x true, false, absent; the same over HTTP where it has one."""

import pytest

from pagerforce.rules.evaluate import Facts
from pagerforce.rules.operators import check_field_type
from rig import RAJ
from rules.kit import WINDOW, is_, rule, staged
from rules.samples import (
    CHANGES,
    COMPOUND,
    COMPOUND_OPERATORS,
    NONE,
    OPERATORS,
    OTHER_USER,
    TYPES,
    USER,
    WHEN_ABSENT,
    Sample,
    condition,
    truths,
)
from unit.rules.rule_examples import holds, record_event, record_facts

FIELD = "record.Field__c"
# An operand that each operator takes, whatever the type.
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
    assert said(kind, op, [""] if op == "in" else "") is None, "empty text asks for an empty field"


# Over HTTP -----------------------------------------------------------------------------------

ACCOUNT = "001000000000001AAA"
OTHER_ACCOUNT = "001000000000002AAA"
FIELDS = {
    WINDOW: {
        "External_Ref__c": "string",
        "Notes__c": "textarea",
        "Severity__c": "picklist",
        "Regions__c": "multipicklist",
        "Active__c": "boolean",
        "Amount__c": "double",
        "Due__c": "date",
        "Starts__c": "datetime",
        "Account__c": "reference",
    },
    "Contact": {"Email": "email"},
    "Account": {"Website": "url", "NumberOfEmployees": "int", "Phone": "phone"},
}
START = {WINDOW: {"Name": "n"}, "Contact": {"LastName": "Doe"}, "Account": {"Name": "n"}}
NOTE = {"do": "pagerduty.add_note", "text": "x"}


def sample_of(kind):
    """The sample with values that exist in the org: a reference points to an account."""
    sample = TYPES[kind]
    if kind != "reference":
        return sample
    operands = {op: tuple(map(to_account, pair)) for op, pair in sample.operands.items()}
    return Sample(ACCOUNT, OTHER_ACCOUNT, operands)


def to_account(operand):
    if isinstance(operand, list):
        return [to_account(one) for one in operand]
    if not isinstance(operand, str):
        return operand
    for user, account in ((USER, ACCOUNT), (OTHER_USER, OTHER_ACCOUNT)):
        operand = operand.replace(user[:15], account[:15])
    return operand.replace("005", "001").replace("00003", "00001")


def rules_of(name):
    """One rule for each cell: (rule's name, whether it holds of the value, and of nothing)."""
    for field, kind in FIELDS[name].items():
        for number, (op, operand, expected) in enumerate(truths(sample_of(kind))):
            label = f"{field} {op} {number}"
            tried = rule(
                label, "salesforce", [condition(f"record.{field}", op, operand)], NOTE, obj=name
            )
            yield tried, label, expected, WHEN_ABSENT[op]


@pytest.mark.parametrize("name", FIELDS)
async def test_every_type_of_the_sandbox_over_http(folder, name):
    cells = list(rules_of(name))
    fields = FIELDS[name]
    before = {field: sample_of(kind).before for field, kind in fields.items()}
    after = {field: sample_of(kind).value for field, kind in fields.items()}
    async with staged(folder, *(tried for tried, *_ in cells), objects=[{"name": name}]) as (
        rig,
        daemon,
    ):
        rig.sf.insert("Account", {"Name": "second"})
        filled = rig.sf.insert(name, START[name] | before, by=RAJ)
        bare = rig.sf.insert(
            name, START[name] | {"Active__c": False} if name == WINDOW else START[name]
        )
        await daemon.step(2)
        rig.sf.update(name, filled, after, by=RAJ)
        (touched,) = START[name]
        rig.sf.update(name, bare, {touched: "other"}, by=RAJ)
        await daemon.step(2)
        news = {
            entry["record"]: entry for entry in await daemon.log() if entry["event"] == "update"
        }
        assert matched(news[filled]) == {label for _, label, expected, _ in cells if expected}
        empty = {
            label for _, label, _, absent in cells if absent and not label.startswith("Active__c")
        }
        checkbox = {label for label in matched(news[bare]) if label.startswith("Active__c")}
        assert matched(news[bare]) - checkbox == empty
        # A checkbox is never empty: false is a value.
        assert {label.split()[1] for label in checkbox} <= {
            "equals",
            "not_equals",
            "in",
            "not_in",
            "is_not_empty",
        }


def matched(entry):
    return {trace["rule"] for trace in entry["rules"] if trace["matched"]}


def test_the_matrix_over_http_uses_the_index():
    assert len(list(rules_of(WINDOW))) > 50, "with fewer rules nothing is left to an index"


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
