"""A failure with one caller affects only that caller: errors, slow answers, no descriptors left."""

import os
import resource
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from pagerforce.service.inbound.accept import Ranker
from pagerforce.service.inbound.contain import Contained, Paced
from pagerforce.service.inbound.gate import Bounds
from pagerforce.service.inbound.protocol import Deadlines
from pagerforce.service.inbound.server import Service, serve

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


async def fine(scope, receive, send):
    await PlainTextResponse("fine")(scope, receive, send)


@asynccontextmanager
async def served(app, *, bounds=None, seconds=None, deadlines=None, ranker=None):
    """The address, and the reported errors."""
    reported = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        service = Service(
            "test",
            Contained(app, reported.append, seconds),
            bounds or Bounds(16),
            deadlines or Deadlines(5, 5, 5),
            reported.append,
            ranker or Ranker(),
        )
        async with serve(service, listener) as gate:
            yield listener.getsockname(), reported, gate


async def ask(where, payload=GET % b""):
    with anyio.fail_after(20):
        async with await anyio.connect_tcp(*where) as stream:
            await stream.send(payload)
            received = b""
            try:
                while True:
                    received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return received


async def test_an_error_is_reported_and_answered_and_the_next_caller_is_served():
    async def app(scope, receive, send):
        if scope["path"] == "/bad":
            raise KeyError("a secret")
        if scope["path"] == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ExceptionGroup("several", [KeyError("a"), ValueError("b")])
        await fine(scope, receive, send)

    async with served(app) as (where, reported, gate):
        answer = await ask(where, GET % b"bad")
        assert answer.startswith(b"HTTP/1.1 500")
        assert b"secret" not in answer
        await ask(where, GET % b"half")
        assert [type(error) for error in reported] == [KeyError, ExceptionGroup]
        assert b"fine" in await ask(where)
        with anyio.fail_after(10):
            while len(gate):
                await anyio.sleep(0.01)


async def test_a_disconnected_caller_is_no_error():
    async def app(scope, receive, send):
        raise ExceptionGroup("several", [ClientDisconnect()])

    async with served(app) as (where, reported, _):
        await ask(where)
        assert reported == []


async def test_an_answer_that_takes_too_long_is_given_up():
    async def app(scope, receive, send):
        await anyio.sleep_forever()

    async with served(app, seconds=0.1) as (where, reported, _):
        assert (await ask(where)).startswith(b"HTTP/1.1 503")
        assert reported == []


async def test_one_request_per_connection_and_no_more():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["path"])
        await fine(scope, receive, send)

    async with served(app) as (where, _, _):
        answer = await ask(where, GET % b"one" + GET % b"two" + b"nonsense\r\n\r\n")
        assert answer.count(b"HTTP/1.1") == 1
        assert b"connection: close" in answer
        assert seen == ["/one"]


async def test_who_reads_nothing_is_cut_off():
    async def app(scope, receive, send):
        await PlainTextResponse("x" * 50_000_000)(scope, receive, send)

    async with served(app, deadlines=Deadlines(5, 0.2, 0.2)) as (where, reported, gate):
        async with await anyio.connect_tcp(*where) as stream:
            await stream.send(GET % b"")
            with anyio.fail_after(20):
                while not len(gate):
                    await anyio.sleep(0.01)
                while len(gate):
                    await anyio.sleep(0.05)
        assert reported == []


async def test_requests_beyond_the_rate_wait_their_turn():
    began = anyio.current_time()
    paced = Paced(fine, per_second=50, burst=5)

    async def nothing(_):
        return None

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(paced, {"type": "http"}, nothing, nothing)
    assert anyio.current_time() - began >= 0.4


async def test_without_descriptors_idle_callers_go_and_serving_continues(monkeypatch):
    logged = []
    monkeypatch.setattr(
        "pagerforce.service.inbound.accept._LOG.error",
        lambda *x, **y: logged.append(y),
        raising=False,
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    async with served(fine, bounds=Bounds(10_000)) as (where, reported, _):
        waiting = [await anyio.connect_tcp(*where) for _ in range(20)]
        clients = [socket.socket() for _ in range(5)]
        highest = max(clients, key=socket.socket.fileno).fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            for client in clients:
                client.setblocking(False)
                client.connect_ex(where)
            await anyio.sleep(1.0)
            assert 1 <= len(logged) <= 5
        finally:
            for handle in taken:
                os.close(handle)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for client in clients:
            client.close()
        assert b"fine" in await ask(where)
        assert reported == []
        for stream in waiting:
            await stream.aclose()


async def test_a_listener_that_meets_an_unexpected_error_continues():
    class Odd(Ranker):
        times = 0

        def rank(self, connection):
            Odd.times += 1
            if Odd.times == 1:
                connection.close()
                raise RuntimeError("odd")
            return super().rank(connection)

    async with served(fine, ranker=Odd()) as (where, reported, _):
        assert await ask(where) == b""
        assert b"fine" in await ask(where)
        assert [str(error) for error in reported] == ["odd"]


@pytest.mark.parametrize("count", [1, 40])
async def test_all_places_are_released(count):
    async with served(fine, bounds=Bounds(8, settle_seconds=0.0)) as (where, reported, gate):
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(ask, where)
        with anyio.fail_after(10):
            while len(gate):
                await anyio.sleep(0.01)
        assert reported == []


async def test_callers_that_go_away_use_up_no_turns_of_the_others():
    paced = Paced(fine, per_second=20, burst=1)
    async with served(paced, bounds=Bounds(64)) as (where, reported, _):
        for _ in range(40):
            with socket.create_connection(where) as gone:
                gone.sendall(GET % b"")
            await anyio.sleep(0.002)
        began = anyio.current_time()
        assert b"fine" in await ask(where)
        assert anyio.current_time() - began < 1.5, "40 turns are 2 s"
        assert reported == []


async def test_every_answer_has_the_present_date():
    async with served(fine) as (where, _, _):
        dates = []
        for pause in (0, 2.1):
            await anyio.sleep(pause)
            head = (await ask(where)).split(b"\r\n\r\n")[0].decode().lower().split("\r\n")
            (date,) = [line.removeprefix("date: ") for line in head if line.startswith("date:")]
            dates.append(parsedate_to_datetime(date))
            assert abs(datetime.now(UTC) - dates[-1]) < timedelta(seconds=2)
        assert dates[0] < dates[1]


async def test_a_server_without_callers_ends_at_once():
    async with served(fine):
        began = anyio.current_time()
    assert anyio.current_time() - began < 1.0
