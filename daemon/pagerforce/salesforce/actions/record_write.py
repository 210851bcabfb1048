"""The state of one task of ``salesforce.set_field``: open calls, and verdicts.

**A refused write.** The fields that the org names get the refusal; the others are sent again. If it
names none, the write is halved until the bad field is alone, so that each field gets its own
verdict. A field that was refused alone may depend on a field that is written later (a status that
requires a resolution): once something else is written, it is tried once more. The number of refused
writes is bounded; the remaining fields then share the last refusal. A refusal of the whole record
is not split.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from pagerforce.model.action import Task
from pagerforce.model.following import follows, shows
from pagerforce.model.ids import RecordId, Side, is_same_record_id
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, Scalar, is_equal
from pagerforce.model.verdict import (
    Delivered,
    FieldsWritten,
    Rejected,
    RetryLater,
    Skipped,
    Verdict,
)
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.salesforce.values import is_same_value

_TRIES = 3  # a record that changed before each of three writes is left for later
_BUSY_SECONDS = 5.0
_MOST_REFUSALS = 16  # per task; each is a request
_MAY_BE_GONE = frozenset({"ENTITY_IS_DELETED", "INSUFFICIENT_ACCESS_OR_READONLY", "NOT_FOUND"})
_WHOLE_RECORD = _MAY_BE_GONE | {"ENTITY_IS_LOCKED"}


class FieldWrite(Struct, frozen=True):
    """One typed call of the task: a field and its new value.

    ``remark``: how the value was changed to fit; empty if it was not. ``is_contested``: it replaces
    an edit that no poll has shown yet.
    """

    place: int
    field: FieldInfo
    value: Scalar
    remark: str = ""
    is_contested: bool = False

    @property
    def winner(self) -> Side | None:
        """PagerDuty if an edit made in Salesforce loses, otherwise None."""
        return Side.PAGERDUTY if self.is_contested else None


class RecordWrite(Struct):
    """A task on its way to its verdicts.

    Attributes:
        record_id: the record to write.
        parts: calls without a verdict yet.
        before: the record that they are compared with; None: it must be read.
        is_snapshot: ``before`` is the snapshot: it may be old, and only the guard shows that.
        conflicts: how often others changed it between read and write.
        parted: calls of a refused write that are sent after ``parts``, each group as a write.
        alone: calls that were refused alone before anything was written.
        refusals: how many writes were refused.
    """

    task: Task
    record_id: RecordId
    parts: list[FieldWrite]
    verdicts: dict[int, Verdict]
    before: Record | None = None
    is_snapshot: bool = False
    conflicts: int = 0
    parted: list[list[FieldWrite]] = msgspec.field(default_factory=list)
    alone: list[FieldWrite] = msgspec.field(default_factory=list)
    refusals: int = 0
    is_written: bool = False

    def is_open(self) -> bool:
        """Whether there are calls to write; continues with deferred ones if no others are left."""
        if not self.parts and self.parted:
            self.parts = self.parted.pop(0)
        elif not self.parts and self.is_written and self.alone:
            self.parts, self.alone, self.is_written = self.alone, [], False
        return bool(self.parts)

    def answer(self) -> list[Verdict]:
        """One verdict per call."""
        return [self.verdicts[place] for place in range(len(self.task.calls))]

    def close(self, verdict: Verdict) -> None:
        """Gives every open call this verdict."""
        waiting = [part for group in (self.parts, *self.parted) for part in group]
        self.verdicts |= dict.fromkeys((part.place for part in waiting), verdict)
        self.parts, self.parted, self.alone = [], [], []

    def watched(self) -> frozenset[str]:
        """The fields of the record to read: those to write, and all fields of the snapshot."""
        known = frozenset(self.task.record.fields) if self.task.record is not None else frozenset()
        return known | {part.field.name for part in self.parts}

    def values(self) -> dict[str, Scalar]:
        """The values to write."""
        return {part.field.name: part.value for part in self.parts}

    def gone(self, record: Record | None) -> None:
        """Closes the write: the record does not exist, or is deleted."""
        name = self.task.object
        if record is not None:
            self.close(Skipped(f"{name} {record.id} is deleted"))
            return
        what = f"the record of {name} is gone or hidden from the integration user"
        self.close(Rejected(f"{what}: remove the link, or share the record and retry"))

    def has_mark(self, mark: str) -> bool:
        """Whether a text to write contains this."""
        return any(isinstance(value, str) and mark in value for value in self.values().values())

    def doubt(self) -> None:
        """The record must be read before anything else is decided."""
        self.before, self.is_snapshot = None, False

    def _is_all_known(self) -> bool:
        """Whether the snapshot has every change that the record had before the write."""
        held, before = self.task.record, self.before
        if held is None or before is None:
            return False
        return self.is_snapshot or all(
            is_equal(before.fields.get(name), value) for name, value in held.fields.items()
        )

    def changed_meanwhile(self) -> None:
        """Others changed the record since it was read: it is read again, or left for later."""
        self.doubt()
        self.conflicts += 1
        if self.conflicts >= _TRIES:
            what = f"{self.task.object} {self.record_id} was changed by others"
            self.close(RetryLater(f"{what} during each of {_TRIES} tries", _BUSY_SECONDS))

    def refused(self, error: VendorRefusedError) -> None:
        """Salesforce refused the write: the named fields get that verdict, the others remain.

        A record that is only known from its snapshot may be gone: then it is read first.
        """
        if self.is_snapshot and error.code in _MAY_BE_GONE:
            self.doubt()
            return
        self.refusals += 1
        verdict = to_verdict(error)
        named = _named(error, [part.field.name for part in self.parts])
        if named:
            self.verdicts |= {w.place: verdict for w in self.parts if w.field.name in named}
            self.parts = [part for part in self.parts if part.field.name not in named]
        elif error.code in _WHOLE_RECORD or self.refusals >= _MOST_REFUSALS:
            self.close(verdict)
        elif len(self.parts) == 1:
            self.verdicts[self.parts[0].place] = verdict
            self.alone += [] if self.is_written else self.parts
            self.parts = []
        else:
            middle = (len(self.parts) + 1) // 2
            self.parted.insert(0, self.parts[middle:])
            self.parts = self.parts[:middle]

    def written(self, after: Record | None, user_id: str | None, *, is_read: bool) -> None:
        """The write took effect; the first verdict carries all its changes.

        If the record was not read afterwards, each verdict carries its own field, and each field is
        awaited separately.

        Args:
            after: the record as read after the write; None if it could not be read.
            user_id: the user who writes.
            is_read: whether a read after the write was tried at all.
        """
        done, self.parts, self.is_written = self.parts, [], True
        modified_at = after.modified_at if after is not None and self._is_all_known() else None
        self.doubt()
        effects = {
            share[0].place: FieldsWritten(
                self.task.object,
                self.record_id,
                _changed_by_us(after, share, user_id),
                modified_at,
                is_followed=is_read,
            )
            for share in ([done] if is_read else [[part] for part in done])
        }
        names = ", ".join(sorted(part.field.name for part in done))
        for number, part in enumerate(done):
            how = "written in the same call" if number else f"wrote {names}"
            mine = (effects[part.place],) if part.place in effects else ()
            self.verdicts[part.place] = _written(how, part, *mine)


def _written(how: str, part: FieldWrite, *effects: FieldsWritten) -> Delivered:
    lost = f"; it replaced an older edit of {part.field.name}" if part.is_contested else ""
    return Delivered(f"{how}{part.remark}{lost}", effects, part.winner)


def _named(error: VendorRefusedError, names: Sequence[str]) -> frozenset[str]:
    """The fields that a refusal names, in its list or, if that is empty, in its message."""
    if error.fields & set(names):
        return error.fields & set(names)
    if error.code != "INVALID_FIELD":
        return frozenset()
    words = {word for fault in error.faults for word in re.findall(r"\w+", fault.message)}
    return frozenset(words & set(names))


def standing(fields: Fields, written: FieldInfo) -> dict[str, Scalar]:
    """A field that was found written, and the values that follow from it."""
    return {path: value for path, value in fields.items() if follows(path, {written.name})}


def _changed_by_us(
    after: Record | None, done: Sequence[FieldWrite], user_id: str | None
) -> Mapping[str, Scalar]:
    """The values in the record because of the write, as a poll will show them."""
    written = {part.field.name: part.value for part in done}
    if after is None:
        return dict(written)
    ours = set(written)
    if not is_by(after, user_id):
        # Somebody else changed the record in between: only unchanged values count as written here.
        ours = {
            part.field.name
            for part in done
            if is_same_value(part.field, after.fields.get(part.field.name), part.value)
        }
    # The name behind a reference that somebody replaced at once was never seen. So any name that a
    # poll shows there is a change, even the earlier one.
    lost = written.keys() - ours
    unseen = {path: None for path in after.fields if path not in written and shows(path, lost)}
    shown = {path: value for path, value in after.fields.items() if follows(path, ours)}
    return written | unseen | shown


def is_by(record: Record, user_id: str | None) -> bool:
    """Whether this user made the last change of a record."""
    modifier = record.modified_by.id
    return modifier is not None and user_id is not None and is_same_record_id(modifier, user_id)
