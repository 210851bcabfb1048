"""Cleans up after a killed process in the state folder. Only for the holder of the state."""

import os
import re
from pathlib import Path

from pagerforce.host.files import open_folder
from pagerforce.host.state import names_set_aside
from pagerforce.store.sqlite.trouble import to_file_error

SENT = ".to-be-sent"
_PART = r"\.{name}({sent}|\.before-schema-\d+)?\.\w+\.part"
_COPY = r"{name}{sent}"
_COMPANION = r"(-journal|-wal|-shm)?"


def undo_interrupted_restore(database_path: Path) -> None:
    """Removes the second name that an interrupted restore gave to the current database.

    Raises:
        StoreError: a name can't be removed.
    """
    aliases = names_set_aside(database_path)
    log = Path(f"{database_path}-wal")
    try:
        for alias in aliases:
            kept = Path(f"{alias}-wal")
            if os.path.lexists(kept) and not os.path.lexists(log):
                kept.rename(log)
            alias.unlink()
        for alias in names_set_aside(log):
            alias.unlink()
    except OSError as error:
        raise to_file_error(database_path, error) from error


def clear_copies(database_path: Path) -> None:
    """Removes unfinished copies, and copies that were not sent.

    Raises:
        StoreError: one can't be removed.
    """
    texts = {"name": re.escape(database_path.name), "sent": re.escape(SENT)}
    leftover = re.compile(f"({_PART}|{_COPY}){_COMPANION}".format(**texts))
    name = database_path.name
    try:
        with open_folder(database_path.parent) as folder:
            for name in filter(leftover.fullmatch, folder.names()):
                folder.unlink(name)
    except OSError as error:
        raise to_file_error(database_path.with_name(name), error) from error
