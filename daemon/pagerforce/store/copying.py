"""A consistent copy of a database in one private file, complete and on the disk, or not there at all.

SQLite's backup API in one step over a connection of its own: in WAL mode that reads one state of the
database and holds up no writer. (Page by page it would start over with every write of the daemon.)
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pagerforce.errors import StoreError
from pagerforce.store.trouble import is_about_content, to_file_error, to_store_error


def to_uri(path: Path, mode: str) -> str:
    """SQLite's address of a file; ``mode``: ``ro`` or ``rw``, neither of which makes the file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def copy_database(
    source: Path,
    target: Path,
    *,
    facts: Mapping[str, str] | None = None,
    replace: bool = False,
) -> None:
    """Copies a database, also while it is written to.

    Args:
        source: the database.
        target: where the copy is to stand; it gets mode 0600.
        facts: rows for the copy's table of facts.
        replace: take the place of a file of that name; else that is an error.

    Raises:
        StoreError: it could not be done; the target is as it was.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _fill(source, part, target, facts or {})
        sync_file(part)
        _put_in_place(part, target, replace=replace)
        sync_file(target.parent)
    except FileExistsError as error:
        raise StoreError(
            f"{error.filename or target}: exists already; name another file"
        ) from error
    except OSError as error:
        raise to_file_error(target, error) from error
    finally:
        for leftover in (part, Path(f"{part}-journal"), Path(f"{part}-wal"), Path(f"{part}-shm")):
            leftover.unlink(missing_ok=True)


def _fill(source: Path, part: Path, target: Path, facts: Mapping[str, str]) -> None:
    try:
        with (
            closing(sqlite3.connect(to_uri(source, "ro"), uri=True)) as read_from,
            closing(sqlite3.connect(part, isolation_level=None)) as into,
        ):
            read_from.backup(into)
            # The copy is one file: a reader of it needs no right to make others beside it.
            into.execute("PRAGMA journal_mode = DELETE")
            into.executemany(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", list(facts.items())
            )
    except sqlite3.Error as error:
        raise to_store_error(source if is_about_content(error) else target, error) from error


def _put_in_place(part: Path, target: Path, *, replace: bool) -> None:
    if replace:
        part.replace(target)
        return
    try:
        os.link(part, target)  # unlike a rename it never takes the place of another file
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        if target.exists():
            raise FileExistsError(17, "File exists", str(target)) from None
        part.replace(target)


def sync_file(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk; raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
