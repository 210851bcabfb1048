"""No space, no permission, a damaged file: nothing is lost or done twice, and the error says what to do."""

import errno
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager

import anyio
import pytest

from engines import IS_POSTGRESQL
from pagerforce.errors import StoreDamagedError, StoreError, StoreUnavailableError
from pagerforce.pipeline import deliver
from pagerforce.store import facts
from pagerforce.store.sqlite import engine as sqlite_engine
from pagerforce.store.sqlite.engine import open_database
from pagerforce.store.sqlite.trouble import to_store_error
from rig import open_rig
from storage.faulty import sqlite_error, watched
from storage.story import ACTS, Story, check, check_state


class EveryStatement:
    """Fails every statement of every transaction once, also in what follows the same statements.

    ``renew`` lets all of them fail again.
    """

    def __init__(self, name):
        self._name = name
        self._failed = set()
        self._so_far = ()
        self.hits = 0
        self.is_over = False

    async def __call__(self, sql, number):
        self._so_far = (*self._so_far[: number - 1], sql)
        if self._so_far not in self._failed and not self.is_over:
            self._failed.add(self._so_far)
            self.hits += 1
            raise sqlite_error(self._name)

    def renew(self):
        self._failed.clear()


async def persist(task):
    """Like the loops: a failed turn is followed by another."""
    while True:
        try:
            return await task()
        except StoreUnavailableError:
            continue


of_a_file = pytest.mark.skipif(IS_POSTGRESQL, reason="fills the file system of SQLite's file")


