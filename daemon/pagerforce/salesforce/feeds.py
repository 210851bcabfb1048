"""The columns, filters and row shape of each object that is read.

A feed is an object or a comment object that is polled. Its columns are the system columns in its
describe, those that rules and mappings need, and those in ``[[objects]]``.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.config.schema import CommentSettings, Config, ObjectSettings
from pagerforce.errors import RefusedError
from pagerforce.model.leftout import ALL_READ, LeftOut
from pagerforce.salesforce.decode import CommentShape, RecordShape
from pagerforce.salesforce.schema import ObjectInfo, SchemaCache
from pagerforce.salesforce.soql import Condition, configured, is_path

CLOCK_DOUBT = timedelta(minutes=1)
"""How far a row may be ahead of the known time of the org's clock."""

_SYSTEM_COLUMNS = (
    "Id",
    "Name",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "IsDeleted",
    "MasterRecordId",
)
_SYSTEM_PARENTS = {
    "CreatedById": ("CreatedBy.Name", "CreatedBy.Email"),
    "LastModifiedById": ("LastModifiedBy.Name", "LastModifiedBy.Email"),
}
# The system columns that do not change. The others change with every save, and their differences
# are no events. A rule that names one of the others still gets it.
_STEADY_COLUMNS = ("Id", "Name", "CreatedDate", "CreatedById")
_COMMENT_COLUMNS = ("Id", "CreatedDate", "CreatedById", "SystemModstamp", "IsDeleted")


class Feed(Struct, frozen=True):
    """The query of one object or comment object."""

    name: str
    columns: tuple[str, ...]
    where: tuple[Condition, ...]
    shape: RecordShape | CommentShape

    @property
    def stamp_field(self) -> str:
        """The field that orders its rows."""
        return self.shape.stamp_field

    @property
    def needed(self) -> frozenset[str]:
        """The columns that its rows must have."""
        needed = {"Id", self.shape.stamp_field}
        if isinstance(self.shape, CommentShape):
            needed |= {self.shape.parent_field, self.shape.body_field}
        return frozenset(needed)


