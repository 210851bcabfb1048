"""Finds changes of parents: ``record.Account.Name`` changes, but the child's stamp does not.

The queries for parents use free places in a poll's composite request, so they cost no extra call.
If a watched field of a parent changed, its children are read by the parent's Id. Facts:
``salesforce.formulas-leave-the-stamp``, ``salesforce.owner-shows-few-fields``.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    RefusedError,
    RemoteError,
)
from pagerforce.model.durations import PARENTS_EVERY
from pagerforce.model.ids import RecordId
from pagerforce.model.incident import Person
from pagerforce.model.ports import PARENTS, Clock, Position, RowBatch
from pagerforce.model.record import Record
from pagerforce.salesforce.bodies import PartAnswer, read_rows
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import RecordShape, decode, last_place
from pagerforce.salesforce.feeds import CLOCK_DOUBT, FeedPlan
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.soql import IDS_PER_QUERY, MAX_PAGE, Select, compare, is_after, is_in

_LONGEST_OVERLAP = timedelta(minutes=5)
_OFF_SECONDS = 3600.0
_REMEMBERED = 20_000
_MOST_PAGES = 10  # of parents per poll; the next poll continues


class ParentFeed(Struct):
    """The parents that are rows of one object.

    Attributes:
        object: the parents' object.
        fields: the fields that rules use, and the references to further parents.
        children: (object, reference path) pairs to find their children.
    """

    object: str
    fields: set[str] = msgspec.field(default_factory=set)
    children: set[tuple[str, str]] = msgspec.field(default_factory=set)

    @property
    def name(self) -> str:
        """The name of its cursor."""
        return f"{PARENTS}{self.object}"


class Ride(Struct, frozen=True):
    """A query for changed parents within a poll's request."""

    feed: ParentFeed
    shape: RecordShape
    since: datetime
    after: tuple[datetime, RecordId] | None = None

    def select(self) -> str:
        """The query."""
        stamp = self.shape.stamp_field
        start = (
            compare(stamp, ">=", self.since) if self.after is None else is_after(stamp, *self.after)
        )
        columns = dict.fromkeys(["Id", stamp, "LastModifiedById", *self.shape.fields])
        order = (stamp, "Id")
        return Select(
            self.feed.object, tuple(columns), (start,), order_by=order, limit=MAX_PAGE
        ).text()


