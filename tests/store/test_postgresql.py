"""What is PostgreSQL's alone: lost connections, one writer, what check says of the server."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from engines import need_postgresql, open_engine
from pagerforce.config.load import load_config
from pagerforce.config.schema import StateSettings
from pagerforce.config.secret import Secret
from pagerforce.errors import (
    StateInUseError,
    StatementError,
    StoreError,
    StoreUnavailableError,
)
from pagerforce.service.catalog import CATALOG
from pagerforce.service.checks.keeping import keeping_lines
from pagerforce.service.state import find_state
from pagerforce.store import facts
from pagerforce.store.database import savepoint
from pagerforce.store.state import Server
from postgresql_server import create_server, shared_server
from rig import open_rig

pytest.importorskip("psycopg")

from pagerforce.store.postgresql.dialect import to_postgresql, to_values
from pagerforce.store.postgresql.engine import Place, is_local, unproved_mode
from pagerforce.store.postgresql.state import PostgresqlState


@pytest.fixture
def state(tmp_path):
    with open_engine("postgresql", tmp_path) as state:
        yield state


@pytest.fixture(scope="module", autouse=True)
def _server():
    need_postgresql()


def ask(sql, *values):
    return shared_server().ask(sql, *values)


def end_sessions():
    ask(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = 'pagerforce' AND pid <> pg_backend_pid()"
    )


# Connections -------------------------------------------------------------------------------------


async def test_one_writer_at_a_time_and_any_number_of_readers(state):
    async with state.open() as database:
        with pytest.raises(StateInUseError, match="another pagerforce"):
            async with state.open():
                pass
        async with state.open(read_only=True) as reader, database.write() as tx:
            await facts.put_fact(tx, "a", "1")
            async with reader.read() as other:
                assert await facts.find_fact(other, "a") is None
    async with state.open() as database, database.read() as tx:
        assert await facts.find_fact(tx, "a") == "1"


async def test_a_connection_lost_between_transactions_is_replaced(state):
    async with state.open() as database:
        for number in range(3):
            end_sessions()
            async with database.write() as tx:
                await facts.put_fact(tx, f"name {number}", "1")
            end_sessions()
            async with database.read() as tx:
                assert await facts.find_fact(tx, f"name {number}") == "1"


async def test_a_connection_lost_in_a_transaction_leaves_nothing_of_it(state):
    async with state.open() as database:
        with pytest.raises(StoreUnavailableError, match="tried again"):
            async with database.write() as tx:
                await facts.put_fact(tx, "a", "1")
                end_sessions()
                await facts.put_fact(tx, "b", "1")
        async with database.write() as tx:
            assert await facts.find_fact(tx, "a") is None
            await facts.put_fact(tx, "a", "2")


class Cable:
    """A proxy before the server that cuts the connection at the next COMMIT.

    ``reaches``: the server gets the COMMIT, and its answer is lost.
    """

    def __init__(self, folder, *, reaches):
        self._inner = f"{shared_server().folder}/.s.PGSQL.5432"
        self._outer = f"{folder}/.s.PGSQL.5432"
        self._reaches = reaches
        self.cuts = 0
        self.is_armed = False

    @contextmanager
    def laid(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._outer)
            listener.listen()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield

    def _accept(self, listener):
        with suppress(OSError):  # closed at the end
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._inner)
            is_lost, is_answered = threading.Event(), threading.Event()

            def back():
                while data := server.recv(65536):
                    if is_lost.is_set():
                        is_answered.set()
                    else:
                        client.sendall(data)
                client.shutdown(socket.SHUT_RDWR)

            threading.Thread(target=quietly, args=(back,), daemon=True).start()
            while data := client.recv(65536):
                if self.is_armed and b"COMMIT" in data:
                    self.is_armed = False
                    self.cuts += 1
                    is_lost.set()
                    if self._reaches:
                        server.sendall(data)
                        is_answered.wait(20)
                    return
                server.sendall(data)


def quietly(task):
    with suppress(OSError):
        task()


@pytest.mark.parametrize("reaches", [True, False])
async def test_a_lost_answer_to_a_commit_is_found_out(state, tmp_path, reaches):
    async with state.open():
        pass
    cable = Cable(tmp_path, reaches=reaches)
    url = f"postgresql://tester@/postgres?host={tmp_path}"
    behind = PostgresqlState(Place(url, state.place.connection))
    with cable.laid():
        async with behind.open() as database:
            cable.is_armed = True
            if reaches:
                async with database.write() as tx:
                    await facts.put_fact(tx, "a", "1")
            else:
                with pytest.raises(StoreUnavailableError):
                    async with database.write() as tx:
                        await facts.put_fact(tx, "a", "1")
            assert cable.cuts == 1
            async with database.write() as tx:
                assert await facts.find_fact(tx, "a") == ("1" if reaches else None)


async def test_a_refused_value_costs_one_item_and_is_not_shown(state):
    async with state.open() as database, database.write() as tx:
        await facts.put_fact(tx, "before", "1")
        with pytest.raises(StatementError) as caught:
            async with savepoint(tx):
                await tx.run("UPDATE action SET seq = ?", ("Jane's secret",))
        assert "Jane" not in str(caught.value)
        await facts.put_fact(tx, "after", "1")
        assert await facts.find_fact(tx, "before") == "1"


async def test_an_error_that_nobody_noticed_does_not_pass_for_a_commit(state):
    async with state.open() as database:
        with pytest.raises(StatementError, match="had failed"):
            async with database.write() as tx:
                await facts.put_fact(tx, "a", "1")
                with suppress(StatementError):
                    await tx.run("UPDATE action SET seq = ?", ("x",))
        async with database.read() as tx:
            assert await facts.find_fact(tx, "a") is None


async def test_a_server_that_stops_and_starts_again():
    server = create_server()
    state = PostgresqlState(Place(server.url(), "stops"))
    async with state.open() as database:
        server.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                async with database.write() as tx:
                    await facts.put_fact(tx, "a", "1")
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                async with database.read() as tx:
                    await facts.find_fact(tx, "a")
        server.start()
        async with database.write() as tx:
            await facts.put_fact(tx, "a", "1")
    with pytest.raises(StoreError, match="no such database"):
        async with PostgresqlState(Place(server.url("none"), "x")).open():
            pass


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("SELECT ? WHERE a = ?", "SELECT %s WHERE a = %s"),
        (
            "SELECT '?' , \"?\", 'it''s ?' WHERE a LIKE '%x' AND b % 2 = ?",
            "SELECT '?' , \"?\", 'it''s ?' WHERE a LIKE '%%x' AND b %% 2 = %s",
        ),
    ],
)
def test_question_marks_become_the_drivers_parameters(given, wanted):
    assert to_postgresql(given) == wanted


def test_flags_are_integers_and_the_null_character_is_replaced():
    assert to_values([True, False, 3, None, "a\0b"]) == [1, 0, 3, None, "a\ufffdb"]
    assert [type(value) for value in to_values([True])] == [int]


def test_a_name_for_messages_has_no_secret():
    place = Place("postgresql://jane@db1,db2:5432/pf?sslkey=/x", "production", Secret("hush"))
    assert place.name == "postgresql://db1,db2/pf (production)"
    assert "hush" not in repr(place)


def test_local_hosts_need_no_tls():
    assert is_local("")
    assert is_local("/run/postgresql")
    assert is_local("localhost,::1")
    assert not is_local("localhost,db1")


# What check says -----------------------------------------------------------------------------------


async def test_check_names_what_makes_the_server_unreliable(state):
    assert [line.code for line in await keeping_lines(state)] == ["", "state.no_standby"]
    ask("ALTER ROLE tester SET synchronous_commit = off")
    try:
        lines = await keeping_lines(state)
    finally:
        ask("ALTER ROLE tester RESET synchronous_commit")
    assert [line.code for line in lines] == ["", "state.not_durable", "state.no_standby"]
    assert "PostgreSQL" in lines[0].what
    assert "synchronous_commit" in lines[1].remedy
    there = Server("PostgreSQL 17.1", "require", [], has_standby=True)

    class Elsewhere(PostgresqlState):
        async def look(self):
            return there

    lines = await keeping_lines(Elsewhere(state.place))
    assert [line.code for line in lines] == ["", "state.server_not_proved"]
    far = PostgresqlState(Place("postgresql://tester@db.invalid/x?connect_timeout=1", "x"))
    (line,) = await keeping_lines(far)
    assert line.code == "state.unusable"


def test_a_server_elsewhere_must_prove_who_it_is():
    assert unproved_mode(Place("postgresql://db1/x", "x")) == "require"
    assert unproved_mode(Place("postgresql://db1/x?sslmode=verify-ca", "x")) == "verify-ca"
    assert unproved_mode(Place("postgresql://db1/x?sslmode=verify-full", "x")) == ""
    assert unproved_mode(Place("postgresql:///x", "x")) == ""


async def test_without_the_driver_the_remedy_is_named(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig:
        loaded = load_config(rig.desk.config, catalog=CATALOG, environ={})
    there = StateSettings(url="postgresql://db1/x", connection="x")
    config = loaded.config.model_copy(update={"state": there})
    assert isinstance(find_state(config, {}), PostgresqlState)
    monkeypatch.setitem(sys.modules, "pagerforce.store.postgresql.state", None)
    with pytest.raises(StoreError, match=r"pagerforce\[postgresql\]"):
        find_state(config, {})


def test_sqlite_needs_no_driver():
    code = (
        "import sys; import pagerforce.service.daemon, pagerforce.cli.app; "
        "assert not [name for name in sys.modules if name.startswith('psycopg')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
