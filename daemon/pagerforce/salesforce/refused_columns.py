"""Keeps objects readable after a refused query: leaves out the refused columns until they return.

Otherwise one deleted or hidden field would stop all rules of its object. If the org refuses
something that cannot be left out (a filter, the stamp, the object itself), only that object halts.
"""

from pagerforce.errors import RefusedError, RemoteError
from pagerforce.model.leftout import LeftOut
from pagerforce.model.ports import Clock
from pagerforce.salesforce.client import SalesforceClient
from pagerforce.salesforce.columns import find_accepted, find_refused, may_be_columns
from pagerforce.salesforce.feeds import Feed, FeedPlan
from pagerforce.salesforce.schema import SchemaCache

_RETRY_SECONDS = 300.0
_TOLD_SECONDS = 300.0


class RefusedColumns:
    """Finds the readable columns of a feed, and notes the others in the plan.

    Args:
        client: the API.
        schema: dropped if an answer contradicts it.
        plan: the columns of each object; keeps the columns that are left out.
        clock: measures when to try again.
    """

    def __init__(
        self, client: SalesforceClient, schema: SchemaCache, plan: FeedPlan, clock: Clock
    ) -> None:
        self._client = client
        self._schema = schema
        self._plan = plan
        self._clock = clock
        self._tried_at = float("-inf")
        self._halts: dict[str, tuple[str, float]] = {}

    async def without_refused(self, feed: Feed, error: RemoteError) -> Feed:
        """The readable form of a feed, after its query was refused.

        Raises:
            RefusedError: it cannot be read: the refusal is not about columns, or about needed ones.
            RemoteError: the org could not be reached.
        """
        known = self._halts.get(feed.name)
        if not may_be_columns(error) or (known is not None and known[0] == str(error)):
            self._schema.forget(feed.name)
            self._plan.give_up_tried(feed.name)
            raise error
        self._schema.forget_all()
        self._plan.give_up_tried(feed.name)
        before, feed = feed, await self._plan.feed(feed.name)
        try:
            refused = await find_refused(self._client, feed, error)
        except RefusedError as reason:
            self._halts[feed.name] = str(error), float("-inf")
            raise reason from error
        if not refused and feed.columns == before.columns:
            raise error
        if refused:
            self._tried_at = self._clock.monotonic()
            now = self._client.session.now()
            self._plan.leave_out(
                feed.name, {path: LeftOut(why, now) for path, why in refused.items()}
            )
            feed = await self._plan.feed(feed.name)
        return feed

    def halted(self, name: str, error: RemoteError) -> bool:
        """Notes that nothing of a feed can be read; returns whether to report that (again)."""
        raw, told_at = self._halts.get(name, (str(error), float("-inf")))
        if name not in self._plan.not_read.halted:
            self._plan.halt(name, LeftOut(str(error), self._client.session.now()))
        now = self._clock.monotonic()
        if now - told_at < _TOLD_SECONDS:
            return False
        self._halts[name] = raw, now
        return True

    def works(self, name: str) -> None:
        """Notes that a feed was read."""
        if name in self._halts:
            del self._halts[name]
            self._plan.go_on(name)

    async def try_again(self) -> None:
        """Every five minutes: tries the left-out columns, and includes accepted ones again.

        Raises:
            RemoteError: the org could not be reached.
        """
        left_out = self._plan.not_read.columns
        if not left_out or self._clock.monotonic() - self._tried_at < _RETRY_SECONDS:
            return
        self._tried_at = self._clock.monotonic()
        for name, columns in left_out.items():
            accepted = await find_accepted(self._client, name, list(columns))
            if accepted:
                self._schema.forget_all()  # its data on these columns is old
                self._plan.take_back(name, accepted)
