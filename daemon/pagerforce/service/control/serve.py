"""Opens the daemon's control socket. If it can't be opened, the daemon keeps running."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from pagerforce.config.paths import control_socket
from pagerforce.errors import AddressInUseError, StoreError
from pagerforce.model.ports import Clock
from pagerforce.observe.internal_errors import InternalErrorCounter, Part, report_internal_error
from pagerforce.observe.log import get_log
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.desk import Home, Running
from pagerforce.service.control.listener import bind_socket, listen
from pagerforce.service.control.refusals import Refusals
from pagerforce.service.control.server import build_control_app
from pagerforce.service.inbound.room import share_room

_LOG = get_log("control")


def _report(counter: InternalErrorCounter, error: Exception) -> None:
    report_internal_error(counter, Part.REQUEST, error, about="the control socket")


@asynccontextmanager
async def serve_control(
    config: Path,
    environ: Mapping[str, str],
    running: Running,
    clock: Clock,
    room: int = share_room(0).control,
) -> AsyncIterator[None]:
    """Serves the control socket while the block runs, unless the configuration disables it.

    A socket that can't be opened is only logged as an error: pages must be sent anyway.
    ``room``: the most connections at once.
    """
    parts = running.parts
    path = control_socket(parts.rules.loaded.config, environ)
    async with AsyncExitStack() as stack:
        if path is not None:
            try:
                listener = bind_socket(path)
            except AddressInUseError as error:
                _LOG.error("control_socket_unavailable", reason=str(error))
            else:
                reading = await stack.enter_async_context(parts.state.open(read_only=True))
                with suppress(StoreError):  # the next backup reports it
                    parts.state.clear_copies()
                home = Home(config, environ, clock, reading, parts.database, running)
                callers, refusals = Callers(os.geteuid()), Refusals(home)
                app = build_control_app(home, callers, refusals)
                report = partial(_report, parts.metrics)
                await stack.enter_async_context(refusals.folding(report))
                await stack.enter_async_context(
                    listen(app, listener, path, callers, report=report, room=room)
                )
                _LOG.info("control_socket_open", path=str(path))
        yield
