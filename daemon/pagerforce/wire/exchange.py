"""Sends one request and reads its whole answer, under a deadline and a bound on its size."""

import anyio
import httpx

from pagerforce.observe import pulse
from pagerforce.wire.answer import Answer
from pagerforce.wire.classify import classify_exception
from pagerforce.wire.transport import OPERATION

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""No page of either API comes near; more than this is a fault and must not fill the memory."""


async def exchange(
    client: httpx.AsyncClient, request: httpx.Request, *, is_write: bool, deadline_seconds: float
) -> Answer:
    """One request, once, whatever its status. Nothing is retried here.

    Args:
        client: from ``build_client``.
        request: from ``client.build_request``, with ``extensions={OPERATION: name}``.
        is_write: whether the request is to change something.
        deadline_seconds: for everything from the first byte to the last.

    Raises:
        TransientError: no (whole) answer came, and nothing was done.
        UnknownOutcomeError: likewise, but it may have been done.
        MalformedError: the answer is too large or cannot be unpacked.
    """
    operation = str(request.extensions.get(OPERATION, "other"))
    try:
        with anyio.fail_after(deadline_seconds):
            response = await client.send(request, stream=True)
            try:
                body = await _read(response)
            finally:
                await response.aclose()
    except (httpx.RequestError, TimeoutError) as error:
        pulse.beat()  # no answer by the deadline is an outcome too
        raise classify_exception(error, operation=operation, is_write=is_write) from error
    pulse.beat()
    answer = Answer(operation, is_write, response.status_code, response.headers, body or b"")
    if body is None:
        raise answer.malformed(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    return answer


async def _read(response: httpx.Response) -> bytes | None:
    """The body, unpacked; None where it exceeds the bound."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)
