import socket
import ssl
import stat
from contextlib import AsyncExitStack

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pagerforce.errors import AddressInUseError
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import make_tls


async def greet(_request):
    return PlainTextResponse("hello")


async def hang(_request):
    await anyio.sleep(60)


async def fail(_request):
    raise ZeroDivisionError


APP = Starlette(routes=[Route("/", greet), Route("/hang", hang), Route("/fail", fail)])


async def test_the_url_answers_and_then_no_longer():
    async with httpx.AsyncClient() as client:
        async with serve(APP) as url:
            assert (await client.get(url)).text == "hello"
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_idle_connections_and_hanging_requests_do_not_hold_the_end_up():
    with anyio.fail_after(2):
        async with httpx.AsyncClient(timeout=5) as client, anyio.create_task_group() as tasks:

            async def ask():
                with pytest.raises(httpx.HTTPError):
                    (await client.get(f"{url}/hang")).raise_for_status()

            async with serve(APP) as url:
                await client.get(url)
                tasks.start_soon(ask)
                await anyio.sleep(0.05)


async def test_the_callers_error_arrives_as_it_is():
    with pytest.raises(KeyError, match="mine"):
        async with serve(APP):
            raise KeyError("mine")


async def test_a_cancelled_caller_still_stops_the_server():
    async with AsyncExitStack() as stack:
        with anyio.move_on_after(0.1) as scope:
            async with serve(APP) as url:
                stream = await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))
                await stack.enter_async_context(stream)
                await stream.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
                await stream.receive()
                await anyio.sleep(60)
        assert scope.cancelled_caught
        with anyio.fail_after(1):
            rest = [chunk async for chunk in stream]  # ends when the server closes
        assert len(rest) <= 1


async def test_a_taken_port_is_an_error_that_names_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError, match=str(port)):
            async with serve(APP, port=port):
                pass


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
async def test_only_loopback_is_served(host):
    with pytest.raises(AddressInUseError, match="loopback only"):
        async with serve(APP, host=host):
            pass


async def test_nothing_is_logged_even_when_the_application_fails(caplog, capfd):
    async with serve(APP) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/fail")).status_code == 500
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_https_is_trusted_through_its_own_ca_only(tmp_path, host):
    tls = make_tls(tmp_path / "tls")
    trusting = ssl.create_default_context(cafile=str(tls.ca))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    async with serve(APP, host=host, tls=tls) as url:
        assert url.startswith(f"https://{host}:")
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(url)).text == "hello"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.get(url)


def test_the_private_key_is_its_owners_alone(tmp_path):
    first = make_tls(tmp_path)
    first.key.chmod(0o644)
    again = make_tls(tmp_path)
    assert stat.S_IMODE(again.key.stat().st_mode) == 0o600
