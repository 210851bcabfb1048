"""The knobs of an org's automation, for manual use; see :mod:`.control`."""

from collections.abc import Callable, Mapping

from pagerforce.sandbox.salesforce import admin
from pagerforce.sandbox.salesforce.automation import Automation, BadField, DuplicateRule, RollUp
from pagerforce.sandbox.salesforce.flows import Flow
from pagerforce.sandbox.salesforce.knob_values import made, mapping, number, pair, text, triple
from pagerforce.sandbox.salesforce.moves import Move
from pagerforce.sandbox.salesforce.rich_text import RichText
from pagerforce.sandbox.salesforce.troubles import Trouble
from pagerforce.sandbox.salesforce.world import SalesforceWorld

Turn = Callable[[SalesforceWorld, object], None]


def _flow(world: SalesforceWorld, value: object) -> None:
    flow = made(Flow, value)
    world.object(flow.object)
    world.automation.flows.append(flow)


def _rich_text(world: SalesforceWorld, value: object) -> None:
    given = dict(mapping(value))
    place = _place(world, given.pop("object", None), given.pop("field", None))
    world.automation.rich_texts[place] = made(RichText, given)


def _byte_limit(world: SalesforceWorld, value: object) -> None:
    object_name, field, limit = triple(value)
    place = _place(world, object_name, field)
    world.automation.byte_limits[place] = int(number(limit))


def _duplicate_rule(world: SalesforceWorld, value: object) -> None:
    rule = made(DuplicateRule, value)
    for field in rule.fields:
        _place(world, rule.object, field)
    world.automation.duplicates.append(rule)


def _bad_field(world: SalesforceWorld, value: object) -> None:
    bad = made(BadField, value)
    _place(world, bad.object, bad.field)
    world.automation.bad_fields.append(bad)


def _count_children(world: SalesforceWorld, value: object) -> None:
    roll_up = made(RollUp, value)
    _place(world, roll_up.child, roll_up.lookup)
    world.automation.roll_ups.append(roll_up)


def _approval(world: SalesforceWorld, value: object) -> None:
    world.automation.approvals.add(text(value))


def _end_approval(world: SalesforceWorld, value: object) -> None:
    world.automation.approvals.discard(text(value))


def _refuse(world: SalesforceWorld, value: object) -> None:
    trouble = made(Trouble, value)
    if trouble.object:
        world.object(trouble.object)
    world.troubles.add(trouble)


def _deactivate(world: SalesforceWorld, value: object) -> None:
    admin.deactivate(world, text(value))


def _delete_field(world: SalesforceWorld, value: object) -> None:
    admin.delete_field(world, *pair(value))


def _restore_field(world: SalesforceWorld, value: object) -> None:
    admin.restore_field(world, *pair(value))


def _move_instance(world: SalesforceWorld, value: object) -> None:
    move = made(Move, value)
    admin.move_instance(world, move.url, old=move.old)


def _roll_up(world: SalesforceWorld, value: object) -> None:
    object_name, row_id, fields = triple(value)
    admin.roll_up(world, object_name, row_id, mapping(fields))


def _merge(world: SalesforceWorld, value: object) -> None:
    object_name, winner, loser = triple(value)
    world.merge(object_name, winner, text(loser))


def _undelete(world: SalesforceWorld, value: object) -> None:
    world.undelete(*pair(value))


def _clear(world: SalesforceWorld, value: object) -> None:
    """Changes it in place, because the write path refers to the same automation."""
    del value
    world.troubles.clear()
    world.moved = None
    if world.automation.deleted_fields:
        world.schema_changed_at = world.now()
    clear(world.automation)


def clear(automation: Automation) -> None:
    """Turns all of it off."""
    for part in (
        automation.flows,
        automation.rich_texts,
        automation.byte_limits,
        automation.duplicates,
        automation.bad_fields,
        automation.roll_ups,
        automation.approvals,
        automation.deleted_fields,
    ):
        part.clear()


def _place(world: SalesforceWorld, object_name: object, field: object) -> tuple[str, str]:
    item = world.object(text(object_name))
    target = item.find(text(field))
    if target is None:
        raise ValueError(f"{item.name} has no field {field}")
    return item.name, target.name


KNOBS: Mapping[str, tuple[str, Turn]] = {
    "flow": (
        (
            "{kind, object, field, value, on}: a flow rewrites what a write sets; kind prefix, raise, set,"
            " default, upper, trim, crlf, round, day or order; on insert, update or both"
        ),
        _flow,
    ),
    "rich_text": ("{object, field, breaks, wraps}: the field is rich text", _rich_text),
    "byte_limit": ("[object, field, bytes]: a limit of encoded UTF-8 bytes", _byte_limit),
    "duplicate_rule": ("{object, fields, blocks, name}: alerts, or blocks", _duplicate_rule),
    "bad_field": (
        "{object, field, code, message, is_named}: every new value is refused",
        _bad_field,
    ),
    "count_children": ("{child, lookup, field}: a roll-up on the parent", _count_children),
    "approval": ("Id: the record is locked by an approval", _approval),
    "end_approval": ("Id: the record is unlocked", _end_approval),
    "refuse": (
        (
            "{name, operation, object, count}: an operation gets this refusal; operation create,"
            " update, delete, write, query, describe or any; count null until cleared"
        ),
        _refuse,
    ),
    "deactivate": ("username or Id: the user is inactive from now on", _deactivate),
    "delete_field": ("[object, field]: an administrator deletes it", _delete_field),
    "restore_field": ("[object, field]: the field is restored", _restore_field),
    "move_instance": (
        "{url, old}: logins name the URL; others redirect, drop, are gone or not_reset",
        _move_instance,
    ),
    "roll_up": ("[object, Id, {field: value}]: automation changes a record", _roll_up),
    "merge": ("[object, master Id, loser Id]: a person merges two records", _merge),
    "undelete": ("[object, Id]: a person takes it out of the Recycle Bin", _undelete),
    "clear_automation": ("any value: turns off what these knobs turned on", _clear),
}
