"""Keeps objects readable whose query is refused: without the refused columns, until they return.

One deleted or hidden field would otherwise keep every rule of its object from firing. What can't be
left out (a filter, the time that orders the changes, the object itself) halts that object only.
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


class Mender:
    """Finds out what of a feed can be read, and remembers it in the plan.

    Args:
        client: whom to ask.
        schema: dropped where an answer contradicts it.
        plan: what is read of each object; takes note of what is left out.
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
        """The feed as it can be read, after a query of it was refused.

        Raises:
            RefusedError: it can't be read: the refusal is not about columns, or about needed ones.
            RemoteError: the org could not be asked.
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
        """Notes that nothing of a feed can be read; whether that is to be told (again)."""
        raw, told_at = self._halts.get(name, (str(error), float("-inf")))
        if name not in self._plan.not_read.halted:
            self._plan.halt(name, LeftOut(str(error), self._client.session.now()))
        now = self._clock.monotonic()
        if now - told_at < _TOLD_SECONDS:
            return False
        self._halts[name] = raw, now
        return True

    def works(self, name: str) -> None:
        """A feed was read."""
        if name in self._halts:
            del self._halts[name]
            self._plan.go_on(name)

    async def try_again(self) -> None:
        """Now and then: asks for what is left out, and takes back what is accepted.

        Raises:
            RemoteError: the org could not be asked.
        """
        left_out = self._plan.not_read.columns
        if not left_out or self._clock.monotonic() - self._tried_at < _RETRY_SECONDS:
            return
        self._tried_at = self._clock.monotonic()
        for name, columns in left_out.items():
            accepted = await find_accepted(self._client, name, list(columns))
            if accepted:
                self._schema.forget_all()  # what it said of them is from before
                self._plan.take_back(name, accepted)
