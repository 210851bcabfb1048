"""Who may use a checker next: one checker for everybody, one only for those who put rules in force.

The next turn goes to the user whose last turn was longest ago, so that repeated requests of one
user keep nobody out. Somebody who puts rules in force waits only for others who do the same.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import msgspec
from msgspec import Struct

from pagerforce.errors import PagerforceError

MOST_OF_ONE_USER = 2  # under way and waiting
MOST = 6  # likewise, of all users: each keeps its input in memory
_MOST_REMEMBERED = 1000


class BusyError(PagerforceError):
    """Other requests come first, and the wait would be too long."""


@dataclass(eq=False, slots=True)
class _Ticket:
    uid: int
    called: anyio.Event = field(default_factory=anyio.Event)


class Line(Struct):
    """One checker at a time."""

    _held: Counter[int] = msgspec.field(default_factory=Counter)
    _waiting: list[_Ticket] = msgspec.field(default_factory=list)
    _is_taken: bool = False
    _served: dict[int, int] = msgspec.field(default_factory=dict)
    _count: int = 0

    @asynccontextmanager
    async def place(self, uid: int) -> AsyncIterator[None]:
        """Holds a place while the block runs; only with a place may a request send its rules.

        Raises:
            BusyError: no place is free.
        """
        if self._held[uid] >= MOST_OF_ONE_USER:
            raise BusyError("two such requests of this user are running: wait for their answers")
        if self._held.total() >= MOST:
            raise BusyError("too many such requests are running: try again in a moment")
        self._held[uid] += 1
        try:
            yield
        finally:
            self._held[uid] -= 1
            if not self._held[uid]:
                del self._held[uid]

    @asynccontextmanager
    async def turn(self, uid: int, seconds: float) -> AsyncIterator[None]:
        """Waits for this user's turn, which lasts as long as the block.

        Raises:
            BusyError: the turn did not come in time.
        """
        ticket = _Ticket(uid)
        self._waiting.append(ticket)
        try:
            self._call_next()
            with anyio.move_on_after(seconds):
                await ticket.called.wait()
            if not ticket.called.is_set():
                raise BusyError(
                    f"other rules are being checked; this request's turn did not come within "
                    f"{seconds:.0f} s: try again in a moment"
                )
            yield
        finally:
            if ticket.called.is_set():
                self._is_taken = False
            else:
                self._waiting.remove(ticket)
            self._call_next()

    def _call_next(self) -> None:
        if self._is_taken or not self._waiting:
            return
        ticket = min(self._waiting, key=lambda one: self._served.get(one.uid, 0))
        self._waiting.remove(ticket)
        self._is_taken = True
        self._count += 1
        if len(self._served) >= _MOST_REMEMBERED:
            self._served.clear()
        self._served[ticket.uid] = self._count
        ticket.called.set()


class Turns(Struct):
    """Both lines."""

    common: Line = msgspec.field(default_factory=Line)
    applying: Line = msgspec.field(default_factory=Line)
