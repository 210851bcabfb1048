"""Single facts: one value each under a name. Every name is listed here.

What they say is read by the modules that use them; a fact that can't be read is noted as unreadable.
"""

import json
from collections.abc import Collection
from datetime import datetime

from pagerforce.model.ids import RecordId, Side, find_record_id
from pagerforce.model.value import parse_stamp
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import attempt

# Written before the daemon's own connection is open.
BACKED_UP_AT = "backed_up_at"
"""In a backup: when it was made, by this host's clock."""
RESTORED_AT = "restored_at"
"""In a restored database: when."""
RESTORE_TURN = "restore:turn"
"""How far the work after a restore has come."""

RESTORE_CURSOR = "restore:cursor"
"""Where PagerDuty's cursor was in the backup."""
RESTORE_SINCE = "restore:since"
"""When the backup was made, in PagerDuty's clock."""
ACCEPTED = "accepted:salesforce"
"""Digest of the rules and objects that the org accepted."""
COMPARED_AT = "compared_at:salesforce"
"""When all records were last compared, by this host's clock."""
CUSTOM_FIELDS_LEARNT = "custom_fields:pagerduty"
"""Whether the incidents' custom fields have been read."""
READ_AGAIN_FROM = "read_again_from:pagerduty:"
"""Prefix of an action's id: from when on the log is read again for it."""

_ORG = "salesforce_org"


def start_at(feed: str) -> str:
    """Since when a feed is read."""
    return f"start_at:{feed}"


def baseline(object_name: str) -> str:
    """How far an object's first read has come: the last Id, or ``done``."""
    return f"baseline:{object_name}"


def restore_until(side: Side) -> str:
    """After a restore: when a side was first read again, in its own clock."""
    return f"restore:until:{side}"


def _read_with(object_name: str) -> str:
    return f"read_with:{object_name}"


def _lost_fields(object_name: str) -> str:
    return f"lost_fields:{object_name}"


async def find_fact(tx: Transaction, name: str) -> str | None:
    """A single stored fact."""
    row = await tx.row("SELECT value FROM fact WHERE name = ?", (name,))
    return None if row is None else str(row[0])


async def put_fact(tx: Transaction, name: str, value: str) -> None:
    """Stores or replaces a single fact."""
    await tx.run(
        "INSERT INTO fact (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


async def find_instant(tx: Transaction, name: str) -> datetime | None:
    """A single stored fact that is an instant; None also where it can't be read."""
    text = await find_fact(tx, name)
    return None if text is None else attempt(tx, "fact", name, lambda: parse_stamp(text))


async def find_read_with(tx: Transaction, object_name: str) -> frozenset[str]:
    """The fields that every known row was read with; empty until they are stored."""
    return await _find_names(tx, _read_with(object_name))


async def put_read_with(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Stores that every row was read with these fields."""
    await _put_names(tx, _read_with(object_name), fields)


async def find_lost(tx: Transaction, object_name: str) -> frozenset[str]:
    """Fields that could not be read for a while, and have not been read of every row since."""
    return await _find_names(tx, _lost_fields(object_name))


async def put_lost(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Stores which fields could not be read for a while."""
    await _put_names(tx, _lost_fields(object_name), fields)


async def find_org(tx: Transaction) -> RecordId | None:
    """Id (18 characters) of the Salesforce org of this state: Ids mean nothing in any other org.

    None in a new state, and in a state of a version that did not store it.
    """
    return find_record_id(await find_fact(tx, _ORG) or "")


async def put_org(tx: Transaction, org_id: RecordId) -> None:
    """Stores the org unless one is stored."""
    if await find_org(tx) is None:
        await put_fact(tx, _ORG, org_id)


async def _find_names(tx: Transaction, name: str) -> frozenset[str]:
    text = await find_fact(tx, name)
    found = attempt(tx, "fact", name, lambda: [*json.loads(text)]) if text else None
    return frozenset(item for item in found or () if isinstance(item, str))


async def _put_names(tx: Transaction, name: str, fields: Collection[str]) -> None:
    await put_fact(tx, name, json.dumps(sorted(fields)))
