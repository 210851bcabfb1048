"""The files of the state folder, and the check that each may be used."""

import os
from pathlib import Path

from pagerforce.host.files import judge, owner_of

DATABASE = "pagerforce.db"
COMPANIONS = ("-wal", "-shm", "-journal")  # SQLite opens them by their names, beside a database


def lock_path(database_path: Path) -> Path:
    """Returns the file that every writer locks."""
    return database_path.with_suffix(".lock")


def check_state_files(database_path: Path, *, with_lock: bool = False) -> None:
    """Checks the files that are opened with a database; missing files are fine.

    It checks names only: closing a descriptor of a database would release the locks that SQLite
    holds on it in this process (fcntl(2)). In addition, root takes the owner's rights.

    Raises:
        OSError: the folder does not exist, or may not be entered.
        UnsafeFileError: one is a link, not a plain file, or belongs to another user.
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
    """Returns other names of this file that an interrupted ``restore`` gave it."""
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
