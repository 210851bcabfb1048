"""Calls the running daemon on its control socket."""

import base64
import itertools
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from pagerforce.errors import PagerforceError
from pagerforce.service.control.answer import raise_error
from pagerforce.service.control.operations import OPERATIONS

_GRACE_SECONDS = 10.0  # beyond the deadline that the daemon itself sets to each operation


Show = Callable[[str, float | None], None]
"""Shows the progress: a text, and a share from 0 to 1 if known."""


def _body(values: Mapping[str, object], lines: Iterable[bytes] | None) -> bytes | Iterator[bytes]:
    form = json.dumps(values).encode()
    return form if lines is None else itertools.chain([form + b"\n"], lines)


def _refuse(_: bytes) -> None:
    raise ValueError("unexpected bytes")


def is_running(path: Path) -> bool:
    """Whether a daemon listens there; waits for a while if many others connect too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        # Not settimeout(): on a non-blocking socket a full queue is an error at once (unix(7)).
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # somebody listens but is too busy to accept
        except OSError:
            return False
    return True


def call_daemon(
    path: Path,
    command: str,
    values: Mapping[str, object],
    tell: Show,
    take: Callable[[bytes], object] = _refuse,
    lines: Iterable[bytes] | None = None,
) -> Any:  # noqa: ANN401 (each command's value has its own shape)
    """Calls a command; ``tell`` is called with its progress, ``take`` with the bytes that it sends.

    ``lines``: the lines after the form.

    Raises:
        ConfigError, ForbiddenError, PagerforceError: as the daemon answers, or the daemon ended.
        OSError: from ``take``.
    """
    # a Unix socket ignores the environment's settings for certificates
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx's own would obey SSLKEYLOGFILE
    transport = httpx.HTTPTransport(verify=unused, uds=str(path), trust_env=False)
    seconds = OPERATIONS[command].seconds + _GRACE_SECONDS
    url = f"http://pagerforce/v1/{command.replace(' ', '/')}"
    try:
        with (
            httpx.Client(transport=transport, timeout=seconds) as client,
            client.stream("POST", url, content=_body(values, lines)) as response,
        ):
            for line in response.iter_lines():
                answer = json.loads(line)
                if "progress" in answer:
                    tell(answer["progress"], answer.get("share"))
                elif "data" in answer:
                    take(base64.b64decode(answer["data"], validate=True))
                elif "error" in answer:
                    raise_error(answer["error"])
                else:
                    return answer["result"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise PagerforceError(
            f"the daemon on {path} did not answer {command!r} properly ({type(error).__name__}); "
            "its log may say why. It may be busy, stopping, or another version: try again"
        ) from error
    raise PagerforceError(f"the daemon on {path} ended before {command!r} was answered: try again")
