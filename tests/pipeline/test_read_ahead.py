"""The next batch is read while the present one is stored."""

import anyio
import pytest

from pagerforce.errors import StoreUnavailableError, TransientError
from pagerforce.pipeline.read_ahead import each_read_ahead


async def test_one_batch_is_read_ahead_while_one_is_stored_and_never_more():
    told = []

    async def batches():
        for number in range(4):
            told.append(f"read {number}")
            yield number

    async def store(number):
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        told.append(f"stored {number}")

    await each_read_ahead(batches(), store)
    assert told == [
        "read 0",
        "read 1",
        "stored 0",
        "read 2",
        "stored 1",
        "read 3",
        "stored 2",
        "stored 3",
    ]


async def test_what_was_read_before_reading_failed_is_stored_first():
    stored = []

    async def batches():
        yield 1
        raise TransientError("the line is dead")

    async def store(number):
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        stored.append(number)

    with pytest.raises(TransientError, match="dead"):
        await each_read_ahead(batches(), store)
    assert stored == [1]


async def test_where_storing_fails_nothing_after_it_is_stored_and_reading_ends():
    stored, ended = [], []

    async def batches():
        try:
            yield 1
            await anyio.sleep_forever()
            yield 2
        finally:
            ended.append(True)

    async def store(number):
        await anyio.lowlevel.checkpoint()
        stored.append(number)
        raise StoreUnavailableError("the disk is full")

    with pytest.raises(StoreUnavailableError, match="full"):
        await each_read_ahead(batches(), store)
    assert (stored, ended) == ([1], [True])
