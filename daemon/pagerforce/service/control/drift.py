"""``drift``: compares linked pairs with both sides, and repairs what rules say should not be.

Two kinds of difference. *Unseen*: a side is not as the last poll left it, although the poll is past
that. *Rule*: both sides are as known, but a rule would have the side that changed earlier follow the
other (``pipeline/drift.py`` says how that is judged). With ``--apply`` the first become ordinary
events, and the second ordinary actions in the outbox, which look again before they write.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pagerforce.config.load import Loaded
from pagerforce.diff.fold import Held, changed_fields, find_drift
from pagerforce.diff.record import compare
from pagerforce.errors import RefusedError
from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.model.incident import Incident, IncidentStatus
from pagerforce.model.link import Link, LinkState
from pagerforce.model.record import Record
from pagerforce.model.value import Json
from pagerforce.pipeline.commit import commit_drift, store_ruled
from pagerforce.pipeline.drift import Pair, Wish, only, wishes_of
from pagerforce.pipeline.entries import RECONCILE_GRACE
from pagerforce.pipeline.ruling import Judge
from pagerforce.salesforce.actions.desk import lookup_of
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.values import is_same_value, to_payload
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.rulebook import RulesInForce, pipeline_settings
from pagerforce.service.wiring import CATALOG, PagerDutySide, SalesforceSide
from pagerforce.store import cursors, links, outbox, snapshots
from pagerforce.store.database import Database

_CHUNK = 200


class DriftRequest(Request):
    """``apply``: repair. ``all``: also ask for linked incidents that are long resolved."""

    apply: bool = False
    all: bool = False


def word_of(request: DriftRequest) -> str:
    """Its word in the role table."""
    return "drift --apply" if request.apply else "drift"


@dataclass(slots=True)
class _Findings:
    """What was compared and what differs."""

    links: list[Link]
    incidents: dict[IncidentId, Incident] = field(default_factory=dict)
    records: dict[RecordId, Record] = field(default_factory=dict)
    known: dict[RecordId, Record] = field(default_factory=dict)
    unseen: list[dict[str, Json]] = field(default_factory=list)
    recheck: list[Record] = field(default_factory=list)
    moved: list[Incident] = field(default_factory=list)
    wishes: list[tuple[Wish, dict[str, Json]]] = field(default_factory=list)
    skipped: int = 0
    skew: timedelta = timedelta(0)
    server_now: datetime | None = None


async def drift(desk: Desk, request: DriftRequest) -> Json:
    """The differences, and with ``apply`` what is done about them.

    ``{compared: {links, incidents, records}, waiting, differences: [...], applied}``; a difference is
    ``{kind: "unseen" | "gone" | "rule", side, incident, object, record, field, is, should, rule}``.

    Raises:
        RemoteError: a side could not be asked.
    """
    loaded = await desk.loaded()
    judge = _judge(desk, loaded)
    async with desk.read() as tx:
        pairs = [x for x in await links.read_links(tx) if x.state is not LinkState.INACTIVE]
    found = _Findings(pairs)
    async with desk.sides() as (pagerduty, salesforce):
        await _read_incidents(desk, pagerduty, loaded, found, everything=request.all)
        await _read_records(desk, salesforce, loaded, found)
        found.skew = salesforce.client.session.now() - (found.server_now or desk.home.clock.now())
        await _ask_rules(desk, salesforce, judge, found)
    if request.apply:
        await _repair(desk, judge, found)
    return {
        "compared": {
            "links": len(found.links),
            "incidents": len(found.incidents),
            "records": len(found.records),
        },
        "waiting": found.skipped,
        "differences": [*found.unseen, *(shown for _, shown in found.wishes)],
        "applied": request.apply,
    }


def _judge(desk: Desk, loaded: Loaded) -> Judge:
    if desk.home.running is not None:
        return desk.home.running.parts.rules.judge
    specs = {spec.do: spec for spec in CATALOG}
    return RulesInForce.of(loaded, pipeline_settings(loaded.config, specs, is_shadow=False)).judge


async def _read_incidents(
    desk: Desk, side: PagerDutySide, loaded: Loaded, found: _Findings, *, everything: bool
) -> None:
    """The linked incidents as they are; of long resolved ones the snapshot, unless all are wanted."""
    poller = side.poller(loaded)
    now = found.server_now = await poller.fetch_server_time()
    fresh = {item.id: item for item in await poller.fetch_open_incidents()}
    ids = {link.incident_id for link in found.links}
    async with desk.read() as tx:
        held = await snapshots.read_incidents(tx, ids)
    asked = [key for key in ids if key not in fresh and (everything or _is_held_open(held, key))]
    for number, key in enumerate(asked):
        if number % 25 == 0:
            await desk.tell(f"incidents: {number} of {len(asked)} asked for one by one")
        item = await poller.find_incident(key)
        if item is None:
            found.unseen.append(_gone("pagerduty", incident=key))
        else:
            fresh[key] = item
    for key in ids:
        before, entry_at = held.get(key, (None, None))
        item = fresh.get(key) or before
        if item is None:
            continue
        found.incidents[key] = item
        if before is None or key not in fresh:
            continue
        drifted = find_drift(Held(before, entry_at), item, server_now=now, grace=RECONCILE_GRACE)
        if drifted is not None:
            found.moved.append(item)
            found.unseen += _shown_incident(before, drifted[1])


def _is_held_open(
    held: Mapping[IncidentId, tuple[Incident, datetime | None]], key: IncidentId
) -> bool:
    return key not in held or held[key][0].is_open


def _shown_incident(before: Incident, after: Incident) -> Iterable[dict[str, Json]]:
    for name in sorted(changed_fields(before, after)):
        top = name.split(".", maxsplit=1)[0]
        yield {
            "kind": "unseen",
            "side": "pagerduty",
            "incident": after.id,
            "object": None,
            "record": None,
            "field": name,
            "is": _text(getattr(after, top, None)),
            "should": _text(getattr(before, top, None)),
            "rule": None,
        }


def _text(value: object) -> Json:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


async def _read_records(desk: Desk, side: SalesforceSide, loaded: Loaded, found: _Findings) -> None:
    """The linked records as they are; unseen is what is older than the feed's cursor."""
    poller = side.poller(loaded)
    async with desk.read() as tx:
        positions = await cursors.read_cursors(tx)
        found.known = await snapshots.read_records(tx, {x.record_id for x in found.links})
    for name in dict.fromkeys(link.object for link in found.links):
        ids = list(dict.fromkeys(x.record_id for x in found.links if x.object == name))
        if name not in poller.feeds:
            continue
        quiet = await poller.time_driven_fields(name)
        for start in range(0, len(ids), _CHUNK):
            await desk.tell(f"{name}: {start} of {len(ids)} records compared")
            batch = await poller.fetch_records(name, ids[start : start + _CHUNK])
            rows = {row.id: row for row in batch.records}
            for record_id in ids[start : start + _CHUNK]:
                row = rows.get(record_id)
                if row is None:
                    found.unseen.append(_gone("salesforce", object_name=name, record=record_id))
                    continue
                found.records[row.id] = row
                position = positions.get(name)
                if position is not None and row.stamp <= position.stamp:
                    _compare(row, quiet, found)


