"""The org's objects and fields: cached describes, and checks against them.

Facts: ``salesforce.describe-tells-fields``, ``salesforce.stamp-may-be-unfilterable``,
``salesforce.remedyforce-formulas-of-time``.
"""

import re
from collections.abc import Iterable, Mapping

import anyio.lowlevel
from msgspec import Struct

from pagerforce.errors import MalformedError, Problem, RefusedError, TransientError
from pagerforce.model.durations import DESCRIBE_KNOWN_FOR
from pagerforce.model.known_fields import CHANGED_BY_TIME
from pagerforce.model.ports import Clock
from pagerforce.observe.turns import Turns
from pagerforce.salesforce.client import SalesforceClient

# Compound values (an address, a location) are objects in JSON, not single values.
_COMPOUND_TYPES = frozenset({"address", "location", "base64", "complexvalue"})
_MAX_STEPS = 5
_CLOCK_FUNCTION = re.compile(r"\b(?:NOW|TODAY)\s*\(", re.IGNORECASE)


class FieldInfo(Struct, frozen=True):
    """One field of an object, from its describe. A right that the describe omits counts as given.

    Attributes:
        is_defaulted: whether a new record gets a default; None if the describe omits it.
        is_external_id / is_unique: None if the describe omits it.
        scale: digits after the decimal point; 0: none, or unknown.
        byte_length: maximum bytes of a text in UTF-8; 0: unknown.
        is_rich: whether the text is HTML.
        is_restricted: a picklist that accepts only its own values.
        inactive_values: of a picklist: values that older records may still have.
    """

    name: str
    type: str
    length: int = 0
    is_createable: bool = True
    is_updateable: bool = True
    is_filterable: bool = True
    is_sortable: bool = True
    is_calculated: bool = False
    is_time_driven: bool = False
    is_nillable: bool = True
    is_defaulted: bool | None = None
    is_external_id: bool | None = None
    is_unique: bool | None = None
    is_restricted: bool = False
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    picklist_values: tuple[str, ...] = ()
    inactive_values: tuple[str, ...] = ()
    scale: int = 0
    byte_length: int = 0
    is_rich: bool = False


class ObjectInfo(Struct, frozen=True):
    """One object: its fields by API name, and whether the integration user may write its rows.

    ``key_prefix``: the first three characters of its Ids; ``""`` if the describe omits it.
    """

    name: str
    fields: Mapping[str, FieldInfo]
    is_createable: bool = True
    is_updateable: bool = True
    key_prefix: str = ""

    def relationship(self, name: str) -> FieldInfo | None:
        """The reference field of one step in a parent path, e.g. ``FKCategory__r``."""
        return next((f for f in self.fields.values() if f.relationship_name == name), None)

    @property
    def stamp_field(self) -> str | None:
        """The field that orders changes: SystemModstamp, or a substitute if it cannot be used."""
        for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
            info = self.fields.get(name)
            if info is not None and info.is_filterable and info.is_sortable:
                return name
        return None

    @property
    def time_driven(self) -> frozenset[str]:
        """Formulas whose value changes with time alone; their differences are no events."""
        found = {f.name for f in self.fields.values() if f.is_time_driven}
        return frozenset(found) | CHANGED_BY_TIME.get(self.name, frozenset())