class FeedPlan:
    """The feeds of a configuration.

    Args:
        schema: the org's objects.
        config: the objects and mappings.
        fields: object -> the field paths that rules use.
    """

    def __init__(
        self, schema: SchemaCache, config: Config, fields: Mapping[str, frozenset[str]]
    ) -> None:
        self._schema = schema
        self._objects = {item.name: item for item in config.objects}
        self._comments: dict[str, tuple[ObjectSettings, CommentSettings]] = {
            item.comments.object: (item, item.comments)
            for item in config.objects
            if item.comments is not None
        }
        self._mapped = [(mapping.object, mapping.field) for mapping in config.service_mappings]
        self._fields = fields
        self._tried: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()
        self.not_read = ALL_READ
        self._polled: dict[str, datetime] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Objects, then comment objects, in the order of the configuration."""
        return (*self._objects, *(name for name in self._comments if name not in self._objects))

    @property
    def rule_fields(self) -> Mapping[str, frozenset[str]]:
        """Polled object -> the field paths that rules use."""
        return {name: self._fields.get(name, frozenset()) for name in self._objects}

    def polled_at(self, name: str) -> datetime | None:
        """When the last complete poll of an object began, by Salesforce's clock; None: not yet."""
        return self._polled.get(name)

    def note_polled(self, names: Iterable[str], began: datetime) -> None:
        """These objects were polled to their end."""
        self._polled |= dict.fromkeys(names, began)

    def use_fields(self, fields: Mapping[str, frozenset[str]]) -> None:
        """Sets the fields of new rules; the next query includes them."""
        self._fields = fields

    async def feed(self, name: str) -> Feed:
        """The feed of one object or comment object.

        Raises:
            RefusedError: it is not in the configuration, not visible, or cannot be ordered.
            RemoteError: the describe could not be requested.
        """
        if name in self._objects:
            return await self._object_feed(self._objects[name])
        if name in self._comments:
            return await self._comment_feed(*self._comments[name])
        raise RefusedError(f"{name} is not in [[objects]]")

    async def record_shape(self, name: str) -> tuple[tuple[str, ...], RecordShape]:
        """Columns and shape of an object that need not be in the configuration."""
        settings = self._objects.get(name)
        info = await self._schema.describe(name)
        wanted = set(self._fields.get(name, frozenset()))
        wanted |= {field for object_name, field in self._mapped if object_name == name}
        if settings is not None:
            wanted |= set(settings.fields)
            # Presets name these two; an org without such a field is polled anyway.
            named = (settings.service_id_path, settings.external_id_field)
            wanted |= set(await self._visible(name, filter(None, named)))
        wanted = {path for path in wanted if is_path(path)} - self.not_read.columns_of(name)
        steady = [column for column in _STEADY_COLUMNS if column in info.fields]
        paths = self._asked_for(name, [*steady, *sorted(wanted)])
        types = {path: await self._type_of(name, path) for path in paths}
        columns = self._asked_for(name, [*await self._system_columns(info), *paths])
        return tuple(columns), RecordShape(name, types, _stamp_field(info))

    def _asked_for(self, name: str, columns: Iterable[str]) -> list[str]:
        """The unique columns, without the refused ones."""
        left_out = self.not_read.columns_of(name)
        return [column for column in dict.fromkeys(columns) if column not in left_out]

    async def _object_feed(self, settings: ObjectSettings) -> Feed:
        columns, shape = await self.record_shape(settings.name)
        return Feed(settings.name, columns, configured(settings.where), shape)

    async def _comment_feed(self, parent: ObjectSettings, settings: CommentSettings) -> Feed:
        info = await self._schema.describe(settings.object)
        stamp = _stamp_field(info)
        names = [name for name in (*_COMMENT_COLUMNS, stamp) if name in info.fields]
        parents = await self._visible(settings.object, _SYSTEM_PARENTS["CreatedById"])
        columns = self._asked_for(
            settings.object, [*names, *parents, settings.parent_field, settings.body_field]
        )
        shape = CommentShape(
            settings.object, parent.name, settings.parent_field, settings.body_field, stamp
        )
        return Feed(settings.object, tuple(columns), configured(settings.where), shape)

    async def _system_columns(self, info: ObjectInfo) -> list[str]:
        columns = [name for name in _SYSTEM_COLUMNS if name in info.fields]
        for reference, paths in _SYSTEM_PARENTS.items():
            if reference in info.fields:
                columns += await self._visible(info.name, paths)
        return columns

    async def _visible(self, object_name: str, paths: Iterable[str]) -> list[str]:
        """The parent paths that the integration user may read; an actor's name is optional.

        A path through an object with a hidden describe is tried until a query is refused.
        """
        found = []
        for path in paths:
            if await self._schema.find_field(object_name, path) is not None:
                found.append(path)
            elif (object_name, path) not in self._refused and await self._schema.is_hidden(
                object_name, path
            ):
                self._tried.add((object_name, path))
                found.append(path)
        return found

    def give_up_tried(self, object_name: str) -> bool:
        """Drops the tried paths of an object after a query was refused.

        Returns False if there were none.
        """
        mine = {item for item in self._tried if item[0] == object_name}
        self._refused |= mine
        self._tried -= mine
        return bool(mine)

    def leave_out(self, name: str, columns: Mapping[str, LeftOut]) -> None:
        """Leaves these columns out of all further queries."""
        mine = {**columns, **self.not_read.columns.get(name, {})}
        self.not_read = replace(self.not_read, columns={**self.not_read.columns, name: mine})

    def take_back(self, name: str, columns: Collection[str]) -> None:
        """Includes these columns in queries again."""
        mine = self.not_read.columns.get(name, {})
        left = {path: why for path, why in mine.items() if path not in columns}
        others = {key: value for key, value in self.not_read.columns.items() if key != name}
        found = {**others, name: left} if left else others
        self.not_read = replace(self.not_read, columns=found)

    def halt(self, name: str, why: LeftOut) -> None:
        """Notes that nothing of this object or comment object can be read."""
        self.not_read = replace(self.not_read, halted={**self.not_read.halted, name: why})

    def go_on(self, name: str) -> None:
        """Notes that it can be read again."""
        if name in self.not_read.halted:
            left = {key: why for key, why in self.not_read.halted.items() if key != name}
            self.not_read = replace(self.not_read, halted=left)

    async def _type_of(self, object_name: str, path: str) -> str | None:
        found = await self._schema.find_field(object_name, path)
        return found.type if found is not None else None


def _stamp_field(info: ObjectInfo) -> str:
    if info.stamp_field is None:
        raise RefusedError(
            f"{info.name} has no time field that can be filtered, so its changes can't be read;"
            " give the integration user access to SystemModstamp or remove the object from"
            " [[objects]]"
        )
    return info.stamp_field
