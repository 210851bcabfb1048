"""Makes root use another user's rights in that user's folder.

Links that the user puts into the folder, however fast, then lead only to files that the user may
access anyway.

The effective ids apply to the whole process while the block lasts (Linux keeps them by thread, libc
sets them for all). A command does one thing at a time. A daemon that root started by hand, on the
state of another user, takes these rights only while it opens files.
"""

import os
import pwd
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from pagerforce.errors import StoreError


class _Owner(Struct, frozen=True):
    uid: int
    gid: int
    groups: tuple[int, ...]


class _Rights:
    """The user whose rights the process has now, and the number of blocks that rely on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before = _Owner(0, 0, ())

    def take(self, owner: _Owner) -> None:
        with self._lock:
            if self._depth == 0:
                self._before = _Owner(os.geteuid(), os.getegid(), tuple(os.getgroups()))
                self._become(owner)
            self._depth += 1

    def give_back(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                os.seteuid(self._before.uid)
                self._return_groups()

    def is_taken(self) -> bool:
        with self._lock:
            return self._depth > 0

    def _become(self, owner: _Owner) -> None:
        try:
            os.setgroups(owner.groups)
            os.setegid(owner.gid)
            os.seteuid(owner.uid)
        except PermissionError as error:
            with suppress(PermissionError):  # perhaps exactly this is refused
                self._return_groups()
            raise StoreError(
                f"root may not take the rights of user id {owner.uid} here "
                "(CAP_SETUID, CAP_SETGID): run this as that user"
            ) from error

    def _return_groups(self) -> None:
        os.setegid(self._before.gid)
        os.setgroups(self._before.groups)


_RIGHTS = _Rights()


@contextmanager
def rights_of(folder: Path) -> Iterator[None]:
    """Gives root the rights of the folder's owner within the block; other users keep their own.

    If the owner can't reach the folder, root keeps its rights: that owner can't put a link there.

    Raises:
        StoreError: root may not take these rights here.
    """
    owner = _find_owner(folder)
    if owner is None:
        yield
        return
    _RIGHTS.take(owner)
    try:
        yield
    finally:
        _RIGHTS.give_back()


def _find_owner(folder: Path) -> _Owner | None:
    """Returns the user whose rights to take; None: the present rights are right."""
    if os.geteuid() != 0 and not _RIGHTS.is_taken():
        return None
    try:
        found = folder.stat()
    except OSError:
        return None  # it does not exist: the code that needs it reports that
    if found.st_uid == 0:
        return None
    owner = _named(found.st_uid, found.st_gid)
    return owner if _RIGHTS.is_taken() or _reaches(owner, folder) else None


def _named(uid: int, gid: int) -> _Owner:
    """Returns a user with its login groups; an unknown user has only its own group."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        own = gid or uid  # never root's group
        return _Owner(uid, own, (own,))
    return _Owner(uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def _reaches(owner: _Owner, folder: Path) -> bool:
    _RIGHTS.take(owner)
    try:
        os.stat(folder / ".")  # noqa: PTH116 (a Path drops the dot, which is what asks for the right)
    except PermissionError:
        return False
    except OSError:
        return True
    else:
        return True
    finally:
        _RIGHTS.give_back()
