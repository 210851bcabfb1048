"""A local user without a role misuses the metrics port: paging, polling and the probes keep working."""

import json
import socket

import anyio
import pytest

from abuse.strangers import GET, MORE, few_descriptors, needs_root, port_of, swarm
from process import command, open_stage, until

INCIDENT = "BMCServiceDesk__Incident__c"
LARGEST_LOG = 30_000


def page(stage):
    """Creates a record that makes the rules create an incident."""
    sf = stage.desk.salesforce
    values = {
        "BMCServiceDesk__shortDescription__c": "Core switch down",
        "BMCServiceDesk__FKCategory__c": sf.find_id("BMCServiceDesk__Category__c", Name="Network"),
        "BMCServiceDesk__FKPriority__c": sf.find_id("BMCServiceDesk__Priority__c", Name="1"),
    }
    return sf.insert(INCIDENT, values)


async def goes_on(stage, running):
    """Probes answer, an incident is created, both sides are polled, and the log stays small."""
    before = await polls(running)
    page(stage)
    for _ in range(10):
        for path in ("/-/healthy", "/-/ready", "/metrics"):
            began = anyio.current_time()
            answer = await running.get(path)
            took = anyio.current_time() - began
            assert answer is not None, (path, took)
            assert answer.status_code == 200, (path, answer.text)
        await anyio.sleep(0.1)
    await until(lambda: len(stage.desk.pagerduty.incidents()) >= 1, "a page", 20)
    after = await polls(running)
    assert all(after[side] > before[side] for side in after), (before, after)
    is_calm(running)


async def polls(running):
    return {
        side: await running.sample("last_success_timestamp_seconds", source=side)
        for side in ("pagerduty", "salesforce")
    }


def is_calm(running):
    log = running.log.read_text()
    assert len(log) < LARGEST_LOG, (len(log), log[:3000])
    assert "Traceback" not in log, log[:5000]
    assert "internal_error" not in log, log[:5000]


@needs_root
async def test_a_hoard_of_idle_connections_stops_nothing(tmp_path):
    async with open_stage(tmp_path) as stage, few_descriptors(stage, 256) as running:
        await running.ready()
        async with swarm("idle", port_of(running), 400 * MORE):
            await goes_on(stage, running)
        await running.stop()
        assert running.process.returncode == 0


@needs_root
async def test_requests_that_dribble_are_cut_off_and_stop_nothing(tmp_path):
    async with open_stage(tmp_path) as stage, few_descriptors(stage, 256) as running:
        await running.ready()
        text = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
        async with swarm("dribble", port_of(running), 100 * MORE, text=text) as seen:
            await goes_on(stage, running)
            await anyio.sleep(8)
        assert 0 < seen.longest < 25, seen.longest


@needs_root
@pytest.mark.parametrize("path", ["/metrics", "/", "/runbook"])
async def test_a_flood_of_requests_stops_nothing(tmp_path, path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        text = GET.format(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        async with swarm("ask", port_of(running), 100 * MORE, text=text, rest=0) as seen:
            await goes_on(stage, running)
        assert seen.seen["HTTP/1.1 200 OK"] > 20


@needs_root
async def test_clients_that_never_read_stop_nothing(tmp_path):
    async with open_stage(tmp_path) as stage, few_descriptors(stage, 256) as running:
        await running.ready()
        async with swarm("deaf", port_of(running), 100 * MORE, text=GET.format("/metrics")):
            await goes_on(stage, running)


@needs_root
async def test_clients_that_go_away_leave_no_traceback(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        for pause in (0, 0.001, 0.01):
            order = {"text": GET.format("/metrics") * 3, "pause": pause}
            async with swarm("hasty", port_of(running), 20, **order):
                await anyio.sleep(1)
        await goes_on(stage, running)


def say(running, payload):
    """Sends bytes and returns the answer up to its end."""
    with socket.create_connection(port_of(running), 20) as peer:
        received = b""
        try:
            peer.sendall(payload)

            while chunk := peer.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


MALFORMED = {
    "no HTTP": b"\x00\xff\xfe\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200,
    "header without end": b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 500_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
    "long path": b"GET /" + b"a" * 500_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "garbage after it": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n\x00\x01\x02 nonsense\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "escape in path": b"GET /\x1b[31m HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "escape encoded": b"GET /%1b%5b2J%0d%0ainjected%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "upgrade h2c": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "accept": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=x;escaping=y\r\n\r\n",
    "expect": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    "absolute": b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nothing": b"",
}


async def test_invalid_requests_are_refused_quietly(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        for name, payload in MALFORMED.items():
            answer = await anyio.to_thread.run_sync(say, running, payload)
            assert not answer.startswith(b"HTTP/1.1 5"), (name, answer)
            assert b"injected" not in answer, name
        for _ in range(100):
            await anyio.to_thread.run_sync(say, running, MALFORMED["two lengths"])
        await goes_on(stage, running)
        lines = running.log.read_text().splitlines()
        assert all(json.loads(line) for line in lines), "lines of libraries"


HOSTS = {
    "localhost": 200,
    "LOCALHOST.": 200,
    "localhost:9479": 200,
    "127.0.0.1": 200,
    "127.9.9.9:1": 200,
    "192.0.2.7:9479": 200,
    "[::1]": 200,
    "[2001:db8::1]:9479": 200,
    socket.gethostname(): 200,
    f"{socket.gethostname().upper()}:9479": 200,
    "evil.example": 421,
    "evil.example:9479": 421,
    "localhost.evil.example": 421,
    "127.0.0.1.evil.example": 421,
    "a.localhost.evil": 421,
    "127.0.0.1@evil.example": 421,
    "localhost:9479:1": 421,
    "[::1": 421,
    "[evil.example]": 421,
    "2130706433": 421,
    "0x7f.1": 421,
    "": 421,
}


async def test_only_names_of_this_host_are_answered(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready()
        for host, status in HOSTS.items():
            for path in ("/metrics", "/-/healthy", "/"):
                text = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                answer = await anyio.to_thread.run_sync(say, running, text.encode())
                assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (host, answer[:200])
                assert b"evil" not in answer
        answer = await anyio.to_thread.run_sync(say, running, b"GET /-/healthy HTTP/1.0\r\n\r\n")
        assert b" 200 " in answer.splitlines()[0]
        is_calm(running)


async def test_an_address_that_others_reach_is_a_remark_of_status(tmp_path):
    async with open_stage(tmp_path) as stage:
        port = stage.url.rpartition(":")[2]
        stage.edit(f"127.0.0.1:{port}", f"0.0.0.0:{port}")
        async with stage.daemon() as running:
            await running.ready()
            code, out, err = await command("status", config=stage.desk.config)
            assert (code, out.count("remark: "), "0.0.0.0" in out) == (0, 1, True), (out, err)
            code, out, _ = await command("status", "--json", config=stage.desk.config)
            assert len(json.loads(out)["remarks"]) == 1
            code, out, _ = await command("check", "--offline", config=stage.desk.config)
            assert (code, out.count("metrics.listen")) == (0, 1), out
