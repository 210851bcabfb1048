"""The state in a schema of PostgreSQL."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio
from msgspec import Struct

from pagerforce.errors import StoreError
from pagerforce.host.state import DATABASE
from pagerforce.store.codec import to_stamp
from pagerforce.store.database import Database
from pagerforce.store.facts import BACKED_UP_AT
from pagerforce.store.postgresql.engine import Connect, Place, connect, open_prepared
from pagerforce.store.postgresql.migrate import has_schema, look, prepare
from pagerforce.store.postgresql.transfer import dump, load
from pagerforce.store.sqlite.backup import Backup, OpenCopy, Restored, judge, marks
from pagerforce.store.sqlite.copying import Step, private_file
from pagerforce.store.sqlite.engine import make_folder
from pagerforce.store.sqlite.given import open_given
from pagerforce.store.sqlite.migrate import prepare as prepare_file
from pagerforce.store.sqlite.trouble import to_file_error
from pagerforce.store.state import Server

_LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer names without an error


class PostgresqlState(Struct, frozen=True):
    """A state in PostgreSQL; see ``store.state.State``.

    Attributes:
        place: where it is.
        folder: for copies under way; None: the system's folder for temporary files.
        connect: opens a connection.
    """

    place: Place
    folder: Path | None = None
    connect: Connect = connect

    @property
    def name(self) -> str:
        """Its hosts, database and connection."""
        return self.place.name

    @asynccontextmanager
    async def open(self, *, read_only: bool = False) -> AsyncIterator[Database]:
        """Opens it; a writer creates it if needed, and copies it before a migration."""
        copy = None if self.folder is None else self._copy_before
        await prepare(self.place, self.connect, read_only=read_only, copy=copy)
        async with open_prepared(self.place, self.connect, read_only=read_only) as database:
            yield database

    async def _copy_before(self, target: int) -> None:
        """A copy in the state folder, as SQLite's migrations make one: it can be restored."""
        path = (self.folder or Path()) / f"{DATABASE}.before-schema-{target}"
        make_folder(path)
        with private_file(path, replace=True) as part:
            await dump(self.place, part, {}, is_older=True)
            judge(part, path)

    async def look(self) -> Server:
        """Looks at the server and at the settings of this user."""
        return await look(self.place)

    async def exists(self) -> bool:
        """Whether there is a schema of this connection; False if the server can't be asked."""
        try:
            return await has_schema(self.place)
        except StoreError:
            return False

    def check_rights(self, word: str, *, is_change: bool) -> None:
        """The server decides: a caller with its user and password may do everything."""

    def back_up(self, target: Path, now: datetime, step: Step | None = None) -> Backup:
        """Copies the state into a new file of SQLite."""
        facts = {BACKED_UP_AT: to_stamp(now)}
        return self._dump(target, facts, step, is_alone=False)

    def _dump(
        self, target: Path, facts: Mapping[str, str], step: Step | None, *, is_alone: bool
    ) -> Backup:
        with private_file(target) as part:
            anyio.run(partial(dump, self.place, part, facts, step, is_alone=is_alone))
            return judge(part, target, step)

    def copy_out(self, target: Path, step: Step | None = None) -> Backup:
        """Copies the state while nobody else may write to it."""
        return self._dump(target, {}, step, is_alone=True)

    def copy_in(self, source: Path, step: Step | None = None) -> None:
        """Makes a new schema from the file."""
        with self._scratch() as folder:
            path = folder / DATABASE
            with open_given(source, path) as given, private_file(path) as part:
                given.copy_into(part, None)
                judge(part, source)
            prepare_file(path, read_only=False)
            anyio.run(partial(load, self.place, path, {}, aside=None, step=step))

    def open_copy(self, now: datetime, step: Step) -> OpenCopy:
        """A checked copy to send to somebody else; it has no name any more."""
        with self._scratch() as folder:
            path = folder / DATABASE
            made = self.back_up(path, now, step)
            return OpenCopy(made, path.open("rb"))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A private folder, removed at the end."""
        if self.folder is not None:
            make_folder(self.folder / DATABASE)
        try:
            with tempfile.TemporaryDirectory(prefix=".pagerforce-", dir=self.folder) as name:
                yield Path(name)
        except OSError as error:
            raise to_file_error(self.folder or Path(tempfile.gettempdir()), error) from error

    def restore(self, source: Path, now: datetime, step: Step | None = None) -> Restored:
        """Replaces the state by a backup; the earlier one stays in a schema of another name."""
        with self._scratch() as folder:
            path = folder / DATABASE
            with open_given(source, path) as given, private_file(path) as part:
                given.copy_into(part, step)
                backup = judge(part, given.path)
            prepare_file(path, read_only=False)  # a backup of an older schema
            ending = f"_replaced_{now.strftime('%Y%m%dT%H%M%SZ')}"
            aside = self.place.schema[: _LONGEST_NAME - len(ending)] + ending
            facts = marks(backup, now)
            work = partial(load, self.place, path, facts, aside=aside, step=step)
            is_replaced = anyio.run(work)
        return Restored(backup, f"the schema {aside}" if is_replaced else None)

    def clear_copies(self) -> None:
        """Nothing: a copy has no name while it is sent."""