class SchemaCache:
    """Caches describes of objects, for a limited time or until an answer contradicts them.

    Args:
        client: the API.
        clock: measures the age of cached describes.
        ttl_seconds: the age when a describe is requested again; then new custom fields appear.
    """

    def __init__(
        self,
        client: SalesforceClient,
        clock: Clock,
        *,
        ttl_seconds: float = DESCRIBE_KNOWN_FOR.total_seconds(),
    ) -> None:
        self._client = client
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._objects: dict[str, tuple[float, ObjectInfo]] = {}
        self._hidden: dict[str, float] = {}
        self._turns = Turns("Salesforce describe", _describe_hangs)

    async def describe(self, object_name: str) -> ObjectInfo:
        """The object, at most ``ttl_seconds`` old.

        Raises:
            RefusedError: there is no such object, or it is hidden from the integration user.
            RemoteError: it could not be requested.
        """
        cached = self._cached(object_name)
        if cached is not None:
            return cached
        # Many callers need the same describe at the start; one of them fetches it.
        async with self._turns.taken():
            cached = self._cached(object_name)
            if cached is not None:
                return cached
            info = parse_describe(object_name, await self._client.fetch_describe(object_name))
            self._objects[object_name] = (self._clock.monotonic(), info)
            return info

    def _cached(self, object_name: str) -> ObjectInfo | None:
        since, info = self._objects.get(object_name, (0.0, None))
        return info if info is not None and self._is_fresh(since) else None

    def forget(self, object_name: str) -> None:
        """Drops the cached describe of an object, after an answer has contradicted it."""
        self._objects.pop(object_name, None)
        self._hidden.clear()

    def forget_all(self) -> None:
        """Drops all cached describes: an answer contradicts one of them, maybe a parent's."""
        self._objects.clear()
        self._hidden.clear()

    async def find_field(self, object_name: str, path: str) -> FieldInfo | None:
        """The field at the end of a path, through parents; None if a step does not exist.

        Raises:
            RemoteError: as ``describe``, except for a hidden parent object.
        """
        *steps, last = path.split(".")
        if len(steps) > _MAX_STEPS:
            return None
        objects = [await self.describe(object_name)]
        for step in steps:
            targets: list[ObjectInfo] = []
            for info in objects:
                reference = info.relationship(step)
                for name in reference.reference_to if reference is not None else ():
                    target = await self.find_described(name)
                    targets.extend([target] if target is not None else [])
            objects = targets
        return next((info.fields[last] for info in objects if last in info.fields), None)

    async def check_fields(self, object_name: str, paths: Iterable[str]) -> tuple[Problem, ...]:
        """The problems of the fields that a configuration names; empty if there are none.

        Raises:
            RemoteError: the org could not be reached (an unknown object is a problem, no error).
        """
        try:
            info = await self.describe(object_name)
        except RefusedError as error:
            what = (
                "Salesforce does not show this object to the integration user"
                f" ({error.code or error.status})"
            )
            return (Problem(object_name, f"{what}; check its name and the user's permissions"),)
        problems = []
        for path in sorted(set(paths)):
            await (
                anyio.lowlevel.checkpoint()
            )  # a file may name many fields, and none of them may need a request
            found = await self.find_field(object_name, path)
            if found is None and await self._is_hidden(info, path):
                continue  # cannot be checked; the query will show it
            if found is None:
                problems.append(Problem(f"{object_name}.{path}", _advise(info, path)))
            elif found.type in _COMPOUND_TYPES:
                what = f"a field of type {found.type} has no single value; name one of its parts"
                problems.append(Problem(f"{object_name}.{path}", what))
        if info.stamp_field is None:
            what = (
                "neither SystemModstamp nor another time field can be filtered here, so its changes"
                " can't be read; give the integration user access to SystemModstamp"
            )
            problems.append(Problem(object_name, what))
        return tuple(problems)

    async def is_hidden(self, object_name: str, path: str) -> bool:
        """Whether a path cannot be checked, because it leads through a hidden object."""
        return await self._is_hidden(await self.describe(object_name), path)

    async def _is_hidden(self, info: ObjectInfo, path: str) -> bool:
        """Whether a path leads through a parent object with a hidden describe."""
        *steps, _ = path.split(".")
        objects = [info]
        for step in steps:
            references = [item.relationship(step) for item in objects]
            names = [name for item in references if item is not None for name in item.reference_to]
            targets = [await self.find_described(name) for name in names]
            objects = [target for target in targets if target is not None]
            if names and not objects:
                return True
        return False

    async def find_described(self, object_name: str) -> ObjectInfo | None:
        """A parent object; None if it is hidden. Both are cached, because every poll needs them."""
        hidden_at = self._hidden.get(object_name)
        if hidden_at is not None and self._is_fresh(hidden_at):
            return None
        try:
            return await self.describe(object_name)
        except RefusedError:
            self._hidden[object_name] = self._clock.monotonic()
            return None

    def _is_fresh(self, since: float) -> bool:
        return self._clock.monotonic() - since < self._ttl_seconds


