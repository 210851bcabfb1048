"""Who callers are and their rank, however slow the user database is.

The kernel's credentials of a peer are available at once: they decide whether a connection is let
in. Names and groups come from the user database, which may be on the network; few threads ask it,
with a deadline. If a lookup takes too long, the caller is judged by the kernel's credentials alone.
"""

import socket
from contextlib import suppress
from typing import TypeVar

import anyio
from anyio.from_thread import run_sync as run_in_loop
from anyio.to_thread import run_sync
from msgspec.structs import replace

from pagerforce.service.control.peers import (
    Caller,
    Peer,
    caller_by_kernel,
    find_caller,
    peer_of,
    role_gids,
)
from pagerforce.service.control.roles import Role
from pagerforce.service.inbound.accept import Ranker
from pagerforce.service.inbound.gate import Rank

_LOOKUP_SECONDS = 5.0
_MOST_LOOKUPS = 4
_STRANGER_SECONDS = 2.0
_KNOWN_SECONDS = 300.0
_MOST_KNOWN = 256
_K = TypeVar("_K")
_V = TypeVar("_V")


class Callers(Ranker):
    """Looks callers up, and caches the results for a while.

    Args:
        service_uid: always an administrator.
    """

    waits = False

    def __init__(self, service_uid: int) -> None:
        self._service_uid = service_uid
        self._gids: dict[Role, int] = {}
        # Lookups of strangers must not delay those of others.
        self._lookups = {
            of_stranger: anyio.Semaphore(_MOST_LOOKUPS) for of_stranger in (True, False)
        }
        self._strangers: dict[Peer, tuple[float, Caller]] = {}
        self._ranks: dict[int, tuple[float, Rank]] = {}

    async def learn_groups(self) -> None:
        """Asks for the roles' groups for the first time; without an answer only root has a rank."""
        with anyio.move_on_after(_LOOKUP_SECONDS):
            self._gids = await run_sync(role_gids, abandon_on_cancel=True)

    def rank(self, connection: socket.socket) -> tuple[int, Rank]:
        """Returns user and rank of a connection from what is known without a lookup."""
        peer = peer_of(connection)
        return peer.uid, self.rank_of(peer)

    def rank_of(self, peer: Peer) -> Rank:
        """Returns the rank by the process's own groups, or the cached rank of its user."""
        rank = self._rank(self._by_kernel(peer))
        at, known = self._ranks.get(peer.uid, (float("-inf"), Rank.STRANGER))
        return max(rank, known) if anyio.current_time() - at < _KNOWN_SECONDS else rank

    async def find(self, peer: Peer) -> Caller:
        """Returns the name and the roles of a peer."""
        now, user = anyio.current_time(), replace(peer, pid=0)
        at, stranger = self._strangers.get(user, (float("-inf"), None))
        if stranger is not None and now - at < _STRANGER_SECONDS:
            return stranger
        caller = await self._look_up(peer)
        if caller.roles:
            _put(self._ranks, peer.uid, (now, self._rank(caller)))
        else:
            self._ranks.pop(peer.uid, None)
            _put(self._strangers, user, (now, caller))
        return caller

    def _by_kernel(self, peer: Peer) -> Caller:
        return caller_by_kernel(peer, self._gids, self._service_uid)

    def _rank(self, caller: Caller) -> Rank:
        if caller.uid in (0, self._service_uid):
            return Rank.ROOT
        if Role.ADMIN in caller.roles:
            return Rank.ADMINISTRATOR
        return Rank.ROLE if caller.roles else Rank.STRANGER

    async def _look_up(self, peer: Peer) -> Caller:
        turn = self._lookups[self.rank_of(peer) is Rank.STRANGER]

        def look() -> tuple[Caller, dict[Role, int]]:
            try:
                return find_caller(peer, self._service_uid), role_gids()
            finally:
                # Only at the end: a hanging thread keeps its turn, so that few can hang.
                with suppress(RuntimeError):  # the daemon has stopped meanwhile
                    run_in_loop(turn.release)

        with anyio.move_on_after(_LOOKUP_SECONDS):
            await turn.acquire()
            limiter = anyio.CapacityLimiter(1)  # the turn is the limit; other threads do not count
            caller, self._gids = await run_sync(look, abandon_on_cancel=True, limiter=limiter)
            return caller
        return self._by_kernel(peer)


def _put(table: dict[_K, _V], key: _K, value: _V) -> None:
    """Adds to a table; a full table drops its oldest entry."""
    table.pop(key, None)
    while len(table) >= _MOST_KNOWN:
        del table[next(iter(table))]
    table[key] = value
