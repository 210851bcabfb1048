"""Every type of field x every operator x true, false, absent: one life of the daemon over HTTP.

The sandbox's ``Field_Sampler__c`` has a field of every type that describe reports with one value.
"""

from datetime import UTC, date, datetime, time

import pytest

from pagerforce.errors import ConfigError
from rig import RAJ
from rules.kit import rule, staged
from rules.samples import OPERATORS, TYPES, USER, WHEN_ABSENT, condition, truths

SAMPLER = "Field_Sampler__c"
FIELDS = {
    "Text__c": "string",
    "Area__c": "textarea",
    "Long_Area__c": "textarea",
    "Rich_Area__c": "textarea",
    "Picklist__c": "picklist",
    "Regions__c": "multipicklist",
    "Combobox__c": "combobox",
    "Email__c": "email",
    "Phone__c": "phone",
    "Url__c": "url",
    "Encrypted__c": "encryptedstring",
    "User__c": "reference",
    "Flag__c": "boolean",
    "Int__c": "int",
    "Long__c": "long",
    "Number__c": "double",
    "Money__c": "currency",
    "Percent__c": "percent",
    "Day__c": "date",
    "Moment__c": "datetime",
    "Clock__c": "time",
}
NOTE = {"do": "pagerduty.add_note", "text": "x"}
OBJECT = {"name": SAMPLER}


def cells():
    """(rule, its name, field, operator, whether it holds of the value) for the whole matrix."""
    for field, kind in FIELDS.items():
        for number, (op, operand, expected) in enumerate(truths(TYPES[kind])):
            for prefix in ("", "old."):
                if prefix and op.startswith("changed"):
                    continue
                name = f"{prefix}{field} {op} {number}"
                tried = rule(
                    name,
                    "salesforce",
                    [condition(f"{prefix}record.{field}", op, operand)],
                    NOTE,
                    obj=SAMPLER,
                )
                yield tried, name, f"{prefix}{field}", op, expected


def values(which):
    return {field: getattr(TYPES[kind], which) for field, kind in FIELDS.items()}


def fired(entry):
    return {trace["rule"] for trace in entry["rules"] if trace["matched"]}


async def test_every_type_and_operator_is_true_false_or_absent(folder):
    matrix = list(cells())
    async with staged(folder, *(tried for tried, *_ in matrix), objects=[OBJECT]) as (rig, daemon):
        there = rig.sf.insert(SAMPLER, {"Name": "a"} | values("before"), by=RAJ)
        bare = rig.sf.insert(SAMPLER, {"Name": "b"}, by=RAJ)
        await daemon.step(1)
        created = {entry["record"]: fired(entry) for entry in await daemon.log()}
        rig.sf.update(SAMPLER, there, values("value"), by=RAJ)
        rig.sf.update(SAMPLER, bare, {"Name": "c"}, by=RAJ)
        await daemon.step(1)
        log = [entry for entry in await daemon.log() if entry["event"] == "update"]
        seen = {entry["record"]: fired(entry) for entry in log}
        gone = dict.fromkeys(FIELDS, "") | {"Name": "d"}
        rig.sf.update(SAMPLER, there, gone, by=RAJ)
        await daemon.step(1)
        last = (await daemon.log())[-1]

    for _, name, field, op, expected in matrix:
        is_flag = "Flag__c" in field
        if not field.startswith("old."):
            assert (name in seen[there]) is expected, name
            if is_flag:
                continue  # a checkbox is never empty: unset is false, which is a value
            assert (name in seen[bare]) is WHEN_ABSENT[op], name
            if op == "changed":
                assert name in fired(last), "it was emptied"
            elif not op.startswith("changed"):
                assert (name in fired(last)) is WHEN_ABSENT[op], name
            if op.startswith("changed"):
                assert name not in created[there], f"{name}: nothing changed on a create"
        else:
            # What the record was before it was emptied, and before it existed.
            assert (name in fired(last)) is expected, name
            assert (name in created[there]) is WHEN_ABSENT[op], name


async def test_an_operator_that_cannot_apply_to_a_type_stops_the_start(folder):
    """Only the org knows the types: reported when the daemon reads them, for all rules at once."""
    refused = [
        (field, op)
        for field, kind in FIELDS.items()
        for op in OPERATORS
        if op not in TYPES[kind].operands
    ]
    rules = [
        rule(f"{field} {op}", "salesforce", [condition(f"record.{field}", op, _operand(op))], NOTE, obj=SAMPLER)
        for field, op in refused
    ]  # fmt: skip
    assert len(refused) > 60
    with pytest.raises(ConfigError) as caught:
        async with staged(folder, *rules, objects=[OBJECT]):
            pass
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == len(refused)
    for place, (field, op) in enumerate(refused):
        kind = TYPES[FIELDS[field]]
        (problem,) = [one for one in said if f"rules[{place}].conditions[0]" in one]
        assert f"{op} cannot apply to" in problem, (field, kind)


def _operand(op):
    """An operand that the operator accepts for any field: only the type is wrong."""
    return 1 if op in ("greater_than", "at_least", "less_than", "at_most") else "x"


