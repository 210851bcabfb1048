"""Runs a command: by the running daemon, or if none runs, here on the state."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pagerforce.cli.progress import Bar
from pagerforce.config.glance import glance
from pagerforce.config.load import find_config
from pagerforce.errors import ForbiddenError
from pagerforce.service.control.client import Show, call_daemon, is_running
from pagerforce.service.control.direct import call_directly


def ask(
    config: Path | None,
    command: str,
    values: Mapping[str, object] | None = None,
    *,
    tell: Show | None = None,
    is_watched: bool = False,
    lines: Iterable[bytes] | None = None,
) -> Any:  # noqa: ANN401 (each command's value has its own shape)
    """Returns the command's value.

    Args:
        config: ``--config`` as given.
        command: its word in the role table.
        values: its form, filled in.
        tell: called with the progress, instead of a bar.
        is_watched: whether a bar may show the progress, on a terminal.
        lines: the lines after the form.

    Raises:
        ConfigError, ForbiddenError, PagerforceError: the message, with its exit code.
    """
    path = find_config(config, os.environ)
    seen = glance(path, os.environ)
    with Bar(command, is_wanted=is_watched) as bar:
        told = tell or bar.show
        if seen.socket is not None and is_running(seen.socket):
            return call_daemon(seen.socket, command, values or {}, told, lines=lines)
        if not seen.is_readable:
            raise ForbiddenError(f"{path}: this user may not read it, and no daemon answers")
        return call_directly(path, os.environ, command, values or {}, told, lines)


def find_daemon(config: Path | None) -> Path | None:
    """Returns the socket of the running daemon; None if none runs."""
    seen = glance(find_config(config, os.environ), os.environ)
    return seen.socket if seen.socket is not None and is_running(seen.socket) else None
