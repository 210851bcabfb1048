"""With which fields the rows of an object that are known were read, and which were lost since."""

import json
from collections.abc import Collection

from pagerforce.store import cursors
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import attempt


async def find_read_with(tx: Transaction, object_name: str) -> frozenset[str]:
    """The fields that every known row was read with; none where nobody has noted them yet."""
    return await _find(tx, f"read_with:{object_name}")


async def put_read_with(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Notes that every row was read with these fields."""
    await _put(tx, f"read_with:{object_name}", fields)


async def find_lost(tx: Transaction, object_name: str) -> frozenset[str]:
    """Fields that could not be read for a while, and have not been read of every row since."""
    return await _find(tx, f"lost_fields:{object_name}")


async def put_lost(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Notes which fields could not be read for a while."""
    await _put(tx, f"lost_fields:{object_name}", fields)


async def _find(tx: Transaction, name: str) -> frozenset[str]:
    text = await cursors.find_fact(tx, name)
    found = attempt(tx, "fact", name, lambda: [*json.loads(text)]) if text else None
    return frozenset(item for item in found or () if isinstance(item, str))


async def _put(tx: Transaction, name: str, fields: Collection[str]) -> None:
    await cursors.put_fact(tx, name, json.dumps(sorted(fields)))
