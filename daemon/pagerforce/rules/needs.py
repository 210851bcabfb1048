"""Finds the fields that the rules use: which must be read, and what only the org can verify."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from pagerforce.errors import Problem
from pagerforce.model.action import ActionCall
from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.model.ids import Side
from pagerforce.model.value import Json
from pagerforce.rules.fields import CUSTOM_FIELDS, Root, UnknownFieldError, parse_field
from pagerforce.rules.inspection import ROOTS, inspect_template, is_template
from pagerforce.rules.operators import Operand
from pagerforce.rules.syntax import Condition, Rule, conditions_of

_WHOLES = frozenset({"service", "escalation_policy", "priority", "assignees", "custom_fields"})


class FieldUse(Struct, frozen=True):
    """A condition on a record's field, for ``check_field_type`` once describe has answered.

    Attributes:
        where: file and key path of the condition.
        field: path without ``record.``, e.g. ``BMCServiceDesk__FKCategory__r.Name``.
    """

    where: str
    object: str
    field: str
    op: str
    value: Operand


def fields_needed(rules: Iterable[Rule]) -> Mapping[str, frozenset[str]]:
    """Object -> field and parent paths that conditions, templates and actions use."""
    found: dict[str, set[str]] = {}
    for rule in rules:
        fields = found.setdefault(rule.object, set())
        fields.update(use.field for use in field_uses([rule]))
        fields.update(_template_fields(rule))
        for call in rule.actions:
            written = call.spec.field_in(call.args)
            if written is not None:
                fields.add(written)
    return {name: frozenset(fields) for name, fields in found.items()}


class Place(Struct, frozen=True):
    """Where a rule uses a field. ``where``: file and key path; ``rule``: the rule's name."""

    where: str
    rule: str


def places_of(rules: Sequence[Rule]) -> Mapping[tuple[str, str], Place]:
    """(object, field or parent path) -> the first place that uses it, conditions first."""
    found: dict[tuple[str, str], Place] = {}
    for rule in rules:
        for use in field_uses([rule]):
            found.setdefault((rule.object, use.field), Place(f"{use.where}.field", rule.name))
    for rule in rules:
        for where, path in _paths(rule):
            names = path[1:] if path[0] == "old" else path
            if names[0] == Root.RECORD and len(names) > 1:
                key = rule.object, ".".join(names[1:])
                found.setdefault(key, Place(where, rule.name))
        for index, call in enumerate(rule.actions):
            written = call.spec.field_in(call.args)
            if written is not None:
                place = Place(f"{rule.place}.actions[{index}].field", rule.name)
                found.setdefault((rule.object, written), place)
    return found


def rules_needing(
    rules: Iterable[Rule], columns: Mapping[str, Mapping[str, str]]
) -> Mapping[tuple[str, str], str]:
    """(ruleset, rule) -> why it is switched off: its conditions or templates need a missing column.

    A field that a rule only writes switches nothing off: that write is refused separately.

    Args:
        rules: the rules in force.
        columns: object -> field or parent path that can't be read -> why.
    """
    found: dict[tuple[str, str], str] = {}
    for rule in rules:
        lost = columns.get(rule.object)
        if not lost:
            continue
        needed = {use.field for use in field_uses([rule])} | set(_template_fields(rule))
        reasons = [
            f"record.{path} can't be read ({lost[path]})" for path in sorted(needed & lost.keys())
        ]
        if reasons:
            found[rule.ruleset, rule.name] = f"switched off: {'; '.join(reasons)}"
    return found


def incident_needs(rules: Iterable[Rule]) -> frozenset[str]:
    """Parts of incidents that the rules need and that a plain answer of the API does not have.

    So far that is ``custom_fields`` only.
    """
    for rule in rules:
        if any(
            condition.field.removeprefix("old.").startswith(f"incident.{CUSTOM_FIELDS}")
            for condition in conditions_of(rule.condition)
        ):
            return frozenset({"custom_fields"})
        if any("custom_fields" in path for _, path in _paths(rule)):
            return frozenset({"custom_fields"})
    return frozenset()


