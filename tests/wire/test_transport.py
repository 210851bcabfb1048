"""Trust and proxies, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from pagerforce.errors import ConfigError, TransientError
from pagerforce.model.ids import Side
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import make_tls
from pagerforce.wire.exchange import exchange
from pagerforce.wire.transport import build_client, make_trust


class Silent:
    def on_request(self, system, operation, code):
        pass

    def on_budget(self, system, remaining):
        pass


def client_for(base_url, ca_file=None):
    return build_client(
        base_url=base_url,
        timeout_seconds=3,
        ca_file=ca_file,
        observer=Silent(),
        system=Side.PAGERDUTY,
        headers={},
    )


async def get(client, url="/"):
    request = client.build_request("GET", url)
    return await exchange(client, request, is_write=False, deadline_seconds=3)


@pytest.fixture
def fine():
    async def answer(request):
        return Response(b"fine")

    return Starlette(routes=[Route("/", answer)])


async def test_a_private_ca_is_trusted_only_where_it_is_given(fine, tmp_path):
    tls = make_tls(tmp_path)
    async with serve(fine, tls=tls) as base_url:
        async with client_for(base_url) as client:
            with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
                await get(client)
        async with client_for(base_url, tls.ca) as client:
            assert (await get(client)).body == b"fine"


def test_the_systems_own_trust_stays_beside_the_private_ca(tmp_path):
    alone = len(make_trust(None).get_ca_certs())
    assert len(make_trust(make_tls(tmp_path).ca).get_ca_certs()) == alone + 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_invalid_is_a_configuration_error(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"daemon\.ca_file: .*ca\.pem"):
        client_for("https://example.com", str(file))


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that records what it is asked to connect to, and refuses."""
    asked: list[str] = []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)

    async def refuse(stream):
        async with stream:
            asked.append((await stream.receive()).decode().split("\r\n")[0])
            await stream.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}", asked
        tasks.cancel_scope.cancel()
    await listener.aclose()


async def test_https_proxy_is_used_and_its_refusal_means_nothing_was_sent(monkeypatch):
    async with proxy() as (url, asked):
        monkeypatch.setenv("HTTPS_PROXY", url)
        async with client_for("https://api.example.com") as client:
            request = client.build_request("POST", "/")
            with pytest.raises(TransientError, match="not sent"):
                await exchange(client, request, is_write=True, deadline_seconds=3)
    assert asked == ["CONNECT api.example.com:443 HTTP/1.1"]


async def test_no_proxy_is_honoured(monkeypatch):
    async with proxy() as (url, asked):
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.setenv("NO_PROXY", "example.invalid")
        async with client_for("https://api.example.invalid") as client:
            with pytest.raises(TransientError):
                await get(client)
    assert asked == []


async def test_loopback_is_reached_directly(monkeypatch, fine):
    async with proxy() as (url, asked), serve(fine) as base_url:
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("ALL_PROXY", url)
        async with client_for(base_url) as client:
            assert (await get(client)).body == b"fine"
    assert asked == []


@pytest.mark.parametrize("text", ["socks5://127.0.0.1:1080", "http://proxy:port"])
def test_a_proxy_that_cannot_be_used_is_named_but_not_shown(monkeypatch, text):
    monkeypatch.setenv("HTTPS_PROXY", text)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        client_for("https://api.example.com")
    assert text not in str(caught.value)
