"""A part of a transaction that can be taken back by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pagerforce.store.database import Transaction
from pagerforce.store.trouble import concerns_all


@asynccontextmanager
async def savepoint(tx: Transaction) -> AsyncIterator[None]:
    """What the block wrote is taken back when it raises; the rest of the transaction stands.

    A full disk or a damaged file is no matter of one part: then the whole transaction ends.
    """
    await tx.run("SAVEPOINT part")
    try:
        yield
    except Exception as error:
        if not concerns_all(error):
            await tx.run("ROLLBACK TO part")
            await tx.run("RELEASE part")
        raise
    await tx.run("RELEASE part")
