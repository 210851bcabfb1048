"""``salesforce.set_field``: writes fields of a record, unless somebody's newer value stands there.

The record is read right before, each field is judged, all that remain go out in one PATCH guarded
by ``If-Unmodified-Since``, and the record is read right after: what the write and the package's own
triggers changed is then known and will not be taken for news. Facts: salesforce.md sections 2, 8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import ActionSpec, Task
from pagerforce.model.following import follows
from pagerforce.model.ids import RecordId, Side, is_same_record_id
from pagerforce.model.record import Record
from pagerforce.model.value import Fields, Scalar
from pagerforce.model.verdict import (
    Delivered,
    Expectation,
    FieldsWritten,
    Rejected,
    RetryLater,
    Skipped,
    Verdict,
)
from pagerforce.salesforce.actions.conflict import Ruling, Situation, explain, judge
from pagerforce.salesforce.actions.desk import Desk
from pagerforce.salesforce.actions.specs import SET_FIELD
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.salesforce.values import is_same_value

_READS = 3  # a record that changes under each of three writes is left for later
_BUSY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Wish:
    """One call of the task, typed: this field shall have this value.

    ``remark``: what was done to the value to make it fit; empty where nothing was.
    """

    place: int
    field: FieldInfo
    value: Scalar
    remark: str = ""


class SetField:
    """Delivers ``salesforce.set_field``; several calls of one event go out as one write."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def spec(self) -> ActionSpec:
        """Its declaration."""
        return SET_FIELD

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """The values as the next poll will show them.

        Raises:
            RemoteError: a lookup could not be asked for.
        """
        if task.record_id is None:
            return ()
        wishes, _ = await self._prepare(task)
        if not wishes:
            return ()
        values = {wish.field.name: wish.value for wish in wishes}
        user_id = await self._desk.client.user_id()
        return (Expectation("fields", task.record_id, values, user_id),)

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Writes what may be written; a field that is refused does not keep the others back."""
        if task.record_id is None:
            return [Skipped("no record is linked")] * len(task.calls)
        try:
            wishes, verdicts = await self._prepare(task)
            if wishes:
                verdicts |= await self._write(task, task.record_id, wishes)
        except RemoteError as error:
            return [to_verdict(error)] * len(task.calls)
        return [verdicts[place] for place in range(len(task.calls))]

    async def _prepare(self, task: Task) -> tuple[list[_Wish], dict[int, Verdict]]:
        """The calls as typed wishes; verdicts for those that cannot be one."""
        wishes: dict[str, _Wish] = {}
        verdicts: dict[int, Verdict] = {}
        for place, call in enumerate(task.calls):
            try:
                wish = await self._wish_of(task.object, place, call)
            except RefusedError as error:
                verdicts[place] = to_verdict(error)
                continue
            earlier = wishes.get(wish.field.name)
            if earlier is not None:
                verdicts[earlier.place] = Skipped(
                    f"a later action of the same event sets {wish.field.name} too"
                )
            wishes[wish.field.name] = wish
        return list(wishes.values()), verdicts

    async def _wish_of(self, object_name: str, place: int, call: Mapping[str, object]) -> _Wish:
        name = str(call.get("field", ""))
        lookup = call.get("lookup")
        value = call.get("value") if lookup is None else {"lookup": lookup}
        info = await self._desk.field_info(object_name, name)
        if not info.is_updateable:
            raise RefusedError(
                f"{object_name}.{name} can't be written (a formula, or read-only for our user);"
                " write the field it is made from"
            )
        is_cut = self._desk.is_too_long(object_name, info, value)
        remark = f"; {name} cut to {info.length} characters" if is_cut else ""
        return _Wish(place, info, await self._desk.prepare(object_name, name, value), remark)

    async def _write(
        self, task: Task, record_id: RecordId, wishes: list[_Wish]
    ) -> dict[int, Verdict]:
        paths = _watched(task, wishes)
        for _ in range(_READS):
            before = await self._desk.read_record(task.object, record_id, paths)
            if before is None or before.is_deleted:
                return dict.fromkeys((wish.place for wish in wishes), _gone(task.object, before))
            verdicts, writable = self._judge(task, wishes, before)
            done = await self._send(task.object, before, writable, verdicts)
            if done is not None:
                if done:
                    verdicts |= await self._confirm(task, before, done)
                return verdicts
        return {
            wish.place: RetryLater(
                f"{task.object} {record_id} was changed by others during each of {_READS} tries",
                _BUSY_SECONDS,
            )
            for wish in wishes
        }

    def _judge(
        self, task: Task, wishes: list[_Wish], before: Record
    ) -> tuple[dict[int, Verdict], list[_Wish]]:
        verdicts: dict[int, Verdict] = {}
        writable = []
        for wish in wishes:
            situation = self._situation(task, wish, before)
            ruling = judge(situation)
            if ruling is Ruling.WRITE:
                writable.append(wish)
            elif ruling is Ruling.ALREADY_THERE and task.is_uncertain:
                fields = _standing(before.fields, wish.field)
                effect = FieldsWritten(task.object, before.id, fields, before.modified_at)
                verdicts[wish.place] = Delivered("found written by an earlier attempt", (effect,))
            else:
                verdicts[wish.place] = Skipped(explain(ruling, situation))
        return verdicts, writable

    def _situation(self, task: Task, wish: _Wish, before: Record) -> Situation:
        snapshot: Fields = task.record.fields if task.record is not None else {}
        winner = self._desk.winner_of(task.object, wish.field.name)
        if task.event_source is Side.SALESFORCE:
            # The rule acts on the record itself, as it was at the event: only a newer edit counts.
            snapshot = task.event_record if task.event_record is not None else snapshot
            winner = "newest"
        name = wish.field.name
        is_other_side = task.event_source is Side.PAGERDUTY and task.record is not None
        changed_at = task.record.changed_at.get(name) if is_other_side and task.record else None
        return Situation(
            field=wish.field,
            wanted=wish.value,
            current=before.fields.get(name),
            known=snapshot.get(name),
            is_known=name in snapshot,
            winner=winner,
            event_at=task.event_at,
            modified_at=before.modified_at,
            changed_at=changed_at,
        )

    async def _send(
        self, object_name: str, before: Record, wishes: list[_Wish], verdicts: dict[int, Verdict]
    ) -> list[_Wish] | None:
        """One write, without the fields that Salesforce names as refused.

        Returns:
            What was written; None where the record was modified since it was read.
        """
        remaining = {wish.field.name: wish for wish in wishes}
        while remaining:
            values = {name: wish.value for name, wish in remaining.items()}
            try:
                is_written = await self._desk.client.update(
                    object_name,
                    before.id,
                    values,
                    unmodified_since=max(before.stamp, before.modified_at),
                )
            except VendorRefusedError as error:
                refused = (error.fields & remaining.keys()) or frozenset(remaining)
                for name in refused:
                    verdicts[remaining.pop(name).place] = to_verdict(error)
                continue
            return list(remaining.values()) if is_written else None
        return []

    async def _confirm(self, task: Task, before: Record, done: list[_Wish]) -> dict[int, Verdict]:
        """The verdicts of a write that took effect; all it changed hangs on the first of them."""
        names = frozenset(wish.field.name for wish in done)
        try:
            after = await self._desk.read_record(task.object, before.id, _watched(task, done))
            user_id: str | None = await self._desk.client.user_id()
        except RemoteError:
            after, user_id = None, None  # it is written all the same; the next poll shows the rest
        effect = FieldsWritten(
            task.object,
            before.id,
            _changed_by_us(after, done, user_id),
            after.modified_at if after is not None else None,
        )
        first, *others = done
        verdicts: dict[int, Verdict] = {
            first.place: Delivered(f"wrote {', '.join(sorted(names))}{first.remark}", (effect,))
        }
        same = "written in the same call"
        return verdicts | {wish.place: Delivered(f"{same}{wish.remark}") for wish in others}


def _watched(task: Task, wishes: Sequence[_Wish]) -> frozenset[str]:
    """What to read around the write: the fields to be written, and all that the snapshot holds."""
    known = frozenset(task.record.fields) if task.record is not None else frozenset()
    return known | {wish.field.name for wish in wishes}


def _changed_by_us(
    after: Record | None, done: list[_Wish], user_id: str | None
) -> dict[str, Scalar]:
    """What stands in the record because of our write, as a poll will show it."""
    written = {wish.field.name: wish.value for wish in done}
    if after is None:
        return dict(written)
    ours = set(written)
    if not _is_by(after, user_id):
        # Somebody was there in between: only what still stands as we wrote it is ours.
        ours = {
            wish.field.name
            for wish in done
            if is_same_value(wish.field, after.fields.get(wish.field.name), wish.value)
        }
    return written | {path: value for path, value in after.fields.items() if follows(path, ours)}


def _standing(fields: Fields, written: FieldInfo) -> dict[str, Scalar]:
    """A field that was found written, and what follows from it."""
    return {path: value for path, value in fields.items() if follows(path, {written.name})}


def _is_by(record: Record, user_id: str | None) -> bool:
    modifier = record.modified_by.id
    return modifier is not None and user_id is not None and is_same_record_id(modifier, user_id)


def _gone(object_name: str, record: Record | None) -> Verdict:
    if record is not None:
        return Skipped(f"{object_name} {record.id} is deleted")
    return Rejected(
        f"the record of {object_name} is gone or hidden from our user:"
        " remove the link, or share the record and retry"
    )
