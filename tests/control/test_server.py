"""The control socket itself: who listens, who is kept out, what is too much. Served in this process."""

import json
import socket
import stat
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from control.kit import open_office
from pagerforce.errors import AddressInUseError, ConfigError, PagerforceError
from pagerforce.service.control import listener as listening
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.client import call_daemon, is_running
from pagerforce.service.control.desk import Running
from pagerforce.service.control.listener import bind_socket, listen
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.refusals import Refusals
from pagerforce.service.control.serve import serve_control
from pagerforce.service.control.server import build_control_app
from pagerforce.service.inbound.gate import Rank
from pagerforce.service.inbound.protocol import Deadlines
from rig import open_rig

HEAD = b"POST /v1/links/list HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "control.sock"


@asynccontextmanager
async def served(folder, path):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        async with listen(build_control_app(office.home), bind_socket(path), path):
            yield office, daemon


async def post(path, url, content=b"{}"):
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        return await client.post(f"http://pagerforce/v1/{url}", content=content)


async def call(path, command, **values):
    told = []
    result = await anyio.to_thread.run_sync(
        call_daemon, path, command, values, lambda *x: told.append(x[0])
    )
    return result, told


async def test_anyone_may_connect_and_the_file_goes_with_the_server(folder, path):
    async with served(folder, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert is_running(path)
        result, _ = await call(path, "links list")
        assert result == []
        result, _ = await call(path, "drift")
        assert result["differences"] == []
    assert not path.exists()
    assert not is_running(path)


async def test_errors_arrive_as_what_they_were(folder, path):
    async with served(folder, path):
        with pytest.raises(PagerforceError, match="linked to nothing"):
            await call(path, "links show", id="PX")
        with pytest.raises(ConfigError) as caught:
            await call(path, "rules check", name="x.toml", content="[[rulesets]]\nnme = 1\n")
        assert caught.value.problems[0].where.startswith("x.toml: rulesets[0]")
        with pytest.raises(ConfigError):
            await call(path, "links show", id=1)
        with pytest.raises(ConfigError):
            await call(path, "links show", id="PX", more=True)
        answer = await post(path, "make/coffee")
        assert (answer.status_code, json.loads(answer.text)["error"]["exit"]) == (400, 2)


async def test_what_is_too_large_or_no_json_is_refused(folder, path):
    async with served(folder, path):
        answer = await post(path, "links/show", b"x" * 3_000_000)
        assert (answer.status_code, json.loads(answer.text)["error"]["exit"]) == (400, 2)
        for nonsense in (b"[]", b"\xff\xfe", b"{", b"[" * 100_000):
            assert (await post(path, "links/show", nonsense)).status_code == 400
        assert (await post(path, "links/list", b"")).status_code == 200


async def test_a_stale_file_is_replaced_and_a_live_one_is_not_stolen(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    first = bind_socket(path)
    try:
        with pytest.raises(AddressInUseError, match="another daemon"):
            bind_socket(path)
        assert path.exists()
    finally:
        first.close()
    path.unlink()
    path.write_text("precious")
    with pytest.raises(AddressInUseError, match="not a socket"):
        bind_socket(path)
    assert path.read_text() == "precious"


async def test_a_place_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AddressInUseError, match="cannot listen"):
        bind_socket(tmp_path / "file" / "control.sock")


async def test_somebody_who_connects_and_says_nothing_is_cut_off(folder, path, monkeypatch):
    # The wait itself is what is tried: shortened, not left out.
    monkeypatch.setattr(listening, "_DEADLINES", Deadlines(0.2, 0.2, 0.2))
    async with served(folder, path):
        for said in (b"", b"POST /v1/links/list HTTP/1.1\r\n", HEAD % 9 + b"{"):
            async with await anyio.connect_unix(path) as silent:
                if said:
                    await silent.send(said)
                with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
                    await silent.receive()


async def test_one_user_cannot_keep_the_others_out(folder, path, monkeypatch):
    # Root and the service user have no bound; the test may be both, so it is taken from them.
    monkeypatch.setattr(Callers, "rank_of", lambda *_: Rank.STRANGER)
    monkeypatch.setattr(listening, "_SETTLE_SECONDS", 1000.0)
    async with served(folder, path):
        held = [await anyio.connect_unix(path) for _ in range(8)]
        with pytest.raises(PagerforceError, match="try again"):
            await call(path, "links list")
        for stream in held:
            await stream.aclose()
        with anyio.fail_after(10):
            while True:
                try:
                    assert (await call(path, "links list"))[0] == []
                    break
                except PagerforceError:
                    await anyio.sleep(0.05)


async def test_who_asks_takes_the_place_of_who_only_holds_one(folder, path, monkeypatch):
    monkeypatch.setattr(Callers, "rank_of", lambda *_: Rank.STRANGER)
    monkeypatch.setattr(listening, "_SETTLE_SECONDS", 0.0)
    async with served(folder, path):
        held = [await anyio.connect_unix(path) for _ in range(8)]
        assert (await call(path, "links list"))[0] == []
        with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await held[0].receive()
        for stream in held:
            await stream.aclose()


async def test_a_connection_ends_with_its_answer(folder, path):
    async with served(folder, path):
        for word in (b"links/list", b"no/such/command", b"../v2"):
            async with await anyio.connect_unix(path) as peer:
                await peer.send((HEAD % 2).replace(b"links/list", word) + b"{}")
                answer = b""
                with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
                    while True:
                        answer += await peer.receive()
                assert answer.lower().count(b"connection: close") == 1


async def test_a_long_operation_ends_with_its_caller(folder, path):
    async with served(folder, path) as (office, _):
        gate = anyio.Event()

        async def hold():
            async with office.home.reading.read():  # a read that is kept waiting
                gate.set()
                await anyio.sleep_forever()

        async with anyio.create_task_group() as group:
            group.start_soon(hold)
            await gate.wait()
            with anyio.move_on_after(0.5):
                await post(path, "links/list")
            group.cancel_scope.cancel()
        assert (await call(path, "links list"))[0] == []


async def test_refusals_cannot_fill_the_journal(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        refusals = Refusals(office.home)
        stranger = Caller(4242, "eve", frozenset())
        for _ in range(200):
            await refusals.record(stranger, "status", "no role")
        assert len(await office.audit()) == 6
        await refusals.record(stranger, "links list", "no role")
        rig.advance(20)
        await refusals.fold()
        last = (await office.audit())[-1]
        assert last["arguments"] == {"refused": {"status": 194, "links list": 1}}
        assert "195 times" in last["reason"]
        await refusals.record(Caller(4243, "mallory", frozenset()), "status", "no role")
        assert (await office.audit())[-1]["operator"]["user"] == "mallory"


async def test_refusals_of_very_many_users_cannot_fill_it_either(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        refusals = Refusals(office.home)
        for uid in range(10_000, 11_000):
            for _ in range(3):
                await refusals.record(Caller(uid, f"u{uid}", frozenset()), "status", "no role")
        for _ in range(9):
            rig.advance(20)
            await refusals.fold()
        found = await office.audit()
        assert len(found) <= 60
        assert len(refusals._accounts) <= 300
        crowd = [x for x in found if x["operator"]["user"] == "(several users)"]
        assert crowd
        written = sum(x["arguments"].get("refused", {}).get("status", 1) for x in found)
        left = sum(account.folded.total() for account in refusals._accounts.values())
        assert written + left == 3000


async def test_a_socket_that_cannot_be_opened_keeps_no_daemon_from_its_work(folder, tmp_path):
    async with open_rig(folder) as rig:
        taken = bind_socket(rig.desk.folder / "control.sock")
        try:
            async with rig.daemon() as daemon:
                running = Running(daemon.parts, list, dict)
                async with serve_control(rig.desk.config, {}, running, rig.host):
                    await rig.paged(daemon)
                assert (rig.desk.folder / "control.sock").exists(), "it is another daemon's"
        finally:
            taken.close()


async def test_the_daemon_s_state_stays_free_while_an_operation_reads(folder, path):
    """A read that takes its time holds a connection of its own, never the one that polls commit by."""
    async with served(folder, path) as (office, daemon):
        async with office.home.reading.read():
            with anyio.fail_after(20):
                await daemon.rig.paged(daemon)


async def test_a_full_queue_is_no_daemon_that_is_gone(path):
    with bind_socket(path) as listener:
        listener.listen(0)
        waiting = []
        try:
            with pytest.raises(BlockingIOError):
                while True:
                    waiting.append(socket.socket(socket.AF_UNIX))
                    waiting[-1].setblocking(False)
                    waiting[-1].connect(str(path))
            async with anyio.create_task_group() as group:

                async def later():
                    await anyio.sleep(0.2)
                    listener.accept()[0].close()

                group.start_soon(later)
                assert await anyio.to_thread.run_sync(is_running, path)
        finally:
            for stream in waiting:
                stream.close()
