"""A proxy between the daemon and the sandbox over TCP that changes answers."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc
import h11
import httpx

Headers = list[tuple[bytes, bytes]]


@dataclass
class Reply:
    """An answer as it is sent over the connection."""

    status: int
    headers: Headers
    body: bytes

    def put(self, name: bytes, value: bytes) -> None:
        self.headers = [item for item in self.headers if item[0].lower() != name]
        self.headers.append((name, value))


Change = Callable[[Reply, random.Random], None]


@dataclass
class Proxy:
    """The proxy of one side. ``share``: the part of the answers that is changed."""

    upstream: str
    change: Change
    rng: random.Random
    url: str = ""
    is_on: bool = False
    share: float = 0.75
    seen: int = 0
    changed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        """Serves one connection of the daemon, request after request."""
        client = httpx.AsyncClient(base_url=self.upstream, trust_env=False, timeout=60)
        async with stream, client:
            with (
                anyio.move_on_after(600),
                _quietly(),
            ):
                while await self._one(stream, client):
                    pass

    async def _one(self, stream: anyio.abc.SocketStream, client: httpx.AsyncClient) -> bool:
        line = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        request, body = await _read(stream, line)
        if request is None:
            return False
        sent = client.build_request(
            request.method.decode(),
            request.target.decode(),
            headers=[item for item in request.headers if item[0] != b"transfer-encoding"],
            content=body,
        )
        answer = await client.send(sent, stream=True)
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        await answer.aclose()
        reply = Reply(answer.status_code, _kept(answer.headers.raw), raw)
        self.seen += 1
        if self.is_on and self.rng.random() < self.share:
            self.changed += 1
            self.change(reply, self.rng)
        await stream.send(_head(reply))
        for start in range(0, len(reply.body), 1 << 16):
            await stream.send(reply.body[start : start + (1 << 16)])
        return True


async def _read(
    stream: anyio.abc.SocketStream, line: h11.Connection
) -> tuple[h11.Request | None, bytes]:
    request, body = None, b""
    while True:
        event = line.next_event()
        if event is h11.NEED_DATA:
            try:
                line.receive_data(await stream.receive())
            except anyio.EndOfStream:
                return None, b""
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            return request, body


def _kept(headers: Headers) -> Headers:
    dropped = (b"content-length", b"transfer-encoding", b"connection")
    return [item for item in headers if item[0].lower() not in dropped]


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} OK".encode()]
    lines += [name + b": " + value for name, value in reply.headers]
    if reply.status != 204:
        lines.append(b"Content-Length: " + str(len(reply.body)).encode())
    return b"\r\n".join(lines) + b"\r\n\r\n"


class _quietly:  # noqa: N801 - reads as a word
    """The daemon closes the connection if an answer is too large."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(
            kind,
            anyio.BrokenResourceError
            | anyio.ClosedResourceError
            | h11.ProtocolError
            | httpx.HTTPError,
        )


@asynccontextmanager
async def open_proxy(upstream: str, change: Change, seed: str) -> AsyncIterator[Proxy]:
    """A proxy in front of an address, while the block runs."""
    proxy = Proxy(upstream, change, random.Random(seed))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    proxy.url = f"http://127.0.0.1:{port}"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.serve)
        yield proxy
        group.cancel_scope.cancel()
