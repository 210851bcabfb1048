"""Local users without a role misuse the control socket: root is still served, nothing fills up."""

import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from abuse.strangers import MORE, POST, few_descriptors, needs_root, open_folder, swarm
from abuse.test_metrics_port import MALFORMED, goes_on, is_calm
from process import command, open_stage

USERS = list(range(20_000, 20_008))
ESCAPES = "status%1b%5d0;owned%07%1b%5b2J%0d%0a%e2%80%ae"


@asynccontextmanager
async def reachable(most=None):
    """A daemon whose control socket other users can reach; the path of the socket."""
    with open_folder() as folder:
        async with open_stage(folder) as stage, AsyncExitStack() as stack:
            opened = stage.daemon() if most is None else few_descriptors(stage, most)
            running = await stack.enter_async_context(opened)
            await running.ready()
            yield stage, running, str(folder / "control.sock")


async def root_is_served(stage):
    code, out, err = await command("status", "--json", config=stage.desk.config)
    assert (code, err) == (0, "")
    assert json.loads(out)["ready"]


@needs_root
@pytest.mark.parametrize("how", ["idle", "dribble"])
async def test_users_that_hold_connections_do_not_keep_root_out(how):
    async with reachable(256) as (stage, running, path), AsyncExitStack() as stack:
        text = POST.format("status").removesuffix("\r\n\r\n{}") + "\r\n"
        await stack.enter_async_context(swarm(how, path, 20 * MORE, USERS, text=text))
        for _ in range(3):
            await root_is_served(stage)
        await goes_on(stage, running)


@needs_root
async def test_a_stalled_body_is_cut_off_too():
    async with reachable() as (stage, running, path):
        text = POST.format("status").replace("Length: 2", "Length: 1000000")
        async with swarm("dribble", path, 20, text=text, pause=0.1):
            await root_is_served(stage)
        is_calm(running)


@needs_root
async def test_refusals_fill_neither_the_log_nor_the_journal():
    async with reachable() as (stage, running, path), AsyncExitStack() as stack:
        before = len(running.log.read_bytes())
        order = {"text": POST.format(ESCAPES), "rest": 0}
        found = await stack.enter_async_context(swarm("ask", path, 4, USERS, **order))
        await root_is_served(stage)
        await anyio.sleep(5 * MORE)
        await goes_on(stage, running)
        await stack.aclose()
        assert found.seen["HTTP/1.1 403 Forbidden"] > 20, found.seen
        log = running.log.read_text()
        assert len(log) - before < 30_000, log[-3000:]
        for odd in ("\x1b", "owned", "\\u001b", "%1b"):
            assert odd not in log
        code, out, err = await command("log", "--audit", "--json", config=stage.desk.config)
        assert code == 0, err
        rows = [json.loads(line) for line in out.splitlines()]
        assert 0 < len(rows) < 80
        assert {row["command"] for row in rows} == {"(unknown command)"}
        assert "owned" not in out


def say(path, payload):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(25)
        peer.connect(path)
        received = b""
        try:
            peer.sendall(payload)
            while chunk := peer.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


async def test_invalid_requests_are_is_refused_quietly():
    async with reachable() as (stage, running, path):
        async with anyio.create_task_group() as group:

            async def check(name, payload):
                answer = await anyio.to_thread.run_sync(say, path, payload)
                assert not answer.startswith(b"HTTP/1.1 5"), (name, answer)
                assert b"injected" not in answer, name

            for name, payload in MALFORMED.items():
                group.start_soon(check, name, payload)
        odd = POST.format(ESCAPES).encode()
        answer = await anyio.to_thread.run_sync(say, path, odd)
        assert answer.startswith(b"HTTP/1.1 400"), "root: no such command"
        assert b"owned" not in answer
        await goes_on(stage, running)
        assert all(json.loads(line) for line in running.log.read_text().splitlines())


@needs_root
async def test_clients_that_disconnect_or_never_read_leave_no_traceback():
    async with reachable() as (stage, running, path), AsyncExitStack() as stack:
        text = POST.format("log")
        await stack.enter_async_context(swarm("deaf", path, 20, [0], text=text))
        for pause in (0, 0.001, 0.02, 0.1):
            order = {"text": POST.format("drift"), "pause": pause}
            async with swarm("hasty", path, 5, [0], **order):
                await anyio.sleep(0.5)
        await goes_on(stage, running)
        await running.stop()
        assert running.process.returncode == 0
        is_calm(running)


async def test_no_descriptor_is_lost():
    async with reachable() as (stage, running, path):

        def held():
            return len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))

        await root_is_served(stage)
        await anyio.sleep(1)
        before = held()
        for _ in range(50):
            await anyio.to_thread.run_sync(say, path, b"\x00\r\n\r\n")
        with anyio.fail_after(30):
            while held() > before + 2:
                await anyio.sleep(0.2)
