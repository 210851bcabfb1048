"""The result of every operator for a value of every type: one operand for true, one for false.

Written by hand from docs/reference/rules.md, so that the tested code computes nothing here.
"""

from dataclasses import dataclass
from typing import Any

NONE = object()
"""The operator takes no operand."""
CHANGES = ("changed", "changed_from", "changed_to")
WHEN_ABSENT = {
    "equals": False,
    "not_equals": True,
    "in": False,
    "not_in": True,
    "contains": False,
    "not_contains": True,
    "starts_with": False,
    "ends_with": False,
    "matches": False,
    "greater_than": False,
    "at_least": False,
    "less_than": False,
    "at_most": False,
    "is_empty": True,
    "is_not_empty": False,
    "changed": False,
    "changed_from": False,
    "changed_to": False,
}
"""The result of an operator for an empty field, whatever the operand."""
OPERATORS = tuple(WHEN_ABSENT)


@dataclass(frozen=True)
class Sample:
    """A value, the value before it, and for each operator that applies (true operand, false operand).

    ``is_empty`` is never true of a value and ``is_not_empty`` always: their one case is in the other
    columns.
    """

    value: Any
    before: Any
    operands: dict[str, tuple[Any, Any]]


def _same(same, other, before):
    """The operators of equality. ``same`` is the value in another spelling."""
    return {
        "equals": (same, other),
        "not_equals": (other, same),
        "in": ([other, same], [other]),
        "not_in": ([other], [other, same]),
        "is_empty": (NONE, NONE),
        "is_not_empty": (NONE, NONE),
        "changed": (NONE, NONE),
        "changed_from": (before, same),
        "changed_to": (same, before),
    }


def words(value, before, *, same, other, part, start, end, pattern):
    """Text and Ids."""
    return Sample(
        value,
        before,
        _same(same, other, before)
        | {
            "contains": (part, "nowhere"),
            "not_contains": ("nowhere", part),
            "starts_with": (start, "nowhere"),
            "ends_with": (end, "nowhere"),
            "matches": (pattern, "^nowhere$"),
        },
    )


def ordered(value, before, *, same, lower, higher):
    """Numbers, dates and times."""
    return Sample(
        value,
        before,
        _same(same, higher, before)
        | {
            "greater_than": (lower, same),
            "at_least": (same, higher),
            "less_than": (higher, same),
            "at_most": (same, lower),
        },
    )


def truth(value, before):
    """Checkboxes."""
    return Sample(value, before, _same(value, before, before))


USER, OTHER_USER = "005000000000003AAA", "005000000000004AAA"
TYPES = {
    "string": words("Core Switch 7", "Edge 1", same="core SWITCH 7", other="Core Switch", part="SWITCH", start="core s", end="H 7", pattern=r"^core .* \d$"),
    "textarea": words("One line.\nTwo: über", "One line.", same="one LINE.\ntwo: ÜBER", other="One line. Two: über", part="two: Ü", start="ONE", end="BER", pattern=r"line\.\n(two|three)"),
    "picklist": words("Major", "Minor", same="MAJOR", other="Critical", part="ajo", start="maj", end="OR", pattern="^(major|critical)$"),
    "multipicklist": words("EMEA;APAC", "EMEA", same="emea;apac", other="APAC;EMEA", part="apac", start="emea", end="Apac", pattern=r"\bapac\b"),
    "combobox": words("Other", "First", same="OTHER", other="Third", part="the", start="oth", end="er", pattern="o.her"),
    "email": words("jane@example.com", "sam@example.com", same="Jane@Example.com", other="jane@example.org", part="@EXAMPLE", start="JANE", end=".COM", pattern=r"@example\.(com|org)$"),
    "phone": words("+49 30 1234567", "+49 30 7654321", same="+49 30 1234567", other="+49 30 1234568", part="30 12", start="+49", end="567", pattern=r"^\+49"),
    "url": words("https://example.com/A", "https://example.com/B", same="HTTPS://EXAMPLE.COM/a", other="http://example.com/A", part="EXAMPLE.COM", start="https://", end="/a", pattern="^https?://[^/]+/a$"),
    "encryptedstring": words("ab-12", "ab-11", same="AB-12", other="ab-13", part="B-1", start="AB", end="12", pattern="^ab-[0-9]+$"),
    "reference": words(USER, OTHER_USER, same=USER[:15], other=OTHER_USER[:15], part="00003", start="005", end="AAA", pattern="^005"),
    "id": words(USER, OTHER_USER, same=USER[:15], other=OTHER_USER, part="00003", start="005", end="AAA", pattern="^005"),
    "boolean": truth(value=True, before=False),
    "int": ordered(7, 3, same="7", lower=6, higher=10),
    "long": ordered(9_007_199_254_740_993, 1, same=9_007_199_254_740_993, lower=9_007_199_254_740_992, higher=9_007_199_254_740_994),
    "double": ordered(7.5, 3.0, same="7.50", lower=7.25, higher=10),
    "currency": ordered(1999.99, 1000.0, same="1999.99", lower=1999, higher=2000),
    "percent": ordered(12.5, 0.5, same=12.50, lower=12, higher=100),
    "date": ordered("2026-05-04", "2026-05-01", same="2026-05-04", lower="2026-05-03", higher="2026-10-01"),
    "datetime": ordered("2026-05-04T12:00:00Z", "2026-05-04T11:00:00Z", same="2026-05-04T14:00:00+02:00", lower="2026-05-04T13:59:59+02:00", higher="2026-05-04T12:00:01Z"),
    "time": ordered("09:30:00.000Z", "08:00:00.000Z", same="09:30", lower="09:29:59", higher="10:00:00.000Z"),
}  # fmt: skip
"""Every type that describe reports for a field with a single value."""
COMPOUND = ("address", "location", "base64")
COMPOUND_OPERATORS = ("is_empty", "is_not_empty", "changed")


def condition(field, op, operand):
    return {"field": field, "op": op} | ({} if operand is NONE else {"value": operand})


def truths(sample):
    """Every (operator, operand, holds) of a value that came after ``before``."""
    for op, (good, bad) in sample.operands.items():
        if op == "is_empty":
            yield op, bad, False
        elif op == "is_not_empty":
            yield op, good, True
        else:
            yield op, good, True
            if op != "changed":
                yield op, bad, False
