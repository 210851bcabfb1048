"""The state in a file of SQLite on this host."""

import os
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from pagerforce.errors import ForbiddenError, StoreError
from pagerforce.host.state import check_state_files
from pagerforce.store.database import Database
from pagerforce.store.sqlite.backup import (
    Backup,
    OpenCopy,
    Restored,
    back_up,
    judge,
    open_copy,
    restore,
)
from pagerforce.store.sqlite.copying import Step, fill, private_file
from pagerforce.store.sqlite.engine import (
    CONNECT,
    IN_THREAD,
    Connect,
    RunBlocking,
    make_folder,
    open_database,
)
from pagerforce.store.sqlite.given import open_given
from pagerforce.store.sqlite.interrupted import clear_copies
from pagerforce.store.sqlite.lock import hold_state


class SqliteState(Struct, frozen=True):
    """A database file; see ``store.state.State``.

    Attributes:
        path: the file.
        connect: opens it.
        run_blocking: runs calls that wait for the disk.
    """

    path: Path
    connect: Connect = CONNECT
    run_blocking: RunBlocking = IN_THREAD

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    def open(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Database]:
        """Opens the file; see ``open_database``."""
        return open_database(
            self.path, read_only=read_only, connect=self.connect, run_blocking=self.run_blocking
        )

    async def look(self) -> None:
        """No server to look at."""

    async def exists(self) -> bool:
        """Whether there is a file of that name."""
        return os.path.lexists(self.path)  # noqa: ASYNC240 - a look at a local folder

    def check_rights(self, word: str, *, is_change: bool) -> None:
        """Readers of the file may read, only its owner and root may change it.

        Raises:
            ForbiddenError: this user may not do that.
            UnsafeFileError: the file, or one beside it, must not be used.
        """
        try:
            check_state_files(self.path)
            owner = self.path.lstat().st_uid
        except PermissionError as error:
            raise ForbiddenError(
                f"{self.path}: this user may not read it, and no daemon runs"
            ) from error
        except OSError:
            return  # it does not exist: opening it reports that
        if not os.access(self.path, os.R_OK):
            raise ForbiddenError(f"{self.path}: this user may not read it, and no daemon runs")
        if is_change and os.geteuid() not in (0, owner):
            raise ForbiddenError(
                f"without the daemon, {word} is for root and the service user (uid {owner}) only"
            )

    def open_copy(self, now: datetime, step: Step) -> OpenCopy:
        """A checked copy to send to somebody else."""
        return open_copy(self.path, now, step)

    def back_up(self, target: Path, now: datetime, step: Step | None = None) -> Backup:
        """Copies the file; see ``store.sqlite.backup.back_up``."""
        return back_up(self.path, target, now, step)

    def restore(self, source: Path, now: datetime, step: Step | None = None) -> Restored:
        """Replaces the file; see ``store.sqlite.backup.restore``."""
        return restore(source, self.path, now, step)

    def copy_out(self, target: Path, step: Step | None = None) -> Backup:
        """Copies the file while nobody else may write to it."""
        if not os.path.lexists(self.path):
            raise StoreError(f"{self.path}: there is no state database to copy")
        with hold_state(self.path), private_file(target) as part:
            fill(part, self.path, step=step)
            return judge(part, target, step)

    def copy_in(self, source: Path, step: Step | None = None) -> None:
        """Puts the file in its place; bytes are the rows here."""
        make_folder(self.path)
        with open_given(source, self.path) as given, private_file(self.path) as part:
            given.copy_into(part, step)
            judge(part, source)
            part.folder.give(part.handle)

    def clear_copies(self) -> None:
        """Removes unfinished copies, and copies that were not sent."""
        clear_copies(self.path)