def field_uses(rules: Iterable[Rule]) -> tuple[FieldUse, ...]:
    """Every condition on a record's field, with its place."""
    return tuple(
        FieldUse(
            f"{rule.place}.{condition.place}",
            rule.object,
            ref.path,
            condition.op.value,
            condition.value,
        )
        for rule in rules
        for condition in conditions_of(rule.condition)
        if (ref := parse_field(condition.field)).root is Root.RECORD
    )


def doubts(rules: Iterable[Rule]) -> tuple[Problem, ...]:
    """Values that are allowed but probably not intended, for ``check`` and ``rules`` to show.

    These are names in templates that can never be defined (such an action becomes a dead letter
    when it is rendered, so they do not stop the start), and PagerDuty event types that look like a
    misspelt known one (any log entry's own name is a type).
    """
    found: list[Problem] = []
    for rule in rules:
        found += [
            Problem(f"{rule.place}.{condition.place}.value", problem)
            for condition in conditions_of(rule.condition)
            if condition.field == "event.type" and (problem := _judge_types(condition)) is not None
        ]
        found += [
            Problem(place, problem)
            for place, path in _paths(rule)
            if (problem := _judge(path, rule.run_on)) is not None
        ]
    return tuple(found)


def _judge_types(condition: Condition) -> str | None:
    if not condition.op.names_value:
        return None
    known = (*PAGERDUTY_TYPES, *SALESFORCE_TYPES)
    for value in condition.value if isinstance(condition.value, tuple) else (condition.value,):
        name = str(value).lower()
        near = get_close_matches(name, known, n=1, cutoff=0.8)
        if near and name not in known:
            return f'"{value}" is not a known event type; did you mean "{near[0]}"?'
    return None


def _template_fields(rule: Rule) -> Iterator[str]:
    for _, path in _paths(rule):
        names = path[1:] if path[0] == "old" else path
        if names[0] == Root.RECORD and len(names) > 1:
            yield ".".join(names[1:])


def _paths(rule: Rule) -> Iterator[tuple[str, tuple[str, ...]]]:
    for index, call in enumerate(rule.actions):
        for place, text in _texts(call):
            for path in sorted(inspect_template(text).paths):
                yield f"{rule.place}.actions[{index}].{place}", path


def _texts(call: ActionCall) -> Iterator[tuple[str, str]]:
    for name, value in call.args.items():
        yield from _texts_in(name, value)


def _texts_in(place: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if is_template(value):
            yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts_in(f"{place}.{name}", item)
    elif value is not None and not isinstance(value, bool | int | float):
        for index, item in enumerate(value):
            yield from _texts_in(f"{place}[{index}]", item)


def _judge(path: tuple[str, ...], run_on: Side) -> str | None:
    root, shown = path[0], ".".join(path)
    if root not in ROOTS:
        near = get_close_matches(root, sorted(ROOTS), n=1, cutoff=0.6)
        guess = f'; did you mean "{near[0]}"?' if near else ";"
        return f"template: {root} is undefined{guess} names begin with {_listed(ROOTS)}"
    if root == "old" and path[1:2] not in ((Root.RECORD,), (Root.INCIDENT,)):
        return f"template: {shown} is undefined; there are old.record and old.incident"
    own = Root.RECORD if run_on is Side.SALESFORCE else Root.INCIDENT
    if root == "old" and path[1] != own:
        return f"template: {shown} is always empty in a rule with run_on = {run_on.value!r}"
    names = path[1:] if root == "old" else path
    if names[0] == Root.RECORD or len(names) == 1 or (names[1] in _WHOLES and len(names) == 2):
        return None
    try:
        parse_field(".".join(names))
    except UnknownFieldError as error:
        return None if shown == "event.actor" else f"template: {error}"
    return None


def _listed(words: Collection[str]) -> str:
    return ", ".join(sorted(words))
