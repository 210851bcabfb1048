"""The file to restore: opened once with the operator's rights, and copied before it is checked.

The checked copy is private, so that nobody can exchange or change it afterwards. SQLite never opens
the given file itself.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from pagerforce.errors import StoreError, StoreUnavailableError
from pagerforce.host.files import open_plain, owner_of, write_all
from pagerforce.host.rights import rights_of
from pagerforce.store.sqlite.copying import Part, Step
from pagerforce.store.sqlite.trouble import damaged, to_file_error

_MAGIC = b"SQLite format 3\0"
_HOT = bytes.fromhex("d9d505f920a163d7")  # the first bytes of a rollback journal in use
_HEADER_BYTES = 100
_AT_ONCE = 8 * 1024 * 1024


class Given(Struct, frozen=True):
    """An opened database file, and the log beside it, if any.

    Attributes:
        path: the operator's name for it.
        handle: its descriptor.
        log: the descriptor of its write-ahead log.
    """

    path: Path
    handle: int
    log: int | None

    def copy_into(self, part: Part, step: Step | None) -> None:
        """Copies it, including its log.

        Raises:
            StoreError: it is no database, changes while it is copied, or there is no space.
        """
        before = self._look()
        size = sum(one for one, _ in before)
        _need_space(part, size)
        try:
            head = os.pread(self.handle, _HEADER_BYTES, 0)
            if not head:
                raise StoreError(f"{self.path}: is empty: nothing can be restored from it")
            if not head.startswith(_MAGIC):
                raise damaged(self.path, "file is not a database")
            share = _Share(size, step)
            share.copy(self.handle, part.handle, before[0][0])
            if self.log is not None:
                with part.beside("-wal") as log:
                    share.copy(self.log, log, before[1][0])
        except OSError as error:
            raise to_file_error(part.target, error) from error
        if share.done != size or self._look() != before:
            raise StoreError(
                f"{self.path}: changes while it is copied: is it the database of a running daemon? Make "
                "a backup of it with 'pagerforce backup'"
            )

    def _look(self) -> list[tuple[int, int]]:
        """Size and time of the last change, of the file and of its log."""
        handles = [self.handle] if self.log is None else [self.handle, self.log]
        found = [os.fstat(handle) for handle in handles]
        return [(x.st_size, x.st_mtime_ns) for x in found]


class _Share:
    """Copies, and reports the progress."""

    def __init__(self, size: int, step: Step | None) -> None:
        self._size, self._step = size, step
        self.done = 0

    def copy(self, source: int, target: int, size: int) -> None:
        """Copies ``size`` bytes, or as many as there are."""
        at = 0
        while chunk := os.pread(source, min(_AT_ONCE, size - at), at):
            write_all(target, chunk, at)
            at += len(chunk)
            self.done += len(chunk)
            if self._step is not None:
                self._step(self.done / self._size)


def _need_space(part: Part, size: int) -> None:
    found = os.fstatvfs(part.handle)
    free = found.f_bavail * found.f_frsize
    if free < size:
        raise StoreUnavailableError(
            f"{part.target.parent}: it needs {size // 1_000_000} MB there, and {free // 1_000_000} MB "
            "are free: free some, then try again"
        )


@contextmanager
def open_given(source: Path, database_path: Path) -> Iterator[Given]:
    """Opens the file to restore until the block ends.

    A file beside the state must fulfil the rules for the state's files; elsewhere it may be a link.

    Raises:
        UnsafeFileError: it is beside the state, and is a link or another user's.
        StoreError: it does not exist, is no regular file, may not be read, or is unfinished.
    """
    folder = source.parent
    try:
        is_beside = folder.samefile(database_path.parent)
    except OSError:
        is_beside = False
    try:
        with ExitStack() as stack:
            if is_beside:
                with rights_of(folder):
                    given = _open(stack, source, source, owner_of(folder))
            else:
                given = _open(stack, source, Path(os.path.realpath(source)), None)
            yield given
    except OSError as error:
        raise to_file_error(source, error) from error


def _open(stack: ExitStack, named: Path, path: Path, owner: int | None) -> Given:
    handle = _open_one(named, path, owner)
    stack.callback(os.close, handle)
    _refuse_unfinished(named, path)
    log = Path(f"{path}-wal")
    if not os.path.lexists(log):
        return Given(named, handle, None)
    log_handle = _open_one(log, log, owner)
    stack.callback(os.close, log_handle)
    return Given(named, handle, log_handle)


def _open_one(named: Path, path: Path, owner: int | None) -> int:
    if owner is None and not stat.S_ISREG(path.lstat().st_mode):
        raise StoreError(f"{named}: is no regular file: name the file of a backup")
    return open_plain(path, os.O_RDONLY, owner, links=1 if owner is not None else sys.maxsize)


def _refuse_unfinished(named: Path, path: Path) -> None:
    """Refuses a file with an unfinished transaction: its journal may name other files."""
    journal = Path(f"{path}-journal")
    if not os.path.lexists(journal):
        return
    handle = _open_one(journal, journal, None)
    try:
        is_hot = os.pread(handle, len(_HOT), 0) == _HOT
    finally:
        os.close(handle)
    if is_hot:
        raise StoreError(
            f"{named}: contains an unfinished change ({journal.name}): restore another backup"
        )
