"""``pagerforce backup`` and ``pagerforce restore``: copy the state, and restore it from a copy.

For root and the service user both use the file itself; ``backup`` also works while the daemon runs.
For other administrators the daemon sends the copy, and this command writes it with their own
rights.
"""

import hashlib
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pagerforce.cli.console import (
    FORBIDDEN,
    ConfigOption,
    JsonOption,
    err,
    leave,
    out,
    print_json,
    read_config,
    reporting,
)
from pagerforce.cli.desk import find_daemon
from pagerforce.cli.progress import Bar
from pagerforce.config.paths import state_dir
from pagerforce.errors import ConfigError, PagerforceError
from pagerforce.host.files import owner_of
from pagerforce.service.control.client import call_daemon
from pagerforce.service.state import find_state
from pagerforce.store.sqlite.backup import Backup
from pagerforce.store.sqlite.copying import private_file
from pagerforce.store.state import State

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The backup's file.", show_default=False, readable=False),
]


def backup(file: FileArgument, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Copies the state into a new file, also while the daemon runs.

    Example: pagerforce backup pagerforce-monday.db
    """
    with reporting(), Bar("copying", is_wanted=not json) as bar:
        if _may_handle_state(config) or (socket := find_daemon(config)) is None:
            made = find_own_state(config).back_up(
                file, datetime.now(UTC), step=partial(bar.show, "copying")
            )
        else:
            made = _receive(socket, file, bar)
    if json:
        print_json(_shown(made))
    else:
        out.line(f"backed up the state to {file} ({_words(made)})")


def _may_handle_state(config: Path | None) -> bool:
    """Whether this user is root or the owner of the state's folder."""
    if os.geteuid() == 0:
        return True
    try:
        owner = owner_of(state_dir(read_config(config), os.environ))
    except (OSError, ConfigError):
        return False
    return os.geteuid() == owner


def _receive(socket: Path, file: Path, bar: Bar) -> Backup:
    """Gets a copy from the daemon, and puts it in its place once it is complete.

    Raises:
        ForbiddenError: the caller is not an administrator.
        PagerforceError: the daemon could not create the copy, or it did not arrive completely.
        StoreError: the file can't be written; nothing is left of it.
    """
    digest = hashlib.sha256()
    with private_file(file) as part, part.stream() as stream:

        def take(chunk: bytes) -> None:
            digest.update(chunk)
            stream.write(chunk)

        found = call_daemon(socket, "backup", {}, bar.show, take)
        stream.flush()
        if digest.hexdigest() != found["sha256"]:
            raise PagerforceError("the copy was damaged on the way: try again")
    return Backup(file, found["schema"], found["size_bytes"], found["made_at"])


def restore(file: FileArgument, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Replaces the state with a backup; the daemon must be stopped.

    Example: pagerforce restore pagerforce-monday.db
    """
    with reporting(), Bar("restoring", is_wanted=not json) as bar:
        state = find_own_state(config)
        done = state.restore(file, datetime.now(UTC), step=partial(bar.show, "restoring"))
    if json:
        print_json(_shown(done.backup) | {"replaced": done.replaced})
        return
    out.line(f"restored {state.name} from {file} ({_words(done.backup)})")
    if done.replaced:
        out.line(f"the earlier state is in {done.replaced}")
    out.line(
        "start the daemon: it reads what has happened since and does nothing twice. Response plays "
        "and workflows that may have run become dead letters: see 'pagerforce failed list'"
    )


def find_own_state(config: Path | None) -> State:
    """Returns the state if the caller may use it; else ends with exit code 3."""
    loaded = read_config(config)
    folder = state_dir(loaded, os.environ)
    state = find_state(loaded, os.environ)
    owner = _owner(folder)
    if owner is not None and os.geteuid() not in (0, owner):
        err.line(f"{state.name}: only root and its owner may do that; try 'sudo pagerforce …'")
        leave(FORBIDDEN)
    return state


def _owner(folder: Path) -> int | None:
    """Returns the owner; None: no such folder. Raises ``PermissionError`` if it is hidden."""
    try:
        return owner_of(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _shown(found: Backup) -> dict[str, object]:
    return {
        "file": str(found.path),
        "schema": found.schema,
        "size_bytes": found.size_bytes,
        "made_at": found.made_at,
    }


def _words(found: Backup) -> str:
    made = f"of {found.made_at}, " if found.made_at else ""
    return f"{made}schema {found.schema}, {found.size_bytes / 1_000_000:.1f} MB"
