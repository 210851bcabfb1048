"""Batches of which one thing raises: the others are stored, and that one is tried again for a while.

What can be stored is stored; the cursor waits before the thing that can't, so that nothing is lost
with the process. After some tries, and once others went well, it is the thing that is at fault: it is
set aside, kept in the journal without any rule tried on it, and the cursor moves on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from pagerforce.store.trouble import concerns_all

T = TypeVar("T")

_TRIES = 5
_SECONDS = 60.0
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """A thing that can't be stored even by itself."""

    item: T
    error: Exception


async def store_apart(
    items: Sequence[T], store: Callable[[Sequence[T]], Awaitable[None]]
) -> list[Failed[T]]:
    """Stores things in their order, in ever smaller parts where a part raises; gives what can't be.

    Raises:
        Exception: nothing at all can be stored, or the error concerns the whole daemon.
    """
    await store(())
    return await _store_parts(items, store)


async def store_or_apart(
    items: Sequence[T], store: Callable[[Sequence[T]], Awaitable[None]]
) -> list[Failed[T]]:
    """Stores things together; where that raises, as ``store_apart`` does.

    Raises:
        Exception: as ``store_apart``.
    """
    try:
        await store(items)
    except Exception as error:
        if concerns_all(error):
            raise
        return await store_apart(items, store)
    return []


async def _store_parts(
    items: Sequence[T], store: Callable[[Sequence[T]], Awaitable[None]]
) -> list[Failed[T]]:
    if not items:
        return []
    try:
        await store(items)
    except Exception as error:
        if concerns_all(error):
            raise
        if len(items) == 1:
            return [Failed(items[0], error)]
    else:
        return []
    middle = len(items) // 2
    first = await _store_parts(items[:middle], store)
    return first + await _store_parts(items[middle:], store)


@dataclass(slots=True)
class _Trouble:
    """``at``: of the thing, in its side's clock. ``stored``: how much had gone well by then."""

    at: datetime
    since: float
    stored: int
    tries: int = 0
    round: int = 0


@dataclass(slots=True)
class Troubles:
    """Which things of one side could not be stored, since when, and how often that was tried."""

    _known: dict[str, _Trouble] = field(default_factory=dict)
    _stored: int = 0
    _round: int = 0
    _is_holding: bool = False

    def begin_round(self) -> None:
        """A reading begins: the cursor is free."""
        self._round += 1
        self._is_holding = False

    def end_round(self) -> None:
        """A reading came to its end: what did not fail in it went well by now."""
        self._known = {key: x for key, x in self._known.items() if x.round == self._round}

    @property
    def is_holding(self) -> bool:
        """Whether something read in this round has to be read again, so that cursors stay."""
        return self._is_holding

    def hold(self) -> None:
        """Something read in this round has to be read again."""
        self._is_holding = True

    def oldest(self) -> datetime | None:
        """From when on things have to be read again; None: nothing has."""
        return min((x.at for x in self._known.values()), default=None)

    def stored(self, count: int) -> None:
        """So many new things went well."""
        self._stored += count

    def is_hopeless(self, key: str, at: datetime, now: float, patience: timedelta) -> bool:
        """Takes down one more failure of a thing; whether to try it no more.

        Args:
            key: what identifies the thing.
            at: its time, in its side's clock.
            now: in seconds of the monotonic clock.
            patience: after so long it is hopeless even where everything fails.
        """
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST:
                return False  # its turn comes when others were given up
            known = self._known[key] = _Trouble(at, now, self._stored)
        known.tries += 1
        known.round = self._round
        waited = now - known.since
        is_alone = self._stored > known.stored
        if (known.tries >= _TRIES and waited >= _SECONDS and is_alone) or (
            waited >= patience.total_seconds()
        ):
            del self._known[key]
            return True
        return False
