"""Root works on another user's state folder with something planted in the place of each file.

No command may harm root's files, hang, or use such a file; each says which file it is.
"""

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
import tomli_w

from abuse.planted import (
    KINDS,
    OWNER,
    Root,
    Victim,
    clear,
    give,
    needs_root,
    plant,
    reachable_folder,
    start_root,
)
from pagerforce.sandbox.running import open_sandbox
from pagerforce.store.sqlite.backup import back_up
from pagerforce.store.sqlite.engine import open_database

pytestmark = needs_root

ABUSE = int(os.environ.get("ABUSE", "1"))
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DATABASE = ("pagerforce.db", "pagerforce.db-wal", "pagerforce.db-shm", "pagerforce.db-journal")
LOCK = "pagerforce.lock"

READING = {
    "backup": ("backup", "{out}"),
    "status": ("status", "--json"),
    "log": ("log", "--json"),
    "links list": ("links", "list", "--json"),
}
CHANGING = {
    "restore": ("restore", "{backup}"),
    "links remove": ("links", "remove", "PX", "a0R000000000001"),
    "failed retry": ("failed", "retry", "a123"),
    "run": ("run",),
}
CHECKING = {"check": ("check", "--offline")}


@dataclass
class Host:
    """A configuration of root's, a state folder of another user, and other files of root's."""

    folder: Path
    root: Root

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def victim(self) -> Victim:
        place = self.folder / "root"
        clear(place)
        return Victim(place)

    def fresh(self) -> None:
        """The original state, without what an earlier command wrote."""
        clear(self.state)
        clear(self.folder / "out")
        shutil.copy(self.folder / "pristine.db", self.state / "pagerforce.db")
        (self.state / "pagerforce.db").chmod(0o600)
        give(self.state)

    def ask(self, words: tuple[str, ...]) -> tuple[int | str, str, str]:
        places = {"out": self.folder / "out/copy.db", "backup": self.folder / "backup.db"}
        filled = [word.format(**places) for word in words]
        return self.root(*filled, "--config", str(self.folder / "etc/config.toml"))


async def lay_out(folder: Path) -> None:
    for name in ("etc", "root", "out", "state"):
        (folder / name).mkdir()
    async with open_sandbox(folder / "etc") as desk:
        table = tomllib.loads(desk.config.read_text())
    table["daemon"] |= {"state_dir": str(folder / "state"), "control_socket": ""}
    table["metrics"]["listen"] = ""
    (folder / "etc/config.toml").write_text(tomli_w.dumps(table))
    async with open_database(folder / "pristine.db"):
        pass
    back_up(folder / "pristine.db", folder / "backup.db", NOW)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with reachable_folder() as name:
        folder = Path(name)
        folder.chmod(0o755)
        anyio.run(lay_out, folder)
        with start_root() as process:
            yield Host(folder, Root(process))


def as_it_is(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    return (
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_nlink,
        found.st_size,
        found.st_mtime_ns,
    )


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in folder.iterdir()}


def test_valid_files_work_and_all_written_files_are_the_owners(host):
    host.fresh()
    assert host.ask(CHANGING["restore"])[0] == 0
    assert owners(host.state) == {OWNER.pw_uid}
    for word, words in (READING | CHECKING).items():
        code, out, err = host.ask(words)
        assert code == 0, (word, out, err)
        assert owners(host.state) == {OWNER.pw_uid}, word
    copy = (host.folder / "out/copy.db").stat()
    assert (copy.st_uid, stat.S_IMODE(copy.st_mode)) == (0, 0o600)
    for word in ("links remove", "failed retry"):
        code, out, err = host.ask(CHANGING[word])
        assert code == 1, (word, out, err)
        assert "are not linked" in err or "there is no action" in err, err
        assert owners(host.state) == {OWNER.pw_uid}, word


def share(name: str, kind: str) -> dict[str, tuple[str, ...]]:
    """The commands to try: all with ABUSE=2; else a third, so that each name and each kind is tried."""
    commands = READING | CHANGING | CHECKING
    if ABUSE > 1:
        return commands
    first = (DATABASE.index(name) + KINDS.index(kind)) % 3
    return {word: commands[word] for word in list(commands)[first::3]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DATABASE)
def test_a_file_of_the_database_that_is_invalid(host, name, kind):
    for word, words in share(name, kind).items():
        host.fresh()
        victim = host.victim
        plant(kind, host.state / name, victim)
        before = as_it_is(host.state / name)
        code, out, err = host.ask(words)
        victim.assert_unharmed((word, out, err))
        assert code == 1, (word, out, err)
        assert str(host.state / name) in out + err, (word, out, err)
        assert as_it_is(host.state / name) == before, word
        assert not (host.folder / "out/copy.db").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_is_invalid(host, kind):
    for word, words in (CHANGING | CHECKING).items():
        host.fresh()
        victim = host.victim
        plant(kind, host.state / LOCK, victim)
        before = as_it_is(host.state / LOCK)
        code, out, err = host.ask(words)
        victim.assert_unharmed((word, out, err))
        assert code == 1, (word, out, err)
        assert str(host.state / LOCK) in out + err, (word, out, err)
        assert as_it_is(host.state / LOCK) == before, word
