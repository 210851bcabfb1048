"""Reads Salesforce: changes, all rows, and single records.

All feeds of one round are requested in one composite request, each by a keyset over its stamp and
Id, starting at the stored position minus the overlap. While a feed's pages are full, the next page
starts after the last row. So neither equal stamps nor a batch boundary lose a row, and no query
locator can expire. Facts: docs/vendors/salesforce.md#cursor.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from pagerforce.config.schema import Config
from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    RefusedError,
    RemoteError,
    TooLargeError,
    TransientError,
)
from pagerforce.model.durations import MOST_AHEAD
from pagerforce.model.ids import RecordId
from pagerforce.model.leftout import NotRead
from pagerforce.model.ports import Clock, Position, RowBatch
from pagerforce.salesforce.bodies import PartAnswer, Rows, read_rows, read_updated
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.decode import Decoded, decode, last_place
from pagerforce.salesforce.feed_pages import (
    QUERIES_PER_REQUEST,
    FeedCursor,
    FeedPages,
    asks_for_less,
)
from pagerforce.salesforce.feeds import CLOCK_DOUBT, Feed, FeedPlan
from pagerforce.salesforce.parents import ParentWatch, Ride
from pagerforce.salesforce.refused_columns import RefusedColumns
from pagerforce.salesforce.schema import SchemaCache
from pagerforce.salesforce.soql import Select, chunked, compare, is_in

_PARTS_PER_REQUEST = 25
# Salesforce cuts the seconds off both bounds and requires more than a minute between them.
_SHORTEST_SPAN = timedelta(minutes=2)
_LONGEST_SPAN = timedelta(days=29)


class SalesforcePoller:
    """Implements ``model.ports.SalesforceSource``.

    Args:
        client: the API.
        schema: the org's objects.
        config: objects, comments, mappings.
        fields: object -> the field paths that rules use.
        clock: measures how long a feed is read in smaller pages; all bounds of queries come from
            the server's clock.
    """

    def __init__(
        self,
        client: SalesforceClient,
        schema: SchemaCache,
        config: Config,
        fields: Mapping[str, frozenset[str]],
        clock: Clock,
    ) -> None:
        self._client = client
        self._schema = schema
        self._plan = FeedPlan(schema, config, fields)
        self._refused_columns = RefusedColumns(client, schema, self._plan, clock)
        self._pages = FeedPages(client, self._refused_columns, clock)
        self._parents = ParentWatch(client, schema, self._plan, clock)

    @property
    def feeds(self) -> Sequence[str]:
        """Objects, then comment objects."""
        return self._plan.names

    @property
    def plan(self) -> FeedPlan:
        """The columns of each object; the actions read records the same way."""
        return self._plan

    @property
    def refused_columns(self) -> RefusedColumns:
        """Finds the readable columns of an object after a refusal."""
        return self._refused_columns

    @property
    def not_read(self) -> NotRead:
        """Columns and objects that the org currently refuses; a new instance after each change."""
        return self._plan.not_read

    def use_fields(self, fields: Mapping[str, frozenset[str]]) -> None:
        """Sets the fields of new rules, after a reload."""
        self._plan.use_fields(fields)

    async def time_driven_fields(self, object_name: str) -> frozenset[str]:
        """Formulas of an object that change with time alone; ignored unless a rule uses them."""
        return (await self._schema.describe(object_name)).time_driven

    async def fetch_server_time(self) -> datetime:
        """The server's clock; proves the session and, through the login, the org."""
        return await self._client.fetch_server_time()

    async def iter_changes(
        self, positions: Mapping[str, Position], *, overlap_seconds: float
    ) -> AsyncIterator[RowBatch]:
        """All rows changed since each position minus the overlap; one batch per round.

        Comments come with the last of their object's records or later: a comment that is evaluated
        without its record matches no rule that uses the record, and is not copied. Refused columns
        are left out at once (``not_read``). If a feed is still refused, only its comments are not
        read; its error is raised after the other feeds, every five minutes.

        Raises:
            RefusedError: a feed cannot be read; the message names the object.
            TransientError, MalformedError, BudgetError, CredentialsError: a request failed.
        """
        errors: list[RemoteError] = []
        began = self._client.session.now()
        await self._refused_columns.try_again()
        overlap = timedelta(seconds=overlap_seconds)
        cursors = await self._start(positions, overlap, errors)
        rides = await self._rides(cursors, positions, overlap)
        going: list[Ride] = []
        seats: dict[str, PartAnswer] = {}
        asked, unread = cursors, set(positions)
        while asked:
            answers = await self._pages.repaired(asked, await self._pages.ask(asked, rides, seats))
            going, rides = [*going, *rides], []
            batch, cursors = self._read_round(cursors, answers, unread, errors)
            if batch is not None:
                records = self._parents.mark(batch.records, going, seats)
                yield replace(batch, records=records)
            asked = [cursor for cursor in cursors if cursor.parent not in unread]
        self._plan.note_polled(positions.keys() - unread, began)
        async for batch in self._iter_children(going, seats, positions):
            yield batch
        raise_worst(errors)

    async def _rides(
        self, cursors: Sequence[FeedCursor], positions: Mapping[str, Position], overlap: timedelta
    ) -> list[Ride]:
        """The queries for parents within a poll of all feeds."""
        if not cursors or not set(self.feeds) <= positions.keys():
            return []
        return await self._parents.rides(-len(cursors) % QUERIES_PER_REQUEST, positions, overlap)

    async def _iter_children(
        self,
        rides: Sequence[Ride],
        seats: Mapping[str, PartAnswer],
        positions: Mapping[str, Position],
    ) -> AsyncIterator[RowBatch]:
        for ride in rides:
            part = seats.get(ride.feed.name)
            if part is None:  # no place was free
                (part,) = await self._client.send_composite(
                    [self._client.query_path(ride.select())]
                )
            position = positions.get(ride.feed.name)
            async for batch in self._parents.iter_children(ride, part, position):
                yield batch

    async def iter_all(self, object_name: str, after: RecordId | None) -> AsyncIterator[RowBatch]:
        """Every undeleted row by Id, after the given one. The batches move no position."""
        last = after
        ends = {after}
        limit = self._pages.size(object_name)
        feed = await self._plan.feed(object_name)
        while True:
            beyond = (compare("Id", ">", last),) if last is not None else ()
            select = Select(
                feed.name, feed.columns, (*beyond, *feed.where), order_by=("Id",), limit=limit
            )
            try:
                page = await self._client.query(select.text())
            except (TransientError, TooLargeError) as error:
                if not asks_for_less(error, limit):
                    raise
                limit = self._pages.shrink(object_name, limit, error)
                continue
            except RefusedError as error:
                feed = await self._refused_columns.without_refused(feed, error)
                continue
            if page.rows:
                yield _to_batch(decode(page.rows, feed.shape, self._horizon()), {})
            if not page.has_more(limit):
                return
            end = last_place(page.rows, feed.stamp_field)
            last = end[1] if end else None
            if last in ends:
                raise MalformedError(f"{object_name}: a page of all rows does not move the cursor")
            ends.add(last)

    async def fetch_records(self, object_name: str, ids: Sequence[RecordId]) -> RowBatch:
        """The current state of these rows, without filters; absent ones are gone or not visible."""
        feed = await self._plan.feed(object_name)
        found = Decoded()
        for chunk in chunked(list(dict.fromkeys(ids))):
            part = await self._fetch_chunk(feed, chunk)
            found = Decoded(
                found.records + part.records,
                found.comments + part.comments,
                found.flaws + part.flaws,
            )
        return _to_batch(found, {})

    async def _fetch_chunk(self, feed: Feed, ids: Sequence[RecordId]) -> Decoded:
        """These rows; in halves if they are too large for one answer."""
        select = Select(feed.name, feed.columns, where=(is_in("Id", ids),))
        try:
            rows = await self._client.query_to_end(select.text(), deleted=True)
        except RefusedError as error:
            return await self._fetch_chunk(
                await self._refused_columns.without_refused(feed, error), ids
            )
        except TooLargeError:
            if len(ids) == 1:
                raise
            middle = len(ids) // 2
            parts = [await self._fetch_chunk(feed, half) for half in (ids[:middle], ids[middle:])]
            return Decoded(*(sum((getattr(part, name) for part in parts), ()) for name in _PARTS))
        return decode(rows, feed.shape, self._horizon())

    def _horizon(self) -> datetime:
        """The latest valid time of a change."""
        return self._client.session.now() + MOST_AHEAD

    async def fetch_low_water(self, since: datetime, until: datetime) -> datetime | None:
        """The time until which all committed rows of all feeds are visible; None if unknown.

        Both bounds are the server's time. Objects that do not support this are left out.
        """
        earliest = until - _SHORTEST_SPAN
        start = max(min(since, earliest), until - _LONGEST_SPAN)
        paths = [self._client.updated_path(name, start, until) for name in self.feeds]
        covered: list[datetime] = []
        for begin in range(0, len(paths), _PARTS_PER_REQUEST):
            parts = await self._client.send_composite(
                paths[begin : begin + _PARTS_PER_REQUEST], "updated"
            )
            for part in parts:
                if isinstance(part.error, RefusedError):
                    continue
                if part.error is not None:
                    raise part.error
                answer = read_updated(part.body)
                covered += [answer.covered_to] if answer.covered_to is not None else []
        return min(covered, default=None)

    async def _start(
        self,
        positions: Mapping[str, Position],
        overlap: timedelta,
        errors: list[RemoteError],
    ) -> list[FeedCursor]:
        cursors = []
        for name in self.feeds:
            position = positions.get(name)
            if position is None:  # not started yet; its baseline comes first
                continue
            try:
                feed = await self._plan.feed(name)
            except RefusedError as error:
                self._halt(name, error, errors)
                continue
            limit = self._pages.size(name)
            since = position.stamp - overlap
            horizon, reached = self._horizon(), self._client.session.now() + CLOCK_DOUBT
            cursors.append(FeedCursor(feed, since, position, horizon, reached, limit=limit))
        return cursors

    def _halt(self, name: str, error: RemoteError, errors: list[RemoteError]) -> None:
        """Notes that a feed cannot be read. The others can, so it is reported only at intervals."""
        named = _naming(name, error)
        if self._refused_columns.halted(name, named):
            errors.append(named)

    def _read_round(
        self,
        cursors: Sequence[FeedCursor],
        answers: Mapping[str, PartAnswer],
        unread: set[str],
        errors: list[RemoteError],
    ) -> tuple[RowBatch | None, list[FeedCursor]]:
        """The batch of the answered rows, and the feeds that have more.

        ``unread``: feeds that were not or could not be read to their end; their comments wait.
        """
        unfinished: list[FeedCursor] = []
        found = Decoded()
        positions: dict[str, Position] = {}
        for cursor in cursors:
            name, part = cursor.feed.name, answers.get(cursor.feed.name)
            if part is None or cursor.parent in unread:
                unfinished.append(cursor)
                continue
            page = self._page_of(cursor, part, errors, unfinished)
            if page is None:
                continue
            if cursor not in unfinished:
                unread.discard(name)
            decoded = decode(page.rows, cursor.feed.shape, cursor.horizon)
            found = Decoded(
                found.records + decoded.records,
                found.comments + decoded.comments,
                found.flaws + decoded.flaws,
            )
            positions[name] = cursor.position
        return (_to_batch(found, positions) if positions else None), unfinished

    def _page_of(
        self,
        cursor: FeedCursor,
        part: PartAnswer,
        errors: list[RemoteError],
        unfinished: list[FeedCursor],
    ) -> Rows | None:
        """A feed's page; None if it cannot be read now."""
        try:
            if part.error is not None:
                raise part.error
            page = read_rows(part.body)
            if cursor.take(page):
                unfinished.append(cursor)
        except (TransientError, TooLargeError) as error:
            if asks_for_less(error, cursor.limit):
                cursor.limit = self._pages.shrink(cursor.feed.name, cursor.limit, error)
                unfinished.append(cursor)
            else:
                errors.append(_naming(cursor.feed.name, error))
            return None
        except (BudgetError, CredentialsError):
            raise  # the other feeds would fail as well
        except RefusedError as error:
            self._halt(cursor.feed.name, error, errors)
            return None
        except RemoteError as error:
            self._schema.forget(cursor.feed.name)
            errors.append(_naming(cursor.feed.name, error))
            return None
        self._refused_columns.works(cursor.feed.name)
        return page


_PARTS = ("records", "comments", "flaws")


def raise_worst(errors: Sequence[RemoteError]) -> None:
    """Raises the error that most needs an operator: refused, then malformed, then temporary."""
    for kind in (RefusedError, MalformedError, RemoteError):
        for error in errors:
            if isinstance(error, kind):
                raise error


def _naming(name: str, error: RemoteError) -> RemoteError:
    """The same error, with the object's name at the start of its message."""
    text = str(error)
    message = text if text.startswith(name) else f"{name}: {text}"
    match error:
        case RefusedError():
            return RefusedError(message, status=error.status, code=error.code)
        case MalformedError():
            return MalformedError(message, status=error.status, code=error.code)
        case _:
            return TransientError(message, status=error.status, code=error.code)


def _to_batch(decoded: Decoded, positions: Mapping[str, Position]) -> RowBatch:
    return RowBatch(decoded.records, decoded.comments, positions, decoded.flaws)
