"""Other files that root or the daemon writes and removes where other users may create names."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from abuse.planted import (
    KINDS,
    OWNER,
    SECRET,
    Victim,
    give,
    needs_root,
    plant,
)
from abuse.test_root_files import CHANGING, NOW, READING, host, owners  # noqa: F401 (a fixture)
from pagerforce.errors import AddressInUseError, StoreError
from pagerforce.host.files import replace_file
from pagerforce.host.state import check_state_files
from pagerforce.sandbox.running import open_sandbox
from pagerforce.service.control.listener import bind_socket
from pagerforce.service.expose import write_textfile
from pagerforce.store.sqlite import copying as store_copying
from pagerforce.store.sqlite import engine as sqlite_engine
from pagerforce.store.sqlite.backup import back_up
from pagerforce.store.sqlite.engine import open_database

pytestmark = needs_root

ABUSE = int(os.environ.get("ABUSE", "1"))
PLANTED = [kind for kind in KINDS if kind != "foreign owner"]


@pytest.fixture
def victim(tmp_path):
    (tmp_path / "root").mkdir()
    return Victim(tmp_path / "root")


@pytest.fixture
def theirs(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    give(folder)
    return folder


@pytest.mark.parametrize("kind", PLANTED)
def test_the_textfile_takes_the_place_of_what_was_planted(theirs, victim, kind):
    registry = CollectorRegistry()
    Counter("pagerforce_x", "x", registry=registry).inc()
    path = theirs / "pagerforce.prom"
    plant(kind, path, victim)
    if kind == "folder":
        with pytest.raises(IsADirectoryError):
            write_textfile(registry, path)
    else:
        write_textfile(registry, path)
        assert stat.S_ISREG(path.lstat().st_mode)
        assert stat.S_IMODE(path.lstat().st_mode) == 0o644
        assert path.lstat().st_nlink == 1
    victim.assert_unharmed(kind)
    assert [x.name for x in theirs.iterdir()] == ["pagerforce.prom"]


@pytest.mark.parametrize("kind", PLANTED)
def test_the_control_socket_removes_no_file_of_somebody_else(victim, kind):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "control.sock"
        plant(kind, path, victim)
        before = path.lstat()
        with pytest.raises(AddressInUseError, match=r"not a socket|a socket of user id"):
            bind_socket(path)
        assert path.lstat().st_ino == before.st_ino
        victim.assert_unharmed(kind)


def test_the_control_socket_and_its_folder_are_open_to_all_whatever_the_umask():
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "run" / "control.sock"
        before = os.umask(0o077)
        try:
            bind_socket(path).close()
            assert os.umask(0o077) == 0o077
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["config.toml", "salesforce.key", "salesforce.crt"])
def test_init_uses_no_name_that_is_taken(host, name):  # noqa: F811
    for kind in KINDS:
        victim = host.victim
        place = host.folder / "init"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        give(place)
        plant(kind, place / name, victim)
        before = (place / name).lstat()
        code, out, err = host.root("init", str(place), "--yes")
        assert code == 1, (kind, out, err)
        assert str(place / name) in err
        victim.assert_unharmed(kind)
        assert (place / name).lstat().st_ino == before.st_ino
        assert [x.name for x in place.iterdir()] == [name]


def test_init_into_somebody_elses_folder_keeps_the_key_for_root(host):  # noqa: F811
    place = host.folder / "init"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    give(place)
    code, _, err = host.root("init", str(place), "--yes")
    assert code == 0, err
    found = (place / "salesforce.key").lstat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)


@pytest.mark.parametrize("name", ["salesforce.crt", "salesforce.key"])
@pytest.mark.parametrize("kind", PLANTED)
def test_check_reads_no_certificate_or_key_that_never_ends(host, name, kind):  # noqa: F811
    host.fresh()
    victim = host.victim
    key = host.folder / "etc/salesforce.key"
    kept = key.read_bytes()
    place = host.folder / "etc" / name
    try:
        plant(kind, place, victim)
        code, out, err = host.root(
            "check", "--offline", "--config", str(host.folder / "etc/config.toml")
        )
        assert code in (0, 1), (out, err)
        victim.assert_unharmed(kind)
        assert SECRET.decode().strip() not in out + err
    finally:
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        place.unlink(missing_ok=True)
        replace_file(key, kept, 0o600)


async def test_the_sandbox_follows_no_link(theirs, victim):
    names = ("config.toml", "pagerduty.key", "ca.crt", "server.crt", "server.key")
    for kind in ("symbolic link", "link to nothing", "hard link", "FIFO"):
        for name in names:
            plant(kind, theirs / name, victim)
        (theirs / "rules.d").mkdir(exist_ok=True)
        plant(kind, theirs / "rules.d/rules.toml", victim)
        async with open_sandbox(theirs, tls=True, rules="# none"):
            pass
        victim.assert_unharmed(kind)
        assert stat.S_IMODE((theirs / "pagerduty.key").lstat().st_mode) == 0o600


@pytest.mark.parametrize("kind", PLANTED)
def test_a_copy_that_a_migration_left_is_not_used_if_it_is_none(host, kind):  # noqa: F811
    """``check`` names these copies as the way back from a damaged or too new database."""
    host.fresh()
    victim = host.victim
    plant(kind, host.state / "pagerforce.db.before-schema-9", victim)
    (host.state / "pagerforce.db").write_bytes(b"damaged" * 1000)
    code, out, err = host.ask(CHANGING["run"])
    assert code == 1, (out, err)
    assert "there is no copy beside it" in err
    victim.assert_unharmed(kind)


# Renames one name back and forth between a valid file and a link to root's file, at full speed.
SWAP = """
import os, sys
folder, victim, *names = sys.argv[1:]
os.setgid({gid}); os.setuid({uid})
os.chdir(folder)
for name in names:
    if os.path.lexists(name):
        os.link(name, name + ".good")
    else:
        open(name + ".good", "w").close()
