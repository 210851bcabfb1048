"""Request bodies and answers on the control socket, with limits on their size."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import anyio
from starlette.requests import Request as HttpRequest
from starlette.types import Send

from pagerforce.errors import ConfigError, PagerforceError, Problem
from pagerforce.model.value import Json
from pagerforce.service.control.answer import iter_line, show_error
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.roles import Role

_BODY_SECONDS = 10.0
_READ_SECONDS = 60.0
_PIECE_BYTES = 64 * 1024
_UNREAD_BYTES = 64 * 1024 * 1024


class Body:
    """A request's body: the form, read at once, and the rest, passed on as it arrives.

    Attributes:
        place: held until the request is answered.
    """

    def __init__(self, http: HttpRequest) -> None:
        self.place = AsyncExitStack()
        self._stream = http.stream()
        self._rest = b""

    async def read_form(self, largest: int, *, is_line: bool) -> bytes:
        """Reads the form: the whole body, or its first line. Raises ``ConfigError``."""
        body = bytearray()
        try:
            with anyio.fail_after(_BODY_SECONDS):
                async for chunk in self._stream:
                    head, end, rest = chunk.partition(b"\n") if is_line else (chunk, b"", b"")
                    body += head
                    if len(body) > largest:
                        what = f"is larger than {largest} bytes"
                        raise ConfigError([Problem("the request", what)])
                    if end:
                        self._rest = rest
                        break
        except TimeoutError as error:
            what = "did not arrive completely in time"
            raise ConfigError([Problem("the request", what)]) from error
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields what follows the form."""
        if self._rest:
            yield self._rest
        async for chunk in self._stream:
            if chunk:
                yield chunk


async def send_all(send: Send, pieces: list[bytes]) -> None:
    """Sends an answer; gives up on a caller that stops reading."""
    with anyio.move_on_after(_READ_SECONDS):
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Unread:
    """Limits the unread answers, so that callers that do not read can't fill the memory."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def hold(self, caller: Caller, answer: list[bytes]) -> Iterator[list[bytes]]:
        """Holds the answer, or a refusal if too much is unread already."""
        size = sum(map(len, answer))
        most = _UNREAD_BYTES if Role.ADMIN in caller.roles else _UNREAD_BYTES // 2
        if self._held and self._held + size > most:
            error = PagerforceError("too many large answers are still unread: try again later")
            answer = in_pieces("error", show_error(error))
            size = 0
        self._held += size
        try:
            yield answer
        finally:
            self._held -= size


def in_pieces(key: str, value: Json) -> list[bytes]:
    """Returns one line of an answer in pieces small enough to send."""
    pieces: list[bytes] = []
    part = bytearray()
    for piece in iter_line(key, value):
        part += piece
        if len(part) > _PIECE_BYTES:
            pieces.append(bytes(part))
            part.clear()
    return [*pieces, bytes(part)]
