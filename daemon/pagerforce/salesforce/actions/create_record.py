"""``salesforce.create_record``: creates a record for an incident, once, and links it.

With an external id field, the record's key is ``pd:<incident id>``. It is searched for before the
write, so an existing record is adopted and never overwritten. Without such a field, the record of
an uncertain attempt is searched for as described in ``search``. Facts:
``salesforce.upsert-by-external-id``, ``salesforce.remedyforce-event-id``.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pagerforce.errors import RefusedError, RemoteError, UnknownOutcomeError
from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Param,
    ParamKind,
    TargetKind,
    Task,
)
from pagerforce.model.expectation import Expectation, RecordExpected, RecordGiven
from pagerforce.model.ids import RecordId, Side
from pagerforce.model.incident import Person
from pagerforce.model.record import Record
from pagerforce.model.value import Scalar, is_empty
from pagerforce.model.verdict import Delivered, RecordMade, Rejected, Skipped, Unknown, Verdict
from pagerforce.salesforce.actions.category import inbound_values
from pagerforce.salesforce.actions.search import (
    Found,
    Rivals,
    Row,
    Sent,
    doubt,
    find_record,
    window_of,
)
from pagerforce.salesforce.actions.tools import PROSE_TYPES, SalesforceTools
from pagerforce.salesforce.actions.verdicts import to_verdict
from pagerforce.salesforce.answers import VendorRefusedError
from pagerforce.salesforce.decode import created_at, found_id, value_at
from pagerforce.salesforce.soql import Select, compare, equals
from pagerforce.salesforce.values import from_row

_MADE = "made"
_REMEDY = (
    "if one of them is the incident's record, `pagerforce links add` it, then"
    " `pagerforce failed discard` this"
)


class _Draft(Struct, frozen=True):
    """A record to create.

    Attributes:
        remark: the values that were cut to fit; empty if none was.
        key_field / key: its external id, if there is one.
    """

    object: str
    values: Mapping[str, Scalar]
    remark: str
    key_field: str | None = None
    key: str = ""

    @property
    def given(self) -> Mapping[str, Scalar]:
        """All values that it gets."""
        return {**self.values, **({self.key_field: self.key} if self.key_field else {})}


CREATE_RECORD = ActionSpec(
    do="salesforce.create_record",
    side=Side.SALESFORCE,
    target=TargetKind.NEW_RECORD,
    params=(
        Param("fields", ParamKind.FIELDS, required=True, doc="field = value, or a lookup"),
        Param("object", ParamKind.NAME, doc="object to create; default: the rule's"),
    ),
    doc="Creates and links a record, once per incident and object.",
    is_open_to_doubt=True,
    cost=Cost(calls=2, calls_for_key=1),
)


class CreateRecord:
    """Delivers ``salesforce.create_record``."""

    spec = CREATE_RECORD

    def __init__(self, tools: SalesforceTools) -> None:
        self._tools = tools

    async def expectations(self, task: Task) -> Sequence[Expectation]:
        """The new record, by its external id or else by its values, and the values that it gets.

        Raises:
            RemoteError: a lookup or the category could not be requested.
        """
        try:
            draft = await self._draft(task)
        except RefusedError:
            return ()  # nothing will be sent; the attempt reports the reason
        values = {draft.key_field: draft.key} if draft.key_field else dict(draft.values)
        user_id = await self._tools.client.user_id()
        return (
            RecordExpected(draft.object, values, user_id),
            RecordGiven(draft.object, draft.given),
        )

    async def deliver(self, task: Task) -> Sequence[Verdict]:
        """Finds or creates the record."""
        if task.incident_id is None:
            return [Skipped("there is no incident to link the new record to")]
        try:
            return [await self._make(task, await self._draft(task))]
        except RemoteError as error:
            return [to_verdict(error)]

    async def _make(self, task: Task, draft: _Draft) -> Verdict:
        try:
            if draft.key_field is not None:
                return await self._make_by_key(task, draft, draft.key_field)
            return await self._make_once(task, draft)
        except VendorRefusedError as error:
            self._tools.learn(draft.object, error)
            verdict = to_verdict(error)
            if error.fields or not isinstance(verdict, Rejected):
                return verdict
            sent = ", ".join(sorted(draft.given))
            return Rejected(f"{verdict.reason} (fields sent: {sent})")

    async def _draft(self, task: Task) -> _Draft:
        call = task.calls[0]
        object_name = str(call.get("object") or task.object)
        given = call.get("fields")
        values: dict[str, Scalar] = {}
        remark = ""
        for field, value in (given if isinstance(given, Mapping) else {}).items():
            info = await self._tools.field_info(object_name, field)
            if not info.is_createable:
                raise RefusedError(
                    f"{object_name}.{field} can't be set on a new record (a formula, or read-only"
                    " for the integration user); remove it from the rule's fields"
                )
            values[field] = await self._tools.prepare(object_name, field, value)
            if self._tools.is_too_long(object_name, info, value):
                remark += f"; {field} cut to {info.length} characters"
        values = await inbound_values(self._tools, object_name, task.incident, values) | values
        values = {field: value for field, value in values.items() if not is_empty(value)}
        settings = self._tools.find_object(object_name)
        key_field = settings.external_id_field if settings is not None else ""
        if not key_field:
            return _Draft(object_name, values, remark)
        key = str(values.pop(key_field, "") or f"pd:{task.incident_id}")
        return _Draft(object_name, values, remark, key_field, key)

    async def _make_by_key(self, task: Task, draft: _Draft, key_field: str) -> Verdict:
        # A record that an earlier attempt created and somebody deleted is not created again.
        found = await self._find_by_key(draft, key_field, deleted=task.is_uncertain)
        if found is not None:
            return await self._made(task, draft, found, "found by its external id")
        try:
            done = await self._tools.client.upsert(draft.object, key_field, draft.key, draft.values)
        except VendorRefusedError as error:
            if error.code != "DUPLICATE_VALUE":
                raise
            found = await self._find_by_key(draft, key_field)
            if found is None:  # another unique field is taken
                raise
            return await self._made(task, draft, found, "found by its external id")
        if done.matches > 1:
            raise RefusedError(
                f"{done.matches} records of {draft.object} have {key_field} = {draft.key!r}:"
                " delete all but one, and make the field unique"
            )
        record_id = done.id or await self._find_by_key(draft, key_field)
        if record_id is None:
            raise UnknownOutcomeError(f"upsert of {draft.object}: the answer names no record")
        return await self._made(task, draft, record_id, _MADE if done.created else "found")

    async def _find_by_key(
        self, draft: _Draft, key_field: str, *, deleted: bool = False
    ) -> RecordId | None:
        """The record with the draft's key; with ``deleted``, otherwise a deleted one."""
        select = Select(draft.object, ("Id", "IsDeleted"), (equals(key_field, draft.key),))
        rows = await self._tools.client.query_to_end(select.text(), deleted=deleted)
        living = [found_id(row) for row in rows if row.get("IsDeleted") is not True]
        if len(living) > 1:
            raise RefusedError(
                f"several records of {draft.object} have {key_field} = {draft.key!r}:"
                " delete all but one, and make the field unique"
            )
        return next(iter([*living, *(found_id(row) for row in rows)]), None)

    async def _make_once(self, task: Task, draft: _Draft) -> Verdict:
        if task.is_uncertain:
            rivals = Rivals.of(task, draft.object, self._tools.client.session.now())
            rows = await self._earlier_rows(task, draft, rivals)
            sent = Sent(draft.values, await self._prose(draft), rivals.values)
            finding = find_record(rows, sent)
            if finding.what is Found.OURS:
                how = "found, created by an earlier attempt"
                return await self._made(task, draft, finding.ids[0], how)
            if finding.what is Found.DOUBT:
                return doubt(f"rows of {draft.object}", finding.ids, remedy=_REMEDY)
        record_id = await self._tools.client.create(draft.object, draft.values)
        return await self._made(task, draft, record_id, _MADE)

    async def _prose(self, draft: _Draft) -> frozenset[str]:
        infos = [await self._tools.field_info(draft.object, name) for name in draft.values]
        return frozenset(info.name for info in infos if info.type in PROSE_TYPES)

    async def _earlier_rows(self, task: Task, draft: _Draft, rivals: Rivals) -> Sequence[Row]:
        """The integration user's rows near the time of earlier attempts, deleted ones too."""
        client = self._tools.client
        user_id = await client.user_id()
        infos = {name: await self._tools.field_info(draft.object, name) for name in draft.values}
        window = window_of(task, client.session.now())
        select = Select(
            draft.object,
            tuple(dict.fromkeys(["Id", "CreatedDate", *infos])),
            (equals("CreatedById", user_id), compare("CreatedDate", ">=", window.since)),
            order_by=("CreatedDate", "Id"),
        )
        rows = [
            Row(
                found_id(row),
                {name: _value(row, name, info.type) for name, info in infos.items()},
                is_close=window.is_close(created_at(row)) and found_id(row) not in task.seen_before,
                may_be=rivals.about(created_at(row)),
            )
            for row in await client.query_to_end(select.text(), deleted=True)
        ]
        return [row for row in rows if row.id not in task.known_ids]

    async def _made(self, task: Task, draft: _Draft, record_id: RecordId, how: str) -> Verdict:
        """The verdict with the current record.

        If it cannot be read back, it is searched for again: a snapshot without the values that the
        org fills in would hide their next change.
        """
        try:
            record = await self._tools.read_record(draft.object, record_id)
            us = Person(id=await self._tools.client.user_id())
        except RemoteError as error:
            return Unknown(f"{draft.object} {record_id} {how}, but not read back: {error}")
        if record is None:
            # Hidden from the integration user: the link must not fail because of that. The event's
            # time makes everything that a poll returns newer than this.
            fields = {"Id": record_id, **draft.values}
            at = task.event_at
            record = Record(draft.object, record_id, fields, at, at, at, us, us)
        detail = f"{draft.object} {record_id} {how}{draft.remark if how == _MADE else ''}"
        return Delivered(detail, (RecordMade(record, draft.given),))


def _value(row: Mapping[str, object], name: str, kind: str) -> Scalar:
    try:
        return from_row(value_at(row, name)[1], kind)
    except ValueError:
        return None
