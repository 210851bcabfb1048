"""A consistent copy of a database in one private file: complete and on the disk, or absent.

It uses SQLite's backup API over a separate connection, within one reading transaction. In WAL mode
this reads one state of the database and blocks no writer. (Without the transaction each write of
the daemon would restart the copying.)
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from pagerforce.errors import StoreError
from pagerforce.host.files import Folder, open_folder
from pagerforce.host.rights import rights_of
from pagerforce.host.state import COMPANIONS
from pagerforce.store.sqlite.trouble import is_about_content, to_file_error, to_store_error

Step = Callable[[float], None]
"""Called repeatedly with the share that is done, 0 to 1; an exception from it ends the work."""

_PAGES_AT_ONCE = 2048  # 8 MB: some milliseconds, then a caller can cancel
_VERSIONS_AT, _NO_LOG = 18, b"\x01\x01"  # https://www.sqlite.org/fileformat2.html, 1.3.3


def to_uri(path: Path, mode: str) -> str:
    """SQLite's URI of a file; ``mode``: ``ro`` or ``rw``, which never create the file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def distrust(connection: sqlite3.Connection) -> None:
    """Forbids harmful calls from a file's schema, and has damaged pages detected."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


class Part(Struct, frozen=True):
    """A private file that does not have its final name yet.

    Attributes:
        path: its current place.
        target: its final name.
        handle: its descriptor, open for writing until it has that name.
        folder: the folder of both names.
    """

    path: Path
    target: Path
    handle: int
    folder: Folder

    @contextmanager
    def beside(self, suffix: str) -> Iterator[int]:
        """A new file of SQLite beside it, open for writing within the block; raises ``OSError``."""
        handle = self.folder.create(self.path.name + suffix, 0o600)
        try:
            yield handle
        finally:
            os.close(handle)

    def stream(self) -> BinaryIO:
        """The file, for writing."""
        return os.fdopen(os.dup(self.handle), "wb")

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection to it; no file is created beside it.

        SQLite opens it by name. Before a byte is read or written, the descriptors of the process
        prove that it is this very file, and not another one that somebody put in its place.

        Raises:
            StoreError: another file has replaced it.
        """
        before = self._open_handles()
        connection = sqlite3.connect(to_uri(self.path, "rw"), uri=True, isolation_level=None)
        with closing(connection):
            if self._open_handles() <= before:
                raise StoreError(f"{self.path}: somebody has put another file in its place")
            distrust(connection)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = MEMORY")
            yield connection

    def _open_handles(self) -> int:
        """How many descriptors of this process refer to the file."""
        own, found = os.fstat(self.handle), 0
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (only names are needed)
            with suppress(OSError):  # the listing's own descriptor
                found += os.path.samestat(os.fstat(int(name)), own)
        return found

    def end_log(self) -> None:
        """Removes the write-ahead log from its format, so that readers need not create files."""
        os.pwrite(self.handle, _NO_LOG, _VERSIONS_AT)


def copy_database(source: Path, target: Path, *, replace: bool = False) -> None:
    """Copies a database within the state folder, also while it is written to.

    Args:
        source: the database.
        target: the place of the copy; it gets mode 0600 and the folder's owner.
        replace: replace a file of that name; otherwise that is an error.

    Raises:
        StoreError: it failed; the target is unchanged.
    """
    with private_file(target, replace=replace) as part:
        fill(part, source)
        part.folder.give(part.handle)


def fill(
    part: Part, source: Path, facts: Mapping[str, str] | None = None, step: Step | None = None
) -> None:
    """Copies a database into a private file.

    Args:
        part: the file.
        source: the database; root opens it with the rights of its folder's owner.
        facts: rows for the copy's table of facts.
        step: called with the progress.

    Raises:
        StoreError: it failed.
    """

    def told(_: int, remaining: int, total: int) -> None:
        if step is not None:
            step(1 - remaining / total if total else 1.0)

    try:
        with _reading(source) as origin, part.connect() as into:
            origin.backup(into, pages=_PAGES_AT_ONCE, progress=told)
        part.end_log()
        if facts:
            put_facts(part, facts)
    except sqlite3.Error as error:
        where = source if is_about_content(error) else part.target
        raise to_store_error(where, error) from error


def put_facts(part: Part, facts: Mapping[str, str]) -> None:
    """Stores facts in a copy; raises ``sqlite3.Error``."""
    with part.connect() as into:
        into.executemany(
            "INSERT INTO fact (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            list(facts.items()),
        )


@contextmanager
def _reading(source: Path) -> Iterator[sqlite3.Connection]:
    """A reading transaction; all of its files are open when the block begins."""
    with rights_of(source.parent):
        origin = sqlite3.connect(to_uri(source, "ro"), uri=True, isolation_level=None)
    try:
        with rights_of(source.parent):
            distrust(origin)
            origin.execute("BEGIN")
            # fixes the state to copy
            origin.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield origin
    finally:
        with rights_of(source.parent):  # the last connection to close removes the log
            origin.close()


@contextmanager
def private_file(target: Path, *, replace: bool = False) -> Iterator[Part]:
    """An empty file of mode 0600 beside the target, to be filled within the block.

    After the block it is on the disk and gets the target's name; if the block raises, it is
    deleted. Links are never followed, because others who may write to the folder could point them
    anywhere.

    Raises:
        StoreError: the target exists and ``replace`` is not set, or the file system refuses.
    """
    try:
        with open_folder(target.parent) as folder:
            part, handle = folder.create_part(target.name)
            try:
                yield Part(target.with_name(part), target, handle, folder)
                os.fsync(handle)
                _put_in_place(folder, part, target, replace=replace)
                _must_be(folder, target, handle)
                folder.sync()
            finally:
                os.close(handle)
                for suffix in ("", *COMPANIONS):
                    folder.unlink(part + suffix)
    except FileExistsError as error:
        raise StoreError(f"{target}: exists already; name another file") from error
    except OSError as error:
        raise to_file_error(target, error) from error


def _put_in_place(folder: Folder, part: str, target: Path, *, replace: bool) -> None:
    if replace:
        folder.rename(part, target.name)
        return
    try:
        folder.link(part, target.name)  # unlike a rename, it never replaces another file
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        if folder.look(target.name) is not None:
            raise FileExistsError(17, "File exists", str(target)) from None
        folder.rename(part, target.name)


def _must_be(folder: Folder, target: Path, handle: int) -> None:
    found = folder.look(target.name)
    if found is None or not os.path.samestat(found, os.fstat(handle)):
        raise StoreError(f"{target}: somebody has put another file in its place")
