"""``backup`` and ``restore``: a consistent copy of the state, and its return.

A restored database knows less than both sides show. ``store/restored.py`` handles the consequences;
here it is only marked.

Synchronous, on files: also for a command line that runs without the daemon.
"""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import StoreError, StoreUnavailableError
from pagerforce.host.files import Folder, open_folder
from pagerforce.host.rights import rights_of
from pagerforce.host.state import COMPANIONS, check_state_files
from pagerforce.model.value import parse_instant
from pagerforce.store.codec import to_stamp
from pagerforce.store.facts import BACKED_UP_AT, RESTORE_TURN, RESTORED_AT
from pagerforce.store.sqlite.copying import (
    Part,
    Step,
    distrust,
    fill,
    private_file,
    put_facts,
    to_uri,
)
from pagerforce.store.sqlite.given import Given, open_given
from pagerforce.store.sqlite.interrupted import SENT, clear_copies, undo_interrupted_restore
from pagerforce.store.sqlite.lock import hold_state
from pagerforce.store.sqlite.migrate import check_sound, check_usable, identify
from pagerforce.store.sqlite.schema import compare_schema
from pagerforce.store.sqlite.trouble import damaged, to_file_error, to_store_error

_RESERVE_BYTES = 256 * 1024 * 1024  # what must stay free for the daemon's own work
_STATEMENT_STEPS = 1_000_000  # some milliseconds
_LARGEST_VALUE = 64 * 1024 * 1024  # no row of pagerforce comes near it
# The latest time in a file that was copied by other means: not later than the copy.
_LAST_STAMP = "SELECT CAST(max(seen_at) AS BLOB) FROM event"


class Backup(Struct, frozen=True):
    """A sound backup: its file, schema version, size, and time.

    ``made_at`` None: nothing had happened yet, or the file was not created by ``backup``.
    """

    path: Path
    schema: int
    size_bytes: int
    made_at: str | None


def back_up(database_path: Path, target: Path, now: datetime, step: Step | None = None) -> Backup:
    """Copies the state, also while the daemon writes; the copy gets its name after it was checked.

    Args:
        database_path: the state database.
        target: the new file, mode 0600; its folder must exist.
        now: the time to store in the copy.
        step: called with the progress; an exception from it ends the work and leaves no file.

    Raises:
        StoreError: there is no state, the target exists, there is no space, or the state is damaged.
    """
    _check_files(database_path)
    if not os.path.lexists(database_path):
        raise StoreError(f"{database_path}: there is no state database to copy")
    with private_file(target) as part:
        fill(part, database_path, {BACKED_UP_AT: to_stamp(now)}, step)
        return replace(judge(part, database_path, step), path=target)


def _check_files(database_path: Path) -> None:
    try:
        check_state_files(database_path)
    except FileNotFoundError:
        return  # the folder does not exist either
    except OSError as error:
        raise to_file_error(database_path, error) from error


class OpenCopy(Struct, frozen=True):
    """A copy without a name: closing ``stream`` deletes it."""

    backup: Backup
    stream: BinaryIO


def open_copy(database_path: Path, now: datetime, step: Step) -> OpenCopy:
    """A checked copy to send to somebody else, created in the state's folder.

    One at a time: ``clear_copies`` removes what a killed process left.

    Raises:
        StoreError: as ``back_up``; or the daemon would not keep enough space for its work.
    """
    with rights_of(database_path.parent):
        clear_copies(database_path)
        _need_space(database_path)
        path = database_path.with_name(database_path.name + SENT)
        made = back_up(database_path, path, now, step)
        try:
            return OpenCopy(made, path.open("rb"))
        finally:
            path.unlink()


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


def judge(part: Part, named: Path, step: Step | None = None) -> Backup:
    """Checks that a copy is a sound pagerforce database that this version can use.

    Args:
        part: the copy.
        named: its name in messages.
        step: called with the progress.

    Raises:
        StoreError: it is of another program, damaged, too new, or contains foreign objects.
    """
    try:
        with part.connect() as connection:
            return _look_into(connection, named, os.fstat(part.handle).st_size, step)
    except sqlite3.Error as error:
        raise to_store_error(named, error) from error
    except UnicodeDecodeError as error:  # SQLite's message quotes the file's content
        raise damaged(named, "a text in it is not UTF-8") from error


