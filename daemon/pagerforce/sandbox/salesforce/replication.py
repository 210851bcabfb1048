"""``/sobjects/X/updated`` and ``/sobjects/X/deleted``.

Facts: ``salesforce.low-water-mark``, ``salesforce.replication-by-minutes``.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pagerforce.sandbox.salesforce.coerce import parse_moment
from pagerforce.sandbox.salesforce.errors import ApiError
from pagerforce.sandbox.salesforce.render import render_value
from pagerforce.sandbox.salesforce.rest import Call, Reply, Session
from pagerforce.sandbox.salesforce.schema import SObject

UPDATED_REACH = timedelta(days=30)
DELETED_REACH = timedelta(days=15)
MAX_IDS = 600_000


def updated(session: Session, call: Call) -> Reply:
    """Ids of rows created or changed within a span."""
    item = session.object(call.segments[1])
    start, end = _bounds(session, call, UPDATED_REACH)
    rows = session.lens.source.scan(item.name)
    ids = [row.id for row in rows if not row.is_deleted and start <= row.stamp <= end]
    if len(ids) > MAX_IDS:
        raise ApiError("EXCEEDED_ID_LIMIT", f"too many ids: {len(ids)}")
    return Reply(200, {"ids": ids, "latestDateCovered": _covered(session, end)})


def deleted(session: Session, call: Call) -> Reply:
    """Ids of rows deleted within a span, including purged ones."""
    item = session.object(call.segments[1])
    if _moment(call, "end") - _moment(call, "start") <= timedelta(minutes=1):
        raise _bad_date("startDate must be more than one minute before endDate")
    start, end = _bounds(session, call, DELETED_REACH)
    found = [(row_id, at) for row_id, at in _deletions(session, item) if start <= at <= end]
    records = [{"id": row_id, "deletedDate": render_value(at)} for row_id, at in found]
    return Reply(
        200,
        {
            "deletedRecords": records,
            "earliestDateAvailable": render_value(session.world.now() - DELETED_REACH),
            "latestDateCovered": _covered(session, end),
        },
    )


def _deletions(session: Session, item: SObject) -> Iterator[tuple[str, datetime]]:
    for purge in session.world.purged:
        if purge.object == item.name:
            yield purge.id, purge.deleted_at
    for row in session.lens.source.scan(item.name):
        if row.is_deleted:
            yield row.id, row.stamp


def _bounds(session: Session, call: Call, reach: timedelta) -> tuple[datetime, datetime]:
    start, end = _moment(call, "start"), _moment(call, "end")
    if start < session.world.now() - reach:
        raise _bad_date(f"startDate cannot be more than {reach.days} days ago")
    start, end = _whole_minute(start), _whole_minute(end)
    if not start < end:
        raise _bad_date("startDate must be before endDate")
    return start, end


def _moment(call: Call, name: str) -> datetime:
    text = call.params.get(name, "")
    try:
        return parse_moment(text)
    except ValueError as error:
        raise _bad_date(f"{name} is not a valid date: {text}") from error


def _covered(session: Session, end: datetime) -> object:
    newest = min(end, session.world.now())
    return render_value(_whole_minute(session.world.covered_until(newest)))


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _bad_date(message: str) -> ApiError:
    return ApiError("INVALID_REPLICATION_DATE", message)
