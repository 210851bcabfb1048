"""Keeps entries and rows that could not be evaluated in the journal, with a reason for ``log``."""

from datetime import datetime

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, Side, event_id_of
from pagerforce.model.incident import LogEntry
from pagerforce.model.record import Comment, Record
from pagerforce.store import journal
from pagerforce.store.database import Database

SET_ASIDE = "(internal error)"
"""The ruleset in the journal for an event that could not be evaluated."""


def aside_of_entry(entry: LogEntry) -> Event:
    """A log entry as an event, without its incident, which may be the part that can't be stored."""
    return Event(
        id=event_id_of(entry.id),
        source=Side.PAGERDUTY,
        type=entry.type,
        at=entry.at,
        incident_id=entry.incident_id,
    )


def aside_of_row(row: Record | Comment) -> Event:
    """A row as an event, without its fields; one version of a row is set aside only once."""
    if isinstance(row, Comment):
        return Event(
            id=EventId(f"sf:{row.id}"),
            source=Side.SALESFORCE,
            type="comment",
            at=row.created_at,
            object=row.parent_object,
            record_id=row.parent_id,
            record={},
        )
    return Event(
        id=EventId(f"sf:{row.id}:{row.stamp.isoformat()}:aside"),
        source=Side.SALESFORCE,
        type="update",
        at=row.modified_at,
        object=row.object,
        record_id=row.id,
        record={},
    )


async def is_aside(database: Database, event: Event) -> bool:
    """Whether an event was set aside before."""
    async with database.read() as tx:
        return event.id in await journal.known_events(tx, [event.id])


async def set_aside(database: Database, event: Event, reason: str, now: datetime) -> None:
    """Stores an event that no rule is tried on."""
    trace = {
        "ruleset": SET_ASIDE,
        "rule": "",
        "matched": False,
        "reason": reason,
        "conditions": [],
    }
    async with database.write() as tx:
        await journal.append(tx, [journal.Entry(event, [trace])], now)
