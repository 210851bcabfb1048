"""``backup`` for an administrator who may not read the state's file: sends a copy to the caller.

The daemon accepts no path from the caller and writes only a nameless file of its own. The command
writes the received bytes with the caller's own rights.
"""

import hashlib
from datetime import datetime

import anyio
import anyio.from_thread
import anyio.to_thread

from pagerforce.errors import PagerforceError
from pagerforce.model.value import Json
from pagerforce.service.control.desk import Desk, Request
from pagerforce.store.sqlite.backup import OpenCopy
from pagerforce.store.state import State

_CHUNK_BYTES = 256 * 1024
_PATIENCE_SECONDS = 30.0  # for a caller that stops reading


class BackupRequest(Request):
    """Asks for a copy of the present state."""


async def send_backup(desk: Desk, _: BackupRequest) -> Json:
    """Sends the caller a checked copy of the state.

    Returns ``{"schema": n, "size_bytes": n, "made_at": instant, "sha256": hex}``; size and digest
    are those of the sent bytes.

    Raises:
        PagerforceError: another copy is being sent, or the caller stopped reading.
        StoreError: there is not enough space, or the state is damaged.
    """
    running = desk.running()
    if desk.home.copying.locked():
        raise PagerforceError("another backup is running: try again when it is done")
    async with desk.home.copying:
        copy = await _make(desk, running.parts.state, desk.home.clock.now())
        try:
            async with desk.change({"size_bytes": copy.backup.size_bytes}):
                pass  # who takes a copy, and when, is recorded before the first byte is sent
            digest = await _send(desk, copy)
        finally:
            copy.stream.close()
    return {
        "schema": copy.backup.schema,
        "size_bytes": copy.backup.size_bytes,
        "made_at": copy.backup.made_at,
        "sha256": digest,
    }


async def _make(desk: Desk, state: State, now: datetime) -> OpenCopy:
    told = -1

    def step(share: float) -> None:
        nonlocal told
        anyio.from_thread.check_cancelled()  # the caller has disconnected, or the daemon stops
        if int(share * 20) > told:
            told = int(share * 20)
            anyio.from_thread.run(desk.tell, "copying", share)

    return await anyio.to_thread.run_sync(state.open_copy, now, step)


async def _send(desk: Desk, copy: OpenCopy) -> str:
    digest = hashlib.sha256()
    sent = 0
    while chunk := await anyio.to_thread.run_sync(copy.stream.read, _CHUNK_BYTES):
        digest.update(chunk)
        try:
            with anyio.fail_after(_PATIENCE_SECONDS):
                await desk.give(chunk)
        except TimeoutError as error:
            raise PagerforceError("the caller of backup stopped reading") from error
        sent += len(chunk)
        await desk.tell("sending", sent / copy.backup.size_bytes)
    return digest.hexdigest()
