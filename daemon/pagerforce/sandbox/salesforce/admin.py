"""Changes by an administrator or the platform to an org while others work in it.

Facts: ``salesforce.instance-moves``, ``salesforce.roll-up-moves-the-parent``.
"""

from collections.abc import Mapping

from pagerforce.sandbox.salesforce.coerce import coerce
from pagerforce.sandbox.salesforce.dml import check_columns
from pagerforce.sandbox.salesforce.errors import unknown_column
from pagerforce.sandbox.salesforce.ids import canonical_id
from pagerforce.sandbox.salesforce.moves import Move
from pagerforce.sandbox.salesforce.seeds import INTEGRATION_USER
from pagerforce.sandbox.salesforce.world import SalesforceWorld


def delete_field(world: SalesforceWorld, object_name: str, name: str) -> None:
    """Deletes a field: describe, queries and writes no longer know it. Its values stay.

    Raises:
        ApiError: no such object or field exists.
    """
    item = world.object(object_name)
    target = item.find(name)
    if target is None:
        raise unknown_column(name, item.name)
    world.automation.deleted_fields.add((item.name, target.name))
    world.schema_changed_at = world.now()


def restore_field(world: SalesforceWorld, object_name: str, name: str) -> None:
    """Restores a deleted field, with its values."""
    gone = world.automation.deleted_fields
    wanted = (object_name.lower(), name.lower())
    gone -= {place for place in gone if (place[0].lower(), place[1].lower()) == wanted}
    world.schema_changed_at = world.now()


def deactivate(world: SalesforceWorld, who: str) -> None:
    """Makes a user (username or Id) inactive: they keep what they own, but can get nothing new.

    Raises:
        LookupError: no such user exists.
    """
    user_id = world.user_id(who)
    with world.transaction(world.user_id(INTEGRATION_USER)) as tx:
        tx.touch(user_id, {"IsActive": False}, as_edit=True)


def move_instance(world: SalesforceWorld, url: str, *, old: str = "redirect") -> None:
    """Moves the org: logins now return this URL; ``old`` is the answer of every other address.

    Raises:
        ValueError: no such answer exists, or the URL has no host.
    """
    world.moved = Move(url, old)
    world.instance_url = url


def roll_up(
    world: SalesforceWorld, object_name: str, row_id: str, fields: Mapping[str, object]
) -> None:
    """Lets automation change a row: only its SystemModstamp moves, no edit or child stamp.

    Raises:
        ApiError: no such row or field exists, or a value does not fit.
    """
    item = world.object(object_name)
    check_columns(world.view, item, fields)
    targets = [(item.fields[name.lower()], value) for name, value in fields.items()]
    values = {target.name: coerce(target, value) for target, value in targets}
    with world.transaction(world.user_id(INTEGRATION_USER)) as tx:
        row = world.dml.live(tx, canonical_id(row_id) or "")
        tx.touch(row.id, values, as_edit=False)
