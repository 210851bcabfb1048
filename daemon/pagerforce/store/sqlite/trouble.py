"""Translates errors of SQLite and of the file system to a ``StoreError`` with a remedy.

The messages name the file and the remedy; they never contain data that was to be stored.
"""

import errno
import sqlite3
from pathlib import Path

from pagerforce.errors import (
    StatementError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
)
from pagerforce.host.files import is_plain

# https://www.sqlite.org/rescode.html: the primary code is the lowest byte of an extended one.
_PRIMARY = 0xFF
# The write-ahead log's index could not grow, or a quota is used up: the same as a full disk.
_NO_SPACE = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_TRUNCATE,
    }
)
# Errors of a statement or a value, not of the file; 0: Python refused it by itself.
_ABOUT_STATEMENT = frozenset(
    {
        0,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
_FULL = "there is no space left on its file system: free some, then it continues by itself"
_LOCKED = "another program keeps it locked (a copy of the file being made?): end that program"
_SLOW = "a statement took too long and was undone: is the disk overloaded? It is tried again"
_READ_ONLY = (
    "it cannot be written to: is its file system mounted read-only, or does the file belong to "
    "another user than the service user?"
)
_DAMAGED = "it is damaged or no database at all"
_CANNOT_OPEN = "it cannot be opened: does its folder exist, and does it belong to the service user?"
_DISK = "the disk does not read or write it (see the kernel's log): fix that, then start again"


def to_store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """The ``StoreError`` for an error of SQLite about a file."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    primary = code & _PRIMARY
    if primary == sqlite3.SQLITE_FULL or code in _NO_SPACE:
        return StoreUnavailableError(f"{path}: {_FULL} ({error})")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailableError(f"{path}: {_LOCKED} ({error})")
    if primary == sqlite3.SQLITE_INTERRUPT:
        return StoreUnavailableError(f"{path}: {_SLOW} ({error})")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    told = {
        sqlite3.SQLITE_READONLY: _READ_ONLY,
        sqlite3.SQLITE_PERM: _READ_ONLY,
        sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
        sqlite3.SQLITE_IOERR: _DISK,
    }.get(primary)
    if primary in _ABOUT_STATEMENT:
        return StatementError(f"{path}: {error}")
    return StoreError(f"{path}: {told} ({error})" if told else f"{path}: {error}")


def is_about_content(error: sqlite3.Error) -> bool:
    """Whether the file that was read is at fault, not the place that was written to."""
    primary = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
    return primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)


def to_file_error(path: Path, error: OSError) -> StoreError:
    """The ``StoreError`` for an error of the file system about a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreUnavailableError(f"{path}: there is no space left: free some, then try again")
    return StoreError(f"{path}: {error.strerror or type(error).__name__}")


def damaged(path: Path, what: str) -> StoreDamagedError:
    """The error for a file that cannot be trusted; it names the copies beside it."""
    copies = ", ".join(str(copy) for copy in copies_beside(path))
    where = f"copies beside it, newest first: {copies}" if copies else "there is no copy beside it"
    return StoreDamagedError(
        f"{path}: {_DAMAGED} ({what}); stop the daemon and restore a backup with "
        f"'pagerforce restore FILE' ({where})"
    )


def copies_beside(path: Path) -> list[Path]:
    """The copies that migrations left in the same folder, newest first."""
    found = path.parent.glob(f"{path.name}.before-schema-*")
    mine = [copy for copy in found if is_plain(copy)]  # others were not made by a migration
    return sorted(mine, key=lambda copy: copy.lstat().st_mtime, reverse=True)
