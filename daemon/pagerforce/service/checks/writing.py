"""Checks, before any rule fires, that Salesforce accepts what rules and comments write."""

from collections.abc import Iterable, Iterator, Mapping

import anyio.lowlevel
import msgspec
from msgspec import Struct

from pagerforce.config.checkline import CheckLine, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.errors import RefusedError
from pagerforce.model.ids import RecordId
from pagerforce.model.value import Json, Scalar, is_empty
from pagerforce.rules.inspection import is_template
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.lookup import LookupResolver
from pagerforce.salesforce.schema import FieldInfo, SchemaCache
from pagerforce.salesforce.values import to_payload
from pagerforce.service.checks import remedyforce
from pagerforce.service.checks.asking import Asking, GaveUpError
from pagerforce.service.checks.naming import foreseeable
from pagerforce.service.writes import NewRow, Write, comment_writes, new_rows, writes_of

_WRITE = "{where}"
_MOST_LINES = 1000
_MOST_VALUES = 1000  # of one field or lookup, and combinations of a lookup's
_PICKLISTS = ("picklist", "multipicklist")
# Every row has an owner; if nobody sets it, the platform does.
_BY_ITSELF = frozenset({"OwnerId"})

READ_ONLY = todo(
    "write.read_only",
    _WRITE,
    "{field} is read-only for the integration user: write the field that it is computed from, or"
    " give the user edit access to it",
)
NO_VALUE = todo(
    "write.no_such_value", _WRITE, "{field} has no value {value!r}; its values are {known}"
)
UNSUITED = todo("write.unsuited", _WRITE, "{said}: correct the value")
CLEARED = todo("write.cleared", _WRITE, "{field} may not be empty: give it a value")
LOOKUP = todo("write.lookup", _WRITE, "{said}")
REQUIRED = todo(
    "write.required",
    _WRITE,
    "a new {object} needs {field} and nothing sets it: add it to the fields",
)
REQUIRED_DOUBT = remark(
    "write.required_doubt",
    _WRITE,
    "a new {object} may not leave {field} empty, and the org does not show whether it fills the"
    " field by itself: if not, add it to the fields",
)

ADVICE = (
    READ_ONLY,
    NO_VALUE,
    UNSUITED,
    CLEARED,
    LOOKUP,
    REQUIRED,
    REQUIRED_DOUBT,
    *remedyforce.ADVICE,
)


class WritingCheck(Struct, frozen=True):
    """Checks everything that is written to Salesforce.

    Attributes:
        most_lookups: the most lookups that the org may be asked for; None: no limit.
    """

    loaded: Loaded
    client: SalesforceClient
    schema: SchemaCache
    lookups: LookupResolver
    asking: Asking
    most_lookups: int | None = None
    _asked: list[None] = msgspec.field(default_factory=list)

    async def run(self) -> list[CheckLine]:
        """Returns one line for each thing that would fail, or one line that nothing would.

        Raises:
            GaveUpError: the org does not answer.
        """
        lines: list[CheckLine] = []
        for write in self._writes():
            await anyio.lowlevel.checkpoint()  # cached lookups never wait
            lines += await self._write(write)
            if len(lines) > _MOST_LINES:
                return lines
        for row in new_rows(self.loaded):
            await anyio.lowlevel.checkpoint()
            what = f"{row.where}: required fields"
            found = await self.asking.ask(what, lambda row=row: self._row(row))  # type: ignore[misc]
            lines += [found] if isinstance(found, CheckLine) else found
        is_well = all(line.ok for line in lines)
        return [ok("what rules and comments write"), *lines] if is_well else lines

    def _writes(self) -> Iterator[Write]:
        for rule in self.loaded.rules:
            yield from writes_of(rule)
        for item in self.loaded.config.objects:
            yield from comment_writes(item)

    async def _write(self, write: Write) -> list[CheckLine]:
        async def judge() -> list[CheckLine]:
            try:
                info = await self.schema.find_field(write.object, write.field)
            except RefusedError:
                info = None
            if info is None:
                return []  # reported by ObjectsCheck
            lines = list(judge_write(info, write, self.loaded.config.maps))
            return lines + (await self._lookups(write) if not lines else [])

        found = await self.asking.ask(write.where, judge)
        lines = [found] if isinstance(found, CheckLine) else found
        return lines + list(remedyforce.judge_write(write))

    async def _lookups(self, write: Write) -> list[CheckLine]:
        """Checks that every lookup with known values finds exactly one row, and a usable one."""
        lines = []
        for values in foreseeable_lookups(write.lookup, self.loaded.config.maps):
            self._count_lookup()
            try:
                found = await self.lookups.resolve(write.object, write.field, values)
            except RefusedError as error:
                lines.append(LOOKUP.line(where=write.where, said=error))
                continue
            lines += await self._found(write, found)
        return lines

    def _count_lookup(self) -> None:
        self._asked.append(None)
        if self.most_lookups is not None and len(self._asked) > self.most_lookups:
            raise GaveUpError(f"the rules look up more than {self.most_lookups} values")

    async def _found(self, write: Write, found: RecordId) -> list[CheckLine]:
        query = remedyforce.status_query(write, found)
        if query is None:
            return []
        try:
            rows = await self.client.query_to_end(query)
        except RefusedError:
            return []  # another version of the package: its rules are not known
        return list(remedyforce.judge_status(write, rows))

    async def _row(self, row: NewRow) -> list[CheckLine]:
        """Reports fields that a new row needs and does not get."""
        try:
            info = await self.schema.describe(row.object)
        except RefusedError:
            return []
        given = {write.field for write in row.given if not _is_blank(write)}
        always, perhaps = given | self._keys(row), await self._by_service(row)
        lines = [
            line
            for field in info.fields.values()
            if field.name not in always | perhaps | _BY_ITSELF
            and (line := required_line(row, field)) is not None
        ]
        return lines + list(remedyforce.judge_row(row, always, perhaps))

    def _keys(self, row: NewRow) -> set[str]:
        """Returns the fields that pagerforce fills by itself."""
        found: set[str] = set()
        for item in self.loaded.config.objects:
            if item.name == row.object:
                found.add(item.external_id_field)
            if item.comments is not None and item.comments.object == row.object:
                found |= {item.comments.parent_field, item.comments.body_field}
        return found

    async def _by_service(self, row: NewRow) -> set[str]:
        """Returns the fields that the incident's service fills, if the service is mapped."""
        found = {
            mapping.field
            for mapping in self.loaded.config.service_mappings
            if mapping.inbound and mapping.object == row.object
        }
        for item in self.loaded.config.objects:
            relation, _, field = item.service_id_path.partition(".")
            if item.name == row.object and field and "." not in field:
                reference = (await self.schema.describe(row.object)).relationship(relation)
                found |= {reference.name} if reference is not None else set()
        return found


