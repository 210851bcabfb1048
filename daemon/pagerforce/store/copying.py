"""A consistent copy of a database in one private file, complete and on the disk, or not there at all.

SQLite's backup API over a connection of its own, within one reading transaction: in WAL mode that
reads one state of the database and holds up no writer. (Without the transaction the copying would
start over with every write of the daemon.)
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from pagerforce.errors import StoreError
from pagerforce.store.trouble import is_about_content, to_file_error, to_store_error

Step = Callable[[float], None]
"""Called again and again with the share that is done, 0 to 1; what it raises ends the work."""

_PAGES_AT_ONCE = 2048  # 8 MB: some milliseconds, after which somebody may have changed their mind


def to_uri(path: Path, mode: str) -> str:
    """SQLite's address of a file; ``mode``: ``ro`` or ``rw``, neither of which makes the file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def copy_database(
    source: Path,
    target: Path,
    *,
    facts: Mapping[str, str] | None = None,
    replace: bool = False,
    step: Step | None = None,
) -> None:
    """Copies a database, also while it is written to.

    Args:
        source: the database.
        target: where the copy is to stand; it gets mode 0600.
        facts: rows for the copy's table of facts.
        replace: take the place of a file of that name; else that is an error.
        step: told how far it is.

    Raises:
        StoreError: it could not be done; the target is as it was.
    """
    with private_file(target, replace=replace) as part:
        _fill(source, part, target, facts or {}, step)


@contextmanager
def private_file(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty file of mode 0600 beside the target, to be filled within the block.

    At the block's end it is on the disk and takes the target's name; where the block raises, it is gone.

    Raises:
        StoreError: the target exists and is not to be replaced, or the file system refuses.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        # A link in its place is never followed: whoever may write here could lead us anywhere.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
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


def _fill(
    source: Path, part: Path, target: Path, facts: Mapping[str, str], step: Step | None
) -> None:
    def told(_: int, remaining: int, total: int) -> None:
        if step is not None:
            step(1 - remaining / total if total else 1.0)

    try:
        with (
            closing(
                sqlite3.connect(to_uri(source, "ro"), uri=True, isolation_level=None)
            ) as origin,
            closing(sqlite3.connect(part, isolation_level=None)) as into,
        ):
            origin.execute("BEGIN")
            origin.execute(
                "SELECT count(*) FROM sqlite_schema"
            ).fetchone()  # the state to be copied
            origin.backup(into, pages=_PAGES_AT_ONCE, progress=told)
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
