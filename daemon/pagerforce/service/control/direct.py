"""The desk without a daemon: a command uses the state itself, if the file's rights allow it."""

import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from pagerforce.config.load import load_config
from pagerforce.config.paths import state_dir
from pagerforce.errors import ForbiddenError, PagerforceError
from pagerforce.host.state import check_state_files
from pagerforce.service.catalog import CATALOG
from pagerforce.service.clock import SystemClock
from pagerforce.service.control.client import Show
from pagerforce.service.control.desk import Desk, Home
from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.peers import find_caller, own_peer
from pagerforce.service.eventloop import PatientLoop
from pagerforce.store.database import FILE_NAME, open_database


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
    path = state_dir(loaded.config, environ) / FILE_NAME
    _check_rights(path, operation.word_for(request), is_change=operation.changes(request))
    has_state = os.path.lexists(path)

    async def run() -> Any:  # noqa: ANN401
        async def say(text: str, share: float | None = None) -> None:
            tell(text, share)

        is_change = operation.changes(request)
        state = path if operation.needs_state or has_state else None
        async with _open_home(config, environ, state, is_change=is_change) as home:
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


def _check_rights(path: Path, word: str, *, is_change: bool) -> None:
    """Checks the rights: readers of the file may read, only its owner and root may change it.

    Raises:
        ForbiddenError: this user may not do that.
        UnsafeFileError: the file, or one beside it, must not be used.
    """
    try:
        check_state_files(path)
        owner = path.lstat().st_uid
    except PermissionError as error:
        raise ForbiddenError(f"{path}: this user may not read it, and no daemon runs") from error
    except OSError:
        return  # it does not exist: opening it reports that
    if not os.access(path, os.R_OK):
        raise ForbiddenError(f"{path}: this user may not read it, and no daemon runs")
    if is_change and os.geteuid() not in (0, owner):
        raise ForbiddenError(
            f"without the daemon, {word} is for root and the service user (uid {owner}) only"
        )


@asynccontextmanager
async def _open_home(
    config: Path, environ: Mapping[str, str], path: Path | None, *, is_change: bool
) -> AsyncIterator[Home]:
    async with AsyncExitStack() as stack:
        reading = writing = None
        if path is not None:
            reading = await stack.enter_async_context(open_database(path, read_only=True))
        if path is not None and is_change:
            writing = await stack.enter_async_context(open_database(path))
        yield Home(config, environ, SystemClock(), reading, writing)
