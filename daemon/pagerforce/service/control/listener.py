"""The control socket: a Unix socket with known peers; anyone on the host may connect.

Every connection carries one request. A peer that sends or reads nothing is disconnected. Only root
and the service user may hold more than a few connections. Strangers, users with a role and
administrators each leave places to those above them, so that nobody keeps the others out.
"""

import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from pagerforce.errors import AddressInUseError
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.peers import peer_of
from pagerforce.service.inbound.contain import Contained, Report
from pagerforce.service.inbound.gate import Bounds
from pagerforce.service.inbound.protocol import Deadlines
from pagerforce.service.inbound.room import share_room
from pagerforce.service.inbound.server import Service, serve

_DEADLINES = Deadlines(request_seconds=15.0, stall_seconds=30.0, drain_seconds=15.0)
_MOST_PER_USER = 8
_SHARES = (0.25, 0.6, 0.8, 1.0)
"""The shares of all places that strangers, users with a role, administrators and root may fill."""
_SETTLE_SECONDS = 0.25
_BACKLOG = 64


def bind_socket(path: Path) -> socket.socket:
    """Opens the socket; replaces a stale file of a daemon that died.

    Raises:
        AddressInUseError: another daemon listens there, or the place cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # Others must reach the socket, whatever the umask. A later chmod by name could be too late:
        # the name may lead elsewhere then.
        with _umask(0o022):
            path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        # The kernel's credentials decide about a caller, not the file's mode.
        with _umask(0o111):
            listener.bind(str(path))
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


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """Sets the umask for files created within the block; all other code passes a mode."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise AddressInUseError(
            f"daemon.control_socket: {path} exists and is not a socket; choose another place"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise AddressInUseError(
            f"daemon.control_socket: {path} is a socket of user id {found.st_uid}; choose another "
            "place, or remove it"
        )
    if is_answered(path):
        raise AddressInUseError(
            f"daemon.control_socket: another daemon listens on {path}; give each daemon its own"
        )
    path.unlink(missing_ok=True)


def is_answered(path: Path) -> bool:
    """Whether somebody listens on the socket; a refused permission counts as somebody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


@asynccontextmanager
async def listen(
    app: ASGIApp,
    listener: socket.socket,
    path: Path,
    callers: Callers | None = None,
    *,
    report: Report | None = None,
    room: int = share_room(0).control,
) -> AsyncIterator[None]:
    """Serves while the block runs, then removes the socket's file.

    Args:
        app: answers; each request's scope has the peer as ``pagerforce.peer``.
        listener: of ``bind_socket``.
        path: of its file.
        callers: decides whom to let in.
        report: called with an unexpected exception; without it the exception is only logged.
        room: the most connections at once.
    """
    own = _inode(path)
    callers, report = callers or Callers(os.geteuid()), report or _log
    await callers.learn_groups()
    bounds = Bounds(room, _SHARES, _MOST_PER_USER, _SETTLE_SECONDS)
    service = Service(
        "control",
        Contained(app, report),
        bounds,
        _DEADLINES,
        report,
        callers,
        lambda connection: {"pagerforce.peer": peer_of(connection)},
    )
    try:
        async with serve(service, listener):
            yield
    finally:
        _remove_own(path, own)


class _Uncounted:
    def count_internal_error(self, part: str) -> None:
        """Does not count."""


def _log(error: Exception) -> None:
    report_internal_error(_Uncounted(), Part.REQUEST, error, about="the control socket")


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _remove_own(path: Path, inode: int) -> None:
    """Removes the socket's file, unless another daemon has created its own there meanwhile."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except OSError:
        return  # the file or the folder no longer exists
