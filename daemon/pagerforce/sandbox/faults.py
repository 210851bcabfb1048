"""The sandbox's faults: they make the next requests slow, refused, broken or unanswered.

A :class:`Fault` is armed for a number of requests. :class:`FaultMiddleware` is in front of the
application and applies armed faults to each request. This module knows no vendor: an
:data:`ErrorShape` defines the form of errors.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from email.utils import format_datetime
from enum import StrEnum
from typing import Self

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagerforce.sandbox.bodies import parse_body
from pagerforce.sandbox.clock import SandboxClock

CONTROL_PREFIX = "/__sandbox__/"
"""Paths below this belong to the sandbox and never meet a fault."""

MAX_FAULT_SECONDS = 3600.0
"""The longest latency or announced wait that can be armed."""


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "kind": (str,),
    "count": (int,),
    "method": (str, type(None)),
    "path": (str, type(None)),
    "status": (int,),
    "seconds": (int, float),
    "answer": (str,),
}


class ConnectionDroppedError(Exception):
    """Ends a request without an answer; the server closes the connection when it sees it."""


class FaultKind(StrEnum):
    """The kind of a fault."""

    LATENCY = "latency"
    TOO_MANY = "too_many"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, for ``count`` requests.

    Attributes:
        kind: the kind. ``*_after``: the application did its work, only the answer is lost.
        count: for how many requests.
        method: only for this HTTP method; None for any.
        path: only for paths that match this regular expression somewhere; None for any. A request
            that carries writes as its parts also fits through the method and path of one of them.
        status: the status of ``error_before`` and ``error_after``.
        seconds: the duration of ``latency``; for ``too_many`` the wait to announce, 0 for none.
        answer: name of a vendor's answer, for ``error_before`` and ``error_after``, with its own
            status; ``""`` for none.

    Raises:
        ValueError: a value is out of range or the expression is invalid.
    """

    kind: FaultKind
    count: int = 1
    method: str | None = None
    path: str | None = None
    status: int = 503
    seconds: float = 0.0
    answer: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))
        if self.count < 1:
            raise ValueError("count must be at least 1")
        if self.answer and self.kind not in (FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER):
            raise ValueError("answer is for error_before and error_after only")
        if not 400 <= self.status <= 599:
            raise ValueError("status must be an HTTP error, 400 to 599")
        if not 0 <= self.seconds <= MAX_FAULT_SECONDS:
            raise ValueError(f"seconds must be 0 to {MAX_FAULT_SECONDS:g}")
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from error

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads a fault from decoded JSON.

        Raises:
            ValueError: not an object, unknown keys, wrong types or impossible values.
        """
        if not isinstance(value, Mapping):
            raise ValueError("a fault is a JSON object")  # noqa: TRY004 - bad input, not bad code
        for key, item in value.items():
            if key not in _JSON_TYPES:
                raise ValueError(f"unknown key {key!r}; known: {', '.join(_JSON_TYPES)}")
            if isinstance(item, bool) or not isinstance(item, _JSON_TYPES[key]):
                raise ValueError(f"{key} has the wrong type")  # noqa: TRY004 - as above
        if "kind" not in value:
            raise ValueError(f"kind is missing; one of {', '.join(FaultKind)}")
        return cls(**value)

    def to_json(self) -> dict[str, object]:
        """The fault as JSON, for :meth:`parse`."""
        return asdict(self)

    def fits(self, method: str, path: str) -> bool:
        """Whether a request with this method and path meets the fault."""
        if self.method is not None and self.method.upper() != method.upper():
            return False
        return self.path is None or re.search(self.path, path) is not None


class Faults:
    """The armed faults, in the order they were armed. For one event loop only.

    Attributes:
        answers: the allowed names of a fault's ``answer``; the application sets its vendor's.
        on_request: awaited with method and path of each request before it is handled, so that
            something can happen between two requests; then with those of each write that is a part
            of it.
    """

    def __init__(self) -> None:
        self.answers: frozenset[str] = frozenset()
        self.on_request: Callable[[str, str], Awaitable[None]] | None = None
        self._armed: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arms a fault.

        Raises:
            ValueError: the vendor has no such answer.
        """
        if fault.answer and fault.answer not in self.answers:
            known = ", ".join(sorted(self.answers)) or "none here"
            raise ValueError(f"unknown answer {fault.answer!r}; known: {known}")
        self._armed.append(fault)

    def clear(self) -> None:
        """Disarms all faults."""
        self._armed.clear()

    def armed(self) -> tuple[Fault, ...]:
        """The armed faults, each with its remaining count."""
        return tuple(self._armed)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happens to the next request."""
        return not self._armed and self.on_request is None

    def take(self, method: str, path: str, parts: Sequence["Named"] = ()) -> list[Fault]:
        """Uses up the faults of this request: every fitting latency, and the first other fault.

        A request can end only one way, so a second ending stays armed for the next request.

        Args:
            method: of the request.
            path: of the request.
            parts: method and path of each write that is a part of it.
        """
        names = [(method, path), *parts]
        taken: list[Fault] = []
        left: list[Fault] = []
        ended = False
        for fault in self._armed:
            ends = fault.kind is not FaultKind.LATENCY
            if not any(fault.fits(*name) for name in names) or (ends and ended):
                left.append(fault)
                continue
            ended = ended or ends
            taken.append(fault)
            if fault.count > 1:
                left.append(replace(fault, count=fault.count - 1))
        self._armed = left
        return taken


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error in the form of an HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Named = tuple[str, str]
"""The method and the path of a request, or of a part of one."""

WriteParts = Callable[[str, bytes], Sequence[Named]]
"""The writes that are parts of a request with this path and body; none for an ordinary request."""

ErrorShape = Callable[[Fault], ErrorAnswer]
"""Converts ``too_many``, ``error_before`` and ``error_after`` to a vendor's HTTP answer."""


