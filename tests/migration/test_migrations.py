"""Databases of every earlier schema are copied and migrated, and refused when too new."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from pagerforce.errors import SchemaTooNewError, StoreError
from pagerforce.store import outbox, own_writes, snapshots
from pagerforce.store.journal import Filter, read_dead_letters, read_log
from pagerforce.store.links import read_links
from pagerforce.store.sqlite import migrate
from pagerforce.store.sqlite.backup import restore
from pagerforce.store.sqlite.engine import open_database
from pagerforce.store.sqlite.migrate import APPLICATION_ID, known_schema, migrations
from rig import START, open_rig

WRITTEN = sorted(Path(__file__).parent.glob("schema_*.sql"))
OLD = {int(path.stem.split("_")[1]): path.read_text("utf-8") for path in WRITTEN}


def write_old(path, schema):
    """A database as the program of that schema wrote it: its scripts, and rows of that or an earlier time."""
    scripts = {number: script for number, script in migrations().items() if number <= schema}
    written = max(number for number in OLD if number <= schema)
    with closing(sqlite3.connect(path)) as connection:
        for number, script in scripts.items():
            connection.executescript(script)
            if number == written:
                connection.executescript(OLD[written])
        connection.execute(f"PRAGMA user_version = {schema}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.commit()
    path.chmod(0o600)


def schema_of(path):
    """All statements of the schema, in a fixed order."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2")
        found = [tuple(row) for row in rows]
        columns = {
            name: sorted(tuple(row[1:]) for row in connection.execute(f"PRAGMA table_info({name})"))
            for kind, name, _ in found
            if kind == "table"
        }
        numbers = [
            connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            for pragma in ("user_version", "application_id")
        ]
    return found, columns, numbers


def content(path, table):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()


EARLIER = [number for number in migrations() if number < known_schema()]


@pytest.mark.parametrize("schema", EARLIER)
async def test_an_earlier_database_becomes_one_of_today(tmp_path, schema):
    old, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    write_old(old, schema)
    async with open_database(old) as database, database.read() as tx:
        (link,) = await read_links(tx)
        assert (link.incident_id, link.record_id) == ("QINC1", "a0R000000000001EAA")
        assert (await outbox.depth(tx)).waiting == 1
        assert [x["reason"] for x in await read_dead_letters(tx)] == ["refused; correct the rule"]
        assert [x["event"] for x in await read_log(tx, Filter())] == ["create", "comment"]
        assert (await snapshots.find_incident(tx, "QINC1")).title == "Core switch down"
        assert (await snapshots.find_record(tx, "a0R000000000001EAA")).fields[
            "Name"
        ] == "IN00000001"
        assert await own_writes.seen_comments(tx, ["a0H000000000001EAA"]) == {"a0H000000000001EAA"}
    async with open_database(fresh):
        pass
    assert schema_of(old) == schema_of(fresh), "the sum of the migrations is the schema"


async def test_a_copy_is_made_before(tmp_path):
    path = tmp_path / "pagerforce.db"
    write_old(path, 1)
    before = content(path, "action")
    async with open_database(path):
        pass
    copy = tmp_path / f"pagerforce.db.before-schema-{known_schema()}"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert content(copy, "action") == before
    assert schema_of(copy)[2][0] == 1
    assert sorted(x.name for x in tmp_path.iterdir()) == sorted(
        ["pagerforce.db", "pagerforce.lock", copy.name]
    )


async def test_a_new_database_needs_no_copy(tmp_path):
    async with open_database(tmp_path / "pagerforce.db"):
        pass
    assert not list(tmp_path.glob("*before*"))
    assert schema_of(tmp_path / "pagerforce.db")[2] == [known_schema(), APPLICATION_ID]


async def test_of_the_copies_the_two_newest_stay(tmp_path, monkeypatch):
    path = tmp_path / "pagerforce.db"
    async with open_database(path):
        pass
    known = known_schema()
    for number in range(1, 4):
        scripts = migrations() | {known + step: "SELECT 1;" for step in range(1, number + 1)}
        with monkeypatch.context() as patch:  # represents later versions of the program
            patch.setattr(migrate, "migrations", lambda scripts=scripts: scripts)
            async with open_database(path):
                pass
    found = {x.name for x in tmp_path.glob("*before*")}
    assert found == {f"pagerforce.db.before-schema-{known + n}" for n in (2, 3)}


async def test_a_failed_migration_leaves_everything_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "pagerforce.db"
    write_old(path, 1)
    before = schema_of(path), content(path, "event"), content(path, "action")
    broken = {
        1: migrations()[1],
        2: "CREATE TABLE half (a); INSERT INTO event VALUES ('no such shape');",
    }
    with monkeypatch.context() as patch:  # represents a migration that does not fit somebody's data
        patch.setattr(migrate, "migrations", lambda: broken)
        with pytest.raises(
            StoreError, match=r"was undone .* schema 1; a copy is in .*before-schema-2"
        ):
            async with open_database(path):
                pass
    assert (schema_of(path), content(path, "event"), content(path, "action")) == before
    async with open_database(path):
        pass


async def test_a_migration_is_tried_again_although_the_first_copy_exists(tmp_path, monkeypatch):
    path = tmp_path / "pagerforce.db"
    write_old(path, 1)
    broken = migrations() | {known_schema(): "no SQL;"}
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: broken)
        with pytest.raises(StoreError, match="was undone"):
            async with open_database(path):
                pass
    reached = schema_of(path)
    (copy,) = tmp_path.glob("*before*")
    async with open_database(path):
        pass
    assert [*tmp_path.glob("*before*")] == [copy]
    assert schema_of(copy) == reached


async def test_a_migration_that_finds_no_space_leaves_everything_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "pagerforce.db"
    write_old(path, 1)
    before = schema_of(path)
    script = """
      PRAGMA max_page_count = 40;
      CREATE TABLE big (a);
      INSERT INTO big SELECT hex(randomblob(100000)) FROM event;"""
    greedy = {1: migrations()[1], 2: script}
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: greedy)
        with pytest.raises(StoreError, match=r"no space left .* was undone"):
            async with open_database(path):
                pass
    assert schema_of(path) == before


async def test_the_way_back_from_a_newer_schema_is_named_and_works(tmp_path, monkeypatch):
    path = tmp_path / "pagerforce.db"
    async with open_database(path):
        pass
    later = migrations() | {known_schema() + 1: "CREATE TABLE later (a);"}
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: later)
        async with open_database(path):
            pass
    copy = tmp_path / f"pagerforce.db.before-schema-{max(later)}"
    with pytest.raises(SchemaTooNewError, match=f"pagerforce restore {copy}"):
        async with open_database(path):
            pass
    restore(copy, path, START)
    async with open_database(path) as database, database.read() as tx:
        assert await read_links(tx) == []


async def test_a_database_of_another_program_is_refused_untouched(tmp_path):
    path = tmp_path / "pagerforce.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE moz_places (a)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        async with open_database(path):
            pass
    assert path.read_bytes() == before


async def test_a_daemon_keeps_running_with_the_database_of_the_first_version(tmp_path):
    async with open_rig(tmp_path) as rig:
        (tmp_path / "state").mkdir()
        write_old(tmp_path / "state" / "pagerforce.db", 1)
        async with rig.daemon() as daemon:
            rig.open_record("has the Id of the one in the old database")
            rig.open_record("a new one", priority="1")
            await daemon.step(3)
            (incident,) = rig.incidents()
            assert incident["title"].endswith("a new one")
