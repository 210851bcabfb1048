"""Opens and creates files, without following links, in folders that somebody else may write to.

A name in such a folder may lead anywhere: to a file of root (a symbolic or a hard link), to
nothing, to a FIFO that never answers, to a device. This module opens only plain files with one name
that belong to the folder's owner, judged by the descriptor. It creates only files that did not
exist before.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pagerforce.errors import UnsafeFileError

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# A FIFO does not block, and the target of a link is not opened.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def judge(path: Path, found: os.stat_result, owner: int | None, *, links: int = 1) -> None:
    """Checks that a file may be used.

    Args:
        path: for the message.
        found: the stat of its descriptor, or of its name without following a link.
        owner: the user id of the folder's owner; None: any owner is accepted.
        links: the most names (hard links) that it may have.

    Raises:
        UnsafeFileError: it is not a plain file, has other names, or belongs to another user.
    """
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "not a regular file")
        raise UnsafeFileError(
            path, f"is {kind}, not a plain file: find out who put it there, then remove it"
        )
    if found.st_nlink > links:
        raise UnsafeFileError(
            path,
            f"has {found.st_nlink} names (hard links), so it may be used elsewhere as well: find "
            "out who created them, then replace it with a copy",
        )
    if owner is not None and found.st_uid != owner:
        raise UnsafeFileError(
            path,
            f"belongs to user id {found.st_uid}, but its folder to user id {owner}: find out who"
            f" put it there, then remove it, or give it to the folder's owner (chown {owner})",
        )


def owner_of(folder: Path) -> int:
    """Returns the user id of a folder's owner; the folder may be a link. Raises ``OSError``."""
    return folder.stat().st_uid


def is_plain(path: Path) -> bool:
    """Whether a path is a plain file with one name that belongs to its folder's owner."""
    try:
        judge(path, path.lstat(), owner_of(path.parent))
    except (OSError, UnsafeFileError):
        return False
    return True


def open_plain(path: Path, flags: int, owner: int | None, *, links: int = 1) -> int:
    """Opens an existing file; ``owner`` and ``links`` as for :func:`judge`.

    Raises:
        OSError: it does not exist, or may not be opened.
        UnsafeFileError: it must not be used; nothing of it was read or changed.
    """
    # Before it is opened: opening a device may have an effect.
    judge(path, path.lstat(), owner, links=links)
    try:
        handle = os.open(path, flags | _CAREFUL)
    except OSError as error:
        if error.errno == errno.ELOOP:
            judge(path, path.lstat(), owner, links=links)
        raise
    try:
        judge(path, os.fstat(handle), owner, links=links)
    except UnsafeFileError:
        os.close(handle)
        raise
    return handle


def read_plain(path: Path, most: int) -> bytes:
    """Returns the first bytes of a file that the operator named; it may be a link.

    Raises:
        OSError: it does not exist, may not be read, or is not a regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return stream.read(most)


def write_all(handle: int, content: bytes, at: int) -> None:
    """Writes all bytes at an offset of a file; raises ``OSError``."""
    view = memoryview(content)
    while view:
        written = os.pwrite(handle, view, at)
        at += written
        view = view[written:]


class Folder:
    """An open folder: its names stay valid even if the folder itself is renamed."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self.owner = os.fstat(handle)

    def create(self, name: str, mode: int) -> int:
        """Creates a file and opens it for writing; raises ``FileExistsError`` if it exists."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CAREFUL
        try:
            return os.open(name, flags, mode, dir_fd=self._handle)
        except OSError as error:
            raise self._named(error, name) from error

    def read(self, name: str) -> BinaryIO:
        """Opens a plain file of its owner; raises ``OSError`` or ``UnsafeFileError``."""
        handle = os.open(name, os.O_RDONLY | _CAREFUL, dir_fd=self._handle)
        stream = os.fdopen(handle, "rb")
        try:
            judge(self.path / name, os.fstat(handle), self.owner.st_uid)
        except UnsafeFileError:
            stream.close()
            raise
        return stream

    def create_part(self, name: str, mode: int = 0o600) -> tuple[str, int]:
        """Creates a file with an unpredictable name, to be renamed to ``name`` later."""
        part = f".{name}.{secrets.token_hex(4)}.part"
        return part, self.create(part, mode)

    def give(self, handle: int) -> None:
        """Gives a file that root created to the folder's owner."""
        if os.geteuid() == 0 and self.owner.st_uid != 0:
            os.fchown(handle, self.owner.st_uid, self.owner.st_gid)

    def look(self, name: str) -> os.stat_result | None:
        """Returns the stat of a name without following a link; None if it does not exist."""
        try:
            return os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def link(self, name: str, other: str) -> None:
        """Gives a file another name; unlike a rename it never replaces a file."""
        try:
            os.link(
                name,
                other,
                src_dir_fd=self._handle,
                dst_dir_fd=self._handle,
                follow_symlinks=False,
            )
        except OSError as error:
            raise self._named(error, other) from error

    def rename(self, name: str, other: str) -> None:
        """Renames a file and replaces the file that has the new name."""
        try:
            os.rename(name, other, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except OSError as error:
            raise self._named(error, other) from error

    def unlink(self, name: str) -> None:
        """Removes a name if it exists."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)

    def names(self) -> list[str]:
        """Returns all names in it, sorted."""
        return sorted(os.listdir(self._handle))  # noqa: PTH208 (by its descriptor)

    def sync(self) -> None:
        """Waits until the names are on the disk."""
        os.fsync(self._handle)

    def _named(self, error: OSError, name: str) -> OSError:
        return OSError(error.errno, os.strerror(error.errno or 0), str(self.path / name))


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """Opens a folder until the block is left; it may be a link. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Folder(path, handle)
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Replaces a file atomically.

    Raises:
        OSError: the folder can't be written to, or the name is a folder; nothing has changed.
    """
    with open_folder(path.parent) as folder:
        part, handle = folder.create_part(path.name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                os.fchmod(handle, mode)
            folder.rename(part, path.name)
        except BaseException:
            folder.unlink(part)
            raise
