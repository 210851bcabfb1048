"""Backups by somebody who wants ``restore`` to use their SQL or somebody else's file."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from abuse.planted import KINDS, SECRET, Victim, plant
from pagerforce.errors import StoreError, UnsafeFileError
from pagerforce.store.sqlite import backup as store_backup
from pagerforce.store.sqlite.backup import back_up, restore
from pagerforce.store.sqlite.engine import open_database
from pagerforce.store.sqlite.migrate import known_schema, migrations

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

# What is foreign, and how the message names it.
CRAFTED = {
    "a trigger": (
        "CREATE TRIGGER more AFTER INSERT ON fact BEGIN DELETE FROM link; END",
        "trigger more",
    ),
    "a trigger with a name of pagerforce's": (
        """DROP INDEX action_waiting;
        CREATE TRIGGER action_waiting AFTER INSERT ON fact BEGIN DELETE FROM link; END""",
        "trigger action_waiting",
    ),
    "a view": ("CREATE VIEW more AS SELECT load_extension('/tmp/x.so')", "view more"),
    "a view in a table's place": (
        "DROP TABLE link; CREATE VIEW link AS SELECT 1 AS incident_id",
        "view link",
    ),
    "an index": ("CREATE INDEX more ON fact (name)", "index more"),
    "an expression in an index": ("CREATE INDEX more ON fact (length(name))", "index more"),
    "an index of pagerforce's, on something else": (
        "DROP INDEX action_waiting; CREATE INDEX action_waiting ON action (abs(seq))",
        "index action_waiting",
    ),
    "a column": ("ALTER TABLE fact ADD COLUMN more TEXT", "table fact"),
    "a generated column": (
        "ALTER TABLE fact ADD COLUMN more TEXT AS (hex(zeroblob(500000000)))",
        "table fact",
    ),
    "a check": (
        """DROP TABLE fact; CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL
        CHECK (length(hex(zeroblob(500000000))))) STRICT, WITHOUT ROWID""",
        "table fact",
    ),
    "a default": (
        "DROP TABLE fact; CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT DEFAULT (random()))",
        "table fact",
    ),
    "a table": ("CREATE TABLE more (a)", "table more"),
    "a virtual table": ("CREATE VIRTUAL TABLE more USING fts5(a)", "table more"),
    "statistics": ("ANALYZE", "table sqlite_stat1"),
    "a name that is a command of a terminal": (
        'CREATE TABLE "more\x1b]0;x\x07\n\u202e" (a)',
        "table (with an unusual name)",
    ),
}


@pytest.fixture
async def state(tmp_path):
    """A state with data, and a valid backup of it."""
    path = tmp_path / "state" / "pagerforce.db"
    async with open_database(path) as database, database.write() as tx:
        await tx.run("INSERT INTO fact VALUES ('a', 'as it was')")
    back_up(path, tmp_path / "backup.db", NOW)
    return path


def content(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT value FROM fact WHERE name = 'a'").fetchone()


def assert_untouched(state):
    assert content(state) == ("as it was",)
    assert {x.name for x in state.parent.iterdir()} <= {"pagerforce.db", "pagerforce.lock"}


@pytest.mark.parametrize("what", CRAFTED)
async def test_a_schema_of_another_program_is_refused_by_name(tmp_path, state, what):
    sql, named = CRAFTED[what]
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        connection.executescript(sql)
    with pytest.raises(StoreError) as caught:
        restore(tmp_path / "backup.db", state, NOW)
    said = str(caught.value)
    assert named in said, said
    assert said.startswith(f"{tmp_path}/backup.db: ")
    assert said.isprintable()
    assert_untouched(state)


@pytest.mark.parametrize(
    "sql",
    [
        # which ``sqlite3`` can't write: two objects with one name, a text with NUL in it, no text
        """INSERT INTO sqlite_schema SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema
        WHERE name = 'fact'""",
        "UPDATE sqlite_schema SET sql = sql || char(0) || ' more' WHERE name = 'fact'",
        "UPDATE sqlite_schema SET sql = CAST(sql || x'ff' AS TEXT) WHERE name = 'fact'",
        "UPDATE sqlite_schema SET tbl_name = 'link' WHERE name = 'action_waiting'",
    ],
)
async def test_a_schema_written_byte_by_byte(tmp_path, state, sql):
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(sql)
        connection.commit()
    with pytest.raises(StoreError):
        restore(tmp_path / "backup.db", state, NOW)
    assert_untouched(state)


async def test_a_backup_that_could_not_be_restored_is_not_made(tmp_path, state):
    with closing(sqlite3.connect(state)) as connection:
        connection.executescript(CRAFTED["a trigger"][0])
    with pytest.raises(StoreError, match=f"^{state}: contains objects .* trigger more"):
        back_up(state, tmp_path / "other.db", NOW)
    assert {x.name for x in tmp_path.iterdir()} == {"state", "backup.db"}


async def test_no_schema_is_trusted_while_the_state_is_open(state):
    for is_reading in (True, False):
        async with open_database(state, read_only=is_reading) as database, database.read() as tx:
            assert await tx.row("PRAGMA trusted_schema") == (0,)


@pytest.mark.parametrize("schema", migrations())
async def test_every_released_schema_is_accepted(tmp_path, state, schema):
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        for number, script in migrations().items():
            if number <= schema:
                connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {schema}")
    assert restore(old, state, NOW).backup.schema == schema
    async with open_database(state) as database, database.read() as tx:
        assert (await tx.row("PRAGMA user_version"))[0] == known_schema()


async def test_a_migrated_database_is_accepted_like_a_new_one(tmp_path, state):
    assert restore(tmp_path / "backup.db", state, NOW).backup.schema == known_schema()
    assert content(state) == ("as it was",)


@pytest.mark.parametrize(
    "value",
    [
        "'no time'",
        "'9999-12-31T23:59:59Z'",
        "hex(zeroblob(5000000))",
        "7",
        "CAST(x'fffe1b' AS TEXT)",
    ],
)
async def test_an_invalid_time(tmp_path, state, value):
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        connection.execute(f"UPDATE fact SET value = {value} WHERE name = 'backed_up_at'")
        connection.commit()
    with pytest.raises(StoreError) as caught:
        restore(tmp_path / "backup.db", state, NOW)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    assert_untouched(state)


async def test_the_checked_file_is_the_restored_one(tmp_path, state, monkeypatch):
    """The file is replaced and changed after it was opened: the copy is not affected."""
    given = tmp_path / "backup.db"
    judge = store_backup.judge

    def exchanged(part, named, step=None):
        with given.open("r+b") as stream:
            stream.write(b"\0" * given.stat().st_size)
        return judge(part, named, step)

    monkeypatch.setattr(store_backup, "judge", exchanged)
    restore(given, state, NOW)
    assert content(state) == ("as it was",)


async def test_a_file_that_changes_while_it_is_copied_is_refused(tmp_path, state):
    given = tmp_path / "backup.db"
    is_over = threading.Event()

    def scribble():
        with given.open("r+b", buffering=0) as stream:
            while not is_over.is_set():
                os.pwrite(stream.fileno(), b"\x01\x02", 8100)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        with pytest.raises(StoreError, match="changes while it is copied"):
            restore(given, state, NOW, step=lambda _: is_over.wait(0.05))
    finally:
        is_over.set()
        writer.join()
    assert_untouched(state)


async def test_a_log_that_belongs_to_the_file_is_part_of_it(tmp_path, state):
    raw = tmp_path / "raw.db"
    async with open_database(state) as database:
        async with database.write() as tx:
            await tx.run("UPDATE fact SET value = 'in the log' WHERE name = 'a'")
        for suffix in ("", "-wal"):
            shutil.copy(f"{state}{suffix}", f"{raw}{suffix}")
    restore(raw, state, NOW)
    assert content(state) == ("in the log",)


async def test_a_file_left_in_the_middle_of_a_change_is_refused(tmp_path, state):
    """Its rollback journal may name any file, and SQLite would delete that file."""
    journal = tmp_path / "backup.db-journal"
    journal.write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    with pytest.raises(StoreError, match="unfinished change"):
        restore(tmp_path / "backup.db", state, NOW)
    assert_untouched(state)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "foreign owner"])
@pytest.mark.parametrize("name", ["monday.db", "monday.db-wal"])
async def test_a_file_beside_the_state_is_judged_like_one_of_the_states(
    tmp_path, state, name, kind
):
    """Root would read for the state's owner what only root may read."""
    place = state.parent / "monday.db"
    place.write_bytes((tmp_path / "backup.db").read_bytes())
    (tmp_path / "root").mkdir()
    victim = Victim(tmp_path / "root")
    plant(kind, state.with_name(name), victim)
    if os.geteuid() == 0:
        os.chown(state.with_name(name), os.geteuid(), -1, follow_symlinks=False)
    with pytest.raises(UnsafeFileError) as caught:
        restore(place, state, NOW)
    assert SECRET.decode().strip() not in str(caught.value)
    assert str(state.with_name(name)) in str(caught.value)
    assert content(state) == ("as it was",)


async def test_elsewhere_the_operator_may_name_a_link_and_a_file_of_several_names(tmp_path, state):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.link(tmp_path / "backup.db", elsewhere / "second.db")
    (elsewhere / "latest.db").symlink_to("second.db")
    assert restore(elsewhere / "latest.db", state, NOW).backup.schema == known_schema()


@pytest.mark.parametrize("kind", ["FIFO", "folder", "socket", "link to nothing"])
async def test_only_a_regular_file_is_a_backup(tmp_path, state, kind):
    (tmp_path / "root").mkdir()
    plant(kind, tmp_path / "given", Victim(tmp_path / "root"))
    with pytest.raises(StoreError, match=r"no regular file|No such file"):
        restore(tmp_path / "given", state, NOW)
    assert_untouched(state)


async def test_a_file_larger_than_the_disk_is_refused_before_it_is_copied(tmp_path, state):
    with (tmp_path / "backup.db").open("r+b") as stream:
        stream.truncate(1 << 42)
    with pytest.raises(StoreError, match="MB are free"):
        restore(tmp_path / "backup.db", state, NOW)
    assert_untouched(state)
