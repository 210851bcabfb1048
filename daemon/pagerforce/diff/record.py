"""Compares a Salesforce row with its snapshot: the event, the changed fields, the old values."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.model.following import follows
from pagerforce.model.ids import EventId
from pagerforce.model.record import Record
from pagerforce.model.sameness import Likeness, likeness
from pagerforce.model.value import Fields, Scalar, format_whole_second, is_equal


class RecordChange(Struct, frozen=True):
    """A difference that is an event. ``old`` holds the previous values of all known fields."""

    type: str
    changed: frozenset[str]
    old: dict[str, Scalar]


def compare(
    before: Record | None, now: Record, *, start_at: datetime, quiet: Collection[str] = ()
) -> RecordChange | None:
    """The event between a snapshot and a row, or None if nothing changed.

    Without a snapshot the row is a ``create`` if it was created since ``start_at``. An older one
    has become visible (a filter, a permission) and is an ``update`` without old values. A field
    that is absent from either side was not read then and counts as unchanged. ``quiet`` fields,
    such as time-driven formulas, are kept but cause no event.
    """
    if before is None:
        if now.is_deleted:
            return None
        kind = "create" if now.created_at >= start_at else "update"
        return RecordChange(kind, frozenset(), {})
    old = dict(before.fields)
    changed = frozenset(
        name
        for name, value in now.fields.items()
        if name in old and not is_equal(old[name], value) and name not in quiet
    )
    if now.is_deleted != before.is_deleted:
        return RecordChange("delete" if now.is_deleted else "undelete", changed, old)
    if not changed or now.is_deleted:
        return None
    return RecordChange("update", changed, old)


def is_merge(before: Record | None, now: Record) -> bool:
    """Whether a row was merged into another one since the last read.

    Fact: ``salesforce.merge-loser-names-winner``.
    """
    known = before.merged_into if before is not None else None
    return now.merged_into is not None and now.merged_into != known


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_BY_ITSELF = frozenset({"Id", "Name", "CreatedDate", "CreatedById"})


def blank(record: Record, given: Fields) -> Record:
    """The assumed snapshot of an own record that somebody edited before it was read first.

    Nobody can tell which of its values are the edit. A value counts as edited unless pagerforce
    wrote it, the org derived it from a written one, or it follows from one.
    """
    standing = [
        name
        for name, value in given.items()
        if name in record.fields and likeness(value, record.fields[name]) is not Likeness.NONE
    ]
    fields = {
        name: value if name in _BY_ITSELF or follows(name, standing) else given.get(name)
        for name, value in record.fields.items()
    }
    return replace(record, fields=fields, modified_at=record.created_at)


def merged(before: Record | None, now: Record, changed: Collection[str] = ()) -> Record:
    """The snapshot to keep: the row, plus fields that it does not carry any more.

    ``changed``: fields that somebody else has changed since the last read.
    """
    if before is None:
        return now
    is_whole = before.fields.keys() <= now.fields.keys()
    if is_whole and not changed and now.changed_at == before.changed_at:
        return now
    changed_at = {**before.changed_at, **dict.fromkeys(changed, now.modified_at)}
    return replace(now, fields={**before.fields, **now.fields}, changed_at=changed_at)


def event_id(record: Record, change: RecordChange) -> EventId:
    """The id of a change: the same for each time that it is found."""
    values = {name: record.fields.get(name) for name in sorted(change.changed)}
    olds = {name: change.old.get(name) for name in sorted(change.changed)}
    digest = hashlib.sha256(_ENCODER.encode([values, olds]).encode()).hexdigest()[:12]
    # A parent may change back and forth while the record's own stamp stays the same.
    stamp = max(record.stamp, record.caused_at or record.stamp)
    return EventId(f"sf:{record.id}:{format_whole_second(stamp)}:{change.type}:{digest}")