@pytest.fixture
def short_waits(monkeypatch):
    # The waits between attempts to store an outcome use the real clock, not the rig's.
    monkeypatch.setattr(deliver, "_FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(deliver, "_LONGEST_WAIT_SECONDS", 0.01)


async def test_every_statement_of_a_life_fails_once(tmp_path, short_waits):
    fault = EveryStatement("SQLITE_FULL")
    async with open_rig(tmp_path) as rig, watched(rig, before=fault) as daemon:
        story = Story(rig)
        for number in range(ACTS):
            story.act(number)
            fault.renew()
            for _ in range(2):
                rig.advance(3)
                await persist(daemon.parts.pagerduty_reader.poll)
                await persist(daemon.parts.salesforce_reader.poll)
                hits = -1
                while (
                    hits < fault.hits
                ):  # each attempt ends with its first fault, and waits a moment
                    hits = fault.hits
                    await daemon.deliver()
                    rig.advance(2.1)
        fault.is_over = True
        await daemon.step(3)
        assert fault.hits > 100
        check(rig)
        await check_state(daemon)


@contextmanager
def small_disk(folder, kilobytes):
    """A file system of that size, mounted on a folder."""
    folder.mkdir()
    size = f"size={kilobytes}k,mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder):
    """Uses all the free space."""
    ballast = folder / "ballast"
    with suppress_no_space(), ballast.open("wb") as stream:
        while True:
            stream.write(b"\0" * 4096)
            stream.flush()
    return ballast


@contextmanager
def suppress_no_space():
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@pytest.mark.skipif(
    shutil.which("mount") is None or os.geteuid() != 0, reason="needs root to mount"
)
@of_a_file
async def test_a_life_on_a_disk_that_is_full_for_a_while(tmp_path, short_waits):
    async with open_rig(tmp_path) as rig:
        with small_disk(tmp_path / "state", 4096):
            async with rig.daemon() as daemon:
                story = Story(rig)
                failed = 0
                for number in range(ACTS):
                    ballast = fill_up(tmp_path / "state")
                    story.act(number)
                    with pytest.raises(StoreUnavailableError, match="no space left"):
                        async with daemon.parts.database.write() as tx:
                            await facts.put_fact(tx, "big", "x" * 5_000_000)
                    for turn in (daemon.poll, daemon.poll, daemon.deliver):
                        try:
                            rig.advance(3)
                            await turn()
                        except StoreUnavailableError:
                            failed += 1
                    ballast.unlink()
                    await daemon.step(2, seconds=3)
                assert failed > 0, "the log had grown too large before: nothing was tested"
                await daemon.step(3)
                async with daemon.parts.database.read() as tx:
                    assert await facts.find_fact(tx, "big") is None
                check(rig)
                await check_state(daemon)


async def test_nothing_is_sent_that_cannot_be_recorded(tmp_path):
    """The disk is full when the attempt must be stored: the creation waits."""

    async def refuse(sql, number):
        if is_full and sql.startswith("UPDATE action SET state = 'in_flight'"):
            raise sqlite_error("SQLITE_FULL")

    is_full = True
    async with open_rig(tmp_path) as rig, watched(rig, before=refuse) as daemon:
        rig.open_record(priority="1")
        await daemon.step(3)
        assert rig.incidents() == []
        is_full = False
        await daemon.step(3)
        assert len(rig.incidents()) == 1


async def test_what_was_sent_is_recorded_when_there_is_space_again(tmp_path, short_waits):
    """The disk is full when the outcome must be stored: the creation is not sent again meanwhile."""

    async def refuse(sql, number):
        nonlocal left
        if left and sql.startswith("UPDATE action SET state = ?"):
            left -= 1
            raise sqlite_error("SQLITE_FULL")

    left = 20
    async with open_rig(tmp_path) as rig, watched(rig, before=refuse) as daemon:
        rig.open_record(priority="1")
        await daemon.step(3)
        assert left == 0
        assert len(rig.incidents()) == 1
        assert len(await daemon.links()) == 1
        (action,) = [x for x in await daemon.actions() if x["action"].endswith("create_incident")]
        assert action["outcome"] == "delivered"


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("SQLITE_FULL", StoreUnavailableError, "no space left"),
        ("SQLITE_IOERR_WRITE", StoreUnavailableError, "no space left"),
        ("SQLITE_BUSY", StoreUnavailableError, "keeps it locked"),
        ("SQLITE_LOCKED", StoreUnavailableError, "keeps it locked"),
        ("SQLITE_CORRUPT", StoreDamagedError, "pagerforce restore FILE"),
        ("SQLITE_NOTADB", StoreDamagedError, "pagerforce restore FILE"),
        ("SQLITE_READONLY", StoreError, "read-only"),
        ("SQLITE_CANTOPEN", StoreError, "cannot be opened"),
        ("SQLITE_IOERR_FSYNC", StoreError, "kernel's log"),
    ],
)
def test_each_error_says_what_to_do(tmp_path, name, kind, said):
    error = to_store_error(tmp_path / "pagerforce.db", sqlite_error(name))
    assert type(error) is kind
    assert said in str(error)
    assert str(tmp_path / "pagerforce.db") in str(error)


async def test_a_locked_database_is_reported_and_works_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_engine, "BUSY_SECONDS", 0.05)
    path = tmp_path / "p.db"
    async with open_database(path) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked"):
                async with database.write() as tx:
                    await facts.put_fact(tx, "a", "1")
        async with database.write() as tx:
            await facts.put_fact(tx, "a", "2")
        async with database.read() as tx:
            assert await facts.find_fact(tx, "a") == "2"


async def test_a_damaged_database_names_the_way_back(tmp_path):
    path = tmp_path / "pagerforce.db"
    async with open_database(path) as database, database.write() as tx:
        for number in range(2000):
            await facts.put_fact(tx, f"fact {number}", "x" * 100)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = os.urandom(20_000)
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match="pagerforce restore FILE"):
        async with open_database(path):
            pass


async def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"file"):
        async with open_database(tmp_path / "file" / "pagerforce.db"):
            pass


@pytest.mark.skipif(
    shutil.which("mount") is None or os.geteuid() != 0, reason="needs root to mount"
)
async def test_a_file_system_gone_read_only_is_reported(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, 4096):
        async with open_database(disk / "p.db") as database:
            async with database.write() as tx:
                await facts.put_fact(tx, "a", "1")
        await anyio.run_process(["mount", "-o", "remount,ro", str(disk)])
        with pytest.raises(StoreError, match=r"[Rr]ead-only"):
            async with open_database(disk / "p.db"):
                pass