print("on", flush=True)
turn = 0
while True:
    for name in names:
        turn += 1
        try:
            if turn % 2:
                os.symlink(victim, "x"); os.rename("x", name)
            else:
                os.link(name + ".good", "x"); os.rename("x", name)
        except OSError:
            try: os.unlink("x")
            except OSError: pass
"""


@pytest.mark.parametrize(
    "names",
    [("pagerforce.lock",), ("pagerforce.db-wal", "pagerforce.db-shm"), ("pagerforce.db",)],
    ids=lambda names: names[0],
)
def test_a_race_gives_no_access(host, names):  # noqa: F811
    host.fresh()
    victim = host.victim
    script = SWAP.format(uid=OWNER.pw_uid, gid=OWNER.pw_gid)
    words = [sys.executable, "-c", script, str(host.state), str(victim.path), *names]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as swapper:
        try:
            assert swapper.stdout.readline() == "on\n"
            for _ in range(4 * ABUSE):
                for word in ("restore", "links remove", "status"):
                    code, out, err = host.ask((READING | CHANGING)[word])
                    assert code in (0, 1), (word, out, err)
                    victim.assert_unharmed((word, out, err))
        finally:
            swapper.kill()


@pytest.mark.parametrize("is_reading", [True, False])
async def test_a_file_exchanged_after_the_check_is_opened_with_the_owners_rights(
    host,  # noqa: F811
    monkeypatch,
    is_reading,
):
    """The race, won: a database of root's replaces the one that was checked."""
    host.fresh()
    database, others = host.state / "pagerforce.db", host.victim.path.with_name("others.db")
    shutil.copy(host.folder / "pristine.db", others)
    others.chmod(0o600)
    before = others.read_bytes()

    def look_and_lose(path):
        check_state_files(path)
        database.unlink()
        database.symlink_to(others)

    monkeypatch.setattr(sqlite_engine, "check_state_files", look_and_lose)
    with pytest.raises(StoreError, match="cannot be opened"):
        async with open_database(database, read_only=is_reading):
            pass
    assert others.read_bytes() == before
    assert {x.name for x in others.parent.iterdir()} == {"others.db", "shadow"}
    assert os.geteuid() == 0
    assert os.getegid() == 0


def test_a_copy_in_somebody_elses_folder_is_written_to_no_other_file(host, monkeypatch):  # noqa: F811
    """Root's ``backup`` into a folder whose owner replaces the file before SQLite opens it."""
    host.fresh()
    victim = host.victim
    place = host.folder / "out"
    give(place)
    shutil.copy(host.folder / "pristine.db", victim.absent)
    before = victim.absent.read_bytes()
    uri = store_copying.to_uri

    def exchanged(path, mode):
        if path.name.endswith(".part"):
            path.unlink()
            path.symlink_to(victim.absent)
        return uri(path, mode)

    monkeypatch.setattr(store_copying, "to_uri", exchanged)
    with pytest.raises(StoreError, match="another file in its place"):
        back_up(host.state / "pagerforce.db", place / "copy.db", NOW)
    assert victim.absent.read_bytes() == before
    assert not list(place.iterdir())