def _compare(row: Record, quiet: frozenset[str], found: _Findings) -> None:
    before = found.known.get(row.id)
    change = compare(before, row, start_at=row.stamp, quiet=quiet)
    if change is None or before is None:
        return
    found.recheck.append(row)
    names = sorted(change.changed) or ["(deleted)"]
    found.unseen += [
        {
            "kind": "unseen",
            "side": "salesforce",
            "incident": None,
            "object": row.object,
            "record": row.id,
            "field": name,
            "is": row.fields.get(name),
            "should": before.fields.get(name),
            "rule": None,
        }
        for name in names
    ]


def _gone(
    side: str,
    *,
    incident: str | None = None,
    object_name: str | None = None,
    record: str | None = None,
) -> dict[str, Json]:
    return {
        "kind": "gone",
        "side": side,
        "incident": incident,
        "object": object_name,
        "record": record,
        "field": None,
        "is": None,
        "should": None,
        "rule": None,
    }


async def _ask_rules(desk: Desk, side: SalesforceSide, judge: Judge, found: _Findings) -> None:
    """What rules want of the pairs on which nothing is unseen and nothing waits."""
    busy = {item.id for item in found.moved} | {str(item.id) for item in found.recheck}
    ids = [key for link in found.links for key in (link.incident_id, link.record_id)]
    async with desk.read() as tx:
        waiting = await outbox.waiting_members(tx, ids)
    resolver = LookupResolver(side.client, side.schema, desk.home.clock)
    now = found.server_now or desk.home.clock.now()
    for link in found.links:
        incident, row = found.incidents.get(link.incident_id), found.records.get(link.record_id)
        if incident is None or row is None:
            continue
        if {link.incident_id, link.record_id} & (waiting | busy):
            found.skipped += 1
            continue
        before = found.known.get(row.id)
        record = replace(row, changed_at=before.changed_at if before else {})
        for wish in wishes_of(Pair(link, incident, record, found.skew), judge, now):
            shown = await _difference(side, resolver, wish)
            if shown is not None:
                found.wishes.append((wish, shown))


async def _difference(
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


async def _repair(desk: Desk, judge: Judge, found: _Findings) -> None:
    """Unseen changes become events; what rules want goes into the outbox."""
    now = desk.home.clock.now()
    if found.moved:
        await commit_drift(
            _writing(desk),
            found.moved,
            judge,
            server_now=found.server_now or now,
            now=now,
            skew=found.skew,
        )
    counts = {"unseen": len(found.unseen), "rule": len(found.wishes)}
    async with desk.change(counts) as tx:
        # Read again by the next poll, which knows what writes of ours are under way.
        await snapshots.add_rechecks(tx, found.recheck)
        for ruled, wishes in _by_event(found.wishes):
            await store_ruled(tx, [only(ruled.ruled, [x.action for x in wishes])], now)
    desk.wake()


def _by_event(
    wishes: Sequence[tuple[Wish, dict[str, Json]]],
) -> Iterable[tuple[Wish, list[Wish]]]:
    grouped: dict[str, list[Wish]] = {}
    for wish, _ in wishes:
        grouped.setdefault(wish.ruled.event.id, []).append(wish)
    return ((group[0], group) for group in grouped.values())


def _writing(desk: Desk) -> Database:
    if desk.home.writing is None:
        raise AssertionError("a change without a database to write to")
    return desk.home.writing
