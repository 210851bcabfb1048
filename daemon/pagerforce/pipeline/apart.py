"""New records that must wait for each other, because one of them is looked for.

**Theory.** After a lost answer a record without an external id is recognised among the rows that no other
action of ours made (``salesforce/actions/search.py``). Which rows those are is read when the action is
claimed. A record that another action makes between that reading and the query would be nobody's there,
and could be taken for the lost one: two incidents would share a record, and one of them lose its own. So
what is looked for is looked for alone: no other record of its object without a key is made meanwhile, and
it does not begin while one is being made. It goes before the others, or they would keep it waiting.

Comments need none of this: those of one record are in one lane.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pagerforce.model.action import Specs, TargetKind
from pagerforce.model.outbox import Action
from pagerforce.store.database import Row, Transaction
from pagerforce.store.unreadable import each


@dataclass(frozen=True, slots=True)
class Creation:
    """A record to be made. ``is_sought``: an earlier attempt may have made it."""

    id: str
    object: str
    is_sought: bool


def held_apart(ready: Sequence[Creation], under_way: Iterable[Creation]) -> frozenset[str]:
    """Ids of those that do not go yet. Pure.

    Args:
        ready: what may go for all else, the most urgent first.
        under_way: what is being attempted.
    """
    busy: dict[str, set[bool]] = {}
    for creation in under_way:
        busy.setdefault(creation.object, set()).add(creation.is_sought)
    sought = {x.object: x.id for x in reversed(ready) if x.is_sought}
    return frozenset(
        x.id
        for x in ready
        if True in busy.get(x.object, ())
        or (x.object in sought and (x.id != sought[x.object] or x.object in busy))
    )


async def find_apart(
    tx: Transaction,
    heads: Sequence[Action],
    under_way: Collection[str],
    keyed: Collection[str],
    specs: Specs,
) -> frozenset[str]:
    """The ids among ``heads`` that wait for other new records.

    ``under_way``: ids of the actions that are being attempted. ``keyed``: objects that have an external
    id, in lower case: their records are never looked for among others.
    """
    kinds = [do for do, spec in specs.items() if spec.target is TargetKind.NEW_RECORD]
    made = [
        Creation(head.id, _object_of(head.object, head.args), head.is_uncertain)
        for head in heads
        if head.do in kinds
    ]
    ready = _without_key(made, keyed)
    if not ready:
        return frozenset()
    rows = await tx.rows(
        "SELECT id, object, args, is_uncertain FROM action "
        "WHERE do IN (SELECT value FROM json_each(?)) AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(kinds), json.dumps([*under_way])),
    )
    busy = each(tx, "action", rows, _to_creation)
    return held_apart(ready, _without_key(busy, keyed))


def _to_creation(row: Row) -> Creation:
    return Creation(row[0], _object_of(row[1], json.loads(row[2] or "{}")), bool(row[3]))


def _object_of(name: str | None, args: object) -> str:
    own = args.get("object") if isinstance(args, dict) else None
    return str(own or name).lower()


def _without_key(creations: Iterable[Creation], keyed: Collection[str]) -> list[Creation]:
    return [x for x in creations if x.object not in keyed]