def test_the_folder_itself_may_be_a_link(host):  # noqa: F811
    host.fresh()
    real = host.folder / "real"
    host.state.rename(real)
    host.state.symlink_to(real)
    try:
        for word in ("restore", "status"):
            code, out, err = host.ask((READING | CHANGING)[word])
            assert code == 0, (word, out, err)
        assert owners(real) == {OWNER.pw_uid}
        victim = host.victim
        plant("symbolic link", real / "pagerforce.lock", victim)
        code, out, err = host.ask(CHANGING["restore"])
        assert code == 1
        victim.assert_unharmed()
    finally:
        host.state.unlink()
        real.rename(host.state)


def test_a_folder_that_its_owner_can_not_reach_works_as_well(host):  # noqa: F811
    """Root keeps its rights, and every file is checked."""
    host.fresh()
    host.folder.chmod(0o700)
    try:
        for word in ("restore", "backup", "status"):
            code, out, err = host.ask((READING | CHANGING)[word])
            assert code == 0, (word, out, err)
            assert owners(host.state) == {OWNER.pw_uid}, word
        victim = host.victim
        for kind in ("symbolic link", "hard link"):
            plant(kind, host.state / "pagerforce.lock", victim)
            code, out, err = host.ask(CHANGING["restore"])
            assert code == 1, (out, err)
            victim.assert_unharmed(kind)
    finally:
        host.folder.chmod(0o755)


def test_a_restore_that_was_killed_half_way_is_undone(host):  # noqa: F811
    """The database has two names at that moment; one is removed again."""
    host.fresh()
    database = host.state / "pagerforce.db"
    os.link(database, f"{database}.replaced-20260302T080000Z")
    (host.state / ".pagerforce.db.0a1b2c3d.part").write_bytes(b"half")
    assert host.ask(READING["status"])[0] == 0
    code, _, err = host.ask(CHANGING["links remove"])
    assert (code, "are not linked" in err) == (1, True), err
    assert database.lstat().st_nlink == 1
    assert host.ask(CHANGING["restore"])[0] == 0
    kept = [x.name for x in host.state.iterdir() if "replaced" in x.name]
    assert len(kept) == 1
    assert not list(host.state.glob(".pagerforce*"))


def test_the_daemon_that_root_started_keeps_everything_for_the_owner(host):  # noqa: F811
    host.fresh()
    config = host.folder / "etc/served.toml"
    text = (host.folder / "etc/config.toml").read_text()
    place = host.folder / "root" / "control.sock"
    config.write_text(text.replace('control_socket = ""', f'control_socket = "{place}"'))
    words = [sys.executable, "-m", "pagerforce", "run", "--config", str(config)]
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(words, stdout=log, stderr=log, cwd="/") as process:
            end = time.monotonic() + 60
            while host.root("status", "--config", str(config))[0] or not place.exists():
                assert process.poll() is None
                assert time.monotonic() < end
            assert {"pagerforce.db-wal", "pagerforce.lock"} <= {
                x.name for x in host.state.iterdir()
            }
            assert owners(host.state) == {OWNER.pw_uid}
            copy = host.folder / "out/copy.db"
            assert host.root("backup", str(copy), "--config", str(config))[0] == 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        log.seek(0)
        assert b"Traceback" not in log.read()
    assert owners(host.state) == {OWNER.pw_uid}
    assert not place.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_service_user_has_the_same_checks(host, kind):  # noqa: F811
    host.fresh()
    victim = host.victim
    plant(kind, host.state / "pagerforce.lock", victim)
    config = host.folder / "service.toml"
    shutil.copy(host.folder / "etc/config.toml", config)
    launcher = Path(__file__).parents[1] / "control/as_user.py"
    lines = [["links", "remove", "PX", "a0R000000000001", "--config", str(config)]]
    done = subprocess.run(
        [sys.executable, str(launcher), "nobody"],
        input=json.dumps(lines).encode(),
        capture_output=True,
        timeout=120,
        check=True,
        cwd="/",
    )
    ((code, out, err),) = json.loads(done.stdout)
    assert code == 1, (out, err)
    assert str(host.state / "pagerforce.lock") in err
    victim.assert_unharmed(kind)
