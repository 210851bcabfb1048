"""New records of an object without an external id are created one at a time.

**Theory.** After a lost answer a record without an external id is recognised among the rows that no other
action created (``salesforce/actions/search.py``). With one lost answer the only row of our user from that
time is the record, whatever flows and people made of its texts. With two, texts alone can distinguish the
rows, and a row whose texts were replaced leaves both in doubt. Therefore at most one answer may be lost at
a time: while one record of an object is being created or searched for, no other one of that object is
sent. A search goes before new records. The wait for an action whose outcome is unknown is bounded
(``_LONGEST_HOLD``): a paused one must not keep all others.

Which rows other actions created is read when an action is claimed. For this reason, too, a search runs
alone: a record created between that reading and the query could be mistaken for the lost one.

Comments need none of this: those of one record are in one lane.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.model.action import Specs, TargetKind
from pagerforce.model.durations import LONGEST_WAIT
from pagerforce.model.outbox import Action
from pagerforce.store import outbox
from pagerforce.store.database import Row, Transaction
from pagerforce.store.unreadable import each

_LONGEST_HOLD = timedelta(minutes=10)
"""An action that was due for longer is not attempted for a reason of its own, such as a pause."""


class Creation(Struct, frozen=True):
    """A record to be made. ``is_sought``: an earlier attempt may have made it."""

    id: str
    object: str
    is_sought: bool


def held_apart(
    ready: Sequence[Creation], under_way: Iterable[Creation], unsettled: Iterable[Creation] = ()
) -> frozenset[str]:
    """Ids of those that must wait. Pure.

    Args:
        ready: what may go for all else, the most urgent first.
        under_way: what is being attempted.
        unsettled: what was attempted, with an unknown outcome, and is not due yet.
    """
    busy = {x.object for x in under_way}
    waiting = {x.object for x in unsettled}
    first: dict[str, Creation] = {}
    for creation in sorted(ready, key=lambda x: not x.is_sought):  # stable: the most urgent first
        first.setdefault(creation.object, creation)
    return frozenset(
        x.id
        for x in ready
        if x.object in busy or x != first[x.object] or (x.object in waiting and not x.is_sought)
    )


async def find_apart(
    tx: Transaction,
    heads: Sequence[Action],
    under_way: Collection[str],
    keyed: Collection[str],
    specs: Specs,
    now: datetime,
) -> frozenset[str]:
    """The ids among ``heads`` that wait for other new records.

    Args:
        tx: to read in.
        heads: what may go for all else, the most urgent first.
        under_way: ids of the actions that are being attempted.
        keyed: objects that have an external id, in lower case: their records are never searched for
            among others.
        specs: all actions.
        now: in this host's clock.
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
    busy = await outbox.calls_of(tx, kinds, under_way)
    unsettled = await outbox.unsettled_calls(
        tx, kinds, due_after=now - _LONGEST_HOLD, due_before=now + LONGEST_WAIT
    )
    return held_apart(
        ready,
        _without_key(each(tx, "action", busy, _to_creation), keyed),
        _without_key(each(tx, "action", unsettled, _to_creation), keyed),
    )


def _to_creation(row: Row) -> Creation:
    return Creation(row[0], _object_of(row[1], json.loads(row[2] or "{}")), bool(row[3]))


def _object_of(name: str | None, args: object) -> str:
    own = args.get("object") if isinstance(args, dict) else None
    return str(own or name).lower()


def _without_key(creations: Iterable[Creation], keyed: Collection[str]) -> list[Creation]:
    return [x for x in creations if x.object not in keyed]
