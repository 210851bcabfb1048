"""Which names in a ``Host`` header mean this host: pages of other sites must not read the metrics.

A page in a browser on this host may point its own name to this host (DNS rebinding) and then read
what it fetches; but the browser sends the page's name as the host.
"""

import ipaddress
import re
import socket
from collections.abc import Callable

import anyio
import msgspec
from msgspec import Struct
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(:\d{1,5})?", re.ASCII)
_LOOKUP_SECONDS = 5.0
_LOOKUP_EVERY_SECONDS = 600.0
_REFUSED = "use an IP address, localhost, or the name of this host\n"


def host_of(header: str) -> str | None:
    """Returns the host of a ``Host`` header in lower case, without port and final dot, or None."""
    found = _HOST.fullmatch(header)
    return found[1].removesuffix(".").lower() if found else None


def is_address(host: str) -> bool:
    """Whether it is an IP address; short forms that only some resolvers know are not."""
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        found = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        return False
    return is_bracketed == (found.version == 6)


def look_up_names(name: str) -> set[str]:
    """Returns the names of this host in the resolver; asks the network."""
    found = {socket.getfqdn(name)}
    try:
        canonical, aliases, _ = socket.gethostbyname_ex(name)
    except OSError:
        return found
    return {*found, canonical, *aliases}


class OwnNames(Struct):
    """The names of this host.

    Attributes:
        listen: the host of ``metrics.listen``.
        machine: the host's name.
        look_up: asks the resolver for more names, in a thread.
    """

    listen: str
    machine: str = msgspec.field(default_factory=socket.gethostname)
    look_up: Callable[[str], set[str]] = look_up_names
    _known: set[str] = msgspec.field(default_factory=set)
    _asked_at: float = float("-inf")

    def __post_init__(self) -> None:
        names = ("localhost", self.listen, self.machine, self.machine.split(".")[0])
        self._known.update(name.lower() for name in names)

    async def has(self, header: str) -> bool:
        """Whether the header names this host; asks the resolver if the first label matches."""
        host = host_of(header)
        if host is None:
            return False
        if host in self._known or is_address(host):
            return True
        if host.split(".")[0] != self.machine.split(".")[0].lower():
            return False
        await self._learn()
        return host in self._known

    async def _learn(self) -> None:
        now = anyio.current_time()
        if now - self._asked_at < _LOOKUP_EVERY_SECONDS:
            return
        self._asked_at = now
        with anyio.move_on_after(_LOOKUP_SECONDS):
            found = await anyio.to_thread.run_sync(
                self.look_up, self.machine, abandon_on_cancel=True
            )
            self._known.update(name.removesuffix(".").lower() for name in found)


class OwnNamesOnly(Struct, frozen=True):
    """An application that answers only requests for this host; 421 for all others.

    A request of HTTP/1.0 without a host is answered: browsers never send such requests.
    """

    app: ASGIApp
    names: OwnNames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        for header in given:
            if not await self.names.has(header):
                await PlainTextResponse(_REFUSED, 421)(scope, receive, send)
                return
        await self.app(scope, receive, send)
