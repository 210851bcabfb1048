"""Root in the folder of another user: it works there with that user's rights.

Whatever somebody puts into their own folder, and however fast, then leads only to what is theirs already.

The effective ids are those of the whole process while the block lasts (Linux keeps them by thread, libc
sets them for all). A command does one thing at a time. A daemon that root started by hand, on the state of
another user, does so only for the moments in which it opens files.
"""

import os
import pwd
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pagerforce.errors import StoreError


@dataclass(frozen=True, slots=True)
class _Owner:
    uid: int
    gid: int
    groups: tuple[int, ...]


class _Rights:
    """Whose rights the process has now, and how many blocks rely on it."""

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
            with suppress(PermissionError):  # it may be these that were refused
                self._return_groups()
            raise StoreError(
                f"root may not take the rights of user id {owner.uid} here (CAP_SETUID, CAP_SETGID): "
                "run this as that user"
            ) from error

    def _return_groups(self) -> None:
        os.setegid(self._before.gid)
        os.setgroups(self._before.groups)


_RIGHTS = _Rights()


@contextmanager
def rights_of(folder: Path) -> Iterator[None]:
    """Within the block root has the rights of the folder's owner; everybody else keeps their own.

    Where the owner can't come to the folder, root's rights stay: nobody puts anything in its way there.

    Raises:
        StoreError: root may not do that here.
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
    """Whose rights to take; None: those that we have are right."""
    if os.geteuid() != 0 and not _RIGHTS.is_taken():
        return None
    try:
        found = folder.stat()
    except OSError:
        return None  # it is not there: anyone who needs it says so
    if found.st_uid == 0:
        return None
    owner = _named(found.st_uid, found.st_gid)
    return owner if _RIGHTS.is_taken() or _reaches(owner, folder) else None


def _named(uid: int, gid: int) -> _Owner:
    """A user with the groups of a login; one that the user database does not know has none but its own."""
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
