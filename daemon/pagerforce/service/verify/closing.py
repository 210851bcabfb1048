"""How the end of a run finds what a lost answer may have made, and closes what it can."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import anyio

from pagerforce.errors import RemoteError
from pagerforce.service.verify.findings import refusal

T = TypeVar("T")
LOOK_SECONDS = 0.5
_TRIES = 3


async def find_lost(look: Callable[[], Awaitable[list[T]]], made: Collection[T]) -> list[T]:
    """What a request made whose answer never came; it may still be under way.

    Args:
        look: everything that is there with our mark; raises ``RemoteError``.
        made: what is known to have been made.
    """
    for _ in range(_TRIES):
        found = [one for one in await look() if one not in made]
        if found:
            return found
        await anyio.sleep(LOOK_SECONDS)
    return []


async def close(attempt: Callable[[], Awaitable[None]]) -> str:
    """Tries a few times; gives why it could not be done, without the vendor's words, ``""`` where it was.

    Args:
        attempt: raises ``RemoteError``.
    """
    problem = ""
    for number in range(_TRIES):
        await anyio.sleep(max(0, number - 1))
        try:
            await attempt()
        except RemoteError as error:
            problem = refusal(error)
        else:
            return ""
    return problem
