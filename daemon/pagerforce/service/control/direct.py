"""The desk without a daemon: a command uses the state itself, if the file's rights allow it."""

import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from pagerforce.config.load import load_config
from pagerforce.errors import PagerforceError
from pagerforce.service.catalog import CATALOG
from pagerforce.service.clock import SystemClock
from pagerforce.service.control.client import Show
from pagerforce.service.control.desk import Desk, Home
from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.peers import find_caller, own_peer
from pagerforce.service.eventloop import PatientLoop
from pagerforce.service.state import find_state
from pagerforce.store.state import State


def call_directly(
    config: Path,
    environ: Mapping[str, str],
    command: str,
    values: Mapping[str, object],
    tell: Show,
    lines: Iterable[bytes] | None = None,
) -> Any:  # noqa: ANN401 (each command's value has its own shape)
    """Runs a command on the state database.

    Raises:
        ConfigError: the configuration or the request is wrong.
        ForbiddenError: this user may not read the file, or change it.
        PagerforceError: it cannot be done, or needs the daemon.
    """
    operation = OPERATIONS[command]
    request = operation.read(json.dumps(values).encode())
    loaded = load_config(config, catalog=CATALOG, environ=environ)
    state = find_state(loaded.config, environ)
    state.check_rights(operation.word_for(request), is_change=operation.changes(request))

    async def run() -> Any:  # noqa: ANN401
        async def say(text: str, share: float | None = None) -> None:
            tell(text, share)

        is_change = operation.changes(request)
        is_wanted = operation.needs_state or await state.exists()
        wanted = state if is_wanted else None
        async with _open_home(config, environ, wanted, is_change=is_change) as home:
            caller = find_caller(own_peer(), os.geteuid())
            given = None if lines is None else _each(lines)
            desk = Desk(caller, operation.word_for(request), home, say, lines=given)
            with anyio.fail_after(operation.seconds):
                return await operation.run(desk, request)

    try:
        return anyio.run(run, backend_options={"loop_factory": PatientLoop})
    except TimeoutError as error:
        raise PagerforceError(f"{command} did not finish in time and was stopped") from error


async def _each(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


@asynccontextmanager
async def _open_home(
    config: Path, environ: Mapping[str, str], state: State | None, *, is_change: bool
) -> AsyncIterator[Home]:
    async with AsyncExitStack() as stack:
        reading = writing = None
        if state is not None:
            reading = await stack.enter_async_context(state.open(read_only=True))
        if state is not None and is_change:
            writing = await stack.enter_async_context(state.open())
        yield Home(config, environ, SystemClock(), reading, writing)
