"""Why no answer arrived, as far as the network errors show. Pure."""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import httpx
from msgspec import Struct


class Obstacle(StrEnum):
    """The reason why a request got no answer."""

    NAME = "name"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    OTHER_HOST = "other_host"
    TLS = "tls"
    PROXY = "proxy"
    OTHER = "other"


# OpenSSL's X509_V_ERR_*: not yet valid, expired, and a certificate of another host.
_VALIDITY = frozenset({9, 10})
_OTHER_HOST = frozenset({62, 64})
_OBSTACLES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Obstacle], ...] = (
    (ssl.SSLError, Obstacle.TLS),
    (socket.gaierror, Obstacle.NAME),
    (httpx.ProxyError, Obstacle.PROXY),
    (ConnectionRefusedError, Obstacle.REFUSED),
    ((TimeoutError, httpx.TimeoutException), Obstacle.TIMEOUT),
)


class Reach(Struct, frozen=True):
    """The obstacle, and the text of its error."""

    obstacle: Obstacle
    said: str


def find_obstacle(error: BaseException) -> Reach | None:
    """Why a request got no answer; None if the error is about an answer that arrived.

    Args:
        error: raised by ``wire.exchange``, with its causes.
    """
    chain = list(_causes(error))
    if not any(isinstance(item, httpx.RequestError | TimeoutError) for item in chain):
        return None
    for item in chain:
        found = _judge(item)
        if found is not None:
            return Reach(found, _words(item))
    last = chain[-1]
    return Reach(Obstacle.OTHER, _words(last))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for item in error.exceptions:
                yield from _causes(item)
        error = error.__cause__ or error.__context__


def _judge(error: BaseException) -> Obstacle | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _judge_certificate(error.verify_code)
    return next((found for kinds, found in _OBSTACLES if isinstance(error, kinds)), None)


def _judge_certificate(verify_code: int) -> Obstacle:
    if verify_code in _VALIDITY:
        return Obstacle.EXPIRED
    return Obstacle.OTHER_HOST if verify_code in _OTHER_HOST else Obstacle.UNTRUSTED


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error) or type(error).__name__
