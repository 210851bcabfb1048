"""The shared tools of the Salesforce actions: reading records and preparing values."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from pagerforce.config.schema import Config, Lookup, ObjectSettings
from pagerforce.errors import MalformedError, RefusedError, RemoteError
from pagerforce.model.ids import RecordId
from pagerforce.model.lengths import Unit, cut
from pagerforce.model.mapping import MappingTable
from pagerforce.model.record import Record
from pagerforce.model.value import Scalar
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import RecordShape, decode
from pagerforce.salesforce.feeds import FeedPlan
from pagerforce.salesforce.lookup import Answers, LookupResolver
from pagerforce.salesforce.refused_columns import RefusedColumns
from pagerforce.salesforce.schema import FieldInfo, SchemaCache
from pagerforce.salesforce.soql import Select, equals, is_in, is_path
from pagerforce.salesforce.values import to_payload

PROSE_TYPES = frozenset({"string", "textarea"})
"""Text for people, which may be cut. A cut address or picklist value would be another value."""


STALE_CODES = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE"})
"""After the describe, a field may have been deleted, renamed or hidden."""

_NO_ANSWERS: Answers = {}

# Fact: `salesforce.comment-counted-in-bytes`. It is not known for other fields.
_COUNTED_IN_BYTES = frozenset({("casecomment", "commentbody")})


class SalesforceTools(Struct, frozen=True):
    """The tools of the handlers."""

    client: SalesforceClient
    schema: SchemaCache
    plan: FeedPlan
    config: Config
    mappings: MappingTable
    lookups: LookupResolver
    refused_columns: RefusedColumns

    def find_object(self, name: str) -> ObjectSettings | None:
        """The ``[[objects]]`` entry of an object (API names ignore case)."""
        entries = self.config.objects
        return next((entry for entry in entries if entry.name.lower() == name.lower()), None)

    def winner_of(self, object_name: str, field: str) -> str:
        """The winner of a conflict on a field: ``newest``, ``pagerduty`` or ``salesforce``."""
        settings = self.find_object(object_name)
        if settings is None:
            return "newest"
        by_field = {name.lower(): winner for name, winner in settings.conflict_fields.items()}
        return by_field.get(field.lower(), settings.conflict)

    async def field_info(self, object_name: str, field: str) -> FieldInfo:
        """A field of an object; if the cached describe lacks it, the describe is requested again.

        Raises:
            RefusedError: there is no such field, or it is hidden from the integration user.
        """
        for is_last in (False, True):
            found = (await self.schema.describe(object_name)).fields.get(field)
            if found is not None:
                return found
            if not is_last:
                self.schema.forget(object_name)
        raise RefusedError(
            f"{object_name} has no field {field} that the integration user can see; check its name"
            " (case matters) and the field-level security"
        )

    async def prepare(
        self, object_name: str, field: str, value: object, answers: Answers = _NO_ANSWERS
    ) -> Scalar:
        """The value to send for a rendered value: with the field's type, a lookup as its Id.

        Text that is too long for its field (``is_too_long``) is cut, with an ellipsis. ``answers``:
        to queries of the lookup that were sent already.

        Raises:
            RefusedError: the value does not fit the field, or the lookup is not unique.
            RemoteError: Salesforce could not be reached.
        """
        info = await self.field_info(object_name, field)
        wanted = lookup_of(value)
        if wanted is not None:
            return await self.lookups.resolve(object_name, info.name, wanted, answers)
        if not (value is None or isinstance(value, str | int | float | bool)):
            raise RefusedError(f"{object_name}.{field} takes a single value, not a list or table")
        if self.is_too_long(object_name, info, value):
            value = cut(str(value), info.length, unit=unit_of(object_name, info))
        return to_payload(info, value)

    def is_too_long(self, object_name: str, field: FieldInfo, value: object) -> bool:
        """Whether a value is text for people that is too long for its field.

        A key is never cut: two records whose keys have the same beginning would become one.
        """
        settings = self.find_object(object_name)
        is_key = settings is not None and settings.external_id_field.lower() == field.name.lower()
        return (
            isinstance(value, str)
            and field.type in PROSE_TYPES
            and 0 < field.length < unit_of(object_name, field).of(value)
            and not is_key
        )

    def learn(self, object_name: str, error: RemoteError) -> None:
        """Drops an object's cached describe if an answer contradicts it."""
        if isinstance(error, RefusedError) and error.code in STALE_CODES:
            self.schema.forget(object_name)

    async def read_record(
        self, object_name: str, record_id: RecordId, extra: frozenset[str] = frozenset()
    ) -> Record | None:
        """The current record, with the fields of polls and ``extra``; None if it is gone.

        Raises:
            MalformedError: the row could not be understood.
            RemoteError: Salesforce could not be reached.
        """
        return (await self.read_records(object_name, [record_id], extra)).get(record_id)

    async def read_records(
        self, object_name: str, ids: Sequence[RecordId], extra: frozenset[str] = frozenset()
    ) -> Mapping[RecordId, Record]:
        """The current records, deleted ones too; absent ones are gone.

        If a field has disappeared since the describe, they are read without it.

        Raises:
            MalformedError: a row could not be understood.
            RemoteError: Salesforce could not be reached.
        """
        reading = await self.reading(object_name, ids, extra)
        try:
            rows = await self.client.query_to_end(reading.soql, deleted=True)
        except RefusedError as error:
            is_polled = object_name in self.plan.names
            if not is_polled and error.code not in STALE_CODES:
                raise
            self.learn(object_name, error)
            if is_polled:
                with suppress(RefusedError):  # the next query shows it; a poll may have fixed it
                    await self.refused_columns.without_refused(
                        await self.plan.feed(object_name), error
                    )
            reading = await self.reading(object_name, ids, extra)
            rows = await self.client.query_to_end(reading.soql, deleted=True)
        return reading.records(rows)

    async def reading(
        self, object_name: str, ids: Sequence[RecordId], extra: frozenset[str] = frozenset()
    ) -> "RecordsQuery":
        """The query for the current records, with the fields of polls and ``extra``.

        Raises:
            RemoteError: the describe could not be requested.
        """
        columns, shape = await self.plan.record_shape(object_name)
        types = dict(shape.fields)
        for path in sorted(extra - types.keys()):
            if is_path(path):
                found = await self.schema.find_field(object_name, path)
                types |= {path: found.type} if found is not None else {}
        select = Select(
            object_name,
            tuple(dict.fromkeys([*columns, *types])),
            where=(equals("Id", ids[0]) if len(ids) == 1 else is_in("Id", ids),),
        )
        return RecordsQuery(select, RecordShape(object_name, types, shape.stamp_field))


