"""``backup`` and ``restore``: over real files, and as commands of their own processes."""

import json
import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from typer.testing import CliRunner

from pagerforce.cli.app import app
from pagerforce.errors import SchemaTooNewError, StateInUseError, StoreDamagedError, StoreError
from pagerforce.sandbox.running import open_sandbox
from pagerforce.store import facts
from pagerforce.store.sqlite.backup import back_up, restore
from pagerforce.store.sqlite.engine import open_database
from process import command, open_stage

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


async def put(path, value):
    async with open_database(path) as database, database.write() as tx:
        await facts.put_fact(tx, "a", value)


def read(path, name="a"):
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


async def test_a_copy_made_while_it_is_written_is_whole(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    async with open_database(path) as database:
        async with database.write() as tx:
            await facts.put_fact(tx, "a", "1")
        async with database.write() as tx:
            await facts.put_fact(tx, "a", "2")
            made = await anyio.to_thread.run_sync(back_up, path, copy, NOW)
    assert read(copy) == "1", "what is not committed is not in it"
    assert made.made_at == "2026-03-02T08:00:00.000000Z"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        "copy.db",
        "pagerforce.db",
        "pagerforce.lock",
    ]


async def test_a_backup_never_overwrites(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "1")
    copy.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        back_up(path, copy, NOW)
    assert copy.read_text() == "precious"
    with pytest.raises(StoreError, match=r"No such file|not exist"):
        back_up(path, tmp_path / "nowhere" / "copy.db", NOW)
    with pytest.raises(StoreError, match="no state database"):
        back_up(tmp_path / "none.db", tmp_path / "other.db", NOW)


async def test_a_restore_keeps_what_it_replaces(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "old")
    back_up(path, copy, NOW)
    await put(path, "new")
    done = restore(copy, path, NOW)
    assert read(path) == "old"
    assert read(done.replaced) == "new"
    assert Path(done.replaced).name == "pagerforce.db.replaced-20260302T080000Z"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*-wal"))


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_a_log_left_by_a_crash_is_not_played_into_the_restored_file(tmp_path, is_damaged):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "old")
    back_up(path, copy, NOW)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    async with open_database(path) as database:
        async with database.write() as tx:
            await facts.put_fact(tx, "a", "in the log only")
        for name in ("pagerforce.db", "pagerforce.db-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    if is_damaged:  # SQLite can't fold the log in; it is as valid as before
        (crashed / "pagerforce.db").write_bytes(b"nothing sensible" * 1000)
    log = (crashed / "pagerforce.db-wal").read_bytes()
    done = restore(copy, crashed / "pagerforce.db", NOW)
    assert read(crashed / "pagerforce.db") == "old"
    if is_damaged:
        assert Path(done.replaced).with_name(f"{Path(done.replaced).name}-wal").read_bytes() == log
    else:
        assert read(done.replaced) == "in the log only"


def bytes_of(name):
    return Path(name).read_bytes()


async def test_a_damaged_database_is_replaced_without_surgery(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "1")
    back_up(path, copy, NOW)
    path.write_bytes(b"nothing sensible" * 1000)
    with pytest.raises(StoreDamagedError):
        async with open_database(path):
            pass
    done = restore(copy, path, NOW)
    assert read(path) == "1"
    assert bytes_of(done.replaced).startswith(b"nothing sensible")
    path.unlink()
    assert restore(copy, path, NOW.replace(hour=9)).replaced is None
    assert read(path) == "1"


async def test_what_cannot_be_used_is_not_restored(tmp_path):
    path, bad = tmp_path / "pagerforce.db", tmp_path / "bad.db"
    await put(path, "1")
    bad.write_bytes(b"")
    with pytest.raises(StoreError, match="is empty"):
        restore(bad, path, NOW)
    bad.write_text("some text " * 500)
    with pytest.raises(StoreDamagedError):
        restore(bad, path, NOW)
    bad.unlink()
    with closing(sqlite3.connect(bad)) as connection:
        connection.execute("CREATE TABLE a (b)")
    with pytest.raises(StoreError, match="another program"):
        restore(bad, path, NOW)
    bad.unlink()
    back_up(path, bad, NOW)
    with closing(sqlite3.connect(bad)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaTooNewError):
        restore(bad, path, NOW)
    with pytest.raises(StoreError, match="No such file"):
        restore(tmp_path / "none.db", path, NOW)
    assert read(path) == "1"
    assert not list(tmp_path.glob("*replaced*"))


async def test_nobody_else_writes_while_a_daemon_does(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "1")
    back_up(path, copy, NOW)
    async with open_database(path):
        with pytest.raises(StateInUseError, match=f"process {os.getpid()}"):
            restore(copy, path, NOW)
        with pytest.raises(StateInUseError, match="stop that one first"):
            async with open_database(path):
                pass
        async with open_database(path, read_only=True):
            pass
    async with open_database(path):
        pass


async def test_a_copy_of_the_file_made_by_other_means_can_be_restored(tmp_path):
    path, copy = tmp_path / "pagerforce.db", tmp_path / "copy.db"
    await put(path, "1")
    copy.write_bytes(path.read_bytes())
    assert restore(copy, path, NOW).backup.made_at is None
    assert read(path, "backed_up_at") == "2026-03-02T08:00:00.000000Z"


async def test_as_commands_beside_a_running_daemon(tmp_path):
    async with open_stage(tmp_path) as stage:
        config = stage.desk.config
        copy = tmp_path / "copy.db"
        async with stage.daemon() as running:
            await running.ready(60)
            code, out, err = await command("backup", str(copy), "--json", config=config)
            assert (code, err) == (0, "")
            assert json.loads(out)["file"] == str(copy)
            code, _, err = await command("restore", str(copy), config=config)
            assert code == 1
            assert "stop that one first" in err
            code, _, err = await command("backup", str(copy), config=config)
            assert code == 1
            assert "exists already" in err
            # A second daemon on the same state would do everything twice.
            code, _, err = await command("run", config=config)
            assert code == 1
            assert "another pagerforce uses it" in err
            assert await running.stop() < 10
        code, out, err = await command("restore", str(copy), config=config)
        assert (code, err) == (0, "")
        assert "start the daemon" in out
        async with stage.daemon() as running:
            await running.ready(60)


@pytest.mark.parametrize("words", ["backup", "restore"])
async def test_others_get_exit_code_3(tmp_path, monkeypatch, words):
    async with open_sandbox(tmp_path) as desk:
        await put(tmp_path / "state" / "pagerforce.db", "1")
        # Represents another user: such a user may have no access to the interpreter of a test run.
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 12345)
        arguments = [words, str(tmp_path / "copy.db"), "--config", str(desk.config)]
        done = await anyio.to_thread.run_sync(CliRunner().invoke, app, arguments)
        assert done.exit_code == 3
        assert "only root and its owner" in done.stderr
        assert not (tmp_path / "copy.db").exists()
