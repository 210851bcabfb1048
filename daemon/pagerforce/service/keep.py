"""Keeps a loop running: the last resort for errors that the loop did not contain by itself."""

from collections.abc import Awaitable, Callable

import anyio

from pagerforce.observe.internal_errors import InternalErrorCounter, Part, report_internal_error
from pagerforce.store.trouble import concerns_all

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 10.0

Beat = Callable[[], None]


async def keep_running(
    name: str, loop: Callable[[Beat], Awaitable[object]], beat: Beat, counter: InternalErrorCounter
) -> None:
    """Runs a loop until it returns; after an internal error it starts again after a moment.

    Its running work is found again, as after a restart of the process.

    Raises:
        Exception: an error that concerns the whole daemon (its configuration, the org, the state
            file).
    """
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            await loop(beat)
        except Exception as error:
            if concerns_all(error):
                raise
            report_internal_error(counter, Part.LOOP, error, about=name)
        else:
            return
        await anyio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
