"""Backups and restores between the engines: the same rows, or nothing."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_thread
import pytest
from msgspec.structs import replace

from engines import ENGINES, open_engine
from pagerforce.errors import SchemaTooNewError, StateInUseError, StoreError
from pagerforce.model.event import Event
from pagerforce.model.ids import ActionId, EventId, RecordId, Side
from pagerforce.model.outbox import NewAction
from pagerforce.store import attempts, facts, journal, links, operators, outbox, own_writes, pauses
from pagerforce.store.operators import OperatorAction
from pagerforce.store.postgresql import migrate
from pagerforce.store.unreadable import COLUMNS
from postgresql_server import shared_server

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


async def fill(state, first=1):
    """Something in every kind of table, with flags, nulls, numbers and odd texts."""
    async with state.open() as database, database.write() as tx:
        for number in range(first, first + 3):
            event = Event(
                EventId(f"e{number}"),
                Side.SALESFORCE,
                "update",
                NOW,
                object="Case",
                record_id=RecordId(f"r{number}"),
                record={"Name": "Zoë \N{SNOWMAN} '\"\\ \n\t"},
            )
            (seq,) = await journal.append(tx, [journal.Entry(event, context={"x": "y" * 900})], NOW)
            lane = await links.join_lanes(tx, [f"i{number}", f"r{number}"])
            act = NewAction(
                ActionId(f"a{number}"), "s", "r", 0, "do.it", "Case", {}, {}, is_page=True
            )
            await outbox.enqueue(tx, [outbox.Queued(seq, lane, [act])], NOW)
            (made,) = [await outbox.find_action(tx, f"a{number}")]
            await attempts.begin_attempt(tx, [made], None, NOW, timedelta(seconds=0.1))
            await links.put_link(tx, f"i{number}", "Case", f"r{number}", links.LinkTime(NOW, NOW))
            await pauses.begin(tx, f"lane{number}", NOW, NOW, reason="it \\N loops")
            await own_writes.put_own_note(tx, f"i{number}", "n", f"a{number}")
        await operators.record_operator(tx, OperatorAction(0, "root", ["admin"], "x"), NOW)
        await facts.put_fact(tx, "a", "1")


async def rows_of(state):
    async with state.open(read_only=True) as database, database.read() as tx:
        return {
            table: sorted(await tx.rows(f"SELECT * FROM {table}"), key=str) for table in COLUMNS
        }


def without_marks(rows):
    marks = ("restored", "backed_up", "restore")
    kept = [row for row in rows["fact"] if not row[0].startswith(marks)]
    return rows | {"fact": kept}


@pytest.mark.parametrize("source", ENGINES)
@pytest.mark.parametrize("target", ENGINES)
def test_a_backup_of_either_engine_is_restored_into_either(tmp_path, source, target):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with open_engine(source, one) as origin, open_engine(target, two) as other:
        anyio.run(fill, origin)
        shares = []
        made = origin.back_up(tmp_path / "backup.db", NOW, shares.append)
        assert made.size_bytes > 10_000
        assert shares[-1] == 1.0
        before = anyio.run(rows_of, origin)
        done = other.restore(tmp_path / "backup.db", NOW)
        assert done.replaced is None
        after = anyio.run(rows_of, other)
        assert without_marks(after) == without_marks(before)
        assert after != before, "a restored state is marked"
        anyio.run(fill, other, 11)  # new rows get new numbers
        done = other.restore(tmp_path / "backup.db", NOW)
        assert done.replaced
        assert without_marks(anyio.run(rows_of, other)) == without_marks(before)


def test_the_name_of_a_replaced_state_is_not_cut(tmp_path):
    with open_engine("postgresql", tmp_path) as short:
        name = f"{short.place.connection}{'x' * 40}"[:40]
        state = replace(short, place=replace(short.place, connection=name))
        anyio.run(fill, state)
        state.back_up(tmp_path / "backup.db", NOW)
        done = state.restore(tmp_path / "backup.db", NOW)
        (word, schema) = done.replaced.rsplit(" ", 1)
        assert word == "the schema"
        assert len(schema) == 63
        assert schema.endswith("_replaced_20260302T080000Z")
        named = "SELECT count(*) FROM pg_namespace WHERE nspname = %s"
        assert shared_server().ask(named, schema) == [(1,)]


def test_a_state_in_use_is_not_replaced_and_a_damaged_backup_neither(tmp_path):
    with open_engine("postgresql", tmp_path) as state:
        anyio.run(fill, state)
        before = anyio.run(rows_of, state)
        backup = tmp_path / "backup.db"
        state.back_up(backup, NOW)
        with pytest.raises(StoreError, match="exists already"):
            state.back_up(backup, NOW)

        async def restore_meanwhile():
            async with state.open():
                with pytest.raises(StateInUseError):
                    await anyio.to_thread.run_sync(state.restore, backup, NOW)

        anyio.run(restore_meanwhile)
        with closing(sqlite3.connect(backup)) as connection:
            connection.execute("CREATE TABLE foreign_thing (x)")
            connection.commit()
        with pytest.raises(StoreError, match="foreign_thing"):
            state.restore(backup, NOW)
        assert anyio.run(rows_of, state) == before


@pytest.fixture
def kept(tmp_path):
    """A state with a folder for copies, as the daemon has it."""
    with open_engine("postgresql", tmp_path) as state:
        anyio.run(fill, state)
        yield replace(state, folder=tmp_path)


def later(monkeypatch, script):
    """Lets this program know one more migration."""
    scripts = migrate.migrations() | {12: script}
    monkeypatch.setattr(migrate, "migrations", lambda: scripts)
    monkeypatch.setattr(migrate, "known_schema", lambda: 12)


def test_a_migration_leaves_a_copy_that_is_the_way_back(kept, tmp_path, monkeypatch):
    before = anyio.run(rows_of, kept)

    async def schema_of():
        async with kept.open() as database, database.read() as tx:
            return await tx.schema()

    assert anyio.run(schema_of) == 11
    copy = tmp_path / "pagerforce.db.before-schema-12"
    assert not copy.exists()
    with monkeypatch.context() as patched:
        later(patched, "ALTER TABLE fact ADD COLUMN extra text;")
        assert anyio.run(schema_of) == 12
        assert copy.stat().st_mode & 0o777 == 0o600
        assert anyio.run(schema_of) == 12
    with pytest.raises(SchemaTooNewError, match="schema 12"):
        anyio.run(schema_of)
    kept.restore(copy, NOW)
    assert anyio.run(schema_of) == 11
    assert without_marks(anyio.run(rows_of, kept)) == without_marks(before)


def test_a_migration_that_fails_or_cant_be_copied_changes_nothing(kept, monkeypatch):
    before = anyio.run(rows_of, kept)

    async def open_it(state):
        async with state.open():
            pass

    with monkeypatch.context() as patched:
        later(patched, "ALTER TABLE fact ADD COLUMN extra text; SELECT no_such_column FROM fact;")
        with pytest.raises(StoreError, match="refused a statement"):
            anyio.run(open_it, kept)
    with monkeypatch.context() as patched:
        later(patched, "ALTER TABLE fact ADD COLUMN extra text;")
        (kept.folder / "file").touch()
        with pytest.raises(StoreError, match="file"):
            anyio.run(open_it, replace(kept, folder=kept.folder / "file"))
    assert anyio.run(rows_of, kept) == before
