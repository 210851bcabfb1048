"""Shows the metrics, the two probes and two pages over HTTP; writes the textfile for node_exporter."""

import os
import re
import socket
import tempfile
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
from pagerforce.observe.internal_errors import InternalErrorCounter, Part, report_internal_error
from pagerforce.service.inbound.accept import Judge
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
_FORMS = 8
# A content type repeats words of the request: only plain ones.
_FORM = re.compile(r"(text/plain|application/openmetrics-text)(; [a-z]+=[0-9A-Za-z.-]{1,20}){0,3}")


class _Shared:
    """What was rendered just now: who asks at the same time shares it, and one is made at a time."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[float, bytes]] = {}
        self._lock = anyio.Lock()

    async def get(self, name: str, render: Callable[[], Awaitable[bytes]]) -> bytes:
        """The page of this name, not older than a moment."""
        async with self._lock:
            at, text = self._made.get(name, (float("-inf"), b""))
            if anyio.current_time() - at < _FRESH_SECONDS:
                return text
            text = await render()
            if len(self._made) >= _FORMS:
                self._made.clear()
            self._made[name] = (anyio.current_time(), text)
            return text


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """How to write the metrics, and the content type; in plain text where the wish makes no sense."""
    try:
        encode, content_type = choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is none
        return choose_encoder("")
    return (encode, content_type) if _FORM.fullmatch(content_type) else choose_encoder("")


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
    shared = _Shared()

    async def metrics(request: Request) -> Response:
        encode, content_type = _encoder(request.headers.get("accept", ""))

        async def render() -> bytes:
            await look()
            return encode(registry)

        text = await shared.get(content_type, render)
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
        async def render() -> bytes:
            await look()
            return front_page(Condition(registry, silent(), unready())).encode()

        return HTMLResponse(await shared.get("", render), headers=HEADERS)

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


@asynccontextmanager
async def serve_metrics(
    app: Starlette,
    address: tuple[str, int] | None,
    counter: InternalErrorCounter,
    room: int = share_room(0).metrics,
) -> AsyncIterator[None]:
    """Serves while the block runs; ``address`` None: nothing listens.

    Args:
        app: of ``build_app``.
        address: host and port.
        counter: counts errors that nobody expects.
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
    service = Service("metrics", whole, Bounds(room), _DEADLINES, report, Judge())
    async with serve(service, listener):
        yield


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
