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
"""Shows how far it is: words, and a share from 0 to 1 where that is known."""


def _body(values: Mapping[str, object], lines: Iterable[bytes] | None) -> bytes | Iterator[bytes]:
    form = json.dumps(values).encode()
    return form if lines is None else itertools.chain([form + b"\n"], lines)


def _refuse(_: bytes) -> None:
    raise ValueError("bytes that nobody asked for")


def is_running(path: Path) -> bool:
    """Whether a daemon listens there; waits for a while where many others want to reach it too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        # Not settimeout(): without blocking, a queue that is full is an error at once (unix(7)).
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # somebody listens who does not get to us
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
    """Has a command carried out; ``tell`` is called as it goes on, ``take`` with bytes it sends.

    ``lines``: what follows the form.

    Raises:
        ConfigError, ForbiddenError, PagerforceError: as the daemon says, or it went away.
        OSError: what ``take`` raises.
    """
    # a Unix socket has no use for what the environment says of certificates, good or bad
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
            f"the daemon on {path} did not answer {command!r} properly ({type(error).__name__}); its "
            "log may say why. It may be busy, stopping, or of another version: try again"
        ) from error
    raise PagerforceError(f"the daemon on {path} ended before {command!r} was answered: try again")
