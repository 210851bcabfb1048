"""Contains the errors of a request within that request, and limits the rate of requests."""

import math
from collections.abc import Callable

import anyio
import h11
from msgspec import Struct
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_GONE = "pagerforce.is_gone"
"""Key of a request's scope: says whether its caller has disconnected."""

Report = Callable[[Exception], None]
"""Called with an unexpected exception."""


def is_departure(error: BaseException) -> bool:
    """Whether an exception only says that the caller disconnected."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_departure(item) for item in error.exceptions)
    return isinstance(error, ClientDisconnect | h11.LocalProtocolError)


class Contained(Struct, frozen=True):
    """An application whose exceptions are reported, and answered with 500 if still possible.

    ``seconds``: the longest time of an answer; None: the application has its own limit.
    """

    app: ASGIApp
    report: Report
    seconds: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        is_started = False

        async def watched(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        deadline = math.inf if self.seconds is None else self.seconds
        try:
            with anyio.move_on_after(deadline) as limit:
                await self.app(scope, receive, watched)
            if limit.cancelled_caught and not is_started:
                await PlainTextResponse("too busy, try again\n", 503)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 (no request may end the daemon)
            if is_departure(error):
                return
            self.report(error)
            if not is_started:
                await PlainTextResponse("internal error\n", 500)(scope, receive, send)


class Paced:
    """An application that answers a limited number of requests per second; the others wait.

    Callers that have disconnected meanwhile are skipped, or a flood of them would delay the others.
    """

    def __init__(self, app: ASGIApp, *, per_second: float, burst: float) -> None:
        self._app = app
        self._step = 1 / per_second
        self._slack = burst / per_second
        self._next = 0.0
        self._turn = anyio.Lock()  # first come, first served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request when its turn has come."""
        async with self._turn:
            is_gone: Callable[[], bool] = scope.get(IS_GONE, lambda: False)
            if is_gone():
                return
            now = anyio.current_time()
            self._next = max(self._next, now - self._slack) + self._step
            if self._next > now:
                await anyio.sleep(self._next - now)
        await self._app(scope, receive, send)
