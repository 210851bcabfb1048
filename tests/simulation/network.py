"""Carries requests from the daemon's own clients to both sandbox applications, without a socket.

A request that was sent arrives, whatever happens to its sender: it is served by a task of the
network's own. Faults of the sandbox appear as httpx shows them on a real connection.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup
from starlette.types import ASGIApp, Message

from pagerforce.model.ids import Side
from pagerforce.sandbox.faults import ConnectionDroppedError
from simulation.fuse import Fuse
from simulation.hints import PATH, Hints

URLS = {Side.PAGERDUTY: "http://127.0.0.1:7001", Side.SALESFORCE: "http://127.0.0.1:7002"}
DEADLINE_SECONDS = 30.0  # the daemon's delivery.timeout


@dataclass(slots=True)
class Road:
    """The state of the connection to one side. Times in seconds.

    ``slow_answers``: how many of the next answers come after the caller's deadline; the work is done.
    """

    app: ASGIApp
    quick: float = 0.02
    longest: float = 0.4
    is_down: bool = False
    slow_answers: int = 0


@dataclass(slots=True)
class _Exchange:
    request: httpx.Request
    body: bytes
    done: anyio.Event = field(default_factory=anyio.Event)
    response: httpx.Response | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Network:
    """``served``: called right before a side handles a request; its return value is called right after.

    ``hints``: the fate of requests to the streaming endpoint; nothing else uses it.
    """

    group: TaskGroup
    roads: dict[Side, Road]
    dice: Random
    served: Callable[[Side, httpx.Request], Callable[[], None]]
    hints: Hints | None = None

    def transports(self, fuse: Fuse) -> dict[Side, httpx.AsyncBaseTransport]:
        """The network for one life of the daemon."""
        return {side: _Transport(self, side, fuse) for side in self.roads}

    def delay(self, road: Road) -> float:
        """Mostly short, sometimes long."""
        return road.quick + (road.longest - road.quick) * self.dice.random() ** 3

    async def serve(self, side: Side, exchange: _Exchange) -> None:
        road = self.roads[side]
        await anyio.sleep(self.delay(road))
        after = self.served(side, exchange.request)
        try:
            exchange.response = await _call(road.app, exchange.request, exchange.body)
        except ConnectionDroppedError:
            text = "Server disconnected without sending a response."
            exchange.error = httpx.RemoteProtocolError(text, request=exchange.request)
        after()
        wait = self.delay(road)
        if road.slow_answers:
            road.slow_answers -= 1
            wait += DEADLINE_SECONDS
        await anyio.sleep(wait)
        exchange.done.set()

    async def serve_hints(self, hints: Hints, exchange: _Exchange) -> None:
        """The streaming endpoint: an answer may take minutes, and people act meanwhile."""
        hints.before()
        app = self.roads[Side.SALESFORCE].app
        try:
            response = await _call(app, exchange.request, exchange.body)
            exchange.response = await hints.carry(response)
        except ConnectionDroppedError:
            text = "Server disconnected without sending a response."
            exchange.error = httpx.RemoteProtocolError(text, request=exchange.request)
        await anyio.sleep(self.roads[Side.SALESFORCE].quick)
        exchange.done.set()


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, network: Network, side: Side, fuse: Fuse) -> None:
        self._network, self._side, self._fuse = network, side, fuse

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        hints = self._network.hints if request.url.path.startswith(PATH) else None
        kind = "hint" if hints else "read" if request.method == "GET" else "write"
        what = f"{request.method} {request.url.path}"
        self._fuse.burn(kind, f"before {what}")
        if self._network.roads[self._side].is_down:
            await anyio.sleep(0.5)
            self._fuse.burn(kind, f"no connection for {what}")
            raise httpx.ConnectError("All connection attempts failed", request=request)
        exchange = _Exchange(request, body)
        if hints is not None:
            self._network.group.start_soon(self._network.serve_hints, hints, exchange)
        else:
            self._network.group.start_soon(self._network.serve, self._side, exchange)
        await exchange.done.wait()
        self._fuse.burn(kind, f"after {what}")
        if exchange.error is not None:
            raise exchange.error
        if exchange.response is None:
            raise AssertionError("served without an outcome")
        return exchange.response


async def _call(app: ASGIApp, request: httpx.Request, body: bytes) -> httpx.Response:
    """Runs the application on one request, at one moment."""
    status, headers, content = 0, [], bytearray()
    requests = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message.get("headers", [])
        else:
            content.extend(message.get("body", b""))

    await app(_scope(request), receive, send)
    return httpx.Response(status, headers=headers, content=bytes(content), request=request)


def _scope(request: httpx.Request) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 40000),
        "root_path": "",
    }
