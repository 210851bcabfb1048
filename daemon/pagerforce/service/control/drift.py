"""``drift``: compares linked pairs with both sides, and repairs what rules do not allow.

There are two kinds of difference. *Unseen*: a side differs from the last poll, although the poll
has passed the time of that change. *Rule*: both sides are as known, but by a rule the side that
changed earlier must follow the other (``pipeline/drift.py`` describes the judgement). With
``--apply`` unseen differences become ordinary events, and rule differences become ordinary actions
in the outbox, which check again before they write.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pagerforce.config.load import Loaded
from pagerforce.model.link import LinkState
from pagerforce.model.value import Json
from pagerforce.pipeline.commit import commit_comparison, store_ruled
from pagerforce.pipeline.drift import Pair, WantedState, only, wanted_states
from pagerforce.pipeline.entries import Comparison
from pagerforce.pipeline.ruling import Judge
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.service.catalog import SPECS
from pagerforce.service.control.comparison import Findings, read_incidents, read_records
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.control.differences import find_difference
from pagerforce.service.rulebook import RulesInForce, pipeline_settings
from pagerforce.service.sides import SalesforceSide
from pagerforce.store import links, outbox, snapshots
from pagerforce.store.database import Database, Transaction


class DriftRequest(Request):
    """``apply``: repair. ``all``: also ask for linked incidents that are long resolved."""

    apply: bool = False
    all: bool = False


def word_of(request: DriftRequest) -> str:
    """Returns its word in the role table."""
    return "drift --apply" if request.apply else "drift"


async def drift(desk: Desk, request: DriftRequest) -> Json:
    """Returns the differences, and with ``apply`` repairs them.

    ``{compared: {links, incidents, records}, waiting, differences: [...], applied}``; a difference
    is ``{kind: "unseen" | "gone" | "rule", side, incident, object, record, field, is, should,
    rule}``.

    Raises:
        RemoteError: a request to a side failed.
    """
    loaded = await desk.loaded()
    judge = _judge(desk, loaded)
    async with desk.read() as tx:
        pairs = [x for x in await links.read_links(tx) if x.state is not LinkState.INACTIVE]
    found = Findings(pairs)
    async with desk.sides() as (pagerduty, salesforce):
        await read_incidents(desk, pagerduty, loaded, found, everything=request.all)
        await read_records(desk, salesforce, loaded, found)
        found.skew = salesforce.client.session.now() - (found.server_now or desk.home.clock.now())
        await _ask_rules(desk, salesforce, judge, found)
    differences = [*found.unseen, *(shown for _, shown in found.wishes)]
    if desk.home.running is not None:
        metrics = desk.home.running.parts.metrics
        metrics.note_drift(len(differences), desk.home.clock.now().timestamp())
    if request.apply:
        await _repair(desk, judge, found)
    return {
        "compared": {
            "links": len(found.links),
            "incidents": len(found.incidents),
            "records": len(found.records),
        },
        "waiting": found.skipped,
        "differences": differences,
        "applied": request.apply,
    }


def _judge(desk: Desk, loaded: Loaded) -> Judge:
    if desk.home.running is not None:
        return desk.home.running.parts.rules.judge
    return RulesInForce.of(loaded, pipeline_settings(loaded.config, SPECS, is_shadow=False)).judge


async def _ask_rules(desk: Desk, side: SalesforceSide, judge: Judge, found: Findings) -> None:
    """Adds what rules require of the pairs without unseen changes and waiting actions."""
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
        for wish in wanted_states(Pair(link, incident, record, found.skew), judge, now):
            shown = await find_difference(side, resolver, wish)
            if shown is not None:
                found.wishes.append((wish, shown))


async def _repair(desk: Desk, judge: Judge, found: Findings) -> None:
    """Turns unseen changes into events, and puts the actions that rules require into the outbox.

    If a daemon runs, its polls create the events: they know later changes, and which of
    pagerforce's writes are running.
    """
    now = desk.home.clock.now()
    if found.moved and desk.home.running is not None:
        desk.home.running.parts.pagerduty_reader.reconcile_soon()
    elif found.moved:
        comparison = Comparison(found.server_now or now, found.skew)
        await commit_comparison(_writing(desk), found.moved, judge, comparison, now)
    counts = {"unseen": len(found.unseen), "rule": len(found.wishes)}
    async with desk.change(counts) as tx:
        await snapshots.add_rechecks(tx, found.recheck)
        found.wishes = [x for x in found.wishes if await _is_as_judged(tx, x[0], found)]
        for ruled, wishes in _by_event(found.wishes):
            wanted = [only(ruled.ruled, [x.action for x in wishes])]
            await store_ruled(tx, wanted, judge.settings.specs, now)
    desk.wake()


async def _is_as_judged(tx: Transaction, wish: WantedState, found: Findings) -> bool:
    """Whether nothing about the pair has changed since it was compared."""
    incident_id, record_id = wish.pair.incident.id, wish.pair.record.id
    return (
        await snapshots.find_incident(tx, incident_id) == found.held.get(incident_id)
        and await snapshots.find_record(tx, record_id) == found.known.get(record_id)
        and not await outbox.waiting_members(tx, [incident_id, record_id])
    )


def _by_event(
    wishes: Sequence[tuple[WantedState, dict[str, Json]]],
) -> Iterable[tuple[WantedState, list[WantedState]]]:
    grouped: dict[str, list[WantedState]] = {}
    for wish, _ in wishes:
        grouped.setdefault(wish.ruled.event.id, []).append(wish)
    return ((group[0], group) for group in grouped.values())


def _writing(desk: Desk) -> Database:
    if desk.home.writing is None:
        raise AssertionError("a change without a database to write to")
    return desk.home.writing
