"""Reads the linked pairs from both sides and finds changes that no poll has read."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from pagerforce.config.load import Loaded
from pagerforce.diff.fold import Held, changed_fields, find_unlogged
from pagerforce.diff.record import compare
from pagerforce.model.durations import OVERLAP
from pagerforce.model.ids import IncidentId, RecordId
from pagerforce.model.incident import Incident
from pagerforce.model.link import Link
from pagerforce.model.record import Record
from pagerforce.model.value import Json
from pagerforce.pipeline.drift import WantedState
from pagerforce.service.control.desk import Desk
from pagerforce.service.sides import PagerDutySide, SalesforceSide
from pagerforce.store import cursors, snapshots

_CHUNK = 200


class Findings(Struct):
    """The compared pairs and their differences.

    Attributes:
        incidents / records: as they are now. held / known: their snapshots when they were compared.
        recheck / moved: records and incidents with a change that no poll has read.
        skipped: pairs with waiting actions or unread changes.
    """

    links: list[Link]
    incidents: dict[IncidentId, Incident] = msgspec.field(default_factory=dict)
    records: dict[RecordId, Record] = msgspec.field(default_factory=dict)
    held: dict[IncidentId, Incident] = msgspec.field(default_factory=dict)
    known: dict[RecordId, Record] = msgspec.field(default_factory=dict)
    unseen: list[dict[str, Json]] = msgspec.field(default_factory=list)
    recheck: list[Record] = msgspec.field(default_factory=list)
    moved: list[Incident] = msgspec.field(default_factory=list)
    wishes: list[tuple[WantedState, dict[str, Json]]] = msgspec.field(default_factory=list)
    skipped: int = 0
    skew: timedelta = timedelta(0)
    server_now: datetime | None = None


async def read_incidents(
    desk: Desk, side: PagerDutySide, loaded: Loaded, found: Findings, *, everything: bool
) -> None:
    """Reads the linked incidents; for long resolved ones the snapshot, unless ``everything``."""
    poller = side.poller(loaded)
    now = found.server_now = await poller.fetch_server_time()
    fresh = {item.id: item for item in await poller.fetch_open_incidents()}
    ids = {link.incident_id for link in found.links}
    async with desk.read() as tx:
        held = await snapshots.read_incidents(tx, ids)
    found.held = {key: item for key, (item, _) in held.items()}
    asked = [key for key in ids if key not in fresh and (everything or _is_held_open(held, key))]
    for number, key in enumerate(asked):
        if number % 25 == 0:
            words = f"incidents: {number} of {len(asked)} read one by one"
            await desk.tell(words, number / len(asked))
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
        drifted = find_unlogged(Held(before, entry_at), item, server_now=now, grace=OVERLAP)
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


async def read_records(desk: Desk, side: SalesforceSide, loaded: Loaded, found: Findings) -> None:
    """Reads the linked records; a difference older than the feed's cursor is unseen."""
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
            words = f"{name}: {start} of {len(ids)} records compared"
            await desk.tell(words, start / len(ids))
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


def _compare(row: Record, quiet: frozenset[str], found: Findings) -> None:
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