class ParentWatch:
    """Finds children whose parents changed.

    Args:
        client: the API.
        schema: resolves a path to its parent object.
        plan: the columns of the children.
        clock: measures how long each feed has waited.
    """

    def __init__(
        self, client: SalesforceClient, schema: SchemaCache, plan: FeedPlan, clock: Clock
    ) -> None:
        self._client = client
        self._schema = schema
        self._plan = plan
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._off: dict[str, float] = {}
        self._known: OrderedDict[RecordId, object] = OrderedDict()
        self._unfinished: dict[str, tuple[datetime, RecordId]] = {}

    async def rides(
        self, places: int, positions: Mapping[str, Position], overlap: timedelta
    ) -> list[Ride]:
        """Queries for at most ``places`` places, the longest waiting first.

        If no place is free, the longest waiting is requested on its own, every five minutes.
        """
        now = self._clock.monotonic()
        feeds = [x for x in await self._feeds() if self._off.get(x.object, now) <= now]
        feeds.sort(key=lambda item: self._asked.get(item.object, float("-inf")))
        rides: list[Ride] = []
        for item in feeds[: max(places, 1)]:
            waited = now - self._asked.get(item.object, float("-inf"))
            if not places and waited < PARENTS_EVERY.total_seconds():
                continue
            info = await self._schema.find_described(item.object)
            if info is None or info.stamp_field is None:
                self._off[item.object] = now + _OFF_SECONDS
                continue
            self._asked[item.object] = now
            types = {
                name: info.fields[name].type for name in sorted(item.fields) if name in info.fields
            }
            position = positions.get(item.name)
            since = position.stamp if position else self._client.session.now()
            shape = RecordShape(item.object, types, info.stamp_field)
            after = self._unfinished.pop(item.object, None)
            rides.append(Ride(item, shape, since - min(overlap, _LONGEST_OVERLAP), after))
        return rides

    def mark(
        self, records: Sequence[Record], rides: Iterable[Ride], seats: Mapping[str, PartAnswer]
    ) -> tuple[Record, ...]:
        """Records of the same answer, with the time and the author of a possible parent's change.

        Every poll reads the newest record of a feed, which shows a parent's change at the same time
        as the parent itself.
        """
        changed: list[Record] = []
        for ride in rides:
            part = seats.get(ride.feed.name, PartAnswer())
            try:
                found = decode(read_rows(part.body).rows, ride.shape).records if part.body else ()
            except RemoteError:
                continue  # iter_children handles the error
            changed += [parent for parent in found if self._is_changed(parent)]
        if not changed:
            return tuple(records)
        at, by = _cause_of(changed)
        return tuple(replace(record, caused_at=at, caused_by=by) for record in records)

    async def iter_children(
        self, ride: Ride, part: PartAnswer, position: Position | None
    ) -> AsyncIterator[RowBatch]:
        """The children of the changed parents; the last batch moves the parents' cursor.

        After a refusal, these parents are left to the daily comparison for an hour. After a
        temporary error, the next poll tries again.

        Raises:
            BudgetError, CredentialsError: no other request would succeed either.
        """
        try:
            async for batch in self._iter_children(ride, part, position):
                yield batch
        except (BudgetError, CredentialsError):
            raise
        except RefusedError:
            self._off[ride.feed.object] = self._clock.monotonic() + _OFF_SECONDS
        except RemoteError:
            return

    async def _iter_children(
        self, ride: Ride, part: PartAnswer, position: Position | None
    ) -> AsyncIterator[RowBatch]:
        if position is None:  # starts now: earlier changes are read with the children
            yield RowBatch((), (), {ride.feed.name: Position(self._client.session.now())})
            return
        end = position
        for _ in range(_MOST_PAGES):
            if part.error is not None:
                raise part.error
            page = read_rows(part.body)
            parents = decode(page.rows, ride.shape).records
            changed = [item for item in parents if self._is_changed(item)]
            for begin in range(0, len(changed), IDS_PER_QUERY):
                chunk = changed[begin : begin + IDS_PER_QUERY]
                async for batch in self._read_children(ride.feed, chunk):
                    yield batch
            for item in changed:
                self._remember(item)
            stamp_field = ride.shape.stamp_field
            last = last_place(page.rows, stamp_field)
            seen = last_place(page.rows, stamp_field, self._client.session.now() + CLOCK_DOUBT)
            if seen is not None and seen[0] >= end.stamp:
                end = Position(*seen)
                yield RowBatch((), (), {ride.feed.name: end})
            if last is None or not page.has_more(MAX_PAGE) or last == ride.after:
                return
            ride = replace(ride, after=last)
            (part,) = await self._client.send_composite([self._client.query_path(ride.select())])
        if ride.after is not None:  # else each poll would read the overlap's first pages again
            self._unfinished[ride.feed.object] = ride.after

    def _is_changed(self, parent: Record) -> bool:
        """Whether a watched field differs; a parent seen for the first time may have changed."""
        return self._known.get(parent.id) != dict(parent.fields)

    def _remember(self, parent: Record) -> None:
        self._known[parent.id] = dict(parent.fields)
        self._known.move_to_end(parent.id)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _read_children(
        self, feed: ParentFeed, parents: Sequence[Record]
    ) -> AsyncIterator[RowBatch]:
        ids = [parent.id for parent in parents]
        at, by = _cause_of(parents)
        for name, reference in sorted(feed.children):
            if name in self._plan.not_read.halted:
                continue
            own = await self._plan.feed(name)
            last: RecordId | None = None
            ends = {last}
            while True:
                beyond = (compare("Id", ">", last),) if last is not None else ()
                where = (is_in(reference, ids), *beyond, *own.where)
                select = Select(own.name, own.columns, where, order_by=("Id",), limit=MAX_PAGE)
                page = await self._client.query(select.text())
                found = decode(page.rows, own.shape)
                records = tuple(replace(x, caused_at=at, caused_by=by) for x in found.records)
                if records or found.flaws:
                    yield RowBatch(records, (), {}, found.flaws)
                if not page.has_more(MAX_PAGE):
                    break
                end = last_place(page.rows, own.stamp_field)
                last = end[1] if end else None
                if last in ends:
                    raise MalformedError(f"{name}: a page of children does not move the cursor")
                ends.add(last)

    async def _feeds(self) -> list[ParentFeed]:
        """The parents that rules use."""
        found: dict[str, ParentFeed] = {}
        for name, paths in self._plan.rule_fields.items():
            for path in sorted(paths - self._plan.not_read.columns_of(name)):
                for target, watched, reference in await self._steps(name, path.split(".")):
                    feed = found.setdefault(target, ParentFeed(target))
                    feed.fields.add(watched)
                    feed.children.add((name, reference))
        return list(found.values())

    async def _steps(self, name: str, steps: Sequence[str]) -> Iterable[tuple[str, str, str]]:
        """(parent object, watched field, the child's reference path) for each step of a path."""
        found: list[tuple[str, str, str]] = []
        info = await self._schema.find_described(name)
        for place, step in enumerate(steps[:-1]):
            reference = info.relationship(step) if info is not None else None
            if reference is None or len(reference.reference_to) != 1:
                break
            info = await self._schema.find_described(reference.reference_to[0])
            if info is None:
                break  # hidden from the integration user: the daily comparison finds changes
            following = steps[place + 1]
            onward = info.relationship(following) if place + 2 < len(steps) else None
            watched = onward.name if onward is not None else following
            path = ".".join([*steps[:place], reference.name])
            found.append((info.name, watched, path))
        return found


def _cause_of(parents: Sequence[Record]) -> tuple[datetime, Person]:
    """The time of the last change of these parents, and the author if all have the same one."""
    people = {parent.modified_by for parent in parents}
    return max(parent.stamp for parent in parents), people.pop() if len(people) == 1 else Person()
