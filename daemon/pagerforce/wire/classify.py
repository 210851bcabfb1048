"""One place that turns what happened to a request into the ``RemoteError`` family. Pure.

The question that matters is whether a write may have taken effect. It cannot have where no
connection was made or the other side refused it with a 4xx; in all other cases nobody knows, and
the answer is :class:`UnknownOutcomeError`. A read that failed is just tried again.
"""

from collections.abc import Callable

import httpx

from pagerforce.errors import (
    BudgetError,
    CredentialsError,
    MalformedError,
    RefusedError,
    RemoteError,
    TransientError,
    UnknownOutcomeError,
)
from pagerforce.wire.answer import Answer

VendorRule = Callable[[Answer], RemoteError | None]
"""What a vendor knows better: asked first about every answer that is not 2xx; None for "as usual"."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_MAX_CAUSE = 200


def classify_exception(
    error: httpx.RequestError | TimeoutError, *, operation: str, is_write: bool
) -> RemoteError:
    """What it means that no (whole) answer came.

    Args:
        error: what httpx raised, or a ``TimeoutError`` where the total deadline passed.
        operation: the operation's name, for the message.
        is_write: whether the request was to change something.
    """
    cause = f"{type(error).__name__}: {error}"[:_MAX_CAUSE].rstrip(": ")
    if isinstance(error, _NOT_SENT):
        return TransientError(f"{operation}: not sent ({cause})")
    if is_write:
        return UnknownOutcomeError(f"{operation}: sent, but the answer was lost ({cause})")
    if isinstance(error, httpx.DecodingError):
        return MalformedError(f"{operation}: the answer could not be decoded ({cause})")
    return TransientError(f"{operation}: no answer ({cause})")


def classify_answer(answer: Answer, vendor: VendorRule) -> RemoteError | None:
    """What an answer's status means; None where it is a success (2xx)."""
    if 200 <= answer.status < 300:
        return None
    return vendor(answer) or _by_status(answer)


def _by_status(answer: Answer) -> RemoteError:
    status = answer.status
    message = f"{answer.operation}: HTTP {status}"
    if status >= 500 or status == 408:
        return failed_remotely(message, is_write=answer.is_write, status=status)
    if status == 401:
        return CredentialsError(message, status=status)
    if status == 429:
        return BudgetError(message, status=status)
    if status >= 400:
        return RefusedError(message, status=status)
    return TransientError(f"{message}, which is not an answer of this API", status=status)


def failed_remotely(
    message: str, *, is_write: bool, status: int = 0, code: str = ""
) -> RemoteError:
    """The other side broke down while at it: a write may have taken effect, a read is repeated."""
    if is_write:
        return UnknownOutcomeError(message, status=status, code=code)
    return TransientError(message, status=status, code=code)
