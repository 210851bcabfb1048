"""A lock that the watchdog sees through: who has the turn is watched, and nobody waits for ever."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from pagerforce.observe import pulse


class Turns:
    """One at a time, first come first served, and nobody waits for ever.

    Who has the turn and does nothing is found by its silence. Who waits gives up in time: its own
    silence says nothing about itself.

    Args:
        what: what the turn is for, in the watchdog's words; "" where nobody need watch who has it.
        too_long: the error that a waiter raises who has waited for too long.
        longest_wait: seconds until then; at most what is granted to an attempt that does nothing.
        is_fast: for what lets others have their turn anyway: taking the turn need not do so as well.
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
        """The turn, while the block runs.

        Raises:
            Exception: ``too_long``: somebody else has kept it.
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
        # Mostly nobody waits; a deadline costs several times what the lock does.
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
            raise self._too_long()
