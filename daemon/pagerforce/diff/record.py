"""Compares a Salesforce row with its snapshot: which event it is, what changed, what stood before."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from pagerforce.model.following import follows
from pagerforce.model.ids import EventId
from pagerforce.model.record import Record
from pagerforce.model.sameness import Likeness, likeness
from pagerforce.model.value import Fields, Scalar, format_whole_second, is_equal


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A difference that is an event. ``old`` holds the values before, of every known field."""

    type: str
    changed: frozenset[str]
    old: dict[str, Scalar]


def compare(
    before: Record | None, now: Record, *, start_at: datetime, quiet: Collection[str] = ()
) -> RecordChange | None:
    """The event between a snapshot and a row, or None where nothing changed.

    Without a snapshot the row is a ``create`` if it was created since ``start_at``; an older one has
    come into sight (a filter, a permission) and is an ``update`` with nothing known of before. A
    field absent from either side was not read then and counts as unchanged. ``quiet`` fields, such
    as time-driven formulas, are kept but make no event.
    """
    if before is None:
        if now.is_deleted:
            return None
        kind = "create" if now.created_at >= start_at else "update"
        return RecordChange(kind, frozenset(), {})
    changed = frozenset(
        name
        for name, value in now.fields.items()
        if name in before.fields and name not in quiet and not is_equal(before.fields[name], value)
    )
    old = dict(before.fields)
    if now.is_deleted != before.is_deleted:
        return RecordChange("delete" if now.is_deleted else "undelete", changed, old)
    if not changed or now.is_deleted:
        return None
    return RecordChange("update", changed, old)


def is_merge(before: Record | None, now: Record) -> bool:
    """Whether a row was merged into another one since it was read last.

    Fact: ``salesforce.merge-loser-names-winner``.
    """
    known = before.merged_into if before is not None else None
    return now.merged_into is not None and now.merged_into != known


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_BY_ITSELF = frozenset({"Id", "Name", "CreatedDate", "CreatedById"})


def blank(record: Record, given: Fields) -> Record:
    """A record of ours that somebody edited before we saw it, as we would have seen it before.

    Which of its values are theirs nobody can tell any more: all count as such that are neither what
    we gave it, or what the org makes of that, nor follow from it.
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

    ``changed``: fields that somebody else has changed, by now and not earlier than the last reading.
    """
    if before is None:
        return now
    is_whole = before.fields.keys() <= now.fields.keys()
    if is_whole and not changed and now.changed_at == before.changed_at:
        return now
    changed_at = {**before.changed_at, **dict.fromkeys(changed, now.modified_at)}
    return replace(now, fields={**before.fields, **now.fields}, changed_at=changed_at)


def event_id(record: Record, change: RecordChange) -> EventId:
    """The same change of the same record has the same id, however often it is found."""
    values = {name: record.fields.get(name) for name in sorted(change.changed)}
    olds = {name: change.old.get(name) for name in sorted(change.changed)}
    digest = hashlib.sha256(_ENCODER.encode([values, olds]).encode()).hexdigest()[:12]
    # A parent may change to and fro while the record's own stamp stands still.
    stamp = max(record.stamp, record.caused_at or record.stamp)
    return EventId(f"sf:{record.id}:{format_whole_second(stamp)}:{change.type}:{digest}")
