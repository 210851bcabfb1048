"""Who may write to the state: one process at a time, for as long as it runs.

An advisory lock (flock(2)) on a file beside the database. The kernel gives it back when the process
ends, however it ends, so that it never has to be cleaned up. Readers need none.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pagerforce.errors import StateInUseError
from pagerforce.store.trouble import to_file_error


def lock_path(database_path: Path) -> Path:
    """The file that is locked."""
    return database_path.with_suffix(".lock")


@contextmanager
def hold_state(database_path: Path) -> Iterator[None]:
    """Holds the state of a database until the block is left.

    Raises:
        StateInUseError: another process holds it.
        StoreError: the lock's file cannot be made.
    """
    path = lock_path(database_path)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise to_file_error(path, error) from error
    try:
        _acquire(handle, database_path)
        give_to_owner_of(path.parent, path)
        with suppress(OSError):  # the number only helps a message; a full disk must not matter
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, database_path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        raise StateInUseError(
            f"{database_path}: another pagerforce works with it (process {holder or 'unknown'}): "
            "stop that one first"
        ) from error


def give_to_owner_of(model: Path, path: Path) -> None:
    """Lets a file that root made belong to whom the model belongs to, the service user."""
    if os.geteuid() == 0:
        owner = model.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
