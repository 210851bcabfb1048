"""Answers that are recorded once and replayed at once, so that only pagerforce's work is measured."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx

from bench.stage import Stage
from pagerforce.config.load import load_config
from pagerforce.config.secret import load_secrets
from pagerforce.model.ids import Side
from pagerforce.observe.log import setup_log
from pagerforce.service.catalog import CATALOG
from pagerforce.service.wiring import Outside, Parts, wire


class HandClock:
    """The daemon's clock, moved by hand: the same moments give the same requests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._seconds = 0.0

    def now(self) -> datetime:
        """The present instant."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since its creation."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds


class Tape(httpx.AsyncBaseTransport):
    """A transport: forwards requests and keeps the answers, or returns the kept ones.

    A login's request is different every time, so it is recognised by its path alone.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, bytes], tuple[int, list[tuple[bytes, bytes]], bytes]] = {}
        self.network: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        body = await request.aread()
        is_login = request.url.path.endswith("/token")
        key = (request.method, request.url.raw_path.decode(), b"" if is_login else body)
        if self.network is not None:
            answer = await self.network.handle_async_request(request)
            content = await answer.aread()
            headers = [(k, v) for k, v in answer.headers.raw if k.lower() != b"content-encoding"]
            self._kept[key] = (answer.status_code, headers, content)
        status, raw, content = self._kept[key]
        return httpx.Response(status, headers=raw, content=content)


class Tapes:
    """Both sides' tapes."""

    def __init__(self) -> None:
        self.sides = {side: Tape() for side in Side}

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Answers come from the network and are kept."""
        for tape in self.sides.values():
            tape.network = httpx.AsyncHTTPTransport()
        try:
            yield
        finally:
            for tape in self.sides.values():
                if tape.network is not None:
                    await tape.network.aclose()
                tape.network = None


@asynccontextmanager
async def parts_of(stage: Stage, clock: HandClock, tapes: Tapes) -> AsyncIterator[Parts]:
    """The daemon's parts, to be stepped by hand."""
    setup_log("error", "console", environ={})
    loaded = load_config(stage.config, catalog=CATALOG, environ={})
    secrets = load_secrets(loaded.config, {})
    outside = Outside(transports=tapes.sides)
    async with wire(loaded, secrets, clock, {}, is_shadow=False, outside=outside) as parts:
        yield parts