def _look_into(connection: sqlite3.Connection, named: Path, size: int, step: Step | None) -> Backup:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    found = identify(connection)
    if found.is_empty:
        raise StoreError(f"{named}: is empty: nothing can be restored from it")
    check_usable(named, found)
    foreign = compare_schema(connection, found.schema)
    if foreign:
        raise StoreError(
            f"{named}: {foreign}. 'pagerforce restore' accepts only what the migrations create: "
            "remove it by hand (sqlite3), or use another backup"
        )
    if step is not None:
        step(1.0)
        connection.set_progress_handler(lambda: _is_unwanted(step), _STATEMENT_STEPS)
    check_sound(named, connection)
    return Backup(named, found.schema, size, _made_at(named, connection))


def _is_unwanted(step: Step) -> int:
    """Returns 1, which ends a statement of SQLite, if its answer is no longer wanted; else 0."""
    try:
        step(1.0)
    except BaseException:  # noqa: BLE001 (it can't pass through SQLite's code)
        return 1
    return 0


def _made_at(named: Path, connection: sqlite3.Connection) -> str | None:
    sql = "SELECT CAST(value AS BLOB) FROM fact WHERE name = ?"
    row = connection.execute(sql, (BACKED_UP_AT,)).fetchone()
    (stamp,) = row or connection.execute(_LAST_STAMP).fetchone()
    if stamp is None:
        return None
    try:
        text = str(stamp, "ascii")
        parse_instant(text)
    except ValueError as error:
        raise StoreError(f"{named}: has no creation time: restore another backup") from error
    return text


class Restored(Struct, frozen=True):
    """The result of a restore. ``replaced``: where the earlier state is; None: there was none."""

    backup: Backup
    replaced: str | None


def restore(source: Path, database_path: Path, now: datetime, step: Step | None = None) -> Restored:
    """Replaces the state by a backup; the daemon must not run.

    The previous state is kept beside it. There is a database under the state's name at every
    moment.

    Raises:
        StateInUseError: a daemon uses the state.
        StoreError: the backup can't be used, or there is no space; the state is unchanged.
    """
    with open_given(source, database_path) as given:
        try:
            database_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise to_file_error(database_path.parent, error) from error
        with rights_of(database_path.parent), hold_state(database_path):
            return _restore(given, database_path, now, step)


def _restore(given: Given, database_path: Path, now: datetime, step: Step | None) -> Restored:
    undo_interrupted_restore(database_path)
    _check_files(database_path)
    clear_copies(database_path)
    with private_file(database_path, replace=True) as part:
        given.copy_into(part, step)
        backup = judge(part, given.path)
        try:
            put_facts(part, marks(backup, now))
        except sqlite3.Error as error:
            raise to_store_error(database_path, error) from error
        part.folder.give(part.handle)
        replaced = _set_aside(database_path, now)
    return Restored(backup, None if replaced is None else str(replaced))


def marks(backup: Backup, now: datetime) -> Mapping[str, str]:
    """The facts of a restored state, for ``store/restored.py``."""
    return {
        RESTORED_AT: to_stamp(now),
        BACKED_UP_AT: backup.made_at or to_stamp(now),
        RESTORE_TURN: "new",
    }


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Keeps the current database under another name, without its log.

    The log must not stay: SQLite would apply it to the restored file.
    """
    with open_folder(path.parent) as folder:
        if folder.look(path.name) is None:
            _remove_companions(folder, path.name)
            return None
        _fold_log_in(path)
        aside = f"{path.name}.replaced-{now.strftime('%Y%m%dT%H%M%SZ')}"
        if folder.look(aside) is not None:
            raise StoreError(
                f"{path.with_name(aside)}: a database of this second was kept already: try again"
            )
        _duplicate(folder, path.name, aside)
        if folder.look(f"{path.name}-wal") is not None:
            _duplicate(folder, f"{path.name}-wal", f"{aside}-wal")
        folder.sync()
        _remove_companions(folder, path.name)
    return path.with_name(aside)


def _remove_companions(folder: Folder, name: str) -> None:
    for suffix in COMPANIONS:
        folder.unlink(name + suffix)


def _fold_log_in(path: Path) -> None:
    with (
        suppress(
            sqlite3.Error, UnicodeDecodeError
        ),  # a damaged one is kept unchanged, with its log
        closing(sqlite3.connect(to_uri(path, "rw"), uri=True)) as connection,
    ):
        distrust(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _duplicate(folder: Folder, name: str, other: str) -> None:
    try:
        folder.link(name, other)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with folder.read(name) as origin, os.fdopen(folder.create(other, 0o600), "wb") as copy:
            shutil.copyfileobj(origin, copy)
            folder.give(copy.fileno())
            copy.flush()
            os.fsync(copy.fileno())
