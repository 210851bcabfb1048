"""The nodes of a parsed rule. Data only: parsing and evaluation are elsewhere."""

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from pagerforce.model.action import ActionCall
from pagerforce.model.ids import Side
from pagerforce.rules.operators import Operand, Operator


class Mode(StrEnum):
    """How the members of a group are combined."""

    ALL = "all"
    ANY = "any"


class Condition(Struct, frozen=True):
    """One comparison.

    Attributes:
        field: as written, e.g. ``record.BMCServiceDesk__FKCategory__r.Name``.
        value: the value to compare with; a tuple for ``in`` and ``not_in``, None if the operator
            takes none. Dates and times are text in their normal form.
        place: key path inside the rule, e.g. ``conditions[1].any[0]``.
    """

    field: str
    op: Operator
    value: Operand = None
    place: str = ""


class Group(Struct, frozen=True):
    """Combined conditions and groups. An empty group holds (``no conditions = always``)."""

    mode: Mode = Mode.ALL
    items: tuple["Node", ...] = ()


Node: TypeAlias = Condition | Group


class Rule(Struct, frozen=True):
    """One rule, checked.

    Attributes:
        max_age: an event older than this when it is evaluated is recorded, not acted upon.
        place: file and key path of the rule, for messages about it.
    """

    ruleset: str
    name: str
    object: str
    run_on: Side
    when: Mode
    enabled: bool
    stop: bool
    max_age: timedelta | None
    condition: Group
    actions: tuple[ActionCall, ...]
    place: str = ""


def conditions_of(group: Group) -> tuple[Condition, ...]:
    """All conditions of a group and of the groups in it, in the order of the file."""
    found: list[Condition] = []
    for item in group.items:
        if isinstance(item, Condition):
            found.append(item)
        else:
            found.extend(conditions_of(item))
    return tuple(found)
