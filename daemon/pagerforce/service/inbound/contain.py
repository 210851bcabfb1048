"""Keeps what goes wrong with one request inside that request, and the rate of requests within bounds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import h11
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_GONE = "pagerforce.is_gone"
"""Key of a request's scope: says whether its caller has gone away."""

Report = Callable[[Exception], None]
"""Told about an exception that nobody expects."""


def is_departure(error: BaseException) -> bool:
    """Whether an exception only says that the caller went away."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_departure(item) for item in error.exceptions)
    return isinstance(error, ClientDisconnect | h11.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Contained:
    """An application whose exceptions are reported, and answered by 500 where that still makes sense.

    ``seconds``: the longest that an answer may take; None where the application knows better.
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
    """An application that answers so many requests per second, and lets the others wait their turn.

    Who has gone away meanwhile takes no turn: else a flood of those would keep the others waiting.
    """

    def __init__(self, app: ASGIApp, *, per_second: float, burst: float) -> None:
        self._app = app
        self._step = 1 / per_second
        self._slack = burst / per_second
        self._next = 0.0
        self._turn = anyio.Lock()  # the first to come is the first to have it

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
