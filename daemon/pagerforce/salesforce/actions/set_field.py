"""``salesforce.set_field``: writes fields of records, unless a field has somebody's newer value.

The record is read just before, and each field is decided. The remaining fields are sent in one
PATCH guarded by ``If-Unmodified-Since``. Then the record is read again, so that the changes of the
write and of the package's own triggers are known and not mistaken for events. Several records are
sent as the parts of one composite request, each with its own guard. Facts:
``salesforce.if-unmodified-since-guards``, ``salesforce.composite-is-one-call``.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

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
from pagerforce.model.durations import OVERLAP
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
from pagerforce.salesforce.actions.desk import STALE_CODES, Desk
from pagerforce.salesforce.actions.field_order import Order, Wish, is_by, standing
from pagerforce.salesforce.actions.search import window_of
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.bodies import read_rows
from pagerforce.salesforce.client import MAX_SUBREQUESTS, Update

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
    cost=Cost(calls=3),
)


class SetField:
    """Delivers ``salesforce.set_field``; several calls of one event are sent as one write."""

    spec = SET_FIELD

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """The values as the next poll will show them, one by one: they may be settled separately.

        Raises:
            RemoteError: a lookup could not be requested.
        """
        if task.record_id is None:
            return ()
        wishes, _ = await self._prepare(task)
        if not wishes:
            return ()
        user_id = await self._desk.client.user_id()
        return [
            FieldsExpected(task.record_id, {wish.field.name: wish.value}, user_id, wish.place)
            for wish in wishes
        ]

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Writes the allowed fields; a refused field does not stop the others."""
        return (await self.deliver_batch([task]))[0]

    async def deliver_batch(self, tasks: Sequence[Task]) -> Sequence[Sequence[Verdict]]:
        """Writes to several records; a failure of one does not affect the others."""
        orders = [await self._order(task) for task in tasks]
        if len(tasks) > 1:
            self._trust_snapshots(orders)
        us = await self._user_id() if any(task.is_uncertain for task in tasks) else None
        while waiting := [order for order in orders if order.is_open()]:
            try:
                await self._read(waiting)
                for order in waiting:
                    self._judge(order, us)
                await self._send([order for order in waiting if order.wishes])
            except RemoteError as error:
                for order in waiting:
                    order.close(to_verdict(error))
        return [order.answer() for order in orders]

    async def _order(self, task: Task) -> Order:
        order = Order(task, task.record_id or RecordId(""), [], {})
        if task.record_id is None:
            skipped = Skipped("no record is linked")
            order.verdicts |= dict.fromkeys(range(len(task.calls)), skipped)
            return order
        try:
            order.wishes, order.verdicts = await self._prepare(task)
        except RemoteError as error:
            order.verdicts |= dict.fromkeys(range(len(task.calls)), to_verdict(error))
        return order

    async def _prepare(self, task: Task) -> tuple[list[Wish], dict[int, Verdict]]:
        """The calls with typed values, and verdicts for invalid calls."""
        wishes: dict[str, Wish] = {}
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

    async def _wish_of(self, object_name: str, place: int, call: Mapping[str, object]) -> Wish:
        name = str(call.get("field", ""))
        lookup = call.get("lookup")
        value = call.get("value") if lookup is None else {"lookup": lookup}
        info = await self._desk.field_info(object_name, name)
        if not info.is_updateable:
            raise RefusedError(
                f"{object_name}.{name} can't be written (a formula, or read-only for the"
                " integration user); if it is a formula, write its source field"
            )
        is_cut = self._desk.is_too_long(object_name, info, value)
        remark = f"; {name} cut to {info.length} characters" if is_cut else ""
        return Wish(place, info, await self._desk.prepare(object_name, name, value), remark)

    def _trust_snapshots(self, orders: Iterable[Order]) -> None:
        """Uses the snapshot instead of a read if it is old enough: the guard covers the rest."""
        now = self._desk.client.session.now()
        for order in orders:
            held = order.task.record
            if held is None or order.task.is_uncertain:
                continue
            is_settled = now - max(held.stamp, held.modified_at) >= OVERLAP
            if is_settled and order.values().keys() <= held.fields.keys():
                order.before = held

    async def _read(self, orders: Iterable[Order]) -> None:
        """Reads the records whose current state is not known well enough."""
        by_object: dict[str, list[Order]] = {}
        for order in orders:
            if order.before is None:
                by_object.setdefault(order.task.object, []).append(order)
        for name, unread in by_object.items():
            found = await self._records(name, unread)
            for order in unread:
                order.before = found.get(order.record_id)
                if order.before is None or order.before.is_deleted:
                    order.gone(order.before)

    async def _records(
        self, object_name: str, orders: Sequence[Order]
    ) -> Mapping[RecordId, Record]:
        paths = frozenset[str]().union(*(order.watched() for order in orders))
        return await self._desk.read_records(object_name, [x.record_id for x in orders], paths)

    def _judge(self, order: Order, us: str | None) -> None:
        """Keeps the calls that may be written; the others get their verdict."""
        before = order.before
        if before is None:
            return
        writable = []
        for wish in order.wishes:
            situation = self._situation(order.task, wish, before)
            ruling = judge(situation)
            is_there = ruling is Ruling.ALREADY_THERE
            if order.task.is_uncertain and (is_there or self._is_trace(order, wish, before, us)):
                fields = standing(before.fields, wish.field)
                effect = FieldsWritten(order.task.object, before.id, fields, before.modified_at)
                done = Delivered("found written by an earlier attempt", (effect,))
                order.verdicts[wish.place] = done
            elif ruling is Ruling.WRITE:
                writable.append(replace(wish, is_contested=situation.is_contested))
            else:
                winner = None if is_there else Side.SALESFORCE
                should_stand = is_there and order.task.event_source is Side.PAGERDUTY
                stands = (FieldsStand(before.id, (wish.field.name,)),) if should_stand else ()
                order.verdicts[wish.place] = Skipped(explain(ruling, situation), winner, stands)
        order.wishes = writable

    def _is_trace(self, order: Order, wish: Wish, before: Record, us: str | None) -> bool:
        """Whether the org's automation made the current value from an earlier attempt's value."""
        if not is_by(before, us) or not order.task.tried:
            return False
        window = window_of(order.task, self._desk.client.session.now())
        is_then = before.modified_at >= min(start for start, _ in window.spans)
        current = before.fields.get(wish.field.name)
        return is_then and likeness(wish.value, current) is not Likeness.NONE

    def _situation(self, task: Task, wish: Wish, before: Record) -> Situation:
        snapshot: Fields = task.record.fields if task.record is not None else {}
        winner = self._desk.winner_of(task.object, wish.field.name)
        if task.event_source is Side.SALESFORCE:
            # The rule acts on the record itself, in its state at the event: only newer edits count.
            snapshot = task.event_record if task.event_record is not None else snapshot
            winner = "newest"
        name = wish.field.name
        changed_at = None
        if task.event_source is Side.PAGERDUTY and task.record is not None:
            changed_at = task.record.changed_at.get(name)
            if changed_at and is_overtaken(task.event_at, task.event_place, by=changed_at):
                changed_at = task.event_at
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

    async def _send(self, orders: Sequence[Order]) -> None:
        """Writes; after a partial refusal or a conflict, an order keeps its open calls."""
        if len(orders) == 1:
            await self._send_one(orders[0])
        for start in range(0, len(orders) if len(orders) > 1 else 0, MAX_SUBREQUESTS):
            await self._send_many(orders[start : start + MAX_SUBREQUESTS])

    async def _send_one(self, order: Order) -> None:
        update = _update_of(order)
        try:
            is_written = await self._desk.client.update(
                update.object, update.id, update.values, unmodified_since=update.unmodified_since
            )
        except VendorRefusedError as error:
            await self._refused(order, error)
            return
        if not is_written:
            order.changed_meanwhile()
            return
        try:
            after = (await self._records(order.task.object, [order])).get(order.record_id)
            user_id = await self._desk.client.user_id()
        except RemoteError as error:
            # The consequences of the write are unknown, and a poll would mistake them for changes
            # by others: the next attempt finds the values and reads the rest.
            order.close(Unknown(f"written, but not read back: {error}"))
            return
        order.written(after, user_id, is_read=True)

    async def _send_many(self, orders: Sequence[Order]) -> None:
        """Sends one request; if it has a free part, it also reads the consequences."""
        reading = None
        names = {order.task.object for order in orders}
        if len(orders) < MAX_SUBREQUESTS and len(names) == 1:
            paths = frozenset[str]().union(*(order.watched() for order in orders))
            ids = [order.record_id for order in orders]
            reading = await self._desk.reading(names.pop(), ids, paths)
        then_read = [self._desk.client.query_path(reading.soql, deleted=True)] if reading else []
        writes, reads = await self._desk.client.update_many(
            [_update_of(order) for order in orders], then_read
        )
        after: Mapping[RecordId, Record] = {}
        if reading is not None and reads[0].error is None:
            with suppress(RemoteError):  # it is written anyway; the next poll shows the rest
                after = reading.records(read_rows(reads[0].body).rows)
        user_id = await self._user_id()
        for order, answer in zip(orders, writes, strict=True):
            match answer.error:
                case None:
                    found = after.get(order.record_id)
                    order.written(found, user_id, is_read=found is not None)
                case VendorRefusedError(status=status) if status == _MODIFIED:
                    order.changed_meanwhile()
                case VendorRefusedError() as refused:
                    await self._refused(order, refused)
                case error:
                    order.close(to_verdict(error))

    async def _refused(self, order: Order, error: VendorRefusedError) -> None:
        """Handles a refused write; fields that no longer exist get their verdict at once."""
        self._desk.learn(order.task.object, error)
        gone = []
        for wish in order.wishes if error.code in STALE_CODES else ():
            try:
                await self._desk.field_info(order.task.object, wish.field.name)
            except RefusedError as unknown:
                order.verdicts[wish.place] = to_verdict(unknown)
                gone.append(wish)
        if gone:
            order.wishes = [wish for wish in order.wishes if wish not in gone]
        else:
            order.refused(error)

    async def _user_id(self) -> str | None:
        try:
            return await self._desk.client.user_id()
        except RemoteError:
            return None


def _update_of(order: Order) -> Update:
    before = order.before
    if before is None:
        raise ValueError("an order is sent only after it was judged")
    stamp = max(before.stamp, before.modified_at)
    return Update(order.task.object, before.id, order.values(), stamp)
