"""Chooses which of many rules can match an event, without trying them all.

By event type first; then by conditions that every match must meet: ``equals`` or ``in`` on a field
of the record or the incident, one after the other while many rules are left. The index never decides
a match: it leaves a rule out only if such a condition is certainly false.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.model.ids import Side
from pagerforce.rules.compare import keys_of
from pagerforce.rules.fields import FieldRef, Root, parse_field
from pagerforce.rules.operands import FieldKind
from pagerforce.rules.operators import Operator
from pagerforce.rules.scene import Look, Scene, looker_at
from pagerforce.rules.syntax import Condition, Group, Mode, Rule, conditions_of

_FIELD_CHANGES = frozenset({"field_value_change", "custom_field_value_change"})
"""Types of custom field entries, which have separate names: they change what rules can see."""
DEFAULT_TYPES = {
    Side.PAGERDUTY: frozenset(PAGERDUTY_TYPES) - {"annotate", "custom", "status_update"}
    | _FIELD_CHANGES,
    Side.SALESFORCE: frozenset({"create", "update", "undelete"}),
}
"""The types of "incident create or update" and "record create or update" in rules.md."""
_COMMENT_TYPE = {Side.PAGERDUTY: "annotate", Side.SALESFORCE: "comment"}
_TYPES = {Side.PAGERDUTY: PAGERDUTY_TYPES, Side.SALESFORCE: SALESFORCE_TYPES}
_OTHER = ""
"""The bucket of event types that no rule and no table names."""
_FEW = 10
"""Up to this number, trying all rules is as fast as splitting them further."""
_MAX_DEPTH = 3
_MAX_FAN = 16
"""Below the first field, a list with more values than this is not indexed: a rule would have as
many index entries as its lists have combinations."""


def types_seen(rule: Rule) -> frozenset[str] | None:
    """The event types that reach a rule; None: all of them.

    A rule that uses ``event.type`` decides for itself. Any other rule sees creations and updates.
    It also sees comments if it uses ``comment.*`` or ``event.note``, and status updates if it uses
    ``event.message`` or ``event.subject``.
    """
    names = {condition.field for condition in conditions_of(rule.condition)}
    if "event.type" in names:
        return None
    types = DEFAULT_TYPES[rule.run_on]
    if any(name == "event.note" or name.startswith("comment.") for name in names):
        types |= {_COMMENT_TYPE[rule.run_on]}
    if names & {"event.message", "event.subject"} and rule.run_on is Side.PAGERDUTY:
        types |= {"status_update"}
    return types


def types_possible(rule: Rule) -> frozenset[str] | None:
    """The event types that a rule can match; None: any."""
    seen = types_seen(rule)
    for condition in _required(rule.condition):
        is_choice = condition.op in (Operator.EQUALS, Operator.IN)
        if condition.field == "event.type" and is_choice:
            types = frozenset(str(value).lower() for value in _values(condition))
            seen = types if seen is None else seen & types
    return seen


class _Key(Struct, frozen=True):
    """A condition that can index a rule, with the keys of its values."""

    name: str
    keys: frozenset[object]


class _Entry(Struct, frozen=True):
    """A rule in the index: its position, the types it can match, its index conditions."""

    place: int
    types: frozenset[str] | None
    keys: tuple[_Key, ...]


class _Slot(Struct, frozen=True):
    """The rules that are indexed by one field, by the keys of its value."""

    look: Callable[[Scene], Look]
    rules: Mapping[object, "_Bucket"]


class _Bucket(Struct, frozen=True):
    """Some rules. ``rest``: rules without an index condition, or too few to be worth indexing."""

    slots: tuple[_Slot, ...]
    rest: tuple[int, ...]

    def collect(self, scene: Scene, found: set[int]) -> None:
        """Adds the positions of the rules that can match."""
        found.update(self.rest)
        for slot in self.slots:
            value, _ = slot.look(scene)
            for key in keys_of(value):
                below = slot.rules.get(key)
                if below is not None:
                    below.collect(scene, found)


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
        made: dict[tuple[int, ...], _Bucket] = {}  # most types are matched by the same rules
        self._buckets: dict[str, _Bucket] = {}
        for name in sorted(known):
            met = [one for one in entries if one.types is None or name in one.types]
            places = tuple(one.place for one in met)
            if places not in made:
                made[places] = _bucket_of(met)
            self._buckets[name] = made[places]

    def candidates(self, scene: Scene) -> list[int]:
        """Positions of the rules worth trying, in file order."""
        bucket = self._buckets.get(scene.event.type.lower(), self._buckets[_OTHER])
        found: set[int] = set()
        bucket.collect(scene, found)
        return sorted(found)


def _bucket_of(entries: Sequence[_Entry], depth: int = 0) -> _Bucket:
    if depth == _MAX_DEPTH or (depth and len(entries) <= _FEW):
        return _Bucket((), tuple(entry.place for entry in entries))
    # A field with many distinct values makes short lists: count them for each field.
    values: dict[str, set[object]] = {}
    for entry in entries:
        for one in entry.keys:
            values.setdefault(one.name, set()).update(one.keys)
    hung: dict[str, dict[object, list[_Entry]]] = {}
    rest: list[int] = []
    for entry in entries:
        if not entry.keys:
            rest.append(entry.place)
            continue
        best = max(entry.keys, key=lambda one: len(values[one.name]))
        others = tuple(one for one in entry.keys if one is not best and len(one.keys) <= _MAX_FAN)
        for key in best.keys:
            found = hung.setdefault(best.name, {}).setdefault(key, [])
            found.append(_Entry(entry.place, entry.types, others))
    slots = [_slot_of(name, by_key, depth) for name, by_key in hung.items()]
    return _Bucket(tuple(slots), tuple(rest))


def _slot_of(name: str, by_key: Mapping[object, Sequence[_Entry]], depth: int) -> _Slot:
    # Rules that share a value, such as "all", are split by their next condition.
    below = {key: _bucket_of(entries, depth + 1) for key, entries in by_key.items()}
    return _Slot(looker_at(name, parse_field(name)), below)


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
