"""``salesforce.set_field``: writes fields of records, unless a field has somebody's newer value.

The record is known from its snapshot, or read just before (``look``), and each field is decided. A
snapshot only ever leads to a write, never to a skip. The remaining fields are sent in one PATCH
guarded by ``If-Unmodified-Since``, and the record is read in the same composite request, so that
the changes of the write and of the package's own triggers are known and not mistaken for events.
Several records are parts of one request, each with its own guard. A text that a composite request
would change goes alone, and the record is read after it. Facts:
``salesforce.if-unmodified-since-guards``, ``salesforce.composite-is-one-call``,
``salesforce.composite-replaces-references``.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    FieldState,
    Param,
    ParamKind,
    TargetKind,
    Task,
)
from pagerforce.model.expectation import Expectation, FieldsExpected
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.record import Record
from pagerforce.model.sameness import Likeness, likeness
from pagerforce.model.sequence import is_overtaken
from pagerforce.model.value import Fields
from pagerforce.model.verdict import (
    Delivered,
    FieldsStand,
    FieldsWritten,
    Skipped,
    Unknown,
    Verdict,
)
from pagerforce.salesforce.actions.conflict import Ruling, Situation, explain, judge
from pagerforce.salesforce.actions.look import Looks, is_settled
from pagerforce.salesforce.actions.record_write import FieldWrite, RecordWrite, is_by, standing
from pagerforce.salesforce.actions.search import window_of
from pagerforce.salesforce.actions.tools import STALE_CODES, SalesforceTools
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.client import MAX_SUBREQUESTS, REFERENCE_MARK, Update
from pagerforce.salesforce.lookup import Answers

_MODIFIED = 412


SET_FIELD = ActionSpec(
    do="salesforce.set_field",
    side=Side.SALESFORCE,
    target=TargetKind.RECORD,
    params=(
        Param("field", ParamKind.NAME, required=True, doc="API name of the field to write"),
        Param("value", ParamKind.VALUE, doc='the new value; "" clears it'),
        Param("lookup", ParamKind.LOOKUP, doc="finds the Id for a reference field"),
    ),
    doc="Writes one field of the linked records, or of the record itself.",
    exactly_one_of=(("value", "lookup"),),
    batch_size=25,  # parts of a composite request
    is_grouped=True,
    sets=FieldState("field"),
    undone_by=frozenset({"salesforce.set_field"}),  # of the same field
    cost=Cost(calls=2),
)


class SetField:
    """Delivers ``salesforce.set_field``; several calls of one event are sent as one write."""

    spec = SET_FIELD

    def __init__(self, tools: SalesforceTools) -> None:
        self._tools = tools
        self._looks = Looks(tools)

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """The values as the next poll will show them, one by one: they may be settled separately.

        Raises:
            RemoteError: a lookup could not be requested.
        """
        if task.record_id is None:
            return ()
        parts, _ = await self._prepare(task, await self._looks.ahead(task))
        if not parts:
            return ()
        user_id = await self._tools.client.user_id()
        return [
            FieldsExpected(task.record_id, {part.field.name: part.value}, user_id, part.place)
            for part in parts
        ]

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Writes the allowed fields; a refused field does not stop the others."""
        return (await self.deliver_batch([task]))[0]

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """Writes to several records; a failure of one does not affect the others."""
        writes = [await self._order(task) for task in tasks]
        us = await self._user_id() if any(task.is_uncertain for task in tasks) else None
        while waiting := [write for write in writes if write.is_open()]:
            try:
                self._doubt_snapshots(waiting)
                await self._read(waiting)
                for write in waiting:
                    self._judge(write, us)
                await self._send([write for write in waiting if write.parts])
            except RemoteError as error:
                for write in waiting:
                    write.close(to_verdict(error))
        return [write.answer() for write in writes]

    async def _order(self, task: Task) -> RecordWrite:
        write = RecordWrite(task, task.record_id or RecordId(""), [], {})
        if task.record_id is None:
            skipped = Skipped("no record is linked")
            write.verdicts |= dict.fromkeys(range(len(task.calls)), skipped)
            return write
        try:
            write.parts, write.verdicts = await self._prepare(task)
        except RemoteError as error:
            write.verdicts |= dict.fromkeys(range(len(task.calls)), to_verdict(error))
        write.before = self._looks.take(task)
        if write.before is None and self._is_settled(write):
            write.before, write.is_snapshot = task.record, True
        return write

    def _is_settled(self, write: RecordWrite) -> bool:
        task = write.task
        return is_settled(task, write.values(), self._tools.plan.polled_at(task.object))

    def _now(self) -> datetime:
        """Salesforce's clock."""
        return self._tools.client.session.now()

    async def _prepare(
        self, task: Task, answers: Answers | None = None
    ) -> tuple[list[FieldWrite], dict[int, Verdict]]:
        """The calls with typed values, and verdicts for invalid calls."""
        parts: dict[str, FieldWrite] = {}
        verdicts: dict[int, Verdict] = {}
        for place, call in enumerate(task.calls):
            try:
                part = await self._wish_of(task.object, place, call, answers or {})
            except RefusedError as error:
                verdicts[place] = to_verdict(error)
                continue
            earlier = parts.get(part.field.name)
            if earlier is not None:
                verdicts[earlier.place] = Skipped(
                    f"a later action of the same event sets {part.field.name} too"
                )
            parts[part.field.name] = part
        return list(parts.values()), verdicts

    async def _wish_of(
        self, object_name: str, place: int, call: Mapping[str, object], answers: Answers
    ) -> FieldWrite:
        name = str(call.get("field", ""))
        lookup = call.get("lookup")
        value = call.get("value") if lookup is None else {"lookup": lookup}
        info = await self._tools.field_info(object_name, name)
        if not info.is_updateable:
            raise RefusedError(
                f"{object_name}.{name} can't be written (a formula, or read-only for the"
                " integration user); if it is a formula, write its source field"
            )
        is_cut = self._tools.is_too_long(object_name, info, value)
        remark = f"; {name} cut to {info.length} characters" if is_cut else ""
        prepared = await self._tools.prepare(object_name, name, value, answers)
        return FieldWrite(place, info, prepared, remark)

    def _doubt_snapshots(self, writes: Iterable[RecordWrite]) -> None:
        """Lets records be read whose snapshot would keep a value back: no guard covers a skip."""
        for write in writes:
            held = write.before
            if held is None or not write.is_snapshot:
                continue
            situations = (self._situation(write.task, part, held) for part in write.parts)
            if any(judge(situation) is not Ruling.WRITE for situation in situations):
                write.doubt()

    async def _read(self, writes: Iterable[RecordWrite]) -> None:
        """Reads the records whose current state is not known well enough."""
        by_object: dict[str, list[RecordWrite]] = {}
        for write in writes:
            if write.before is None:
                by_object.setdefault(write.task.object, []).append(write)
        for name, unread in by_object.items():
            found = await self._records(name, unread)
            for write in unread:
                write.before = found.get(write.record_id)
                if write.before is None or write.before.is_deleted:
                    write.gone(write.before)

    async def _records(
        self, object_name: str, writes: Sequence[RecordWrite]
    ) -> Mapping[RecordId, Record]:
        paths = frozenset[str]().union(*(write.watched() for write in writes))
        return await self._tools.read_records(object_name, [x.record_id for x in writes], paths)

    def _judge(self, write: RecordWrite, us: str | None) -> None:
        """Keeps the calls that may be written; the others get their verdict."""
        before = write.before
        if before is None:
            return
        writable = []
        for part in write.parts:
            situation = self._situation(write.task, part, before)
            ruling = judge(situation)
            is_there = ruling is Ruling.ALREADY_THERE
            if write.task.is_uncertain and (is_there or self._is_trace(write, part, before, us)):
                fields = standing(before.fields, part.field)
                effect = FieldsWritten(write.task.object, before.id, fields)
                done = Delivered("found written by an earlier attempt", (effect,))
                write.verdicts[part.place] = done
            elif ruling is Ruling.WRITE:
                writable.append(replace(part, is_contested=situation.is_contested))
            else:
                winner = None if is_there else Side.SALESFORCE
                should_stand = is_there and write.task.event_source is Side.PAGERDUTY
                stands = (FieldsStand(before.id, (part.field.name,)),) if should_stand else ()
                write.verdicts[part.place] = Skipped(explain(ruling, situation), winner, stands)
        write.parts = writable

    def _is_trace(
        self, write: RecordWrite, part: FieldWrite, before: Record, us: str | None
    ) -> bool:
        """Whether the org's automation made the current value from an earlier attempt's value."""
        if not is_by(before, us) or not write.task.tried:
            return False
        window = window_of(write.task, self._now())
        is_then = before.modified_at >= min(start for start, _ in window.spans)
        current = before.fields.get(part.field.name)
        return is_then and likeness(part.value, current) is not Likeness.NONE

    def _situation(self, task: Task, part: FieldWrite, before: Record) -> Situation:
        snapshot: Fields = task.record.fields if task.record is not None else {}
        winner = self._tools.winner_of(task.object, part.field.name)
        if task.event_source is Side.SALESFORCE:
            # The rule acts on the record itself, in its state at the event: only newer edits count.
            snapshot = task.event_record if task.event_record is not None else snapshot
            winner = "newest"
        name = part.field.name
        changed_at = None
        if task.event_source is Side.PAGERDUTY and task.record is not None:
            changed_at = task.record.changed_at.get(name)
            if changed_at and is_overtaken(task.event_at, task.event_place, by=changed_at):
                changed_at = task.event_at
        return Situation(
            field=part.field,
            wanted=part.value,
            current=before.fields.get(name),
            known=snapshot.get(name),
            is_known=name in snapshot,
            winner=winner,
            event_at=task.event_at,
            modified_at=before.modified_at,
            changed_at=changed_at,
        )

    async def _send(self, writes: Sequence[RecordWrite]) -> None:
        """Writes; after a partial refusal or a conflict, a record keeps its open parts."""
        together: list[RecordWrite] = []
        for write in writes:
            if write.has_mark(REFERENCE_MARK):
                await self._send_alone(write)
            else:
                together.append(write)
        for start in range(0, len(together), MAX_SUBREQUESTS):
            await self._send_together(together[start : start + MAX_SUBREQUESTS])

    async def _send_alone(self, write: RecordWrite) -> None:
        """Writes a text that a composite request would change, and reads the consequences."""
        update = _update_of(write)
        try:
            is_written = await self._tools.client.update(
                update.object, update.id, update.values, unmodified_since=update.unmodified_since
            )
        except VendorRefusedError as error:
            await self._refused(write, error)
            return
        except RemoteError as error:
            write.close(to_verdict(error))
            return
        if not is_written:
            write.changed_meanwhile()
            return
        try:
            after = (await self._records(write.task.object, [write])).get(write.record_id)
            user_id = await self._tools.client.user_id()
        except RemoteError as error:
            # The consequences of the write are unknown, and a poll would mistake them for changes
            # by others: the next attempt finds the values and reads the rest.
            write.close(Unknown(f"written, but not read back: {error}"))
            return
        write.written(after, user_id, is_read=True)

    async def _send_together(self, writes: Sequence[RecordWrite]) -> None:
        """Sends one request; if it has a free part, it also reads the consequences."""
        reading = None
        names = {write.task.object for write in writes}
        if len(writes) < MAX_SUBREQUESTS and len(names) == 1:
            paths = frozenset[str]().union(*(write.watched() for write in writes))
            ids = [write.record_id for write in writes]
            reading = await self._tools.reading(names.pop(), ids, paths)
        then_read = [self._tools.client.query_path(reading.soql, deleted=True)] if reading else []
        answers, reads = await self._tools.client.update_many(
            [_update_of(write) for write in writes], then_read
        )
        after: Mapping[RecordId, Record] = {}
        if reading is not None:
            with suppress(RemoteError):  # it is written anyway; the next poll shows the rest
                after = reading.records(await self._tools.client.rows_of(reads[0]))
        user_id = await self._user_id()
        for write, answer in zip(writes, answers, strict=True):
            match answer.error:
                case None:
                    found = after.get(write.record_id)
                    write.written(found, user_id, is_read=found is not None)
                case VendorRefusedError(status=status) if status == _MODIFIED:
                    write.changed_meanwhile()
                case VendorRefusedError() as refused:
                    await self._refused(write, refused)
                case error:
                    write.close(to_verdict(error))

    async def _refused(self, write: RecordWrite, error: VendorRefusedError) -> None:
        """Handles a refused write; fields that no longer exist get their verdict at once."""
        self._tools.learn(write.task.object, error)
        gone = []
        for part in write.parts if error.code in STALE_CODES else ():
            try:
                await self._tools.field_info(write.task.object, part.field.name)
            except RefusedError as unknown:
                write.verdicts[part.place] = to_verdict(unknown)
                gone.append(part)
        if gone:
            write.parts = [part for part in write.parts if part not in gone]
        else:
            write.refused(error)

    async def _user_id(self) -> str | None:
        try:
            return await self._tools.client.user_id()
        except RemoteError:
            return None


def _update_of(write: RecordWrite) -> Update:
    before = write.before
    if before is None:
        raise ValueError("an write is sent only after it was judged")
    return Update(write.task.object, before.id, write.values(), before.version)
