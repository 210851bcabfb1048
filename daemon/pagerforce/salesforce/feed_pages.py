"""Reads pages of feeds: the cursor of each feed, and requests for several feeds at once.

Facts: docs/vendors/salesforce.md#cursor.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from pagerforce.errors import (
    MalformedError,
    RefusedError,
    RemoteError,
    TooLargeError,
)
from pagerforce.model.ids import RecordId
from pagerforce.model.ports import Clock, Position
from pagerforce.salesforce.answers import QUERY_TIMEOUT
from pagerforce.salesforce.bodies import PartAnswer, Rows
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import CommentShape, last_place
from pagerforce.salesforce.feeds import Feed
from pagerforce.salesforce.parents import Ride
from pagerforce.salesforce.refused_columns import RefusedColumns
from pagerforce.salesforce.soql import MAX_PAGE, Select, compare, is_after

QUERIES_PER_REQUEST = 5  # per composite request
_SMALLEST_PAGE = 50
_SMALL_PAGE_SECONDS = 3600.0
_MOST_REPAIRS = 3  # per feed and round; each leaves out all columns that are refused at the time
_ALONE_SECONDS = 60.0  # feeds are requested one by one after they were too large together


class FeedCursor(Struct):
    """The cursor of one feed within one call of ``iter_changes``.

    Attributes:
        since: inclusive start, until a row was read.
        last: the last row read; the next page begins after it.
        position: the position that may be stored; never before the initial one.
        ends: the last rows of its pages so far.
        horizon: a row with a later stamp is a flaw.
        reached: the org's time. A row with a later stamp does not move the position, because
            changes before that stamp would be missed.
    """

    feed: Feed
    since: datetime
    position: Position
    horizon: datetime
    reached: datetime
    last: tuple[datetime, RecordId] | None = None
    limit: int = MAX_PAGE
    ends: set[tuple[datetime, RecordId]] = msgspec.field(default_factory=set)

    @property
    def parent(self) -> str | None:
        """For a feed of comments, the object of their records."""
        shape = self.feed.shape
        return shape.parent_object if isinstance(shape, CommentShape) else None

    def select(self) -> str:
        """The query for the next page."""
        stamp_field = self.feed.stamp_field
        start = (
            compare(stamp_field, ">=", self.since)
            if self.last is None
            else is_after(stamp_field, *self.last)
        )
        return Select(
            self.feed.name,
            self.feed.columns,
            where=(start, *self.feed.where),
            order_by=(stamp_field, "Id"),
            limit=self.limit,
        ).text()

    def take(self, page: Rows) -> bool:
        """Moves the cursor past a page; returns whether there are more.

        Raises:
            MalformedError: a full page does not move the cursor, so the reading would never end.
        """
        is_more = page.has_more(self.limit)
        last = last_place(page.rows, self.feed.stamp_field, self.horizon)
        if is_more and (last is None or last in self.ends or not self._is_onward(last)):
            raise MalformedError(f"{self.feed.name}: a page of changes does not move the cursor")
        if last is not None:
            self.last = last
            self.ends.add(last)
        seen = last_place(page.rows, self.feed.stamp_field, self.reached)
        if seen is not None and seen[0] >= self.position.stamp:
            self.position = Position(*seen)
        return is_more

    def _is_onward(self, place: tuple[datetime, RecordId]) -> bool:
        # Only the server compares Ids, in its own order, so only stamps are compared here.
        return self.last is None or place[0] >= self.last[0]


class FeedPages:
    """Requests pages of feeds: several in one request, and smaller ones if the server is too slow.

    Args:
        client: the API.
        refused_columns: finds the columns that a query must leave out.
        clock: measures how long a feed is read in smaller pages.
    """

    def __init__(
        self, client: SalesforceClient, refused_columns: RefusedColumns, clock: Clock
    ) -> None:
        self._client = client
        self._refused_columns = refused_columns
        self._clock = clock
        self._alone_until = float("-inf")
        self._small_pages: dict[str, tuple[float, int]] = {}

    def size(self, name: str) -> int:
        """Rows per page of a feed: fewer for an hour after the server was too slow."""
        until, limit = self._small_pages.get(name, (0.0, MAX_PAGE))
        return limit if self._clock.monotonic() < until else MAX_PAGE

    def shrink(self, name: str, limit: int, error: RemoteError) -> int:
        """The new number of rows per page of a feed, after a page of ``limit`` rows failed."""
        is_large = isinstance(error, TooLargeError)
        smaller = max(1, limit // 4) if is_large else max(_SMALLEST_PAGE, limit // 2)
        self._small_pages[name] = (self._clock.monotonic() + _SMALL_PAGE_SECONDS, smaller)
        return smaller

    async def ask(
        self,
        cursors: Sequence[FeedCursor],
        rides: Sequence[Ride] = (),
        seats: dict[str, PartAnswer] | None = None,
    ) -> Mapping[str, PartAnswer]:
        """A page of every feed, comments first: so no comment is read before its record.

        ``rides`` take the free places in the request; their answers go into ``seats``.
        """
        answers: dict[str, PartAnswer] = {}
        backwards = cursors[::-1]
        is_alone = self._clock.monotonic() < self._alone_until
        size = 1 if is_alone else QUERIES_PER_REQUEST
        for begin in range(0, len(backwards), size):
            group = backwards[begin : begin + size]
            along = rides[: size - len(group)]
            try:
                parts = await self._ask_together(group, along)
            except TooLargeError as error:
                self._alone_until = self._clock.monotonic() + _ALONE_SECONDS
                # One of them, or all together, are too large: each is requested alone.
                parts = [await self._ask_alone(cursor, error, len(group)) for cursor in group]
            for cursor, part in zip(group, parts, strict=False):
                answers[cursor.feed.name] = part
            for ride, part in zip(along, parts[len(group) :], strict=False):
                if seats is not None:
                    seats[ride.feed.name] = part
        return answers

    async def repaired(
        self, cursors: Sequence[FeedCursor], answers: Mapping[str, PartAnswer]
    ) -> Mapping[str, PartAnswer]:
        """The answers; refused queries are repeated without the refused columns."""
        found = dict(answers)
        for cursor in cursors:
            part = found[cursor.feed.name]
            for _ in range(_MOST_REPAIRS):
                if not isinstance(part.error, RefusedError):
                    break
                try:
                    cursor.feed = await self._refused_columns.without_refused(
                        cursor.feed, part.error
                    )
                except RefusedError as error:
                    part = PartAnswer(error=error)
                    break
                (part,) = await self._ask_together([cursor])
            found[cursor.feed.name] = part
        return found

    async def _ask_together(
        self, group: Sequence[FeedCursor], along: Sequence[Ride] = ()
    ) -> Sequence[PartAnswer]:
        paths = [self._client.query_path(cursor.select(), deleted=True) for cursor in group]
        paths += [self._client.query_path(ride.select()) for ride in along]
        return await self._client.send_composite(paths)

    async def _ask_alone(
        self, cursor: FeedCursor, error: RemoteError, were_together: int
    ) -> PartAnswer:
        if were_together == 1:
            return PartAnswer(error=error)
        try:
            (part,) = await self._ask_together([cursor])
        except TooLargeError as alone:
            return PartAnswer(error=alone)
        return part


def asks_for_less(error: RemoteError, limit: int) -> bool:
    """Whether a smaller page may succeed after this error."""
    if isinstance(error, TooLargeError):
        return limit > 1
    return error.code == QUERY_TIMEOUT and limit > _SMALLEST_PAGE
