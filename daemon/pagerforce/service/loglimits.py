"""Logs in time how many log lines were left out, even if nothing else is logged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from pagerforce.observe.log import say_what_was_left_out

_EVERY_SECONDS = 5.0


@asynccontextmanager
async def counting_left_out() -> AsyncIterator[None]:
    """Logs the number every few seconds while the block runs, and once more at its end."""

    async def look() -> None:
        while True:
            await anyio.sleep(_EVERY_SECONDS)
            say_what_was_left_out()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(look, name="log limits")
            try:
                yield
            finally:
                group.cancel_scope.cancel()
    finally:
        say_what_was_left_out(at_end=True)
