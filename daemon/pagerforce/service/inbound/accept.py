"""Accepts connections: a few per turn of the loop, within the gate's limits, with little logging.

asyncio itself accepts without a limit, and logs each failure of ``accept()``: without free
descriptors that is megabytes of log within seconds.
"""

import errno
import os
import socket
from collections.abc import Awaitable, Callable

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from msgspec import Struct

from pagerforce.observe.log import get_log
from pagerforce.service.inbound.contain import Report
from pagerforce.service.inbound.gate import Gate, Place, Rank

_LOG = get_log("inbound")
_PER_TURN = 16
_LOOKED_AT_PER_TURN = 128
_PAUSE_SECONDS = 0.02
_SHORT_PAUSE_SECONDS = 0.5
# A listener whose callers wait has a short queue: when it is full, a flood must wait too, while a
# probe's second try gets through. A listener that disconnects callers has a long queue, to accept
# them all.
_SHORT_QUEUE, _LONG_QUEUE = 256, 4096
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Welcome = Callable[[socket.socket, Place], Awaitable[None]]
"""Takes over an accepted connection."""


class Ranker:
    """Finds the user and rank of a connection; this class treats all alike."""

    waits = True
    """Whether newcomers wait in the kernel's queue for a free place; else they are disconnected."""

    def rank(self, connection: socket.socket) -> tuple[int, Rank]:  # noqa: ARG002 (others look)
        """Returns the user and the rank.

        Raises:
            OSError: the connection is already closed.
        """
        return 0, Rank.STRANGER


class Acceptor(Struct):
    """Accepts until it is cancelled. ``name``: of the listener, for the log."""

    name: str
    listener: socket.socket
    gate: Gate
    ranker: Ranker
    welcome: Welcome
    report: Report
    _spare: int | None = msgspec.field(default=None)

    def open(self) -> None:
        """Opens the queue: from now on callers may connect, and ``run`` accepts them."""
        self.listener.listen(_SHORT_QUEUE if self.ranker.waits else _LONG_QUEUE)
        self.listener.settimeout(0.0)

    async def run(self, group: TaskGroup) -> None:
        """Accepts connections; a task of the group takes each one over."""
        self._open_spare()
        try:
            while True:
                await anyio.wait_readable(self.listener)
                try:
                    pause = self._turn(group)
                except Exception as error:  # noqa: BLE001 (no caller may end the listener)
                    self.report(error)
                    pause = _SHORT_PAUSE_SECONDS
                await (anyio.sleep(pause) if pause else checkpoint())
        finally:
            self._close_spare()

    def _turn(self, group: TaskGroup) -> float:
        """Accepts waiting connections up to a limit; returns the wait before the next turn."""
        alive = 0
        for _ in range(_LOOKED_AT_PER_TURN):
            if alive == _PER_TURN:
                break
            if self.ranker.waits and not self.gate.has_room(Rank.STRANGER, anyio.current_time()):
                return _PAUSE_SECONDS
            try:
                connection, _ = self.listener.accept()
            except BlockingIOError:
                return 0
            except OSError as error:
                # Other errors concern a connection that ended before it was accepted.
                return self._run_short(error) if error.errno in _SHORT else _PAUSE_SECONDS
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                connection.close()  # its caller reset it before it was accepted
                continue
            alive += 1
            self._let_in(connection, group)
        return 0

    def _let_in(self, connection: socket.socket, group: TaskGroup) -> None:
        try:
            user, rank = self.ranker.rank(connection)
        except OSError:
            connection.close()
            return
        place = self.gate.enter(user, rank, anyio.current_time())
        if place is None:
            connection.close()
            return
        connection.settimeout(0.0)
        group.start_soon(self._hand_over, connection, place)

    async def _hand_over(self, connection: socket.socket, place: Place) -> None:
        try:
            await self.welcome(connection, place)
        except BaseException as error:
            connection.close()
            self.gate.leave(place)
            if not isinstance(error, OSError):  # it is already closed
                raise

    def _run_short(self, error: OSError) -> float:
        """Without free descriptors: closes idle connections, rejects one caller with the spare."""
        _LOG.error("descriptors_short", where=self.name, error=error.strerror)
        self.gate.clear()
        self._close_spare()
        try:
            self.listener.accept()[0].close()
        except OSError:
            return _SHORT_PAUSE_SECONDS
        finally:
            self._open_spare()
        return _PAUSE_SECONDS

    def _open_spare(self) -> None:
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._spare = None  # tried again next time

    def _close_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
