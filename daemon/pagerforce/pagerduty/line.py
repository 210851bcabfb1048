"""The line to PagerDuty: sends every request, within the key's limit and with a deadline."""

from datetime import datetime

import anyio
import httpx

from pagerforce.errors import BudgetError, PacedError
from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock
from pagerforce.observe import pulse
from pagerforce.pagerduty.rate import RateClass, RateLimit
from pagerforce.pagerduty.refusals import judge
from pagerforce.wire.answer import Answer
from pagerforce.wire.exchange import exchange
from pagerforce.wire.remote_clock import RemoteClock
from pagerforce.wire.transport import RequestObserver

_MAX_PATIENCE_SECONDS = 5.0
"""A longer wait for the limit is left to the caller, who may have other work."""


class Line:
    """Sends requests, and knows PagerDuty's clock and the rest of its limit.

    Args:
        http: from ``client.open_http``.
        deadline_seconds: bound of one whole call (``delivery.timeout``).
        observer: receives the rest of the rate limit.
        clock: for the pace, and for the time between two answers with a ``Date``.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        deadline_seconds: float,
        observer: RequestObserver,
        clock: Clock,
    ) -> None:
        self.http = http
        self.reads_sent = 0
        self._deadline_seconds = deadline_seconds
        self._observer = observer
        self._clock = clock
        self._rate = RateLimit()
        self.remote_clock = RemoteClock(clock)

    @property
    def server_time(self) -> datetime | None:
        """PagerDuty's clock: the last ``Date`` and the time since; None before the first."""
        return self.remote_clock.find()

    def allowed(self, rate_class: RateClass) -> int:
        """The requests per minute, of all rate classes together, after which this rate class waits."""
        return self._rate.allowed(rate_class)

    def spent(self) -> int:
        """The requests of the last minute."""
        return self._rate.spent(self._clock.monotonic())

    async def exchange(
        self, request: httpx.Request, rate_class: RateClass, *, is_write: bool
    ) -> Answer:
        """Sends one request and returns its answer.

        Raises:
            RemoteError: it failed or was refused (``wire.exchange``, ``refusals.judge``).
        """
        await self._keep_rate(rate_class)
        self._rate.note_sent(self._clock.monotonic())
        self.reads_sent += rate_class is RateClass.READ
        answer = await exchange(
            self.http, request, is_write=is_write, deadline_seconds=self._deadline_seconds
        )
        self.remote_clock.note(answer.headers.get("date"))
        self._rate.observe(answer.headers, status=answer.status, now=self._clock.monotonic())
        if self._rate.remaining is not None:
            self._observer.on_budget(Side.PAGERDUTY, self._rate.remaining)
        if error := judge(answer):
            raise error
        return answer

    async def _keep_rate(self, rate_class: RateClass) -> None:
        hold = self._rate.hold(rate_class, self._clock.monotonic())
        if hold.seconds > _MAX_PATIENCE_SECONDS:
            if hold.is_for_all:
                raise BudgetError(
                    "the key's rate limit is used up; nothing was sent",
                    retry_after_seconds=hold.seconds,
                )
            raise PacedError("the rest of the key's rate limit is kept for pages; nothing was sent")
        if hold.seconds > 0:
            await anyio.sleep(hold.seconds)
            pulse.beat()
