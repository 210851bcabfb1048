"""A lock with a watched holder; nobody waits for ever."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from pagerforce.observe import pulse


class Turns:
    """One at a time, first come first served, and nobody waits for ever.

    The watchdog finds a holder that makes no progress. A waiter gives up in time, because its own
    silence does not show that it hangs.

    Args:
        what: the purpose of the turn, in the watchdog's words; "" if the holder need not be
            watched.
        too_long: the error that a waiter raises after ``longest_wait``.
        longest_wait: seconds; at most the time that an attempt without progress is granted.
        is_fast: for holders that yield to others anyway: taking the turn need not yield as well.
    """

    def __init__(
        self,
        what: str,
        too_long: Callable[[], Exception],
        longest_wait: float = 40.0,
        *,
        is_fast: bool = False,
    ) -> None:
        self._what = what
        self._longest_wait = longest_wait
        self._too_long = too_long
        self._is_fast = is_fast
        self._lock = anyio.Lock(fast_acquire=is_fast)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Holds the turn while the block runs.

        Raises:
            Exception: ``too_long``: somebody else kept it.
        """
        await self._acquire()
        try:
            if self._what:
                with pulse.step(self._what):
                    yield
            else:
                yield
        finally:
            self._lock.release()

    async def _acquire(self) -> None:
        # Mostly nobody waits, and a deadline is several times more expensive than the lock.
        if self._is_fast:
            await checkpoint_if_cancelled()
        else:
            await checkpoint()
        try:
            self._lock.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()
        pulse.beat()

    async def _wait(self) -> None:
        with anyio.move_on_after(self._longest_wait) as scope:
            await self._lock.acquire()
        if scope.cancelled_caught:
            pulse.beat()  # a wait that ended; the next one may be as long
            raise self._too_long()
