"""``pagerforce backup`` and ``pagerforce restore``: a copy of the state, and the way back from one.

Both work on the file itself, for root and the service user; ``backup`` also while the daemon runs.
"""

import os
from datetime import UTC, datetime
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
from pagerforce.config.paths import state_dir
from pagerforce.store.backup import Backup, back_up
from pagerforce.store.backup import restore as restore_state
from pagerforce.store.database import FILE_NAME

FileArgument = Annotated[Path, typer.Argument(help="The backup's file.", show_default=False)]


def backup(file: FileArgument, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Copies the state into a new file, also while the daemon runs.

    Example: pagerforce backup pagerforce-monday.db
    """
    with reporting():
        path = _state(config)
        made = back_up(path, file, datetime.now(UTC))
    if json:
        print_json(_shown(made))
    else:
        out.print(f"backed up {path} to {file} ({_words(made)})", markup=False)


def restore(file: FileArgument, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Puts a backup in the place of the state; the daemon must be stopped.

    Example: pagerforce restore pagerforce-monday.db
    """
    with reporting():
        path = _state(config)
        done = restore_state(file, path, datetime.now(UTC))
    if json:
        print_json(
            _shown(done.backup) | {"replaced": str(done.replaced) if done.replaced else None}
        )
        return
    out.print(f"restored {path} from {file} ({_words(done.backup)})", markup=False)
    if done.replaced:
        out.print(f"what stood there before is in {done.replaced}", markup=False)
    out.print(
        "start the daemon: it reads what has happened since and does nothing of it twice. Response "
        "plays and workflows that may have run become dead letters: see 'pagerforce failed list'",
        markup=False,
    )


def _state(config: Path | None) -> Path:
    """The state database, where the caller may handle its file; else ends with exit code 3."""
    path = state_dir(read_config(config), os.environ) / FILE_NAME
    model = next((place for place in (path, path.parent) if _is_there(place)), None)
    if model is not None and os.geteuid() not in (0, model.stat().st_uid):
        err.print(
            f"{path}: only root and its owner may do that; try 'sudo pagerforce …'", markup=False
        )
        leave(FORBIDDEN)
    return path


def _is_there(path: Path) -> bool:
    """Raises ``PermissionError`` where even that is not for the caller to know."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


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
