"""Chooses which of many rules can match an event, without trying them all.

By event type first; then by one condition that every match must meet: ``equals`` or ``in`` on a
field of the record or the incident. The index never decides a match: it leaves rules out only where
that one condition is certainly false.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.model.ids import Side
from pagerforce.rules.compare import keys_of
from pagerforce.rules.fields import FieldRef, Root, parse_field
from pagerforce.rules.operators import FieldKind
from pagerforce.rules.scene import Scene, reader_of
from pagerforce.rules.syntax import Condition, Group, Mode, Operator, Rule, conditions_of

DEFAULT_TYPES = {
    Side.PAGERDUTY: frozenset(PAGERDUTY_TYPES) - {"annotate", "custom"},
    Side.SALESFORCE: frozenset({"create", "update", "undelete"}),
}
"""What "incident create or update" and "record create or update" stand for (docs/reference/rules.md)."""
_COMMENT_TYPE = {Side.PAGERDUTY: "annotate", Side.SALESFORCE: "comment"}
_TYPES = {Side.PAGERDUTY: PAGERDUTY_TYPES, Side.SALESFORCE: SALESFORCE_TYPES}
_OTHER = ""
"""The bucket of event types that no rule and no table names."""


def types_seen(rule: Rule) -> frozenset[str] | None:
    """The event types that reach a rule; None: all of them.

    A rule that speaks of ``event.type`` decides for itself; another one sees creations and updates,
    and comments too where it speaks of ``comment.*`` or ``event.note``.
    """
    names = {condition.field for condition in conditions_of(rule.condition)}
    if "event.type" in names:
        return None
    types = DEFAULT_TYPES[rule.run_on]
    if any(name == "event.note" or name.startswith("comment.") for name in names):
        return types | {_COMMENT_TYPE[rule.run_on]}
    return types


def types_possible(rule: Rule) -> frozenset[str] | None:
    """The event types with which a rule can match; None: any."""
    seen = types_seen(rule)
    for condition in _required(rule.condition):
        is_choice = condition.op in (Operator.EQUALS, Operator.IN)
        if condition.field == "event.type" and is_choice:
            types = frozenset(str(value).lower() for value in _values(condition))
            seen = types if seen is None else seen & types
    return seen


@dataclass(frozen=True, slots=True)
class _Key:
    """A condition that an index can hang a rule on, and the keys it would stand under."""

    name: str
    keys: frozenset[object]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A rule as the index knows it: its position, the types it can match, what to hang it on."""

    place: int
    types: frozenset[str] | None
    keys: tuple[_Key, ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    """The rules of one event type that hang on one field."""

    read: Callable[[Scene], object]
    rules: dict[object, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The rules of one event type; ``rest`` have nothing to hang on and are always tried."""

    slots: tuple[_Slot, ...]
    rest: tuple[int, ...]


class RuleIndex:
    """Positions of the rules that can match, for the rules of one side and one object."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        entries = [
            _Entry(place, types_possible(rule), _keys_of_rule(rule))
            for place, rule in enumerate(rules)
            if rule.enabled
        ]
        sides = {rule.run_on for rule in rules}
        known = {_OTHER, *(name for side in sides for name in _TYPES[side])}
        known.update(name for entry in entries for name in entry.types or ())
        self._buckets = {
            name: _bucket_of([one for one in entries if one.types is None or name in one.types])
            for name in known
        }

    def candidates(self, scene: Scene) -> list[int]:
        """Positions of the rules worth trying, in file order."""
        bucket = self._buckets.get(scene.event.type.lower(), self._buckets[_OTHER])
        found = set(bucket.rest)
        for slot in bucket.slots:
            for key in keys_of(slot.read(scene)):
                found.update(slot.rules.get(key, ()))
        return sorted(found)


def _bucket_of(entries: Sequence[_Entry]) -> _Bucket:
    # A field that tells many rules apart makes short lists: count the distinct values of each.
    values: dict[str, set[object]] = {}
    for entry in entries:
        for one in entry.keys:
            values.setdefault(one.name, set()).update(one.keys)
    slots: dict[str, _Slot] = {}
    rest: list[int] = []
    for entry in entries:
        if not entry.keys:
            rest.append(entry.place)
            continue
        best = max(entry.keys, key=lambda one: len(values[one.name]))
        slot = slots.setdefault(best.name, _Slot(reader_of(parse_field(best.name))))
        for key in best.keys:
            slot.rules.setdefault(key, []).append(entry.place)
    return _Bucket(tuple(slots.values()), tuple(rest))


def _keys_of_rule(rule: Rule) -> tuple[_Key, ...]:
    return tuple(
        _Key(
            condition.field,
            frozenset(key for value in _values(condition) for key in keys_of(value)),
        )
        for condition in _required(rule.condition)
        if condition.op in (Operator.EQUALS, Operator.IN)
        and _is_plain(parse_field(condition.field))
    )


def _is_plain(ref: FieldRef) -> bool:
    """Whether the field holds one value, so that an equal value has an equal key."""
    is_list = ref.kind is FieldKind.PEOPLE or (
        ref.root is Root.INCIDENT and ref.kind is FieldKind.ANY
    )
    return ref.root in (Root.RECORD, Root.INCIDENT) and not is_list


def _required(group: Group) -> Iterable[Condition]:
    """The conditions that hold whenever the group holds."""
    if group.mode is Mode.ANY and len(group.items) != 1:
        return
    for item in group.items:
        if isinstance(item, Condition):
            yield item
        else:
            yield from _required(item)


def _values(condition: Condition) -> tuple[object, ...]:
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)
