"""The lock for writing to the state: one process at a time, as long as it runs.

An advisory lock (flock(2)) on a file beside the database. The kernel releases it when the process
ends, however it ends, so that nobody has to clean it up. Readers need no lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pagerforce.errors import StateInUseError
from pagerforce.host.files import Folder, open_folder, open_plain
from pagerforce.host.state import lock_path
from pagerforce.store.sqlite.trouble import to_file_error

_TRIES = 10


@contextmanager
def hold_state(database_path: Path) -> Iterator[None]:
    """Holds the state of a database until the block ends.

    Raises:
        StateInUseError: another process holds it.
        UnsafeFileError: the lock's file may not be used.
        StoreError: the lock's file cannot be created.
    """
    path = lock_path(database_path)
    try:
        with open_folder(path.parent) as folder:
            handle = _open_and_lock(folder, path, database_path)
    except OSError as error:
        raise to_file_error(path, error) from error
    try:
        with suppress(OSError):  # the number is only for a message; a full disk must not matter
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _open_and_lock(folder: Folder, path: Path, database_path: Path) -> int:
    """The descriptor of the locked file with the name, not of one that was removed meanwhile."""
    for _ in range(_TRIES):
        handle = _open(folder, path)
        try:
            _acquire(handle, database_path)
            found = folder.look(path.name)
            if found is not None and os.path.samestat(found, os.fstat(handle)):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise StateInUseError(f"{path}: is removed or replaced repeatedly: find out by whom")


def _open(folder: Folder, path: Path) -> int:
    try:
        handle = folder.create(path.name, 0o600)
    except FileExistsError:
        return open_plain(path, os.O_RDWR, folder.owner.st_uid)
    folder.give(handle)
    return handle


def _acquire(handle: int, database_path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 20, 0).strip()
        who = holder.decode() if holder.isdigit() else "unknown"
        raise StateInUseError(
            f"{database_path}: another pagerforce uses it (process {who}): stop that one first"
        ) from error
