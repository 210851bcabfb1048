"""Shows the metrics, the two probes and two pages over HTTP; writes the textfile for node_exporter."""

import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import uvicorn
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from pagerforce.errors import AddressInUseError
from pagerforce.service.pages import HEADERS, Condition, front_page, runbook_page

_GRACE_SECONDS = 1


def build_app(
    registry: CollectorRegistry,
    look: Callable[[], Awaitable[None]],
    silent: Callable[[], list[str]],
    unready: Callable[[], list[str]],
) -> Starlette:
    """``/metrics``, ``/-/healthy`` and ``/-/ready``, as in Prometheus; ``/`` and ``/runbook``.

    Args:
        registry: the series to show.
        look: brings the series up to date.
        silent: loops that do not beat.
        unready: what readiness still waits for.
    """

    async def metrics(request: Request) -> Response:
        await look()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def healthy(_: Request) -> Response:
        loops = silent()
        if loops:
            return PlainTextResponse(f"no heartbeat: {', '.join(loops)}\n", 503)
        return PlainTextResponse("pagerforce is healthy\n")

    async def ready(_: Request) -> Response:
        waiting = unready()
        if waiting:
            return PlainTextResponse(f"not ready, waiting for: {', '.join(waiting)}\n", 503)
        return PlainTextResponse("pagerforce is ready\n")

    async def front(_: Request) -> Response:
        await look()
        page = front_page(Condition(registry, silent(), unready()))
        return HTMLResponse(page, headers=HEADERS)

    async def runbook(_: Request) -> Response:
        return HTMLResponse(runbook_page(), headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", front),
            Route("/runbook", runbook),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ]
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the supervisor's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_metrics(app: Starlette, address: tuple[str, int] | None) -> AsyncIterator[None]:
    """Serves while the block runs; ``address`` None: nothing listens.

    Raises:
        AddressInUseError: the address cannot be bound.
    """
    if address is None:
        yield
        return
    listener = _bind(*address)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=64,
    )
    server = _Server(config)

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                yield
            finally:
                server.should_exit = True
    finally:
        listener.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that name their protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUseError(
            f"metrics.listen: cannot listen on {host}:{port}: {error.strerror}; "
            'free the port, choose another, or set listen = ""'
        ) from error
    return listener


class _OwnSeries(CollectorRegistry):
    """A registry without the ``process_`` series, which node_exporter has too and refuses twice."""

    def __init__(self, whole: CollectorRegistry) -> None:
        super().__init__()
        self._whole = whole

    def collect(self) -> Iterable[Metric]:
        return (x for x in self._whole.collect() if x.name.startswith("pagerforce_"))


def write_textfile(registry: CollectorRegistry, path: Path) -> None:
    """Writes the metrics atomically: node_exporter never sees half a file.

    Raises:
        OSError: the folder cannot be written to.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(generate_latest(_OwnSeries(registry)))
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
