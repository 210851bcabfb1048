"""Reads the conditions of a rule: fields, operators and values, checked as far as possible here."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from pagerforce.model.ids import Side
from pagerforce.model.value import Scalar, format_instant
from pagerforce.rules.fields import FieldRef, Root, UnknownFieldError, choices_of, parse_field
from pagerforce.rules.operands import check_choice, check_operand, check_operator
from pagerforce.rules.operators import Kind, Operand, Operator, Takes, compile_pattern
from pagerforce.rules.report import Report, suggest, word_for
from pagerforce.rules.syntax import Condition, Group, Mode, Node

CONDITION_KEYS = ("field", "op", "value", "all", "any")
MAX_DEPTH = 10
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
_ENTRY_SUFFIX = "_log_entry"


def parse_group(
    place: str, items: Sequence[object], mode: Mode, run_on: Side, report: Report
) -> Group:
    """Reads a rule's ``conditions``; problems go into the report.

    Args:
        place: of the rule.
        items: the list as written in the file.
        mode: the rule's ``when``.
        run_on: the side whose events the rule sees.
        report: takes the problems.
    """
    reader = _Reader(place, run_on, report)
    return Group(mode, reader.read(items, "conditions", depth=1))


def to_scalar(value: object) -> Scalar:
    """A TOML value as it is kept: dates and times become text in their normal form.

    Raises:
        TypeError: it is a list or a table, or a number that is not finite.
    """
    if isinstance(value, datetime):
        return format_instant(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError("must be a finite number")
    if isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"must be text, a number, a boolean or a date, not {word_for(value)}")


class _Reader:
    """Reads one rule's conditions, groups within groups."""

    def __init__(self, place: str, run_on: Side, report: Report) -> None:
        self._place = place
        self._run_on = run_on
        self._report = report
        self._count = 0

    def read(self, items: Sequence[object], path: str, *, depth: int) -> tuple[Node, ...]:
        nodes = [self._node(item, f"{path}[{index}]", depth) for index, item in enumerate(items)]
        return tuple(node for node in nodes if node is not None)

    def _add(self, path: str, what: str) -> None:
        self._report.add(f"{self._place}.{path}", what)

    def _node(self, item: object, path: str, depth: int) -> Node | None:
        if not isinstance(item, Mapping):
            self._add(path, f"must be a table {{ field, op, value }}, not {word_for(item)}")
            return None
        self._report.check_keys(f"{self._place}.{path}", item, CONDITION_KEYS)
        modes = [mode for mode in Mode if mode in item]
        if not modes:
            return self._condition(item, path)
        if len(modes) == 2 or len(set(item) & set(CONDITION_KEYS)) > 1:
            self._add(path, "a group takes exactly one list: either any = [...] or all = [...]")
            return None
        return self._group(item, path, modes[0], depth)

    def _group(self, item: Mapping[str, object], path: str, mode: Mode, depth: int) -> Group | None:
        members = self._report.take_list(f"{self._place}.{path}", item, mode)
        if depth >= MAX_DEPTH:
            self._add(path, f"groups are nested more than {MAX_DEPTH} deep")
            return None
        if not members and isinstance(item[mode], list):
            self._add(f"{path}.{mode}", "a group needs at least one condition")
            return None
        return Group(mode, self.read(members, f"{path}.{mode}", depth=depth + 1))

    def _condition(self, item: Mapping[str, object], path: str) -> Condition | None:
        place = f"{self._place}.{path}"
        self._count += 1
        if self._count > MAX_CONDITIONS:
            if self._count == MAX_CONDITIONS + 1:
                self._add(
                    path, f"a rule has at most {MAX_CONDITIONS} conditions; use in, or split it"
                )
            return None
        name = self._report.take_text(place, item, "field")
        word = self._report.take_text(place, item, "op")
        ref = None if name is None else self._field(name, path)
        op = None if word is None else self._operator(word, path)
        if name is None or ref is None or op is None:
            return None
        value, has_value = self._value(item, op, path)
        problem = check_operator(op, ref.kind) or self._misuse(ref, op)
        if problem is not None:
            self._add(f"{path}.op", problem)
        elif has_value:
            self._check_value(ref, op, value, path)
        return Condition(name, op, value, path)

    def _field(self, name: str, path: str) -> FieldRef | None:
        try:
            ref = parse_field(name)
        except UnknownFieldError as error:
            self._add(f"{path}.field", str(error))
            return None
        own = Root.RECORD if self._run_on is Side.SALESFORCE else Root.INCIDENT
        if ref.is_old and ref.root is not own:
            self._add(
                f"{path}.field",
                f"{name} is never known in a rule with run_on = {self._run_on.value!r}: "
                f"its events change the {own}, so only old.{own}.* exists",
            )
            return None
        return ref

    def _operator(self, word: str, path: str) -> Operator | None:
        try:
            return Operator(word)
        except ValueError:
            self._add(f"{path}.op", f'unknown operator "{word}"{suggest(word, tuple(Operator))}')
            return None

    def _value(self, item: Mapping[str, object], op: Operator, path: str) -> tuple[Operand, bool]:
        """The value in its normal form, and whether it has the shape that the operator takes."""
        given = item.get("value")
        place = f"{path}.value"
        if op.takes is Takes.NOTHING:
            if "value" in item:
                hint = "; use changed_to or changed_from" if op is Operator.CHANGED else ""
                self._add(place, f"{op} takes no value{hint}")
            return None, False
        if given is None:
            self._add(place, f"is required by {op}")
            return None, False
        if op.takes is Takes.LIST:
            return self._list(given, op, place)
        if isinstance(given, list):
            use = {Operator.EQUALS: "in", Operator.NOT_EQUALS: "not_in"}.get(op)
            remedy = (
                f"use {use}" if use else "write a group { any = [...] } with one for each value"
            )
            self._add(place, f"{op} takes one value, not a list; {remedy}")
            return None, False
        if isinstance(given, Mapping) and "lookup" in given:
            self._add(
                place, "a condition has no lookup; compare the parent's field, e.g. X__r.Name"
            )
            return None, False
        return self._scalar(given, place)

    def _list(self, given: object, op: Operator, place: str) -> tuple[Operand, bool]:
        if not isinstance(given, list) or not given:
            self._add(place, f'{op} takes a list with at least one value, e.g. ["a", "b"]')
            return None, False
        if len(given) > MAX_VALUES:
            self._add(place, f"{op} takes at most {MAX_VALUES} values")
            return None, False
        read = [self._scalar(one, f"{place}[{index}]") for index, one in enumerate(given)]
        return tuple(one for one, _ in read), all(is_good for _, is_good in read)

    def _scalar(self, given: object, place: str) -> tuple[Scalar, bool]:
        try:
            return to_scalar(given), True
        except TypeError as error:
            self._add(place, str(error))
            return None, False

    def _misuse(self, ref: FieldRef, op: Operator) -> str | None:
        if op.kind is not Kind.CHANGE:
            return None
        if ref.is_old or ref.root not in (Root.RECORD, Root.INCIDENT):
            return f"{op} works on record.* and incident.* only, without old."
        own = Root.RECORD if self._run_on is Side.SALESFORCE else Root.INCIDENT
        if ref.root is not own:
            return (
                f"{op} on {ref.root}.* can never hold in a rule with run_on = "
                f"{self._run_on.value!r}: its events change the {own}"
            )
        return None

    def _check_value(self, ref: FieldRef, op: Operator, value: Operand, path: str) -> None:
        problem = check_operand(op, value, ref.kind)
        if problem is None and op is Operator.MATCHES:
            problem = self._check_room(str(value))
        choices = choices_of(ref, self._run_on)
        if problem is None and choices:
            problem = check_choice(op, value, choices)
        if problem is None and ref.root is Root.EVENT and ref.path == "type":
            problem = _check_event_type(value)
        if problem is not None:
            self._add(f"{path}.value", problem)

    def _check_room(self, pattern: str) -> str | None:
        if self._report.takes_pattern(pattern, compile_pattern(pattern).programsize):
            return None
        return "all patterns together are too large; use smaller numbers in {n}, or * or +"


def _check_event_type(value: Operand) -> str | None:
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, str) and item.endswith(_ENTRY_SUFFIX):
            return f'write the event type without its suffix: "{item.removesuffix(_ENTRY_SUFFIX)}"'
    return None
