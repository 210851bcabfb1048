"""Turns the failure of a request into the ``RemoteError`` family. Pure.

The important question is whether a write may have taken effect. Without a connection, or after a
4xx, it did not. In all other cases nobody knows, and the result is :class:`UnknownOutcomeError`.
A failed read is simply tried again.
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
"""A vendor's own rule, tried first for every answer that is not 2xx; None: the usual rule
applies."""

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
    """The error for a missing or incomplete answer.

    Args:
        error: the exception of httpx, or a ``TimeoutError`` after the total deadline.
        operation: the operation's name, for the message.
        is_write: whether the request was a write.
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
    """The error that an answer's status means; None for a success (2xx)."""
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
    """The error for a failure inside the other side: a write may have taken effect."""
    if is_write:
        return UnknownOutcomeError(message, status=status, code=code)
    return TransientError(message, status=status, code=code)
