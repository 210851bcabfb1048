"""Sends one request and reads its whole answer, under a deadline and a bound on its size."""

from collections.abc import AsyncIterator

import anyio
import httpx
from msgspec.structs import replace

from pagerforce.observe import pulse
from pagerforce.wire.answer import Answer
from pagerforce.wire.bounds import ERROR_BYTES, bounds_of
from pagerforce.wire.classify import classify_exception
from pagerforce.wire.inflate import Body, CodingError, TooMuchError
from pagerforce.wire.transport import OPERATION

_FIRST_ERROR = 400


async def exchange(
    client: httpx.AsyncClient, request: httpx.Request, *, is_write: bool, deadline_seconds: float
) -> Answer:
    """One request, once, whatever its status. Nothing is retried here.

    Args:
        client: from ``build_client``.
        request: from ``client.build_request``, with ``extensions={OPERATION: name}``.
        is_write: whether the request is a write.
        deadline_seconds: from the first byte sent to the last byte received.

    Raises:
        TransientError: no complete answer arrived, and nothing was changed.
        UnknownOutcomeError: no complete answer arrived, and the write may have taken effect.
        MalformedError: the answer cannot be unpacked, or (``TooLargeError``) is too large.
    """
    operation = str(request.extensions.get(OPERATION, "other"))
    try:
        with anyio.fail_after(deadline_seconds):
            response = await client.send(request, stream=True)
            try:
                answer = await _read(response, operation, is_write=is_write)
            finally:
                await response.aclose()
    except (httpx.RequestError, TimeoutError) as error:
        pulse.beat()  # no answer by the deadline is an outcome too
        raise classify_exception(error, operation=operation, is_write=is_write) from error
    pulse.beat()
    return answer


async def _read(response: httpx.Response, operation: str, *, is_write: bool) -> Answer:
    """The answer with its unpacked body. For an error answer, a part is enough."""
    status, headers = response.status_code, response.headers
    empty = Answer(operation, is_write, status, headers, b"")
    is_error = status >= _FIRST_ERROR
    most = ERROR_BYTES if is_error else bounds_of(operation).size
    try:
        body = Body(headers.get("content-encoding", ""), most)
        try:
            # httpx unpacks any coding without a bound, so pagerforce unpacks the answer itself.
            async for chunk in _raw(response):
                body.feed(chunk)
        except TooMuchError:
            if not is_error:
                raise empty.too_large(f"the answer is larger than {most} bytes") from None
            return replace(empty, body=body.so_far())
        return replace(empty, body=body.end())
    except CodingError as error:
        if is_error:
            return empty
        raise empty.malformed(str(error)) from error


async def _raw(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as received, still packed, in pieces of bounded size."""
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("not the answer of an asynchronous client")
    async for chunk in stream:
        yield chunk
