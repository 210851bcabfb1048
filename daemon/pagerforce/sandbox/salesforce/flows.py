"""Changes of an org's flows to a value before it is saved: one function for each kind.

They act on insert and on update alike, on the values of the write. Facts:
docs/vendors/salesforce.md#values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from pagerforce.sandbox.salesforce.dml import Draft
from pagerforce.sandbox.salesforce.schema import TEXT_TYPES, Field, FieldType, Value
from pagerforce.sandbox.salesforce.transaction import Transaction

Argument = str | bool | int | float | list[object] | None
MOMENTS = ("insert", "update", "both")


@dataclass(frozen=True, slots=True)
class Flow:
    """One change of a flow to a field.

    Attributes:
        kind: of :data:`KINDS`.
        field: its API name; ``*`` for every text field, of ``trim`` and ``crlf`` only.
        value: the text that ``prefix`` puts before, the digits of ``round`` (else the field's
            scale), the new value of ``set`` and ``default`` (of a lookup: the Id, or the Name of
            its row), or the values of ``raise``, the highest first.
        on: ``insert``, ``update`` or ``both``.

    Raises:
        ValueError: the values do not fit together.
    """

    kind: str
    object: str
    field: str
    value: Argument = None
    on: str = "both"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        if self.on not in MOMENTS:
            raise ValueError(f"on must be one of {', '.join(MOMENTS)}")
        wanted = _ARGUMENTS.get(self.kind)
        if wanted is not None and not isinstance(self.value, wanted):
            raise ValueError(f"the value of {self.kind} has the wrong type")
        if self.field == "*" and self.kind not in _FOR_ALL:
            raise ValueError("only trim and crlf act on every text field")

    def run(self, draft: Draft, tx: Transaction) -> None:
        """Changes the draft."""
        is_insert = draft.before is None
        if self.on != "both" and (self.on == "insert") != is_insert:
            return
        for field in self._fields(draft):
            is_set = field.name in draft.written and draft.is_changed(field.name)
            if not is_set and not (self.kind in _UNASKED and is_insert):
                continue
            value = KINDS[self.kind](_Step(self, field, draft, tx), draft.values.get(field.name))
            is_long = isinstance(value, str) and field.type in TEXT_TYPES and field.length
            draft.values[field.name] = str(value)[: field.length] if is_long else value

    def _fields(self, draft: Draft) -> list[Field]:
        if self.field == "*":
            fields = draft.item.fields.values()
            return [f for f in fields if f.type in TEXT_TYPES and f.name in draft.written]
        found = draft.item.find(self.field)
        return [] if found is None else [found]


@dataclass(frozen=True, slots=True)
class _Step:
    """A flow on one field of one draft."""

    flow: Flow
    field: Field
    draft: Draft
    tx: Transaction

    def target(self, named: object) -> Value:
        """A flow's value in the field's form: a lookup may be given by its row's Name."""
        if self.field.type is not FieldType.REFERENCE or not isinstance(named, str):
            return named if isinstance(named, str | bool | int | float) else None
        for object_name in self.field.reference_to:
            for row in self.tx.scan(object_name):
                names = (row.id, row.values.get("Name"), row.values.get("Username"))
                if named in names and not row.is_deleted:
                    return row.id
        return None

    @property
    def listed(self) -> list[Value]:
        """The flow's values, each in the field's form."""
        values = self.flow.value
        return [self.target(item) for item in values] if isinstance(values, list) else []


def _prefix(step: _Step, value: Value) -> Value:
    prefix = str(step.flow.value)
    is_plain = isinstance(value, str) and not value.startswith(prefix)
    return f"{prefix}{value}" if is_plain else value


def _raise(step: _Step, value: Value) -> Value:
    ranks = step.listed
    return ranks[max(0, ranks.index(value) - 1)] if value in ranks else value


def _set(step: _Step, value: Value) -> Value:
    target = step.target(step.flow.value)
    return value if target is None else target


def _default(step: _Step, value: Value) -> Value:
    is_given = step.field.name in step.draft.written and value is not None
    return value if is_given else _set(step, value)


def _upper(_step: _Step, value: Value) -> Value:
    return value.upper() if isinstance(value, str) else value


def _trim(_step: _Step, value: Value) -> Value:
    """A no-break space at an end stays; a blank text becomes null."""
    return value.strip(" \t\r\n\f\v") or None if isinstance(value, str) else value


def _crlf(_step: _Step, value: Value) -> Value:
    is_text = isinstance(value, str)
    return str(value).replace("\r\n", "\n").replace("\n", "\r\n") if is_text else value


def _round(step: _Step, value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    given = step.flow.value
    digits = given if isinstance(given, int) else step.field.scale or 0
    return float(Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _day(_step: _Step, value: Value) -> Value:
    """A moment becomes the start of its day in UTC."""
    if not isinstance(value, datetime):
        return value
    return value.replace(hour=0, minute=0, second=0, microsecond=0)


def _order(step: _Step, value: Value) -> Value:
    """The chosen values in the org's order, without duplicates."""
    if not isinstance(value, str):
        return value
    ranks = {name: place for place, name in enumerate(step.field.picklist)}
    chosen = dict.fromkeys(value.split(";"))
    return ";".join(sorted(chosen, key=lambda name: ranks.get(name, len(ranks))))


KINDS: Mapping[str, Callable[[_Step, Value], Value]] = {
    "prefix": _prefix,
    "raise": _raise,
    "set": _set,
    "default": _default,
    "upper": _upper,
    "trim": _trim,
    "crlf": _crlf,
    "round": _round,
    "day": _day,
    "order": _order,
}
_ARGUMENTS: Mapping[str, type | tuple[type, ...]] = {
    "prefix": str,
    "raise": list,
    "set": (str, bool, int, float),
    "default": (str, bool, int, float),
    "round": (int, type(None)),
}
_FOR_ALL = frozenset({"trim", "crlf"})
_UNASKED = frozenset({"set", "default", "raise"})
"""Kinds that act on a new row even if the write omits the field."""
