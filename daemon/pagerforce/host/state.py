"""The files of the state folder: which there are, and that each is what it must be."""

import os
from pathlib import Path

from pagerforce.host.files import judge, owner_of

DATABASE = "pagerforce.db"
COMPANIONS = ("-wal", "-shm", "-journal")  # SQLite opens them by their names, beside a database


def lock_path(database_path: Path) -> Path:
    """The file that is locked by anyone who may write."""
    return database_path.with_suffix(".lock")


def check_state_files(database_path: Path, *, with_lock: bool = False) -> None:
    """Looks at the files that are opened with a database; those that are not there are in order.

    Only their names are looked at: a descriptor of a database that is closed again would take away the
    locks that SQLite holds on it in this process (fcntl(2)). Root takes the owner's rights besides.

    Raises:
        OSError: the folder is not there, or may not be entered.
        UnsafeFileError: one is a link, no plain file, or somebody else's.
    """
    owner = owner_of(database_path.parent)
    paths = [database_path, *(Path(f"{database_path}{suffix}") for suffix in COMPANIONS)]
    if with_lock:
        paths.append(lock_path(database_path))
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        judge(path, found, owner, links=1 + len(names_set_aside(path)))


def names_set_aside(path: Path) -> list[Path]:
    """Other names of this very file that a ``restore`` gave it before it was ended half way."""
    suffix = next((x for x in COMPANIONS if path.name.endswith(x)), "")
    stem = path.name.removesuffix(suffix)
    try:
        found = path.lstat()
        if found.st_nlink == 1:
            return []
        candidates = [x for x in path.parent.iterdir() if x.name.startswith(f"{stem}.replaced-")]
    except OSError:
        return []
    return [x for x in candidates if x.name.endswith(suffix) and _is_same(x, found)]


def _is_same(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), found)
    except OSError:
        return False
