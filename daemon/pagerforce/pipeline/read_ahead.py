"""Reads the next batch of a side while the current one is stored: at most one ahead."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

Batch = TypeVar("Batch")


@dataclass(slots=True)
class _Ahead(Generic[Batch]):
    """The next batch, or why there is none."""

    batches: AsyncIterator[Batch]
    batch: Batch | None = None
    error: Exception | None = None

    async def read(self) -> None:
        """Reads it. Never raises: the batch before it is still being stored."""
        try:
            self.batch = await anext(self.batches, None)
        except Exception as error:  # noqa: BLE001 (raised once the batch before is stored)
            self.error = error


async def each_read_ahead(
    batches: AsyncIterator[Batch], store: Callable[[Batch], Awaitable[None]]
) -> None:
    """Stores every batch in turn, while the next is read.

    Batches are stored in order and one at a time. If reading fails, the batch read before is stored
    first. If storing fails, the batch read ahead is dropped, to be read again.

    Args:
        batches: an iterator whose batches do not depend on earlier ones being stored.
        store: stores one batch.

    Raises:
        Exception: the exception of reading or storing, unchanged.
    """
    ahead = _Ahead(batches)
    await ahead.read()
    while ahead.batch is not None:
        batch, ahead = ahead.batch, _Ahead(batches)
        failed: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(ahead.read)
            try:
                await store(batch)
            except Exception as error:  # noqa: BLE001 (raised below)
                failed = error
                group.cancel_scope.cancel()
        if failed is not None:
            raise failed
    if ahead.error is not None:
        raise ahead.error
