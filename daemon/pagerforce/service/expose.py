"""Serves metrics, two probes and two pages over HTTP; writes the textfile for node_exporter."""

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from pagerforce.errors import AddressInUseError
from pagerforce.host.files import replace_file
from pagerforce.observe.internal_errors import InternalErrorCounter, Part, report_internal_error
from pagerforce.service.inbound.accept import Ranker
from pagerforce.service.inbound.contain import Contained, Paced
from pagerforce.service.inbound.gate import Bounds
from pagerforce.service.inbound.hosts import OwnNames, OwnNamesOnly
from pagerforce.service.inbound.protocol import Deadlines
from pagerforce.service.inbound.room import share_room
from pagerforce.service.inbound.server import Service, serve
from pagerforce.service.pages import HEADERS, Condition, front_page, runbook_page

_DEADLINES = Deadlines(request_seconds=5.0, stall_seconds=5.0, drain_seconds=5.0)
_ANSWER_SECONDS = 10.0
_PER_SECOND, _BURST = 400.0, 100.0
_FRESH_SECONDS = 0.25
# A content type repeats words of the request. Only known ones are allowed, to limit the number of
# forms.
_FORM = re.compile(
    r"((?:text/plain|application/openmetrics-text); version=(?:0\.0\.4|1\.0\.0)(?:; charset=utf-8)?)"
    r"(?:; escaping=[a-z0-9-]{1,20})?"
)


class _Shared:
    """A short cache of rendered pages, shared by requests at the same time; renders one at a time.

    Args:
        look: updates the series.
    """

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._looked_at = float("-inf")
        self._made: dict[str, bytes] = {}
        self._lock = anyio.Lock()

    async def get(self, name: str, render: Callable[[], bytes]) -> bytes:
        """Returns the page of this name, at most a moment old."""
        async with self._lock:
            if anyio.current_time() - self._looked_at >= _FRESH_SECONDS:
                await self._look()
                self._looked_at = anyio.current_time()
                self._made.clear()
            if name not in self._made:
                self._made[name] = render()
            return self._made[name]


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str, str]:
    """Returns the encoder of the metrics, the content type, and the form as the key of the cache.

    No name of a series needs escaping, so all ways of escaping give the same text. An invalid
    Accept header gets plain text.
    """
    plain, plain_type = choose_encoder("")
    try:
        encode, content_type = choose_encoder(accept)
    except (ValueError, TypeError):  # not a version
        return plain, plain_type, plain_type
    found = _FORM.fullmatch(content_type)
    return (encode, content_type, found[1]) if found else (plain, plain_type, plain_type)


def build_app(
    registry: CollectorRegistry,
    look: Callable[[], Awaitable[None]],
    silent: Callable[[], list[str]],
    unready: Callable[[], list[str]],
) -> Starlette:
    """``/metrics``, ``/-/healthy`` and ``/-/ready``, as in Prometheus; ``/`` and ``/runbook``.

    Args:
        registry: the series to show.
        look: updates the series.
        silent: loops that do not beat.
        unready: what readiness still waits for.
    """
    shared = _Shared(look)

    async def metrics(request: Request) -> Response:
        encode, content_type, form = _encoder(request.headers.get("accept", ""))
        text = await shared.get(form, lambda: encode(registry))
        return Response(text, headers={"content-type": content_type})

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
        def render() -> bytes:
            return front_page(Condition(registry, silent(), unready())).encode()

        return HTMLResponse(await shared.get("front page", render), headers=HEADERS)

    making = anyio.Lock()

    async def runbook(_: Request) -> Response:
        async with making:  # the first one is slow: not on the daemon's own thread
            page = await anyio.to_thread.run_sync(runbook_page)
        return HTMLResponse(page, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", front),
            Route("/runbook", runbook),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ]
    )


@asynccontextmanager
async def serve_metrics(
    app: Starlette,
    address: tuple[str, int] | None,
    counter: InternalErrorCounter,
    room: int = share_room(0).metrics,
) -> AsyncIterator[None]:
    """Serves while the block runs; ``address`` None: does not listen.

    Args:
        app: of ``build_app``.
        address: host and port.
        counter: counts internal errors.
        room: the most connections at once.

    Raises:
        AddressInUseError: the address cannot be bound.
    """
    if address is None:
        yield
        return

    def report(error: Exception) -> None:
        report_internal_error(counter, Part.REQUEST, error, about="the metrics port")

    listener = _bind(*address)
    known = OwnNamesOnly(app, OwnNames(address[0]))
    paced = Paced(known, per_second=_PER_SECOND, burst=_BURST)
    whole = Contained(paced, report, _ANSWER_SECONDS)
    service = Service("metrics", whole, Bounds(room), _DEADLINES, report, Ranker())
    async with serve(service, listener):
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay only for sockets that name their protocol.
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
    """A registry without the ``process_`` series: node_exporter has its own, refuses duplicates."""

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
    replace_file(path, generate_latest(_OwnSeries(registry)), 0o644)
