"""``{ lookup = { Name = "CLOSED" } }``: finds the one Id for a reference field.

The field's describe lists the objects that it may point to. If there are several (Owner: users and
queues), each object with all fields of the lookup is searched. Fact:
``salesforce.owner-shows-few-fields``.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pagerforce.errors import RefusedError
from pagerforce.model.durations import NAMES_KNOWN_FOR
from pagerforce.model.ids import RecordId
from pagerforce.model.ports import Clock
from pagerforce.model.value import Scalar, parse_instant
from pagerforce.salesforce.bodies import PartAnswer
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import found_id
from pagerforce.salesforce.schema import FieldInfo, SchemaCache
from pagerforce.salesforce.soql import Condition, Literal, Select, equals
from pagerforce.salesforce.values import to_payload

Answers: TypeAlias = Mapping[str, PartAnswer]
"""Answers to queries that were sent already, by their SOQL."""

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]
_NO_ANSWERS: Answers = {}
_MANY = 5
_MAX_CACHED = 5_000


class NothingFoundError(RefusedError):
    """No row has the values of a lookup."""


class LookupResolver:
    """Resolves lookups and caches the found Ids.

    Args:
        client: the API.
        schema: the org's objects.
        clock: measures the age of cached Ids.
        ttl_seconds: how long a found Id stays cached; a lookup without a result is never cached.
    """

    def __init__(
        self,
        client: SalesforceClient,
        schema: SchemaCache,
        clock: Clock,
        *,
        ttl_seconds: float = NAMES_KNOWN_FOR.total_seconds(),
    ) -> None:
        self._client = client
        self._schema = schema
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._found: dict[_Key, tuple[float, RecordId]] = {}

    async def resolve(
        self,
        object_name: str,
        field: str,
        values: Mapping[str, Scalar],
        answers: Answers = _NO_ANSWERS,
    ) -> RecordId:
        """The Id of the one row whose fields have these values (case of texts is ignored).

        Args:
            object_name: the object with the reference field.
            field: the reference field.
            values: the values to find.
            answers: to the ``queries`` of this lookup; the others are sent now.

        Raises:
            RefusedError: no row has these values, several have, or the field is no reference.
            RemoteError: Salesforce could not be reached.
        """
        key = _key_of(object_name, field, values)
        cached = self._cached(key)
        if cached is not None:
            return cached
        found = await self._search(object_name, field, values, answers)
        if len(self._found) >= _MAX_CACHED:
            self._found.clear()
        self._found[key] = (self._clock.monotonic(), found)
        return found

    async def queries(
        self, object_name: str, field: str, values: Mapping[str, Scalar]
    ) -> Sequence[str]:
        """The queries that ``resolve`` needs; none if the Id is cached.

        Raises:
            RefusedError: the field is no reference, or a value does not fit.
            RemoteError: Salesforce could not be reached.
        """
        if self._cached(_key_of(object_name, field, values)) is not None:
            return ()
        return [query for _, query in await self._selects(object_name, field, values)]

    def _cached(self, key: _Key) -> RecordId | None:
        at, found = self._found.get(key, (float("-inf"), None))
        return found if self._clock.monotonic() - at < self._ttl_seconds else None

    async def _selects(
        self, object_name: str, field: str, values: Mapping[str, Scalar]
    ) -> list[tuple[str, str]]:
        """(object, query) for each object that the field may point to and that has these fields."""
        found = []
        for target in await self._targets(object_name, field):
            conditions = await self._conditions(target, values)
            if conditions is not None:
                found.append((target, Select(target, ("Id",), conditions, limit=_MANY).text()))
        return found

    async def _targets(self, object_name: str, field: str) -> Sequence[str]:
        reference = (await self._schema.describe(object_name)).fields.get(field)
        if reference is None or not reference.reference_to:
            place = f"{object_name}.{field}"
            raise RefusedError(f"{place} is not a reference field, so it cannot have a lookup")
        return reference.reference_to

    async def _search(
        self, object_name: str, field: str, values: Mapping[str, Scalar], answers: Answers
    ) -> RecordId:
        place = f"{object_name}.{field}"
        ids: set[RecordId] = set()
        targets = []
        for target, query in await self._selects(object_name, field, values):
            found = await self._ids_of(query, answers)
            if found is not None:
                targets.append(target)
                ids |= found
        words = ", ".join(f"{name} = {value!r}" for name, value in values.items())
        if not targets:
            among = " or ".join(await self._targets(object_name, field))
            raise RefusedError(
                f"lookup for {place}: {among} has no such fields: {', '.join(values)}"
            )
        among = " and ".join(targets)
        if not ids:
            raise NothingFoundError(
                f"lookup for {place}: no row of {among} has {words}; correct the value"
            )
        if len(ids) > 1:
            raise RefusedError(
                f"lookup for {place}: {_count(len(ids))} rows of {among} have {words};"
                " give values that exactly one row has"
            )
        return next(iter(ids))

    async def _conditions(
        self, target: str, values: Mapping[str, Scalar]
    ) -> tuple[Condition, ...] | None:
        """The conditions on one target object; None if it lacks a field.

        An object with a hidden describe may still answer queries; its fields are then treated as
        text.
        """
        conditions = []
        for path, value in values.items():
            try:
                info = await self._schema.find_field(target, path)
            except RefusedError:
                info = FieldInfo(path, "string")
            if info is None:
                return None
            conditions.append(equals(path, to_literal(info, value)))
        return tuple(conditions)

    async def _ids_of(self, query: str, answers: Answers) -> set[RecordId] | None:
        """The Ids found; None if the org refuses the query because of the object or a field."""
        try:
            rows = await self._rows_of(query, answers)
        except RefusedError as error:
            if error.code in ("INVALID_TYPE", "INVALID_FIELD"):
                return None
            raise
        return {found_id(row) for row in rows}

    async def _rows_of(self, query: str, answers: Answers) -> Sequence[Mapping[str, object]]:
        part = answers.get(query)
        if part is None:
            return await self._client.query_to_end(query)
        return await self._client.rows_of(part)


def _key_of(object_name: str, field: str, values: Mapping[str, Scalar]) -> _Key:
    return object_name, field, tuple(sorted((k, repr(v)) for k, v in values.items()))


def to_literal(field: FieldInfo, value: Scalar) -> Literal:
    """A value as a literal of the field's type.

    Raises:
        RefusedError: it does not fit the type.
    """
    payload = to_payload(field, value)
    if field.type in ("date", "datetime") and isinstance(payload, str):
        moment = parse_instant(payload)
        return moment if field.type == "datetime" else moment.date()
    return payload


def _count(number: int) -> str:
    return f"{number} or more" if number >= _MANY else str(number)
