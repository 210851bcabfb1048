"""Every field that rules and comments write, with its place in the configuration. Pure."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from pagerforce.config.load import Loaded
from pagerforce.config.objects import Lookup, ObjectSettings
from pagerforce.model.action import ActionCall, Purpose, TargetKind
from pagerforce.model.value import Json
from pagerforce.rules.syntax import Rule


class Write(Struct, frozen=True):
    """One field that is written.

    Attributes:
        where: file and key path of the field.
        value: the new value; None if a lookup finds it.
        lookup: field of the looked-up object -> its value.
        is_new: on a new row, not on an existing one.
    """

    where: str
    object: str
    field: str
    value: Json = None
    lookup: Mapping[str, Json] | None = None
    is_new: bool = False


class NewRow(Struct, frozen=True):
    """One kind of row that is created: a record by a rule, or a comment.

    Attributes:
        where: file and key path of the action, or the object's comments.
        given: the fields that are always written to it.
    """

    where: str
    object: str
    given: tuple[Write, ...]


def writes_of(rule: Rule) -> Iterator[Write]:
    """Yields every field that a rule writes, in its order."""
    for index, call in enumerate(rule.actions):
        place = f"{rule.place}.actions[{index}]"
        field = call.spec.field_in(call.args)
        if field is not None:
            value, lookup = call.args.get("value"), _table(call.args.get("lookup"))
            yield Write(f"{place}.field", rule.object, field, value, lookup)
        elif creates_record(call):
            yield from _new_row(rule, place, call).given


def creates_record(call: ActionCall) -> bool:
    """Whether the action creates a record."""
    return call.spec.target is TargetKind.NEW_RECORD


def _new_row(rule: Rule, place: str, call: ActionCall) -> NewRow:
    name = str(call.args.get("object") or rule.object)
    fields = (_table(call.args.get("fields")) or {}).items()
    given = (_new(f"{place}.fields.{field}", name, field, value) for field, value in fields)
    return NewRow(place, name, tuple(given))


def new_rows(loaded: Loaded) -> Iterator[NewRow]:
    """Yields every kind of row that is created."""
    for rule in loaded.rules:
        for index, call in enumerate(rule.actions):
            if creates_record(call):
                yield _new_row(rule, f"{rule.place}.actions[{index}]", call)
    for item in loaded.config.objects:
        if item.comments is not None and makes_comments(loaded, item):
            place = f"{item.name}: comments"
            yield NewRow(place, item.comments.object, tuple(comment_writes(item)))


def comment_writes(item: ObjectSettings) -> Iterator[Write]:
    """Yields the fields that are set on every comment that pagerforce creates."""
    if item.comments is None:
        return
    for field, value in item.comments.fields.items():
        given: Json = {"lookup": dict(value.fields)} if isinstance(value, Lookup) else value
        yield _new(f"{item.name}: comments.fields.{field}", item.comments.object, field, given)


def makes_comments(loaded: Loaded, item: ObjectSettings) -> bool:
    """Whether pagerforce ever creates comments of an object."""
    if item.comments is None:
        return False
    is_told = any(
        call.spec.purpose is Purpose.COMMENT and rule.object == item.name
        for rule in loaded.rules
        for call in rule.actions
    )
    return item.comments.from_pagerduty or is_told


def _new(where: str, object_name: str, field: str, value: Json) -> Write:
    table = _table(value)
    if table is not None and set(table) == {"lookup"}:
        lookup = _table(table["lookup"])
        return Write(where, object_name, field, None, lookup, is_new=True)
    return Write(where, object_name, field, value, is_new=True)


def _table(value: Json) -> Mapping[str, Json] | None:
    return value if isinstance(value, Mapping) else None
