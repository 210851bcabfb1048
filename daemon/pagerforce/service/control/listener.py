"""The control socket: a Unix socket that anyone on the host may connect to, with known peers.

Every connection carries one request. A peer that sends nothing is cut off, and no user but root and
the service user may hold more than a few connections, so that nobody keeps the others out.
"""

import os
import socket
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pagerforce.errors import AddressInUseError
from pagerforce.service.control.peers import Peer, peer_of

_REQUEST_SECONDS = 10.0
_MOST_PER_USER = 8
_MOST = 64
_BACKLOG = 64
_GRACE_SECONDS = 1


def bind_socket(path: Path) -> socket.socket:
    """Opens the socket; a stale file of a daemon that died is replaced.

    Raises:
        AddressInUseError: another daemon listens there, or the place cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)  # whatever the umask: others have to reach the socket
        _remove_stale(path)
        listener.bind(str(path))
        # Whoever connects is judged by the kernel's word about who they are, not by the file's mode.
        path.chmod(0o666)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressInUseError(
            f"daemon.control_socket: cannot listen on {path}: {error.strerror or error}; "
            'choose another place, or set control_socket = ""'
        ) from error
    except AddressInUseError:
        listener.close()
        raise
    listener.settimeout(0.0)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise AddressInUseError(
            f"daemon.control_socket: {path} is there and is no socket; choose another place"
        )
    if is_answered(path):
        raise AddressInUseError(
            f"daemon.control_socket: another daemon listens on {path}; give each its own"
        )
    path.unlink(missing_ok=True)


def is_answered(path: Path) -> bool:
    """Whether somebody listens on the socket; a refusal to let us in counts as somebody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are the supervisor's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connections:
    """How many connections each user holds."""

    def __init__(self) -> None:
        self._held: Counter[int] = Counter()
        self._unlimited = {0, os.geteuid()}

    def take(self, uid: int) -> bool:
        """One more; False where that is too many."""
        if self._held[uid] >= _MOST_PER_USER and uid not in self._unlimited:
            return False
        self._held[uid] += 1
        return True

    def give_back(self, uid: int) -> None:
        """One less."""
        self._held[uid] -= 1
        if not self._held[uid]:
            del self._held[uid]


def _protocol(connections: _Connections) -> type[H11Protocol]:
    """Uvicorn's protocol, which in addition puts the peer into the scope as ``pagerforce.peer``."""

    class PeerProtocol(H11Protocol):
        _uid: int | None = None
        _deadline: Any = None

        def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (asyncio's)
            super().connection_made(transport)
            try:
                peer = peer_of(transport.get_extra_info("socket"))
            except OSError:
                transport.abort()
                return
            if not connections.take(peer.uid):
                transport.abort()
                return
            self._uid = peer.uid
            self._deadline = self.loop.call_later(_REQUEST_SECONDS, transport.abort)
            self.app = self._knowing(peer, self.app)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._deadline is not None:
                self._deadline.cancel()
            if self._uid is not None:
                connections.give_back(self._uid)
                self._uid = None

        def _knowing(self, peer: Peer, app: ASGIApp) -> ASGIApp:
            async def with_peer(scope: Scope, receive: Receive, send: Send) -> None:
                self._deadline.cancel()
                await app({**scope, "pagerforce.peer": peer}, receive, send)

            return with_peer

    return PeerProtocol


@asynccontextmanager
async def listen(app: ASGIApp, listener: socket.socket, path: Path) -> AsyncIterator[None]:
    """Serves while the block runs; the socket's file goes with it."""
    own = _inode(path)
    config = uvicorn.Config(
        app,
        http=_protocol(_Connections()),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=2,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        limit_concurrency=_MOST,
    )
    server = _Server(config)

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run, name="control")
            try:
                yield
            finally:
                server.should_exit = True
    finally:
        listener.close()
        _remove_own(path, own)


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _remove_own(path: Path, inode: int) -> None:
    """Removes the socket's file, unless another daemon has put its own there meanwhile."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except OSError:
        return  # it is gone, or the folder is: nothing is left to remove
