"""Whether a side of a linked pair is as a rule wants it."""

from collections.abc import Mapping

from pagerforce.errors import RefusedError
from pagerforce.model.incident import IncidentStatus
from pagerforce.model.value import Json
from pagerforce.pipeline.drift import Wish
from pagerforce.salesforce.actions.desk import lookup_of
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.values import is_same_value, to_payload
from pagerforce.service.sides import SalesforceSide


async def find_difference(
    side: SalesforceSide, resolver: LookupResolver, wish: Wish
) -> dict[str, Json] | None:
    """How a side is not as a rule wants it; None where it is, or where that can't be said."""
    incident, args = wish.pair.incident, wish.action.args or {}
    match wish.action.do:
        case "pagerduty.resolve":
            return _shown(wish, "status", incident.status, "resolved") if incident.is_open else None
        case "pagerduty.acknowledge":
            is_open = incident.status is IncidentStatus.TRIGGERED
            return _shown(wish, "status", incident.status, "acknowledged") if is_open else None
        case "pagerduty.set_priority":
            wanted = str(args.get("priority") or "").strip()
            now = incident.priority
            names = {now.id, (now.name or "").casefold()} if now else {""}
            is_so = wanted in names or wanted.casefold() in names
            return None if is_so else _shown(wish, "priority", now.name if now else None, wanted)
    return await _field_difference(side, resolver, wish, args)


async def _field_difference(
    side: SalesforceSide, resolver: LookupResolver, wish: Wish, args: Mapping[str, Json]
) -> dict[str, Json] | None:
    record, name = wish.pair.record, str(args.get("field"))
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
        return None  # delivering it would fail too: that is for a dead letter to say, not for drift
    current = record.fields[name]
    if is_same_value(info, current, wanted):
        return None
    return _shown(wish, name, current, wanted)


def _shown(wish: Wish, name: str, current: Json, wanted: Json) -> dict[str, Json]:
    side = "pagerduty" if wish.action.do.startswith("pagerduty.") else "salesforce"
    return {
        "kind": "rule",
        "side": side,
        "incident": wish.pair.incident.id,
        "object": wish.pair.link.object,
        "record": wish.pair.record.id,
        "field": name,
        "is": current,
        "should": wanted,
        "rule": {"ruleset": wish.action.ruleset, "rule": wish.action.rule},
    }
