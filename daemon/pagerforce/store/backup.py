"""``backup`` and ``restore``: a consistent copy of the state, and the way back from one.

A restored database remembers less than both sides show. What follows from that is in
``store/restored.py``; here it is only marked.

Synchronous, on files: also for a command line that runs without the daemon.
"""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pagerforce.errors import StoreError, StoreUnavailableError
from pagerforce.store.codec import to_stamp
from pagerforce.store.copying import Step, copy_database, sync_file, to_uri
from pagerforce.store.facts import BACKED_UP_AT, RESTORE_TURN, RESTORED_AT
from pagerforce.store.lock import give_to_owner_of, hold_state
from pagerforce.store.migrate import check_sound, check_usable, identify
from pagerforce.store.trouble import to_file_error, to_store_error

_SENT = ".to-be-sent"
_RESERVE_BYTES = 256 * 1024 * 1024  # what must stay free for the daemon's own work
_STATEMENT_STEPS = 1_000_000  # some milliseconds
# What a file that was copied by other means last knew of: not later than when it was copied.
_LAST_STAMP = "SELECT max(seen_at) FROM event"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as it was found sound: its file, schema version, size, and the state's last moment.

    ``made_at`` None: nothing had happened yet, or the file was not made by ``backup``.
    """

    path: Path
    schema: int
    size_bytes: int
    made_at: str | None


def back_up(database_path: Path, target: Path, now: datetime, step: Step | None = None) -> Backup:
    """Copies the state, also while the daemon writes; the copy is checked before it gets its name.

    Args:
        database_path: the state database.
        target: the new file, mode 0600; its folder must exist.
        now: the moment to note in the copy.
        step: told how far it is; what it raises ends the work, and nothing is left of it.

    Raises:
        StoreError: there is no state, the target exists, there is no space, or the state is damaged.
    """
    if not database_path.exists():
        raise StoreError(f"{database_path}: there is no state database to copy")
    copy_database(database_path, target, facts={BACKED_UP_AT: to_stamp(now)}, step=step)
    try:
        return inspect(target, step)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class OpenCopy:
    """A copy that has no name any more: nothing is left of it once ``stream`` is closed."""

    backup: Backup
    stream: BinaryIO


def open_copy(database_path: Path, now: datetime, step: Step) -> OpenCopy:
    """A checked copy to be sent to somebody else, made in the state's folder.

    One at a time: ``clear_copies`` takes away what a process that was killed has left.

    Raises:
        StoreError: as ``back_up``; or it would not leave the daemon enough space for its work.
    """
    clear_copies(database_path)
    _need_space(database_path)
    path = database_path.with_name(database_path.name + _SENT)
    made = back_up(database_path, path, now, step)
    try:
        return OpenCopy(made, path.open("rb"))
    finally:
        path.unlink()


def clear_copies(database_path: Path) -> None:
    """Removes copies that a killed process was about to send. Only for whoever holds the state.

    Raises:
        StoreError: one can't be removed.
    """
    name = database_path.name + _SENT
    for pattern in (name, f"{name}-*", f".{name}.*"):
        for leftover in database_path.parent.glob(pattern):
            try:
                leftover.unlink(missing_ok=True)
            except OSError as error:
                raise to_file_error(leftover, error) from error


def _need_space(database_path: Path) -> None:
    try:
        needed = database_path.stat().st_size + _RESERVE_BYTES
        free = shutil.disk_usage(database_path.parent).free
    except OSError as error:
        raise to_file_error(database_path, error) from error
    if free < needed:
        raise StoreUnavailableError(
            f"{database_path.parent}: a copy of the state needs {needed // 1_000_000} MB there for a "
            f"moment, and {free // 1_000_000} MB are free: free some, or have root run 'pagerforce "
            "backup' into another file system"
        )


def inspect(path: Path, step: Step | None = None) -> Backup:
    """Checks that a file is a sound database of ours that this program can use.

    Raises:
        StoreError: it is not there, of another program, damaged or too new.
    """
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise to_file_error(path, error) from error
    try:
        with closing(sqlite3.connect(to_uri(path, "ro"), uri=True)) as connection:
            found = identify(connection)
            if found.is_empty:
                raise StoreError(f"{path}: is empty: nothing can be restored from it")
            check_usable(path, found)
            if step is not None:
                step(1.0)
                connection.set_progress_handler(lambda: _is_unwanted(step), _STATEMENT_STEPS)
            check_sound(path, connection)
            return Backup(path, found.schema, path.stat().st_size, _made_at(connection))
    except sqlite3.Error as error:
        raise to_store_error(path, error) from error


def _is_unwanted(step: Step) -> int:
    """Ends a statement of SQLite's where nobody wants its answer any more (1), else lets it go on."""
    try:
        step(1.0)
    except BaseException:  # noqa: BLE001 (SQLite's code is between us and whoever is to see it)
        return 1
    return 0


def _made_at(connection: sqlite3.Connection) -> str | None:
    sql = "SELECT value FROM fact WHERE name = ?"
    row = connection.execute(sql, (BACKED_UP_AT,)).fetchone()
    return str(row[0]) if row else connection.execute(_LAST_STAMP).fetchone()[0]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``replaced`` None: there was no database before."""

    backup: Backup
    replaced: Path | None


def restore(source: Path, database_path: Path, now: datetime, step: Step | None = None) -> Restored:
    """Puts a backup in the place of the state; the daemon must not run.

    The state before is kept beside it. At every moment of it a database stands in its place.

    Raises:
        StateInUseError: a daemon works with the state.
        StoreError: the backup can't be used, or there is no space; the state is as it was.
    """
    backup = inspect(source)
    try:
        database_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise to_file_error(database_path.parent, error) from error
    with hold_state(database_path):
        fresh = database_path.with_name(f".{database_path.name}.restored")
        copy_database(source, fresh, facts=_marks(backup, now), replace=True, step=step)
        try:
            give_to_owner_of(database_path.parent, fresh)
            replaced = _set_aside(database_path, now)
            fresh.replace(database_path)
            sync_file(database_path.parent)
        except OSError as error:
            raise to_file_error(database_path, error) from error
        finally:
            fresh.unlink(missing_ok=True)
    return Restored(backup, replaced)


def _marks(backup: Backup, now: datetime) -> Mapping[str, str]:
    return {
        RESTORED_AT: to_stamp(now),
        BACKED_UP_AT: backup.made_at or to_stamp(now),
        RESTORE_TURN: "new",
    }


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Keeps the present database under another name, and leaves it alone in its place.

    Its log must not stay: SQLite would play it into the restored file.
    """
    if not path.exists():
        for leftover in _companions(path):
            leftover.unlink(missing_ok=True)
        return None
    _fold_log_in(path)
    aside = path.with_name(f"{path.name}.replaced-{now.strftime('%Y%m%dT%H%M%SZ')}")
    if aside.exists():
        raise FileExistsError(17, "a database was set aside in this very second: try again")
    log, index = _companions(path)
    _duplicate(path, aside)
    if log.exists():
        _duplicate(log, Path(f"{aside}-wal"))
    sync_file(path.parent)
    log.unlink(missing_ok=True)
    index.unlink(missing_ok=True)
    return aside


def _companions(path: Path) -> tuple[Path, Path]:
    return Path(f"{path}-wal"), Path(f"{path}-shm")


def _fold_log_in(path: Path) -> None:
    with (
        suppress(sqlite3.Error),  # a damaged one is kept as it is, its log beside it
        closing(sqlite3.connect(to_uri(path, "rw"), uri=True)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _duplicate(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without hard links
        shutil.copy2(path, target)
        sync_file(target)
