"""Conditions compiled to functions. They never raise, whatever the data is.

A check returns True, False, or None if the value cannot be compared in that way. None counts as
False, and the trace shows the reason.
"""

from collections.abc import Callable

from pagerforce.model.incident import Person
from pagerforce.model.value import is_empty, is_equal
from pagerforce.rules.compare import equality_to
from pagerforce.rules.fields import FieldRef, Root, parse_field
from pagerforce.rules.operands import FieldKind
from pagerforce.rules.operators import Check, Kind, Operand, Operator, compile_pattern
from pagerforce.rules.scene import (
    ConditionTrace,
    Scene,
    incident_reader,
    looker_at,
    read_record,
    to_shown,
)
from pagerforce.rules.syntax import Condition, Group, Mode
from pagerforce.rules.views import find_field

_Pair = tuple[object, object]
TOO_MUCH = "a text is too long for a pattern of this size and was not searched"
_new = tuple.__new__
"""Creates a named tuple in half the time of its own constructor."""


Compiled = Callable[[Scene, list[ConditionTrace]], bool]
Tracer = Callable[[Scene], ConditionTrace]


class Compiler:
    """Compiles the conditions of many rules. Equal ones are one function, run once per event."""

    def __init__(self) -> None:
        self._compiled: dict[object, Compiled] = {}

    def compile_group(self, group: Group) -> Compiled:
        """Returns a function that evaluates a group and appends one trace per condition.

        All conditions are tried, so that a trace is complete.
        """
        items = tuple(
            self._compile(item) if isinstance(item, Condition) else self.compile_group(item)
            for item in group.items
        )
        if not items:
            return lambda _scene, _traces: True
        # One member decides: a true one of "any", a false one of "all".
        decider = group.mode is Mode.ANY

        def judge(scene: Scene, traces: list[ConditionTrace]) -> bool:
            outcome = not decider
            for item in items:
                if item(scene, traces) is decider:
                    outcome = decider
            return outcome

        return judge

    def _compile(self, condition: Condition) -> Compiled:
        # By repr: true, 1 and 1.0 are one key to Python.
        key = (condition.field, condition.op, repr(condition.value), condition.place)
        if key not in self._compiled:
            self._compiled[key] = _judged_once(len(self._compiled), _tracer_of(condition))
        return self._compiled[key]


def _judged_once(number: int, trace_of: Tracer) -> Compiled:
    def judge(scene: Scene, traces: list[ConditionTrace]) -> bool:
        trace = scene.judged.get(number)
        if trace is None:
            trace = trace_of(scene)
            # Another rule may have enough work left.
            if trace.remark is not TOO_MUCH:
                scene.judged[number] = trace
        traces.append(trace)
        return trace.result

    return judge


def _tracer_of(condition: Condition) -> Tracer:
    ref = parse_field(condition.field)
    if condition.op.kind is Kind.CHANGE:
        return _change_tracer(condition, ref)
    look = looker_at(condition.field, ref)
    check = _check_of(condition, ref)
    field, op, place = condition.field, condition.op.value, condition.place
    expected = to_shown(condition.value)
    size = compile_pattern(str(condition.value)).programsize if op == Operator.MATCHES else 0

    def trace_of(scene: Scene) -> ConditionTrace:
        actual, shown = scene.seen.get(field) or look(scene)
        if size and isinstance(actual, str) and not scene.patterns.affords(actual, size):
            parts = (field, op, expected, shown, False, place, TOO_MUCH)
            return _new(ConditionTrace, parts)
        outcome = check(actual)
        remark = "" if outcome is not None else _remark(actual, op)
        return _new(ConditionTrace, (field, op, expected, shown, outcome is True, place, remark))

    return trace_of


def _remark(actual: object, op: str) -> str:
    if is_empty(actual):
        return f"an empty value cannot be compared by {op}"
    return f"this value ({type(actual).__name__}) cannot be compared with the expected one by {op}"


def _change_tracer(condition: Condition, ref: FieldRef) -> Tracer:
    pair_of = _pair_reader(ref)
    is_change = _change_check(condition, ref)
    field, op, place = condition.field, condition.op.value, condition.place
    expected = to_shown(condition.value)

    def trace_of(scene: Scene) -> ConditionTrace:
        pair = pair_of(scene)
        result = pair is not None and is_change(*pair)
        actual = None if pair is None else {"from": to_shown(pair[0]), "to": to_shown(pair[1])}
        remark = "" if pair is not None else "no earlier value is known"
        return _new(ConditionTrace, (field, op, expected, actual, result, place, remark))

    return trace_of


def _pair_reader(ref: FieldRef) -> Callable[[Scene], _Pair | None]:
    """A function that reads the old and the new value; None if the event has no old one."""
    if ref.root is Root.INCIDENT:
        read = incident_reader(ref.path)

        def pair_of_incident(scene: Scene) -> _Pair | None:
            if scene.old_incident is None or scene.incident is None:
                return None
            return read(scene.old_incident), read(scene.incident)

        return pair_of_incident
    path = ref.path

    def pair_of_record(scene: Scene) -> _Pair | None:
        if scene.event.type == "create":
            return None
        name = path if path in scene.old_record else find_field(scene.old_record, path)
        if name is None:
            return None
        old, new = scene.old_record[name], read_record(scene.record, path)
        # The difference was found when the event was created: time-driven formulas never differ.
        return (old, new) if name in scene.event.changed else (new, new)

    return pair_of_record


def _change_check(condition: Condition, ref: FieldRef) -> Callable[[object, object], bool]:
    is_wanted = _check_of(condition, ref)

    def is_change(old: object, new: object) -> bool:
        if ref.kind is FieldKind.PEOPLE:
            has_changed = _identities(old) != _identities(new)
        else:
            has_changed = not _is_unchanged(old, new)
        return has_changed and is_wanted((old, new)) is True

    return is_change


def _is_unchanged(old: object, new: object) -> bool:
    scalars = (str, int, float, bool, type(None))
    if isinstance(old, scalars) and isinstance(new, scalars):
        return is_equal(old, new)
    return old == new


def _identities(people: object) -> frozenset[str]:
    listed = people if isinstance(people, list | tuple) else ()
    return frozenset(
        str(one.id or one.email or one.name) for one in listed if isinstance(one, Person)
    )


def _check_of(condition: Condition, ref: FieldRef) -> Check:
    value = condition.value
    return condition.op.make(value, _equality(value, ref))


def _equality(value: Operand, ref: FieldRef) -> Callable[[object], bool]:
    """A check for the expected value, or one of several; a list: whether it contains one."""
    expected = value if isinstance(value, tuple) else (value,)
    is_it = equality_to(expected, is_id=ref.kind is FieldKind.ID)
    if ref.kind is FieldKind.PEOPLE:
        return lambda actual: _has_person(actual, is_it)
    if ref.root is Root.INCIDENT and ref.kind is FieldKind.ANY:
        return lambda actual: _has_value(actual, is_it)
    return is_it


def _has_person(actual: object, is_it: Callable[[object], bool]) -> bool:
    people = actual if isinstance(actual, list | tuple) else ()
    parts = (part for one in people for part in (one.id, one.name, one.email) if part)
    return any(map(is_it, parts))


def _has_value(actual: object, is_it: Callable[[object], bool]) -> bool:
    return any(map(is_it, actual)) if isinstance(actual, list | tuple) else is_it(actual)