def judge_write(
    info: FieldInfo, write: Write, maps: Mapping[str, Mapping[str, object]]
) -> Iterator[CheckLine]:
    """Reports what is wrong with a write, as far as the describe shows."""
    is_open = info.is_createable if write.is_new else info.is_updateable
    if info.is_calculated or not is_open:
        yield READ_ONLY.line(where=write.where, field=info.name)
        return
    if write.lookup is not None:
        return
    if _is_blank(write):
        if not info.is_nillable and not write.is_new and info.type != "boolean":
            yield CLEARED.line(where=write.where, field=info.name)
        return
    for value in _foreseen(write.value, maps)[:_MOST_VALUES]:
        yield from _judge_value(info, write.where, value)


def _judge_value(info: FieldInfo, where: str, value: Scalar) -> Iterator[CheckLine]:
    if info.type in _PICKLISTS and info.picklist_values:
        known = {item.casefold() for item in info.picklist_values}
        parts = str(value).split(";") if info.type == "multipicklist" else [str(value)]
        for part in (part for part in parts if part.strip().casefold() not in known):
            listed = ", ".join(info.picklist_values)
            yield NO_VALUE.line(where=where, field=info.name, value=part, known=listed)
        return
    if info.type in ("string", "textarea"):
        return  # a text that is too long is cut and logged
    try:
        to_payload(info, value)
    except RefusedError as error:
        yield UNSUITED.line(where=where, said=error)


def foreseeable_lookups(
    lookup: Mapping[str, Json] | None, maps: Mapping[str, Mapping[str, object]]
) -> Iterable[Mapping[str, Scalar]]:
    """Returns the possible values of a lookup; nothing if they are known only later."""
    if not lookup:
        return []
    found: list[dict[str, Scalar]] = [{}]
    for field, value in lookup.items():
        values = _foreseen(value, maps)
        if not values or len(found) * len(values) > _MOST_VALUES:
            return []
        found = [{**earlier, field: item} for earlier in found for item in values]
    return found


def _foreseen(value: Json, maps: Mapping[str, Mapping[str, object]]) -> tuple[Scalar, ...]:
    if isinstance(value, str):
        return foreseeable(value, maps)
    return (value,) if isinstance(value, bool | int | float) else ()


def _is_blank(write: Write) -> bool:
    is_plain = isinstance(write.value, str) and not is_template(write.value)
    return write.lookup is None and (write.value is None or is_plain) and is_empty(write.value)


def required_line(row: NewRow, field: FieldInfo) -> CheckLine | None:
    """Returns the line about a field that a new row does not get, if there is one."""
    is_optional = field.is_nillable or not field.is_createable or field.type == "boolean"
    if is_optional or field.is_calculated or field.is_defaulted:
        return None
    advice = REQUIRED_DOUBT if field.is_defaulted is None else REQUIRED
    return advice.line(where=row.where, object=row.object, field=field.name)
