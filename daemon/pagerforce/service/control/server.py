"""Answers calls on the control socket: finds the caller, checks the rights, runs the operation.

``POST /v1/links/add`` with a JSON object calls ``links add``. Every call has a deadline and a size
limit, and ends when its caller disconnects. Refusals are written to the journal of operators.
"""

import os
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import Struct
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pagerforce.errors import ConfigError, ForbiddenError, PagerforceError, Problem
from pagerforce.model.value import Json
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.service.control.answer import (
    data_line,
    line_of,
    progress_line,
    show_error,
)
from pagerforce.service.control.bodies import Body, Unread, in_pieces, send_all
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.desk import Desk, Home, Request
from pagerforce.service.control.operations import OPERATIONS, Operation
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.refusals import UNKNOWN, Refusals
from pagerforce.service.control.roles import missing

_QUICK_SECONDS = 60.0
_SLOW_AT_ONCE = 3
_PREFIX = "/v1/"
_TOO_MANY_SECONDS = 0.25
_NDJSON = "application/x-ndjson"


def build_control_app(
    home: Home, callers: Callers | None = None, refusals: Refusals | None = None
) -> ASGIApp:
    """Returns the application of the control socket; it judges the caller before the request."""
    desk = _FrontDesk(home, callers or Callers(os.geteuid()), refusals or Refusals(home))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await desk.call(HttpRequest(scope, receive))
        await response(scope, receive, send)

    return app


def _word_of(http: HttpRequest) -> str:
    """Returns the requested command; ``""`` for any other request."""
    path: str = http.scope["path"]
    is_call = http.method == "POST" and path.startswith(_PREFIX)
    return path.removeprefix(_PREFIX).replace("/", " ") if is_call else ""


class _FrontDesk(Struct):
    home: Home
    callers: Callers
    refusals: Refusals
    slow: anyio.Semaphore = msgspec.field(default_factory=lambda: anyio.Semaphore(_SLOW_AT_ONCE))
    unread: Unread = msgspec.field(default_factory=Unread)

    async def call(self, http: HttpRequest) -> Response:
        caller = await self.callers.find(http.scope["pagerforce.peer"])
        word = _word_of(http)
        body = Body(http)
        try:
            operation, request = await self._judge(body, caller, word)
        except PagerforceError as error:
            await body.place.aclose()
            code = 403 if isinstance(error, ForbiddenError) else 400
            return Response(line_of("error", show_error(error)), code, media_type=_NDJSON)
        except ClientDisconnect:
            await body.place.aclose()
            return Response(status_code=400)
        except BaseException:
            await body.place.aclose()
            raise
        return _Answer(self, caller, operation, request, body)

    async def _judge(self, body: Body, caller: Caller, word: str) -> tuple[Operation, Request]:
        """Returns the operation and its filled-in form.

        Raises:
            ForbiddenError: the caller's roles do not allow it.
            ConfigError: the request is wrong.
        """
        operation = OPERATIONS.get(word)
        if operation is None:
            if not caller.roles:
                await self._refuse(caller, UNKNOWN)
            # The command is not repeated: it may contain anything.
            what = "the daemon has no such command; is it an older version?"
            raise ConfigError([Problem("the command", what)])
        lacking = missing(caller.roles, operation.word)
        if lacking:
            await self._refuse(caller, operation.word)
        if operation.line is not None:
            await body.place.enter_async_context(operation.line(self.home.turns).place(caller.uid))
        form = await body.read_form(operation.largest, is_line=operation.takes_lines)
        # Reading a large form is slow: not on the daemon's own thread.
        request = await anyio.to_thread.run_sync(operation.read, form)
        stricter = operation.word_for(request)
        if missing(caller.roles, stricter):
            await self._refuse(caller, stricter)
        return operation, request

    async def _refuse(self, caller: Caller, word: str) -> None:
        reason = refusal(caller, word)
        if not await self.refusals.record(caller, word, reason):
            await anyio.sleep(_TOO_MANY_SECONDS)  # repeated refusals are answered slowly
        raise ForbiddenError(reason)


def refusal(caller: Caller, word: str) -> str:
    """Returns the reason of a refusal."""
    if not caller.roles:
        return (
            f"{caller.user} has no role in pagerforce: an administrator of this host can add the "
            "user to one of the groups pagerforce-user, pagerforce-manager, pagerforce-auditor and "
            "pagerforce-admin"
        )
    held = ", ".join(sorted(role.value for role in caller.roles))
    lacking = ", ".join(sorted(cell.value for cell in missing(caller.roles, word)))
    return f"{word} is not for {held}: it needs the right to {lacking}"


class _Answer(Response):
    """Runs an operation and streams its progress and its outcome."""

    def __init__(
        self,
        desk: _FrontDesk,
        caller: Caller,
        operation: Operation,
        request: Request,
        body: Body,
    ) -> None:
        super().__init__(media_type=_NDJSON)
        self._home = desk.home
        self._unread = desk.unread
        self._slow = desk.slow
        self._caller = caller
        self._operation = operation
        self._request = request
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", _NDJSON.encode())]
        lines, given = anyio.create_memory_object_stream[bytes](0)
        async with self._body.place, anyio.create_task_group() as group:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            group.start_soon(_end_with_caller, receive, self._body, lines, group.cancel_scope)
            with given:
                last = await self._outcome(send, given)
            with self._unread.hold(self._caller, last) as pieces:
                await send_all(send, pieces)
            group.cancel_scope.cancel()

    async def _outcome(self, send: Send, lines: AsyncIterator[bytes]) -> list[bytes]:
        async def tell(text: str, share: float | None = None) -> None:
            body = progress_line(text, share)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def give(chunk: bytes) -> None:
            body = await anyio.to_thread.run_sync(data_line, chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        word = self._operation.word_for(self._request)
        desk = Desk(self._caller, word, self._home, tell, give, lines)
        try:
            with anyio.fail_after(self._operation.seconds):
                result = await self._run(desk)
                # Encoding a large answer is slow: not on the daemon's own thread.
                return await anyio.to_thread.run_sync(in_pieces, "result", result)
        except TimeoutError:
            what = (
                f"{desk.command} did not finish within {self._operation.seconds:.0f} s and was"
                f" stopped"
            )
            return in_pieces("error", show_error(PagerforceError(what)))
        except PagerforceError as error:
            return in_pieces("error", show_error(error))
        except Exception as error:  # noqa: BLE001 (no call may end the daemon)
            self._report(error)
            return in_pieces("error", show_error(error))

    def _report(self, error: Exception) -> None:
        running = self._home.running
        if running is not None:
            metrics, word = running.parts.metrics, self._operation.word
            report_internal_error(metrics, Part.REQUEST, error, about=word)

    async def _run(self, desk: Desk) -> Json:
        """Returns the operation's value; few slow operations run at once, quick ones never wait."""
        if self._operation.seconds <= _QUICK_SECONDS:
            return await self._operation.run(desk, self._request)
        async with self._slow:
            return await self._operation.run(desk, self._request)


async def _end_with_caller(
    receive: Receive, body: Body, lines: MemoryObjectSendStream[bytes], scope: anyio.CancelScope
) -> None:
    """Passes on what follows the form; cancels the call when the caller disconnects."""
    with suppress(ClientDisconnect):
        with lines, suppress(anyio.BrokenResourceError):  # the operation needs no more lines
            async for chunk in body.chunks():
                await lines.send(chunk)
        while (await receive())["type"] != "http.disconnect":
            pass
    scope.cancel()
