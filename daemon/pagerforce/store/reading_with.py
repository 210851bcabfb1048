"""With which fields the rows of an object that are known were read."""

import json
from collections.abc import Collection

from pagerforce.store import cursors
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import attempt


async def find_read_with(tx: Transaction, object_name: str) -> frozenset[str]:
    """The fields that every known row was read with; none where nobody has noted them yet."""
    name = f"read_with:{object_name}"
    text = await cursors.find_fact(tx, name)
    found = attempt(tx, "fact", name, lambda: [*json.loads(text)]) if text else None
    return frozenset(item for item in found or () if isinstance(item, str))


async def put_read_with(tx: Transaction, object_name: str, fields: Collection[str]) -> None:
    """Notes that every row was read with these fields."""
    await cursors.put_fact(tx, f"read_with:{object_name}", json.dumps(sorted(fields)))
