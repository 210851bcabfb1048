"""HTTP/1.1 of one connection: one request, one answer, each with a deadline; logs no garbage."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import h11
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from pagerforce.service.inbound.contain import IS_GONE
from pagerforce.service.inbound.gate import Gate, Phase, Place

# uvicorn's messages are either about garbage from strangers or already reported by ``contain``.
_QUIET = logging.getLogger("pagerforce.inbound.quiet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Deadlines(Struct, frozen=True):
    """The time limits of a connection.

    Attributes:
        request_seconds: from its beginning to the end of its request.
        stall_seconds: for a caller that does not read while an answer is sent.
        drain_seconds: to read the rest once the answer is complete.
    """

    request_seconds: float
    stall_seconds: float
    drain_seconds: float


class GuardedProtocol(H11Protocol):
    """Uvicorn's protocol for one connection that holds a place at the gate.

    Args:
        config: of uvicorn; its headers say ``connection: close``.
        state: the server's.
        gate: notified when the connection has ended.
        place: at the gate.
        deadlines: the time limits.
        extra: put into the scope of its request.
        report: called with an unexpected exception.
    """

    def __init__(  # noqa: PLR0913 (all by name, and only the server calls it)
        self,
        *,
        config: Config,
        state: ServerState,
        gate: Gate,
        place: Place,
        deadlines: Deadlines,
        extra: Mapping[str, object],
        report: Callable[[Exception], None],
    ) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self.logger = _QUIET
        self.access_log = False
        self._gate = gate
        self._place = place
        self._deadlines = deadlines
        self._report = report
        self._timer: Any = None
        self._stall: Any = None
        self.app = _with_extra(self.app, {**extra, IS_GONE: self._is_gone})

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (asyncio's)
        """Starts the time limit of the request."""
        super().connection_made(transport)
        if self._place.is_cut:
            transport.abort()
            return
        self._place.cut = transport.abort
        self._set_timer(self._deadlines.request_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the gate."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._set_timer(None)
        self.resume_writing()
        self._gate.leave(self._place)

    def data_received(self, data: bytes) -> None:
        """Receives a part of the request; an invalid one ends the connection."""
        try:
            super().data_received(data)
        except h11.ProtocolError:
            self.transport.abort()
        except Exception as error:  # noqa: BLE001 (no caller may end more than its connection)
            self._report(error)
            self.transport.abort()
        if self._is_asked() and self._place.phase is Phase.WAITING:
            self._place.phase = Phase.WORKING
            self._set_timer(None)

    def _is_gone(self) -> bool:
        return self.transport.is_closing()

    def _is_asked(self) -> bool:
        """Whether the request is complete."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.more_body

    def send_400_response(self, msg: str) -> None:
        """Answers an invalid request, unless an answer has begun."""
        if self.cycle is not None:
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        super().send_400_response(msg)
        self._drain()

    def on_response_complete(self) -> None:
        """Starts the time limit to read the rest of a complete answer."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
        self._drain()

    def _drain(self) -> None:
        self._place.phase = Phase.DRAINING
        self._set_timer(self._deadlines.drain_seconds)

    def shutdown(self) -> None:
        """Closes the connection for a stop of the daemon, unless its request is being answered."""
        if self._place.phase is Phase.WAITING:
            self.transport.abort()
        elif self._place.phase is Phase.DRAINING:
            self.transport.close()

    def pause_writing(self) -> None:
        """Starts a time limit for a slow reader."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self._deadlines.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Ends the time limit: the caller reads again."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = seconds and self.loop.call_later(seconds, self.transport.abort)


def _with_extra(app: ASGIApp, extra: Mapping[str, object]) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, **extra}, receive, send)

    return run
