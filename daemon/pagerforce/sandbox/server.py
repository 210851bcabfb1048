"""Puts a sandbox application on a loopback socket, with or without TLS."""

import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

from pagerforce.errors import AddressInUseError
from pagerforce.sandbox.tls import TlsFiles

_GRACE_SECONDS = 1
"""How long current requests may take when the server ends."""

_MAX_HEAD_BYTES = 256 * 1024
"""Long queries arrive in the request line; uvicorn's default limit is 64 KiB."""


@asynccontextmanager
async def serve(
    app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, tls: TlsFiles | None = None
) -> AsyncIterator[str]:
    """Serves an application until the block ends, and yields its base URL, without final slash.

    Args:
        app: an ASGI application without lifespan.
        host: a loopback address or ``localhost``.
        port: 0 for any free one.
        tls: serve https with these files.

    Raises:
        AddressInUseError: the address is taken, or is not a loopback one.
    """
    listener = _bind(host, port)
    server = _Server(_config(app, tls))
    url = _base_url(host, listener, secure=tls is not None)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run_until_stopped, listener, name="sandbox server")
            try:
                await server.ready.wait()
                yield url
            finally:
                server.stopping.set()
    except BaseExceptionGroup as group:
        # The task group wraps an error of the caller's block; the caller needs the error itself.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn, started and stopped by this module instead of by signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = anyio.Event()
        self.stopping = anyio.Event()

    async def run_until_stopped(self, listener: socket.socket) -> None:
        """Serves until ``stopping`` is set, even if the caller is being cancelled."""
        with anyio.CancelScope(shield=True):
            await self.serve(sockets=[listener])
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to the calling program."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to accept connections, and reports it."""
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Waits for the end. The original also refreshes headers, which are switched off here."""
        await self.stopping.wait()


def _config(app: ASGIApp, tls: TlsFiles | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,  # the application dates its answers by the sandbox's clock
        timeout_keep_alive=60,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )


def _bind(host: str, port: int) -> socket.socket:
    if not _is_loopback(host):
        raise AddressInUseError(f"the sandbox listens on loopback only, not on {host}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets with an explicit protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUseError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(host: str, listener: socket.socket, *, secure: bool) -> str:
    port: int = listener.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}"
