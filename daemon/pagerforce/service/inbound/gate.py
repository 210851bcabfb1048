"""Who may hold a connection, and which one is closed for a newer one. Without sockets and HTTP.

A connection waits (for its request), works (on the answer) or drains (the answer is being sent). A
new connection beyond the limits replaces the longest waiting one of the same rank or a lower one: a
caller that sends its request at once is always served, one that only holds a place loses it. Work
is never interrupted for a newcomer.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

import msgspec
from msgspec import Struct


class Rank(IntEnum):
    """The rank of a connection's user; higher ranks have places that lower ones can't take."""

    STRANGER = 0
    ROLE = 1
    ADMINISTRATOR = 2
    ROOT = 3


class Phase(IntEnum):
    """The phase of a connection, in the order of closing."""

    WAITING = 0
    DRAINING = 1
    WORKING = 2


class Bounds(Struct, frozen=True):
    """The limits of one listener.

    Attributes:
        most: connections at once, for the highest rank; lower ranks have a share of them.
        shares: for each rank the share of ``most`` at which it is refused.
        most_per_user: connections of one user below root; None: no such limit.
        settle_seconds: how long a new connection is not closed: its request is on the way.
    """

    most: int
    shares: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    most_per_user: int | None = None
    settle_seconds: float = 0.05

    def most_for(self, rank: Rank) -> int:
        """Returns the number of connections of all ranks up to which this rank is let in."""
        return max(2, int(self.most * self.shares[rank]))


@dataclass(slots=True, eq=False)
class Place:
    """One connection. ``cut`` ends it at once; the connection then calls ``Gate.leave``."""

    user: int
    rank: Rank
    since: float
    cut: Callable[[], None] = lambda: None
    phase: Phase = Phase.WAITING
    is_cut: bool = False


class Gate(Struct):
    """The connections of one listener."""

    bounds: Bounds
    _places: dict[Place, None] = msgspec.field(default_factory=dict)
    _held: Counter[int] = msgspec.field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._places)

    def has_room(self, rank: Rank, now: float) -> bool:
        """Whether one more connection of this rank would be let in."""
        return not self._is_full(rank) or self._victim(self._below(rank), now) is not None

    def enter(self, user: int, rank: Rank, now: float) -> Place | None:
        """Lets a connection in, if needed in place of another one; None if that is impossible."""
        most = self.bounds.most_per_user
        if most is not None and rank < Rank.ROOT and self._held[user] >= most:
            own = (place for place in self._places if place.user == user)
            if not self._give_up(self._victim(own, now)):
                return None
        if self._is_full(rank) and not self._give_up(self._victim(self._below(rank), now)):
            return None
        place = Place(user, rank, now)
        self._places[place] = None
        self._held[user] += 1
        return place

    def leave(self, place: Place) -> None:
        """Notes that a connection has ended; a second call does no harm."""
        if place not in self._places:
            return
        del self._places[place]
        self._held[place.user] -= 1
        if not self._held[place.user]:
            del self._held[place.user]

    def clear(self) -> None:
        """Closes every connection that does no work: descriptors have run out."""
        for place in list(self._places):
            if place.phase is not Phase.WORKING:
                self._give_up(place)

    def _is_full(self, rank: Rank) -> bool:
        return len(self._places) >= self.bounds.most_for(rank)

    def _below(self, rank: Rank) -> Iterable[Place]:
        return (place for place in self._places if place.rank <= rank)

    def _victim(self, places: Iterable[Place], now: float) -> Place | None:
        """Chooses the lowest rank, then waiting ones, then the oldest; places are sorted by age."""
        before = now - self.bounds.settle_seconds
        found: Place | None = None
        for place in places:
            if place.since > before:
                break
            if place.phase is Phase.WORKING:
                continue
            if found is None or (place.rank, place.phase) < (found.rank, found.phase):
                found = place
            if found.rank is Rank.STRANGER and found.phase is Phase.WAITING:
                break
        return found

    def _give_up(self, place: Place | None) -> bool:
        if place is None:
            return False
        self.leave(place)
        place.is_cut = True
        place.cut()
        return True
