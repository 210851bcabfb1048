"""A plain server with the sandbox's faults in front of it, and a client with an observer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from pagerforce.model.ids import Side
from pagerforce.sandbox.clock import WallClock
from pagerforce.sandbox.faults import FaultMiddleware, Faults
from pagerforce.sandbox.server import serve
from pagerforce.wire.answer import Answer
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import OPERATION, build_client


@dataclass
class Observer:
    requests: list[tuple[Side, str, str]] = field(default_factory=list)

    def on_request(self, system: Side, operation: str, code: str) -> None:
        self.requests.append((system, operation, code))

    def on_budget(self, system: Side, remaining: float) -> None:
        raise AssertionError("the wire itself knows no budget")


@dataclass
class Line:
    base_url: str
    client: httpx.AsyncClient
    faults: Faults
    observer: Observer
    writes: list[str]
    headers: list[dict[str, str]]

    async def send(
        self, method: str, path: str = "/thing", deadline_seconds: float = 5.0
    ) -> Answer:
        request = self.client.build_request(method, path, extensions={OPERATION: "things.do"})
        return await exchange(
            self.client,
            request,
            is_write=method != "GET",
            deadline_seconds=deadline_seconds,
        )


def application(writes: list[str], headers: list[dict[str, str]]) -> Starlette:
    async def thing(request: Request) -> Response:
        headers.append(dict(request.headers))
        if request.method == "POST":
            writes.append(request.url.path)
        return Response(b'{"fine": true}', media_type="application/json")

    async def large(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(33):
                yield b"x" * (1024 * 1024)

        return StreamingResponse(chunks())

    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("/thing")

    async def packed(request: Request) -> Response:
        return Response(b"not gzip at all", headers={"content-encoding": "gzip"})

    return Starlette(
        routes=[
            Route("/thing", thing, methods=["GET", "POST"]),
            Route("/large", large, methods=["GET", "POST"]),
            Route("/elsewhere", elsewhere, methods=["GET", "POST"]),
            Route("/packed", packed, methods=["GET", "POST"]),
        ]
    )


@asynccontextmanager
async def open_line() -> AsyncIterator[Line]:
    faults, observer = Faults(), Observer()
    writes: list[str] = []
    headers: list[dict[str, str]] = []
    app = FaultMiddleware(application(writes, headers), faults, WallClock())
    async with (
        serve(app) as base_url,
        build_client(
            base_url=base_url,
            timeout_seconds=5,
            ca_file=None,
            observer=observer,
            system=Side.PAGERDUTY,
            headers={"X-Ours": "yes"},
        ) as client,
    ):
        yield Line(base_url, client, faults, observer, writes, headers)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as opened:
        yield opened
