"""Adds the effects of own writes to a record's snapshot, before a row is compared with it. Pure."""

from collections.abc import Iterator

from msgspec.structs import replace

from pagerforce.model.expectation import FieldsExpected, RecordGiven
from pagerforce.model.following import follows, shows
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, is_equal
from pagerforce.own_writes.matching import became, holds
from pagerforce.own_writes.waiting import Expected, Waiting


def with_own_writes(before: Record | None, row: Record, waiting: Waiting) -> Record | None:
    """The snapshot with the effects of own writes that it does not hold yet.

    These are all values of a write whose answer was lost. If only the read after a write is
    missing, they are the values that followed from it; the first later row settles that write,
    whatever it shows.
    """
    if before is None:
        return None
    fields = dict(before.fields)
    for item in waiting.about(row.id):
        what = item.what
        if not isinstance(what, FieldsExpected) or what.record_id != row.id:
            continue
        if holds(row, what.values) or became(row, what.values, before.fields, what.actor_id):
            ours = (name for name in row.fields if follows(name, what.values))
            fields |= {name: row.fields[name] for name in ours}
        elif item.is_done:
            fields |= dict.fromkeys(_never_seen(row, what.values))
        if item.is_done:
            waiting.use(item)
    return before if fields == before.fields else replace(before, fields=fields)


def _never_seen(row: Record, written: Fields) -> Iterator[str]:
    """Names behind written references that somebody replaced at once; a value there is a change."""
    lost = [
        name
        for name, value in written.items()
        if name in row.fields and not is_equal(row.fields[name], value)
    ]
    return (path for path in row.fields if path not in written and shows(path, lost))


def given_by(made: Expected, waiting: Waiting) -> Fields:
    """The values that a record was created with, by the action that created it."""
    for item in waiting.open({made.action_id}):
        if isinstance(item.what, RecordGiven):
            waiting.use(item)
            return item.what.values
    return {}