def plain_error(fault: Fault) -> ErrorAnswer:
    """The answer of a proxy before the vendor: a status and a line of text."""
    status = 429 if fault.kind is FaultKind.TOO_MANY else fault.status
    headers = {"content-type": "text/html"}
    if fault.kind is FaultKind.TOO_MANY and fault.seconds:
        headers["retry-after"] = f"{fault.seconds:.0f}"
    return ErrorAnswer(status, f"<html><body>{status}</body></html>".encode(), headers)


class FaultMiddleware:
    """Applies the armed faults to requests, and dates every answer by the sandbox's clock.

    Args:
        app: the application behind it.
        faults: the armed faults; shared with those who arm them.
        clock: the sandbox's time, for the ``Date`` header.
        shape: the form of the vendor's errors.
        write_parts: finds the writes that are parts of a request; None: the vendor has no such
            requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        clock: SandboxClock,
        shape: ErrorShape = plain_error,
        write_parts: WriteParts | None = None,
    ) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._shape = shape
        self._write_parts = write_parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        dated = self._dated(send)
        path: str = scope["path"]
        if path.startswith(CONTROL_PREFIX):
            await self._app(scope, receive, dated)
            return
        parts: Sequence[Named] = ()
        if self._write_parts is not None and not self._faults.is_quiet:
            body = await Request(scope, receive).body()
            parts, receive = self._write_parts(path, body), _replaying(body, receive)
        on_request = self._faults.on_request
        for name in ((scope["method"], path), *parts):
            if on_request is None or self._faults.on_request is not on_request:
                break  # what it set is for the next request
            await on_request(*name)
        ending: Fault | None = None
        for fault in self._faults.take(scope["method"], path, parts):
            if fault.kind is FaultKind.LATENCY:
                await anyio.sleep(fault.seconds)
            else:
                ending = fault
        if ending is None:
            await self._app(scope, receive, dated)
            return
        if ending.kind in (FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER):
            await self._app(scope, receive, _discard)
        await self._end(ending, dated)

    async def _end(self, fault: Fault, send: Send) -> None:
        match fault.kind:
            case FaultKind.DROP_BEFORE | FaultKind.DROP_AFTER:
                await drop_connection(send)
            case FaultKind.MALFORMED:
                body = b'{"this answer is cut off in the mid'
                await _answer(send, ErrorAnswer(200, body, {"content-type": "application/json"}))
            case _:
                await _answer(send, self._shape(fault))

    def _dated(self, send: Send) -> Send:
        async def dated_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._clock.now(), usegmt=True).encode("ascii")
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
            await send(message)

        return dated_send


def fault_routes(faults: Faults) -> list[Route]:
    """The control endpoint for use by hand: POST, GET and DELETE ``/__sandbox__/faults``."""

    async def arm(request: Request) -> Response:
        try:
            fault = Fault.parse(parse_body(await request.body()))
            faults.add(fault)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse({"armed": fault.to_json()}, status_code=201)

    async def show(_request: Request) -> Response:
        return JSONResponse({"faults": [fault.to_json() for fault in faults.armed()]})

    async def disarm(_request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    path = f"{CONTROL_PREFIX}faults"
    return [
        Route(path, arm, methods=["POST"]),
        Route(path, show, methods=["GET"]),
        Route(path, disarm, methods=["DELETE"]),
    ]


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _discard(_message: Message) -> None:
    """Drops the application's answer."""


async def _answer(send: Send, answer: ErrorAnswer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


async def drop_connection(send: Send) -> None:
    """Ends the connection without a byte of an answer.

    ASGI cannot express this. So a response with an invalid header is started: the server neither
    sends it nor can replace it by a 500; it can only close the connection.

    Raises:
        ConnectionDroppedError: the server accepted even that header.
    """
    await send({"type": "http.response.start", "status": 200, "headers": [(b"\r\n", b"")]})
    raise ConnectionDroppedError
