"""Batches with an item that raises: the others are stored, and that item is retried for a while.

The cursor waits before an item that can't be stored, so that nothing is lost if the process ends.
After some tries, and once others were stored, the item itself must be the cause: it is set aside,
kept in the journal without any rule tried on it, and the cursor moves on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from pagerforce.store.trouble import concerns_all

T = TypeVar("T")

_TRIES = 5
_SECONDS = 60.0
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """An item that can't be stored even alone."""

    item: T
    error: Exception


async def store_apart(
    items: Sequence[T], store: Callable[[Sequence[T]], Awaitable[None]]
) -> list[Failed[T]]:
    """Stores items in order, in smaller parts if a part raises; returns those that can't be stored.

    Raises:
        Exception: nothing at all can be stored, or the error concerns the whole daemon.
    """
    await store(())
    return await _store_parts(items, store)


async def store_or_apart(
    items: Sequence[T], store: Callable[[Sequence[T]], Awaitable[None]]
) -> list[Failed[T]]:
    """Stores items together; if that raises, as ``store_apart`` does.

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


class _Trouble(Struct):
    """A failing item. ``at``: its time, in its side's clock. ``stored``: items stored before."""

    at: datetime
    since: float
    stored: int
    tries: int = 0
    round: int = 0


class Troubles(Struct):
    """The items of one side that could not be stored, since when, and after how many tries."""

    _known: dict[str, _Trouble] = msgspec.field(default_factory=dict)
    _stored: int = 0
    _round: int = 0
    _is_holding: bool = False

    def begin_round(self) -> None:
        """Starts a round of reading: the cursor may move."""
        self._round += 1
        self._is_holding = False

    def end_round(self) -> None:
        """Ends a complete round: items that did not fail in it are stored."""
        self._known = {key: x for key, x in self._known.items() if x.round == self._round}

    @property
    def is_holding(self) -> bool:
        """Whether something from this round must be read again, so that cursors stay."""
        return self._is_holding

    def hold(self) -> None:
        """Keeps cursors: something from this round must be read again."""
        self._is_holding = True

    def oldest(self) -> datetime | None:
        """The time from which items must be read again; None: no item must."""
        return min((x.at for x in self._known.values()), default=None)

    def stored(self, count: int) -> None:
        """Counts new items that were stored."""
        self._stored += count

    def is_hopeless(self, key: str, at: datetime, now: float, patience: timedelta) -> bool:
        """Records one more failure of an item; whether to give it up.

        Args:
            key: identifies the item.
            at: its time, in its side's clock.
            now: in seconds of the monotonic clock.
            patience: after this time it is given up even if everything fails.
        """
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST:
                return False  # it is counted once others were given up
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
