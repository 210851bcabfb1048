"""Migrates a database to the schema of this program, or says why it cannot.

The scripts in ``migrations/`` are numbered. Each runs in one transaction together with its number
(``PRAGMA user_version``), so that a failed script leaves the previous schema and data. A database
with content is copied before it is migrated: that copy is the way back.

Synchronous: :func:`prepare` runs before the daemon's connection is opened, in a separate thread.
"""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from msgspec import Struct

from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.store.sqlite.copying import copy_database, distrust, to_uri
from pagerforce.store.sqlite.reading import access_mode
from pagerforce.store.sqlite.trouble import copies_beside, damaged, to_store_error

APPLICATION_ID = 0x50474643  # "PGFC", in the file's header (file(1) shows it)
_COPIES_KEPT = 2
_CHECKED_BYTES = 64 * 1024 * 1024  # a full check of this size takes well under a second
_BUSY_SECONDS = 10.0
_PAGE_BYTES = 8192  # two to four events of the journal, see ADR 10


class Identity(Struct, frozen=True):
    """The identity of a file.

    Attributes:
        application_id: 0 if it was never set.
        schema: 0 for an empty file.
        tables: names of the tables in it.
    """

    application_id: int
    schema: int
    tables: frozenset[str]

    @property
    def is_ours(self) -> bool:
        """Whether pagerforce wrote it. Schema 1 did not mark its files yet."""
        if self.application_id:
            return self.application_id == APPLICATION_ID
        return self.schema > 0 and {"fact", "cursor", "event", "action"} <= self.tables

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever stored in it."""
        return not (self.application_id or self.schema or self.tables)


def migrations() -> dict[int, str]:
    """The scripts that create the schema, by number, oldest first."""
    folder = resources.files("pagerforce.store.sqlite") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return {int(name.split("_", 1)[0]): (folder / name).read_text("utf-8") for name in names}


def known_schema() -> int:
    """The schema of this program: the number of the newest script."""
    return max(migrations())


def identify(connection: sqlite3.Connection) -> Identity:
    """The identity of a connection's file; raises ``sqlite3.Error``."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return Identity(application_id, schema, frozenset(name for (name,) in rows))


def check_usable(path: Path, found: Identity) -> None:
    """Refuses a database of another program or of a later pagerforce.

    Raises:
        StoreError: it belongs to another program.
        SchemaTooNewError: a later pagerforce wrote it; the message names the way back.
    """
    if found.is_empty:
        return
    known = known_schema()
    if not found.is_ours:
        raise StoreError(
            f"{path}: is a database of another program; name another folder in daemon.state_dir, "
            "or move the file away"
        )
    if found.schema > known:
        raise SchemaTooNewError(
            f"{path}: was written by a later pagerforce (schema {found.schema}, this one knows "
            f"{known}): install that version again{_way_back(path, known)}"
        )


def _way_back(path: Path, known: int) -> str:
    """The copy from before the migration to the newer schema, if it still exists."""
    for copy in copies_beside(path):
        with closing(_connect(copy, "ro")) as connection:
            try:
                schema = identify(connection).schema
            except sqlite3.Error:
                continue  # no copy by pagerforce, or a damaged one: no way back
        if 0 < schema <= known:
            return (
                f", or go back with 'pagerforce restore {copy}' (schema {schema}; changes "
                "since then are read again)"
            )
    return ", or restore a backup of that time with 'pagerforce restore FILE'"


def check_sound(path: Path, connection: sqlite3.Connection) -> None:
    """Reads the whole file once and checks its structure.

    Raises:
        StoreDamagedError: it is damaged.
    """
    try:
        rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        raise to_store_error(path, error) from error
    if rows != [("ok",)]:
        raise damaged(path, str(rows[0][0]))


def prepare(path: Path, *, read_only: bool) -> None:
    """Checks a database and, unless read only, migrates it.

    Raises:
        StoreError: it cannot be used; it is unchanged.
    """
    try:
        with closing(_connect(path, access_mode(path) if read_only else "rw")) as connection:
            found = identify(connection)
            check_usable(path, found)
            if read_only and found.schema < known_schema():
                raise StoreError(
                    f"{path}: has an older schema; start the daemon once to migrate it"
                )
            if not read_only:
                if path.stat().st_size <= _CHECKED_BYTES:
                    check_sound(path, connection)
                _migrate(path, connection, found)
    except sqlite3.Error as error:
        raise to_store_error(path, error) from error
    except UnicodeDecodeError as error:  # SQLite's message quotes the file's content
        raise damaged(path, "a text in it is not UTF-8") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = to_uri(path, mode)
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    distrust(connection)
    return connection


def _migrate(path: Path, connection: sqlite3.Connection, found: Identity) -> None:
    if found.is_empty:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # has no effect on other files
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    due = {number: script for number, script in migrations().items() if number > found.schema}
    if not due:
        return
    copy = None if found.is_empty else _copy_before(path, known_schema())
    reached = found.schema
    for number, script in due.items():
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            kept = f"; a copy is in {copy}" if copy else ""
            why = to_store_error(path, error)
            raise type(why)(
                f"{why}; the migration to schema {number} was undone and nothing is lost: it is at "
                f"schema {reached}{kept}"
            ) from error
        reached = number


def create_tables(connection: sqlite3.Connection, schema: int) -> None:
    """Creates a schema that this program knows in an empty file."""
    for number, script in migrations().items():
        if number <= schema:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


def _copy_before(path: Path, target: int) -> Path:
    """A copy of the database before its migration; of older copies only the newest stays."""
    copy = path.with_name(f"{path.name}.before-schema-{target}")
    copy_database(path, copy, replace=True)
    for old in copies_beside(path)[_COPIES_KEPT:]:
        old.unlink()
    return copy
