"""Finds the expectation that a thing seen meets. Pure.

It compares stored values and ids, never a prefix in a text or the acting user alone: the changes of
a person who uses the same account still reach the rules (docs/guarantees.md). Values that the org
has changed are recognised by their traces (``model.sameness``), and only while an attempt is open.
"""

from collections.abc import Sequence

from pagerforce.diff.acts import TRIGGER, is_of_trigger
from pagerforce.model.expectation import (
    CommentExpected,
    EntryExpected,
    Expectation,
    PageExpected,
    RecordExpected,
)
from pagerforce.model.ids import is_same_record_id
from pagerforce.model.incident import Incident, LogEntry
from pagerforce.model.parts import is_piece
from pagerforce.model.record import Comment, Record
from pagerforce.model.sameness import Likeness, is_telling, likeness
from pagerforce.model.value import Fields, is_equal


def find_entry(entry: LogEntry, expected: Sequence[Expectation]) -> int | None:
    """Index of the expectation that a log entry meets."""
    for index, item in enumerate(expected):
        if (
            isinstance(item, EntryExpected)
            and (item.incident_id, item.type) == (entry.incident_id, entry.type)
            and _is_by(item, entry)
            and _fits(item, entry)
        ):
            return index
    return None


def find_created(
    incident: Incident | None, expected: Sequence[Expectation], made_by: str | None = None
) -> int | None:
    """Index of the expectation that this incident meets, by its incident key.

    ``made_by``: who triggered it, if known. An incident that has alerts, for example after a merge,
    shows no key (``pagerduty.key-hidden-by-alerts``) and is recognised by its creator and its
    title.
    """
    if incident is None:
        return None
    key, title = incident.incident_key, incident.title
    for index, item in enumerate(expected):
        if not isinstance(item, PageExpected):
            continue
        is_keyed = key is not None and item.key == key
        is_named = key is None and made_by is not None and made_by == item.actor_id
        if is_keyed or (is_named and title is not None and item.title == title):
            return index
    return None


def find_page(entry: LogEntry, expected: Sequence[Expectation]) -> int | None:
    """Index of the expected page that this first call belongs to; its trigger is not seen yet."""
    for index, item in enumerate(expected):
        if not isinstance(item, EntryExpected):
            continue
        if (item.incident_id, item.type) == (entry.incident_id, TRIGGER):
            return index
    return find_created(entry.current, expected)


def _is_by(item: EntryExpected, entry: LogEntry) -> bool:
    """Whether the expected user did it; an assignment that the write causes names the service."""
    if item.is_beside and not (entry.is_automatic or entry.is_with_acknowledge):
        return False
    if entry.type == "assign" and entry.is_automatic and item.assignee is not None:
        return not is_of_trigger(entry)
    return _is_actor(item.actor_id, entry.agent.id)


def _is_actor(wanted: str | None, actual: str | None) -> bool:
    """Whether two users may be the same: an unknown one matches any, other values must decide."""
    return wanted is None or actual is None or wanted == actual


def _fits(item: EntryExpected, entry: LogEntry) -> bool:
    if item.not_before is not None and entry.at < item.not_before:
        return False
    if item.text is not None and not _is_text(item.text, entry.note):
        return False
    if item.assignee is not None and entry.assignees is not None:
        return item.assignee in {person.id for person in entry.assignees}
    if item.priority is not None and entry.priority is not None:
        return item.priority in (entry.priority.id, entry.priority.name)
    return True


def _is_text(wanted: str, actual: str | None) -> bool:
    """Texts are compared without the white space that a remote side may trim or normalise."""
    return " ".join(wanted.split()) == " ".join((actual or "").split())


def find_comment(comment: Comment, expected: Sequence[Expectation]) -> int | None:
    """Index of the expectation that a comment meets, even if the org changed its text."""
    found: int | None = None
    for index, item in enumerate(expected):
        if not isinstance(item, CommentExpected) or item.parent_id != comment.parent_id:
            continue
        if not _is_actor(item.actor_id, comment.author.id):
            continue
        trace = likeness(item.body, comment.body, may_be_cut=False)
        if trace is Likeness.SAME:
            return index
        is_trace = trace is Likeness.AKIN or is_part(comment, item)
        if is_trace and found is None:
            found = index
    return found


def is_part(comment: Comment, item: Expectation) -> bool:
    """Whether a comment is only a part of an expected one that was too long for the org."""
    return isinstance(item, CommentExpected) and is_piece(comment.body, item.body)


def find_made_record(record: Record, expected: Sequence[Expectation]) -> int | None:
    """Index of the expected record that this new row is.

    If not all of the values are there any more, the one with the strongest match in its texts.
    """
    best: tuple[int, int | None] = (0, None)
    for index, item in enumerate(expected):
        if not isinstance(item, RecordExpected) or not _may_be_made(record, item):
            continue
        if holds(record, item.values):
            return index
        told = _told_by(record, item.values)
        if told > best[0]:
            best = told, index
    return best[1]


def may_be_ours(record: Record, expected: Sequence[Expectation]) -> bool:
    """Whether a row may be a record that is being created, as far as its creator is known."""
    return any(isinstance(item, RecordExpected) and _may_be_made(record, item) for item in expected)


def _may_be_made(record: Record, item: RecordExpected) -> bool:
    is_object = item.object == record.object and bool(item.values)
    return is_object and _is_actor(item.actor_id, record.created_by.id)


def _told_by(record: Record, values: Fields) -> int:
    shared = (name for name in values if name in record.fields and is_telling(values[name]))
    return sum(likeness(values[name], record.fields[name]) for name in shared)


def holds(record: Record, values: Fields) -> bool:
    """Whether the row has all of these values, in the fields that it carries; it must carry one."""
    shared = [name for name in values if name in record.fields]
    return bool(shared) and all(
        likeness(values[name], record.fields[name]) is Likeness.SAME for name in shared
    )


def became(record: Record, values: Fields, before: Fields, us: str | None) -> bool:
    """Whether the row shows what the org made of these values: a trace of each.

    Only if ``us`` changed the row last, and the fields have changed.
    """
    shared = [name for name in values if name in record.fields]
    if not shared or us is None or record.modified_by.id is None:
        return False
    return is_same_record_id(us, record.modified_by.id) and all(
        likeness(values[name], record.fields[name]) is not Likeness.NONE
        and not is_equal(record.fields[name], before.get(name))
        for name in shared
    )
