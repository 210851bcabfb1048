"""Pages of feeds: where the reading of each stands, and how several are asked for at once.

Facts: docs/vendors/salesforce.md#cursor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
from pagerforce.salesforce.mending import Mender
from pagerforce.salesforce.parents import Ride
from pagerforce.salesforce.soql import MAX_PAGE, Select, compare, is_after

QUERIES_PER_REQUEST = 5  # of one composite request
_SMALLEST_PAGE = 50
_SMALL_PAGE_SECONDS = 3600.0
_MOST_MENDINGS = 3  # of one feed in one round; each leaves out all that is refused just then
_ALONE_SECONDS = 60.0  # feeds are asked for one by one after they were too large together


@dataclass(slots=True)
class FeedCursor:
    """Where the reading of one feed stands within one call of ``iter_changes``.

    Attributes:
        since: inclusive start, as long as no row was read.
        last: the last row read; the next page begins after it.
        position: what may be stored; never behind where it began.
        ends: where its pages ended so far.
        horizon: later than this no stamp can be: a row that says so is a flaw.
        reached: the org's time. A row from after it does not move the position, as what is changed
            until then would be missed.
    """

    feed: Feed
    since: datetime
    position: Position
    horizon: datetime
    reached: datetime
    last: tuple[datetime, RecordId] | None = None
    limit: int = MAX_PAGE
    ends: set[tuple[datetime, RecordId]] = field(default_factory=set)

    @property
    def parent(self) -> str | None:
        """Of a feed of comments, the object whose records they belong to."""
        shape = self.feed.shape
        return shape.parent_object if isinstance(shape, CommentShape) else None

    def select(self) -> str:
        """The query for its next page."""
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
        """Moves over a page that was read; whether there is more.

        Raises:
            MalformedError: a full page that leads no further would be read for ever.
        """
        is_more = page.next_path is not None or len(page.rows) >= self.limit
        last = last_place(page.rows, self.feed.stamp_field, self.horizon)
        if is_more and (last is None or last in self.ends or not self._is_onward(last)):
            raise MalformedError(f"{self.feed.name}: a page of changes leads no further")
        if last is not None:
            self.last = last
            self.ends.add(last)
        seen = last_place(page.rows, self.feed.stamp_field, self.reached)
        if seen is not None and seen[0] >= self.position.stamp:
            self.position = Position(*seen)
        return is_more

    def _is_onward(self, place: tuple[datetime, RecordId]) -> bool:
        # Ids are compared by the server alone, in an order of its own: only stamps are ours to judge.
        return self.last is None or place[0] >= self.last[0]


class FeedPages:
    """Asks for pages of feeds: several in one request, and smaller where the server takes too long.

    Args:
        client: whom to ask.
        mender: finds out which columns a query has to do without.
        clock: measures for how long a feed is read in smaller pages.
    """

    def __init__(self, client: SalesforceClient, mender: Mender, clock: Clock) -> None:
        self._client = client
        self._mender = mender
        self._clock = clock
        self._alone_until = float("-inf")
        self._small_pages: dict[str, tuple[float, int]] = {}

    def size(self, name: str) -> int:
        """Rows of a feed's page: fewer for a while after the server took too long over it."""
        until, limit = self._small_pages.get(name, (0.0, MAX_PAGE))
        return limit if self._clock.monotonic() < until else MAX_PAGE

    def shrink(self, name: str, limit: int, error: RemoteError) -> int:
        """Rows of a feed's page from now on, after one of this many was too much."""
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
        """A page of every feed, comments first: none is then read before its record could be.

        ``rides`` take the places that are left, and their answers into ``seats``.
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
                # One of them is too large, or all of them together are: each is asked for alone.
                parts = [await self._ask_alone(cursor, error, len(group)) for cursor in group]
            for cursor, part in zip(group, parts, strict=False):
                answers[cursor.feed.name] = part
            for ride, part in zip(along, parts[len(group) :], strict=False):
                if seats is not None:
                    seats[ride.feed.name] = part
        return answers

    async def mended(
        self, cursors: Sequence[FeedCursor], answers: Mapping[str, PartAnswer]
    ) -> Mapping[str, PartAnswer]:
        """The answers, those of refused queries asked for again without the columns at fault."""
        found = dict(answers)
        for cursor in cursors:
            part = found[cursor.feed.name]
            for _ in range(_MOST_MENDINGS):
                if not isinstance(part.error, RefusedError):
                    break
                try:
                    cursor.feed = await self._mender.without_refused(cursor.feed, part.error)
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
    """Whether a smaller page may do what this one could not."""
    if isinstance(error, TooLargeError):
        return limit > 1
    return error.code == QUERY_TIMEOUT and limit > _SMALLEST_PAGE
