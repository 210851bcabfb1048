"""The state of one connection as a whole: where it is, who may use it, how it is opened and copied."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from pagerforce.store.database import Database
from pagerforce.store.sqlite.backup import Backup, OpenCopy, Restored
from pagerforce.store.sqlite.copying import Step


class Server(Struct, frozen=True):
    """What ``check`` wants to know about the server of a state.

    Attributes:
        version: its name and version.
        unproved_by: the sslmode that does not prove the server's identity; ``""``: it is proved, or
            the server is on this host.
        off: settings that are off and make commits less than durable.
        has_standby: whether commits wait for a standby.
    """

    version: str
    unproved_by: str
    off: Sequence[str]
    has_standby: bool


class State(Protocol):
    """A state that is not open. ``name``: of its place, for messages."""

    @property
    def name(self) -> str:
        """Its place, for messages."""

    def open(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Database]:
        """Opens it; a writer holds it until the block ends, and creates and migrates it if needed.

        Raises:
            StoreError: it cannot be used; ``StateInUseError``: another process holds it.
        """

    async def look(self) -> Server | None:
        """Looks at the server; None for a file on this host.

        Raises:
            StoreError: it cannot be used.
        """

    async def exists(self) -> bool:
        """Whether it was created before, as far as this user and this host can see."""

    def check_rights(self, word: str, *, is_change: bool) -> None:
        """Checks that this user may use it without the daemon; ``word``: the command.

        Raises:
            ForbiddenError: this user may not do that.
            UnsafeFileError: one of its files must not be used.
        """

    def open_copy(self, now: datetime, step: Step) -> OpenCopy:
        """A checked copy to send to somebody else; see ``store.sqlite.backup.open_copy``."""

    def back_up(self, target: Path, now: datetime, step: Step | None = None) -> Backup:
        """Copies the state into a new file of SQLite, also while the daemon writes.

        Raises:
            StoreError: there is no state, the target exists, there is no space, or it is damaged.
        """

    def restore(self, source: Path, now: datetime, step: Step | None = None) -> Restored:
        """Replaces the state by a backup; the earlier state is kept under another name.

        Raises:
            StateInUseError: a daemon uses the state.
            StoreError: the backup can't be used, or there is no space; the state is unchanged.
        """

    def copy_out(self, target: Path, step: Step | None = None) -> Backup:
        """Copies the state of a stopped daemon into a new file of SQLite, to be moved.

        Raises:
            StateInUseError: a daemon uses the state.
            StoreError: there is no state, the target exists, there is no space, or it is damaged.
        """

    def copy_in(self, source: Path, step: Step | None = None) -> None:
        """Makes the state from a file of ``copy_out``; every row is compared afterwards.

        Raises:
            StoreError: there is a state already, or it failed; nothing is changed.
        """

    def clear_copies(self) -> None:
        """Removes what interrupted copies left. Only for the holder of the state."""