def _describe_hangs() -> TransientError:
    return TransientError("describe: nothing was sent: other describes have not ended yet")


def parse_describe(object_name: str, body: Mapping[str, object]) -> ObjectInfo:
    """Reads a describe; malformed fields are left out.

    Raises:
        MalformedError: it has no list of fields.
    """
    items = body.get("fields")
    if not isinstance(items, list):
        raise MalformedError(f"describe of {object_name}: the answer has no list of fields")
    fields = [_parse_field(item) for item in items if isinstance(item, Mapping)]
    name = body.get("name")
    return ObjectInfo(
        name if isinstance(name, str) else object_name,
        {field.name: field for field in fields if field is not None},
        is_createable=body.get("createable") is not False,
        is_updateable=body.get("updateable") is not False,
        key_prefix=prefix if isinstance(prefix := body.get("keyPrefix"), str) else "",
    )


def _relationship_of(name: str, item: Mapping[str, object]) -> str | None:
    """The name of a reference in paths; if the describe omits it, as the platform forms it.

    ``null`` means that no path leads through it.
    """
    if "relationshipName" in item or not item.get("referenceTo"):
        found = item.get("relationshipName")
        return found if isinstance(found, str) else None
    return name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")


def _parse_field(item: Mapping[str, object]) -> FieldInfo | None:
    name, kind, length = item.get("name"), item.get("type"), item.get("length")
    if not isinstance(name, str):
        return None
    targets, values = item.get("referenceTo"), item.get("picklistValues")
    formula = item.get("calculatedFormula")
    return FieldInfo(
        name=name,
        type=kind.lower() if isinstance(kind, str) else "string",
        length=length if isinstance(length, int) else 0,
        is_createable=item.get("createable") is not False,
        is_updateable=item.get("updateable") is not False,
        is_filterable=item.get("filterable") is not False,
        is_sortable=item.get("sortable") is not False,
        is_calculated=item.get("calculated") is True,
        is_time_driven=isinstance(formula, str) and bool(_CLOCK_FUNCTION.search(formula)),
        reference_to=tuple(t for t in targets if isinstance(t, str))
        if isinstance(targets, list)
        else (),
        relationship_name=_relationship_of(name, item),
        is_nillable=item.get("nillable") is not False,
        is_defaulted=_flag(item, "defaultedOnCreate"),
        is_external_id=_flag(item, "externalId"),
        is_unique=_flag(item, "unique"),
        is_restricted=item.get("restrictedPicklist") is True,
        picklist_values=_picklist(values, is_active=True),
        inactive_values=_picklist(values, is_active=False),
        scale=_count(item, "scale"),
        byte_length=_count(item, "byteLength"),
        is_rich=item.get("extraTypeInfo") == "richtextarea",
    )


def _flag(item: Mapping[str, object], name: str) -> bool | None:
    value = item.get(name)
    return value if isinstance(value, bool) else None


def _count(item: Mapping[str, object], name: str) -> int:
    value = item.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _picklist(values: object, *, is_active: bool) -> tuple[str, ...]:
    items = values if isinstance(values, list) else []
    return tuple(
        value
        for item in items
        if isinstance(item, Mapping)
        and (item.get("active") is not False) is is_active
        and isinstance(value := item.get("value"), str)
    )


def _advise(info: ObjectInfo, path: str) -> str:
    first = path.split(".", maxsplit=1)[0]
    for name in (*info.fields, *(f.relationship_name or "" for f in info.fields.values())):
        if name and name != first and name.casefold() == first.casefold():
            return f"no such field; write it as {name}, case matters here"
    if "." in path:
        return "no such parent path; check each step and the user's access to the fields"
    return "no such field; check its name and the user's access to it (field-level security)"
