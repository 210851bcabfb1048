"""Answers calls on the control socket: who is it, may they, then the command's operation.

``POST /v1/links/add`` with a JSON object calls ``links add``. Every call has a deadline, a bound on
its size, and ends when its caller goes away. What is refused is written to the journal of operators.
"""

import os
from dataclasses import dataclass, field

import anyio
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pagerforce.errors import ConfigError, ForbiddenError, PagerforceError, Problem
from pagerforce.model.value import Json
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.service.control.answer import data_line, line_of, progress_line, show_error
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.desk import Desk, Home, Request
from pagerforce.service.control.operations import OPERATIONS, Operation
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.refusals import UNKNOWN, Refusals
from pagerforce.service.control.roles import missing

_LARGEST_BYTES = 2 * 1024 * 1024
_BODY_SECONDS = 10.0
_READ_SECONDS = 60.0
_QUICK_SECONDS = 60.0
_SLOW_AT_ONCE = 3
_PREFIX = "/v1/"
_TOO_MANY_SECONDS = 0.25
_NDJSON = "application/x-ndjson"


def build_control_app(
    home: Home, callers: Callers | None = None, refusals: Refusals | None = None
) -> ASGIApp:
    """The application behind the control socket: whatever is asked for, first it matters who asks."""
    desk = _FrontDesk(home, callers or Callers(os.geteuid()), refusals or Refusals(home))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await desk.call(HttpRequest(scope, receive))
        await response(scope, receive, send)

    return app


def _word_of(http: HttpRequest) -> str:
    """The command that is asked for; what is no such request is no command."""
    path: str = http.scope["path"]
    is_call = http.method == "POST" and path.startswith(_PREFIX)
    return path.removeprefix(_PREFIX).replace("/", " ") if is_call else ""


@dataclass(slots=True)
class _FrontDesk:
    home: Home
    callers: Callers
    refusals: Refusals
    _slow: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(_SLOW_AT_ONCE))

    async def call(self, http: HttpRequest) -> Response:
        caller = await self.callers.find(http.scope["pagerforce.peer"])
        word = _word_of(http)
        try:
            operation, request = await self._judge(http, caller, word)
        except PagerforceError as error:
            code = 403 if isinstance(error, ForbiddenError) else 400
            return Response(line_of("error", show_error(error)), code, media_type=_NDJSON)
        return _Answer(self.home, caller, operation, request, self._slow)

    async def _judge(
        self, http: HttpRequest, caller: Caller, word: str
    ) -> tuple[Operation, Request]:
        """The operation and its filled-in form.

        Raises:
            ForbiddenError: the caller's roles do not allow it.
            ConfigError: it makes no sense.
        """
        operation = OPERATIONS.get(word)
        if operation is None:
            if not caller.roles:
                await self._refuse(caller, UNKNOWN)
            # What was sent is not repeated: it is no word of ours.
            what = "the daemon knows no such command; is it older?"
            raise ConfigError([Problem("the command", what)])
        lacking = missing(caller.roles, operation.word)
        if lacking:
            await self._refuse(caller, operation.word)
        body = await _read_body(http, _LARGEST_BYTES * (64 if operation.is_large else 1))
        # A large form takes its time to be read: not on the daemon's own thread.
        request = await anyio.to_thread.run_sync(operation.read, body)
        stricter = operation.word_for(request)
        if missing(caller.roles, stricter):
            await self._refuse(caller, stricter)
        return operation, request

    async def _refuse(self, caller: Caller, word: str) -> None:
        reason = refusal(caller, word)
        if not await self.refusals.record(caller, word, reason):
            await anyio.sleep(_TOO_MANY_SECONDS)  # who goes on being refused is answered slowly
        raise ForbiddenError(reason)


def refusal(caller: Caller, word: str) -> str:
    """Why a caller may not."""
    if not caller.roles:
        return (
            f"{caller.user} has no role in pagerforce: an administrator of this host can add the user "
            "to one of the groups pagerforce-user, pagerforce-manager, pagerforce-auditor and "
            "pagerforce-admin"
        )
    held = ", ".join(sorted(role.value for role in caller.roles))
    lacking = ", ".join(sorted(cell.value for cell in missing(caller.roles, word)))
    return f"{word} is not for {held}: it needs the right to {lacking}"


async def _read_body(http: HttpRequest, largest: int) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_SECONDS):
            async for chunk in http.stream():
                body += chunk
                if len(body) > largest:
                    what = f"is larger than {largest} bytes"
                    raise ConfigError([Problem("the request", what)])
    except TimeoutError as error:
        raise ConfigError([Problem("the request", "did not come to its end in time")]) from error
    return bytes(body)


class _Answer(Response):
    """Runs an operation and sends its progress and its outcome as they come."""

    def __init__(
        self,
        home: Home,
        caller: Caller,
        operation: Operation,
        request: Request,
        slow: anyio.Semaphore,
    ) -> None:
        super().__init__(media_type=_NDJSON)
        self._home = home
        self._caller = caller
        self._operation = operation
        self._request = request
        self._slow = slow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", _NDJSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:
            group.start_soon(_end_with_caller, receive, group.cancel_scope)
            last = await self._outcome(send)
            with anyio.move_on_after(_READ_SECONDS):  # whoever reads no further is left
                await send({"type": "http.response.body", "body": last})
            group.cancel_scope.cancel()

    async def _outcome(self, send: Send) -> bytes:
        async def tell(text: str, share: float | None = None) -> None:
            body = progress_line(text, share)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def give(chunk: bytes) -> None:
            body = await anyio.to_thread.run_sync(data_line, chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        word = self._operation.word_for(self._request)
        desk = Desk(self._caller, word, self._home, tell, give)
        try:
            with anyio.fail_after(self._operation.seconds):
                result = await self._run(desk)
                # Large answers take their time to be written out: not on the daemon's own thread.
                return await anyio.to_thread.run_sync(line_of, "result", result)
        except TimeoutError:
            what = (
                f"{desk.command} was not done within {self._operation.seconds:.0f} s and was ended"
            )
            return line_of("error", show_error(PagerforceError(what)))
        except PagerforceError as error:
            return line_of("error", show_error(error))
        except Exception as error:  # noqa: BLE001 (no call may end the daemon)
            self._report(error)
            return line_of("error", show_error(error))

    def _report(self, error: Exception) -> None:
        running = self._home.running
        if running is not None:
            metrics, word = running.parts.metrics, self._operation.word
            report_internal_error(metrics, Part.REQUEST, error, about=word)

    async def _run(self, desk: Desk) -> Json:
        """The operation's value; of the slow ones only a few run at once, the quick ones never wait."""
        if self._operation.seconds <= _QUICK_SECONDS:
            return await self._operation.run(desk, self._request)
        async with self._slow:
            return await self._operation.run(desk, self._request)


async def _end_with_caller(receive: Receive, scope: anyio.CancelScope) -> None:
    """Whoever goes away wants no answer any more."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
