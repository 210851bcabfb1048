"""Serves an application on a listener behind a gate, until the block ends."""

import asyncio  # noqa: TID251 (uvicorn's protocols are asyncio's, and so is what connects them)
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp

from pagerforce.service.inbound.accept import Acceptor, Ranker
from pagerforce.service.inbound.contain import Report
from pagerforce.service.inbound.gate import Bounds, Gate, Place
from pagerforce.service.inbound.protocol import Deadlines, GuardedProtocol

_GRACE_SECONDS = 1
_HEAD_BYTES = 16 * 1024


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, its listeners and its ticks.

    uvicorn wakes up ten times a second to renew the date in its answers and to see whether it
    should end. Here each connection renews the date, and ``leave`` ends the wait.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        self.servers = []
        self.started = True

    async def main_loop(self) -> None:
        await self._leaving.wait()

    async def renew_date(self) -> None:
        """Sets the date of the next answers."""
        await self.on_tick(0)

    def leave(self) -> None:
        """Ends ``serve`` once the current answers are sent."""
        self.should_exit = True
        self._leaving.set()


class Service(Struct, frozen=True):
    """An application with its limits.

    Attributes:
        name: of the listener, for the log.
        app: answers.
        bounds: of its connections.
        deadlines: of each connection.
        ranker: finds the user and rank of a connection.
        report: called with an unexpected exception.
        scope_of: additions to the scope of a connection's request.
    """

    name: str
    app: ASGIApp
    bounds: Bounds
    deadlines: Deadlines
    report: Report
    ranker: Ranker
    scope_of: Callable[[socket.socket], Mapping[str, object]] = lambda _: {}


def _config(app: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        headers=[("connection", "close")],
    )
    config.load()
    return config


@asynccontextmanager
async def serve(service: Service, listener: socket.socket) -> AsyncIterator[Gate]:
    """Serves while the block runs; the listener is closed at its end."""
    # It only logs that callers are still connected at the end, which is normal.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = _config(service.app)
    server = _Server(config)
    gate = Gate(service.bounds)
    loop = asyncio.get_running_loop()

    async def welcome(connection: socket.socket, place: Place) -> None:
        extra = service.scope_of(connection)
        await server.renew_date()

        def protocol() -> GuardedProtocol:
            return GuardedProtocol(
                config=config,
                state=server.server_state,
                gate=gate,
                place=place,
                deadlines=service.deadlines,
                extra=extra,
                report=service.report,
            )

        await loop.connect_accepted_socket(protocol, connection)

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve()

    acceptor = Acceptor(service.name, listener, gate, service.ranker, welcome, service.report)
    try:
        acceptor.open()
        async with anyio.create_task_group() as group, anyio.create_task_group() as doors:
            group.start_soon(run, name=service.name)
            doors.start_soon(acceptor.run, doors, name=f"{service.name} accepts")
            try:
                yield gate
            finally:
                doors.cancel_scope.cancel()
                server.leave()
    finally:
        listener.close()
