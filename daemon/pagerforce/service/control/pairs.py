"""An incident and a record to be linked: reads both, and stores them without causing events."""

from datetime import datetime, timedelta

from msgspec import Struct

from pagerforce.config.load import Loaded
from pagerforce.errors import NotFoundError, PagerforceError, RefusedError
from pagerforce.model.ids import IncidentId, RecordId, Side, parse_record_id
from pagerforce.model.incident import Incident
from pagerforce.model.record import Record
from pagerforce.service.control.desk import Desk
from pagerforce.service.sides import PagerDutySide, SalesforceSide
from pagerforce.store import facts, links, snapshots
from pagerforce.store.database import Transaction
from pagerforce.store.links import LinkTime

# The trigger entry of an incident younger than this may not have been read yet.
_GRACE = timedelta(minutes=2)


class Both(Struct, frozen=True):
    """Both sides as they are now, and the time on both clocks."""

    incident: Incident
    record: Record
    now: datetime
    skew: timedelta


async def look_up(desk: Desk, incident: str, record: str) -> Both:
    """Reads both: an incident by id or number, a record by its 15- or 18-character Id.

    Raises:
        NotFoundError: one of them does not exist, or its object is not configured.
        RemoteError: a request to a side failed.
    """
    loaded = await desk.loaded()
    async with desk.sides() as (pagerduty, salesforce):
        found = await _incident(pagerduty, loaded, incident)
        row = await _record(salesforce, loaded, record)
        here = desk.home.clock.now()
        now = pagerduty.client.server_time or here
        return Both(found, row, now, salesforce.client.session.now() - now)


async def _incident(side: PagerDutySide, loaded: Loaded, wanted: str) -> Incident:
    found = await side.poller(loaded).find_incident(IncidentId(wanted.strip()))
    if found is None:
        raise NotFoundError(f"PagerDuty shows no incident {wanted} to pagerforce's key")
    return found


async def _record(side: SalesforceSide, loaded: Loaded, wanted: str) -> Record:
    try:
        record_id = parse_record_id(wanted.strip())
    except ValueError as error:
        raise PagerforceError(str(error)) from error
    names = await _objects_of(side, loaded, record_id)
    poller = side.poller(loaded)
    for name in names:
        try:
            batch = await poller.fetch_records(name, [record_id])
        except RefusedError:
            if len(names) == 1:
                raise
            continue  # an Id of another object; without a prefix only a request shows that
        for row in batch.records:
            if not row.is_deleted:
                return row
    listed = ", ".join(item.name for item in loaded.config.objects) or "none"
    raise NotFoundError(
        f"Salesforce shows no record {wanted} of a configured object to the integration user "
        f"(configured: {listed})"
    )


async def _objects_of(side: SalesforceSide, loaded: Loaded, record_id: RecordId) -> tuple[str, ...]:
    """Returns the configured objects that an Id may belong to, by its first three characters."""
    found = []
    for item in loaded.config.objects:
        prefix = (await side.schema.describe(item.name)).key_prefix
        if not prefix or record_id.startswith(prefix):
            found.append(item.name)
    return tuple(found)


async def store_pair(tx: Transaction, both: Both) -> None:
    """Stores the link, and snapshots of unknown sides so that they cause no false event.

    An unknown record or incident that is younger than the daemon's first start is left to the
    polls: a snapshot here would suppress the event of its creation.
    """
    incident, record = both.incident, both.record
    if await snapshots.find_incident(tx, incident.id) is None and _is_settled(both):
        await snapshots.put_incidents(tx, [(incident, None)])
    if await snapshots.find_record(tx, record.id) is None:
        start_at = await facts.find_instant(tx, facts.start_at(record.object))
        if start_at is None or record.stamp < start_at:
            await snapshots.put_records(tx, [record])
        else:
            await snapshots.add_rechecks(tx, [record])
    at = LinkTime.seen(Side.PAGERDUTY, both.now, both.skew)
    await links.put_link(tx, incident.id, record.object, record.id, at)


def _is_settled(both: Both) -> bool:
    created_at = both.incident.created_at
    return created_at is None or both.now - created_at >= _GRACE
