"""Cleans up at the end of a run, also objects whose create request lost its answer."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import anyio

from pagerforce.errors import RemoteError
from pagerforce.service.verify.findings import refusal

T = TypeVar("T")
LOOK_SECONDS = 0.5
_TRIES = 3


async def find_lost(look: Callable[[], Awaitable[list[T]]], made: Collection[T]) -> list[T]:
    """Returns what a request without an answer created; the request may still be running.

    Args:
        look: returns everything that has the mark of ``verify``; raises ``RemoteError``.
        made: what is known to have been created.
    """
    for _ in range(_TRIES):
        found = [one for one in await look() if one not in made]
        if found:
            return found
        await anyio.sleep(LOOK_SECONDS)
    return []


async def close(attempt: Callable[[], Awaitable[None]]) -> str:
    """Tries a few times; returns the reason of a failure without the vendor's words, else ``""``.

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