# salesforce.set_field -----------------------------------------------------------------------

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WRITES = {
    "Text__c": {"x": "x", 7: "7", 2.5: "2.5", True: "true", "{{ record.Name }}!": "go Text__c 4!"},
    "Area__c": {"a\nb": "a\nb", "{{ 'é' ~ 'é' }}": "éé"},
    "Long_Area__c": {"a\n\nb": "a\n\nb", "{{ 'x' ~ 'y' }}": "xy"},
    "Rich_Area__c": {"<b>x</b>": "<b>x</b>"},
    "Picklist__c": {"Major": "Major", "{{ 'Crit' ~ 'ical' }}": "Critical"},
    "Regions__c": {"APAC;AMER": "APAC;AMER", "{{ 'EMEA' }};APAC": "EMEA;APAC"},
    "Combobox__c": {"Other": "Other", "{{ 'An' }}other": "Another"},
    "Email__c": {"a@example.com": "a@example.com", "{{ 'b' }}@example.com": "b@example.com"},
    "Phone__c": {"+49 30 1": "+49 30 1", 4930: "4930"},
    "Url__c": {"https://example.com/a": "https://example.com/a", "{{ 'http://b.example' }}": "http://b.example"},
    "Encrypted__c": {"secret": "secret", "{{ 'se' }}cret": "secret"},
    "User__c": {USER: USER, USER[:15]: USER, "{{ '" + USER + "' }}": USER},
    "Flag__c": {True: True, "true": True, "{{ 1 > 0 }}": True, "yes": True},
    "Int__c": {7: 7, "8": 8, "{{ 3 * 3 }}": 9, 10.0: 10},
    "Long__c": {9_007_199_254_740_993: 9_007_199_254_740_993, "9007199254740995": 9_007_199_254_740_995},
    "Number__c": {7: 7, 2.5: 2.5, "3.25": 3.25, "{{ 1 / 4 }}": 0.25, -1: -1, 0: 0},
    "Money__c": {1999.99: 1999.99, "5": 5, "{{ 2.5 * 2 }}": 5, 12.345: 12.35},
    "Percent__c": {12.5: 12.5, "50": 50, "{{ 100 / 8 }}": 12.5, 33.333333: 33.33},
    "Day__c": {date(2026, 5, 4): date(2026, 5, 4), "2026-05-05": date(2026, 5, 5), "{{ '2026-05-06' }}": date(2026, 5, 6), "2026-05-04T23:30:00-02:00": date(2026, 5, 5)},
    "Moment__c": {NOON: NOON, "2026-05-04T14:00:00+02:00": NOON, "{{ '2026-05-04T12:00:00Z' }}": NOON},
    "Clock__c": {time(9, 30): time(9, 30), "09:31": time(9, 31), "09:32:10": time(9, 32, 10), "{{ '09:33:10.500Z' }}": time(9, 33, 10, 500_000)},
}  # fmt: skip
"""Field -> the value in a rule (text, TOML's own type, template) -> the value in Salesforce afterwards."""
NULL = {"Flag__c": False}
WRONG = {
    "Picklist__c": ("Huge", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    "Regions__c": ("EMEA;MOON", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    "Email__c": ("nowhere", "INVALID_EMAIL_ADDRESS"),
    "Phone__c": ("1" * 41, "Phone__c takes 40 characters"),
    "Url__c": ("x" * 256, "Url__c takes 255 characters"),
    "User__c": ("Jane", "use a lookup to find the Id"),
    "Flag__c": ("perhaps", "Flag__c is of type boolean"),
    "Int__c": (1.5, "Int__c is of type int"),
    "Long__c": ("1.5", "Long__c is of type long"),
    "Number__c": ("many", "Number__c is of type double"),
    "Money__c": ("12 EUR", "Money__c is of type currency"),
    "Percent__c": ("50 %", "Percent__c is of type percent"),
    "Day__c": ("tomorrow", "Day__c is of type date"),
    "Moment__c": ("noon", "Moment__c is of type datetime"),
    "Clock__c": ("25:00", "Clock__c is of type time"),
}


def writes():
    """(rule, the name that triggers it, field, the expected value, why it is refused)."""
    for field, given in WRITES.items():
        cases = [(value, wanted, "") for value, wanted in given.items()]
        cases.append(("", NULL.get(field), ""))
        if field in WRONG:
            cases.append((WRONG[field][0], ..., WRONG[field][1]))
        for number, (value, wanted, reason) in enumerate(cases):
            name = f"go {field} {number}"
            action = {"do": "salesforce.set_field", "field": field, "value": value}
            when = [condition("record.Name", "changed_to", name)]
            yield rule(name, "salesforce", when, action, obj=SAMPLER), name, field, wanted, reason


async def test_set_field_writes_every_type_as_text_typed_by_template_and_empty(folder):
    cases = list(writes())
    async with staged(folder, *(tried for tried, *_ in cases), objects=[OBJECT]) as (rig, daemon):
        start = values("before") | {"Money__c": 1, "Percent__c": 1}
        rows = {name: rig.sf.insert(SAMPLER, {"Name": "a"} | start) for _, name, *_ in cases}
        await daemon.step(1)
        start = rig.sf.row(SAMPLER, rows[cases[0][1]])
        for name, row_id in rows.items():
            rig.sf.update(SAMPLER, row_id, {"Name": name}, by=RAJ)
        # So many at once are a burst: an unfinished batch waits a moment to be filled.
        await daemon.step(4)
        log = await daemon.log()

    done = {one["record"]: one for entry in log for one in entry["actions"]}
    wrong = [name for _, name, *_ in cases if rows[name] not in done]
    assert wrong == [], "not triggered"
    for _, name, field, wanted, reason in cases:
        outcome, row = done[rows[name]], rig.sf.row(SAMPLER, rows[name])
        if reason:
            good = outcome["outcome"] == "dead_letter" and reason in outcome["reason"]
            good = good and row[field] == start[field]
        else:
            good = outcome["outcome"] in ("delivered", "skipped") and row[field] == wanted
        if not good:
            wrong.append((name, outcome["outcome"], outcome["reason"], row[field], wanted))
    assert wrong == []
    strangers = [e for e in log if e["event"] == "update" and e["echo_of"] is None]
    assert len(strangers) == len(cases), "own writes were read as somebody's change"
