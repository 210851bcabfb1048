"""Compares a side of a linked pair with what a rule requires."""

from collections.abc import Mapping

from pagerforce.errors import RefusedError
from pagerforce.model.action import IncidentState
from pagerforce.model.value import Json
from pagerforce.pipeline.drift import WantedState
from pagerforce.salesforce.actions.tools import lookup_of
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.values import is_same_value, to_payload
from pagerforce.service.sides import SalesforceSide


async def find_difference(
    side: SalesforceSide, resolver: LookupResolver, wish: WantedState
) -> dict[str, Json] | None:
    """Returns how a side differs from what a rule requires; None if it does not or is unknown."""
    args = wish.action.args or {}
    if isinstance(wish.spec.sets, IncidentState):
        gap = wish.spec.sets.gap(wish.pair.incident, args)
        return _shown(wish, gap.name, gap.now, gap.wanted) if gap is not None else None
    return await _field_difference(side, resolver, wish, args)


async def _field_difference(
    side: SalesforceSide, resolver: LookupResolver, wish: WantedState, args: Mapping[str, Json]
) -> dict[str, Json] | None:
    record, name = wish.pair.record, str(wish.spec.field_in(args))
    info = (await side.schema.describe(record.object)).fields.get(name)
    if info is None or name not in record.fields:
        return None
    wanted = args.get("value")
    lookup = lookup_of({"lookup": args["lookup"]} if args.get("lookup") else wanted)
    try:
        if lookup is not None:
            wanted = await resolver.resolve(record.object, name, lookup)
        elif isinstance(wanted, str | int | float | bool) or wanted is None:
            wanted = to_payload(info, wanted)
        else:
            return None
    except RefusedError:
        return None  # delivery would fail too: a dead letter reports that, not drift
    current = record.fields[name]
    if is_same_value(info, current, wanted):
        return None
    return _shown(wish, name, current, wanted)


def _shown(wish: WantedState, name: str, current: Json, wanted: Json) -> dict[str, Json]:
    return {
        "kind": "rule",
        "side": wish.spec.side.value,
        "incident": wish.pair.incident.id,
        "object": wish.pair.link.object,
        "record": wish.pair.record.id,
        "field": name,
        "is": current,
        "should": wanted,
        "rule": {"ruleset": wish.action.ruleset, "rule": wish.action.rule},
    }
