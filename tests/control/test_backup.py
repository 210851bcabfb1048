"""``backup`` over the control socket: for an administrator without read access to the state file."""

import json
import sqlite3
import stat
from contextlib import asynccontextmanager, closing

import anyio
import pytest

from control.kit import open_office
from engines import IS_POSTGRESQL
from pagerforce.cli import backup as command_module
from pagerforce.errors import PagerforceError, StoreError, StoreUnavailableError
from pagerforce.service.control import server
from pagerforce.service.control.answer import data_line
from pagerforce.service.control.client import call_daemon
from pagerforce.service.control.listener import bind_socket, listen
from pagerforce.service.control.server import build_control_app
from pagerforce.store.sqlite import backup as store_backup
from pagerforce.store.sqlite.backup import restore
from rig import open_rig

pytestmark = pytest.mark.skipif(
    IS_POSTGRESQL, reason="about the state's file and what lies beside it"
)


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "control.sock"


@asynccontextmanager
async def served(folder, path):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        await rig.paged(daemon)
        async with listen(build_control_app(office.home), bind_socket(path), path):
            yield office, daemon


def in_thread(task, *args):
    return anyio.to_thread.run_sync(task, *args)


class Taken:
    """What a caller receives."""

    def __init__(self):
        self.content, self.told = bytearray(), []

    def ask(self, path):
        return call_daemon(path, "backup", {}, lambda *said: self.told.append(said), self.take)

    def take(self, chunk):
        self.content += chunk


def left_in_state(daemon):
    folder = daemon.parts.state.path.parent
    return {x.name for x in folder.iterdir()} - {
        "pagerforce.db",
        "pagerforce.db-wal",
        "pagerforce.db-shm",
        "pagerforce.lock",
    }


class Quiet:
    """A bar that shows nothing."""

    def show(self, text, share=None):
        pass


async def receive(path, target):
    return await in_thread(command_module._receive, path, target, Quiet())


async def test_the_copy_is_the_state_and_nothing_of_it_stays_with_the_daemon(folder, path):
    async with served(folder, path) as (office, daemon):
        target = folder / "copy.db"
        made = await receive(path, target)
        assert made.size_bytes == target.stat().st_size
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        again = restore(target, folder / "again" / "pagerforce.db", office.home.clock.now())
        assert again.backup.made_at == made.made_at
        with closing(sqlite3.connect(target)) as connection:
            assert connection.execute("SELECT count(*) FROM link").fetchone() == (1,)
        assert left_in_state(daemon) == set()
        assert not list(folder.glob("*.part"))
        (entry,) = [x for x in await office.audit() if x["command"] == "backup"]
        assert (entry["outcome"], entry["arguments"]) == ("done", {"size_bytes": made.size_bytes})


async def test_progress_is_reported_as_a_share(folder, path):
    async with served(folder, path):
        taken = Taken()
        result = await in_thread(taken.ask, path)
        assert len(taken.content) == result["size_bytes"]
        assert {text for text, _ in taken.told} == {"copying", "sending"}
        assert taken.told[-1] == ("sending", 1.0)


async def test_the_callers_file_is_never_overwritten_nor_a_link_followed(folder, path):
    async with served(folder, path):
        target, elsewhere = folder / "copy.db", folder / "elsewhere"
        target.write_text("precious")
        with pytest.raises(StoreError, match="exists already"):
            await receive(path, target)
        assert target.read_text() == "precious"
        target.unlink()
        target.symlink_to(elsewhere)
        with pytest.raises(StoreError, match="exists already"):
            await receive(path, target)
        assert not elsewhere.exists()
        with pytest.raises(StoreError, match="No such file"):
            await receive(path, folder / "nowhere" / "copy.db")


async def test_a_copy_that_arrives_damaged_is_thrown_away(folder, path, monkeypatch):
    # The received data differs from the sent data: only an internal error does that.
    monkeypatch.setattr(server, "data_line", lambda chunk: data_line(b"x" + chunk[1:]))
    async with served(folder, path):
        with pytest.raises(PagerforceError, match="was damaged on the way"):
            await receive(path, folder / "copy.db")
        assert not list(folder.glob("*copy.db*"))


async def test_a_caller_who_goes_away_ends_it_and_leaves_nothing(folder, path):
    async with served(folder, path) as (office, daemon):

        class Gone(Exception):
            pass

        def leave(_):
            raise Gone

        with pytest.raises(Gone):
            await in_thread(call_daemon, path, "backup", {}, lambda *_: None, leave)
        with anyio.fail_after(20):
            while left_in_state(daemon):
                await anyio.sleep(0.01)
            while office.home.copying.locked():
                await anyio.sleep(0.01)
        await receive(path, folder / "copy.db")


async def test_one_at_a_time(folder, path):
    async with served(folder, path) as (office, _), office.home.copying:
        with pytest.raises(PagerforceError, match="another backup is running"):
            await receive(path, folder / "copy.db")


async def test_it_never_takes_the_space_that_the_daemon_needs(folder, path, monkeypatch):
    # A file system that full can't be created in a test.
    monkeypatch.setattr(store_backup, "_RESERVE_BYTES", 1 << 60)
    async with served(folder, path) as (_, daemon):
        with pytest.raises((StoreUnavailableError, PagerforceError), match="MB are free"):
            await receive(path, folder / "copy.db")
        assert left_in_state(daemon) == set()


async def test_what_a_killed_daemon_left_is_cleared_away(folder, path):
    async with served(folder, path) as (_, daemon):
        state = daemon.parts.state.path.parent
        for name in ("pagerforce.db.to-be-sent", ".pagerforce.db.to-be-sent.77.part"):
            (state / name).write_text("half a copy")
        await receive(path, folder / "copy.db")
        assert left_in_state(daemon) == set()


async def test_a_cancelled_copy_ends_in_the_middle(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon:
        database = daemon.parts.state.path

        def step(share):
            raise InterruptedError(4, "enough")

        with pytest.raises(StoreError):
            await in_thread(
                store_backup.back_up, database, folder / "copy.db", rig.host.now(), step
            )
        assert not list(folder.glob("*copy.db*"))
        assert json.dumps(sorted(left_in_state(daemon))) == "[]"