class RecordsQuery(Struct, frozen=True):
    """A query for some records by Id, and the shape of its rows."""

    select: Select
    shape: RecordShape

    @property
    def soql(self) -> str:
        """The query."""
        return self.select.text()

    def records(self, rows: tuple[Mapping[str, object], ...]) -> dict[RecordId, Record]:
        """The records by Id; absent ones are gone.

        Raises:
            MalformedError: a row could not be understood.
        """
        decoded = decode(rows, self.shape)
        found = {record.id: record for record in decoded.records}
        if len(found) < len(rows) and decoded.flaws:
            raise MalformedError(f"{decoded.flaws[0].where}: {decoded.flaws[0].what}")
        return found


def unit_of(object_name: str, field: FieldInfo) -> Unit:
    """The unit of a field's length."""
    is_named = (object_name.lower(), field.name.lower()) in _COUNTED_IN_BYTES
    if is_named or 0 < field.byte_length <= field.length:
        return Unit.ENCODED_BYTES
    return Unit.ENCODED if field.is_rich else Unit.UTF16


def lookup_of(value: object) -> Mapping[str, Scalar] | None:
    """The fields of ``{ lookup = { ... } }``, rendered or configured; None for other values."""
    if isinstance(value, Lookup):
        return value.fields
    if isinstance(value, Mapping):
        inner = value.get("lookup")
        if isinstance(inner, Mapping) and len(value) == 1:
            return {
                str(name): item
                for name, item in inner.items()
                if item is None or isinstance(item, str | int | float | bool)
            }
    return None
