"""Builds the httpx client: trust, proxies, limits, user agent, and a count of every request.

pagerforce's own transport sits between httpx and the network, because only there every request is
visible, also those of an authentication flow and those without an answer. httpx reads proxies
from the environment only if no transport is given, so this module does that as well.
"""

import ipaddress
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

from pagerforce import __version__
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.ids import Side
from pagerforce.wire.inflate import CODING

USER_AGENT = f"pagerforce/{__version__}"

OPERATION = "pagerforce.operation"
"""Key of ``Request.extensions`` for the operation's name in the metrics, a constant of the code."""

NO_ANSWER_CODE = "error"
"""The ``code`` of a request that got no answer."""

_MAX_CONNECTIONS = 32
_MAX_IDLE_CONNECTIONS = 8
_IDLE_SECONDS = 30.0
"""Shorter than the limits of proxies and both vendors, so that few idle connections die
unnoticed."""


class RequestObserver(Protocol):
    """Receives every request; implemented by the metrics."""

    def on_request(self, system: Side, operation: str, code: str) -> None:
        """One request was sent. ``code``: the HTTP status, or ``error`` without an answer."""
        ...

    def on_budget(self, system: Side, remaining: float) -> None:
        """The remote side reported how many calls are left."""
        ...


def build_client(  # noqa: PLR0913 - all by name, and only the wiring calls it
    *,
    base_url: str,
    timeout_seconds: float,
    ca_file: str | Path | None = None,
    observer: RequestObserver,
    system: Side,
    headers: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """The HTTP client for one side; use it as an async context manager.

    Args:
        base_url: prefix of relative request paths.
        timeout_seconds: bound of each network step; ``wire.exchange`` bounds the whole call.
        ca_file: a PEM bundle trusted besides the system's own; None or ``""`` for none.
        observer: receives every request, by the name in the request's ``OPERATION`` extension.
        system: the side that the client talks to.
        headers: sent with every request.
        transport: from ``open_network``, or what replaces the network in tests; with it,
            ``ca_file`` is not read.

    Raises:
        ConfigError: the CA bundle cannot be read, or a proxy of the environment is not usable.
    """
    inner = transport or open_network(make_trust(ca_file))
    # Waiting for a connection ends well before the total deadline: then surely nothing was sent.
    # A known outcome is worth more than a few seconds of waiting.
    setup_seconds = timeout_seconds / 3
    return httpx.AsyncClient(
        base_url=base_url,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": CODING, **headers},
        timeout=httpx.Timeout(timeout_seconds, connect=setup_seconds, pool=setup_seconds),
        follow_redirects=False,
        trust_env=False,
        transport=_ObservedTransport(inner, observer, system),
    )


def open_network(trust: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The network of one client, directly or through the proxy of the environment.

    Raises:
        ConfigError: a proxy of the environment is not usable.
    """
    return _EnvironmentTransport(trust)


class _ObservedTransport(httpx.AsyncBaseTransport):
    """Reports each request to the observer."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, observer: RequestObserver, system: Side
    ) -> None:
        self._inner = inner
        self._observer = observer
        self._system = system

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = str(request.extensions.get(OPERATION, "other"))
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:  # a deadline cancels; that request was sent too
            self._observer.on_request(self._system, operation, NO_ANSWER_CODE)
            raise
        self._observer.on_request(self._system, operation, str(response.status_code))
        return response

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _EnvironmentTransport(httpx.AsyncBaseTransport):
    """The network, directly or through the proxy of ``HTTPS_PROXY`` and ``NO_PROXY``."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        proxies = urllib.request.getproxies_environment()
        self._direct = _http_transport(trust, None)
        self._proxied = {
            scheme: _http_transport(trust, _parse_proxy(scheme, proxies[scheme], trust))
            for scheme in ("http", "https", "all")
            if proxies.get(scheme)
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._route(request.url).handle_async_request(request)

    async def aclose(self) -> None:
        for transport in (self._direct, *self._proxied.values()):
            await transport.aclose()

    def _route(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        if _goes_direct(url):
            return self._direct
        return self._proxied.get(url.scheme) or self._proxied.get("all") or self._direct


def proxy_variable(url: str) -> str:
    """The environment variable whose proxy a request would use; ``""`` for a direct request."""
    parsed = httpx.URL(url)
    proxies = urllib.request.getproxies_environment()
    if _goes_direct(parsed):
        return ""
    used = next((scheme for scheme in (parsed.scheme, "all") if proxies.get(scheme)), "")
    return f"{used.upper()}_PROXY" if used else ""


def _goes_direct(url: httpx.URL) -> bool:
    host = url.host if url.port is None else f"{url.host}:{url.port}"
    return _is_loopback(url.host) or bool(urllib.request.proxy_bypass(host))


def _is_loopback(host: str) -> bool:
    """Whether the host is this host's loopback; a proxy would use its own loopback instead."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _http_transport(trust: ssl.SSLContext, proxy: httpx.Proxy | None) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        verify=trust,
        trust_env=False,
        proxy=proxy,
        limits=httpx.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        ),
    )


def _parse_proxy(scheme: str, text: str, trust: ssl.SSLContext) -> httpx.Proxy:
    url = text if "://" in text else f"http://{text}"
    place = f"{scheme.upper()}_PROXY"
    try:
        is_tls = url.lower().startswith("https:")
        proxy = httpx.Proxy(url, ssl_context=trust if is_tls else None)
    except (ValueError, httpx.InvalidURL) as error:
        # The text may contain a password, so the message does not repeat it.
        raise ConfigError([Problem(place, "is not the URL of a proxy")]) from error
    if proxy.url.scheme not in ("http", "https"):
        what = f"a {proxy.url.scheme} proxy cannot be used; give an http:// or https:// one"
        raise ConfigError([Problem(place, what)])
    return proxy


def make_trust(ca_file: str | Path | None) -> ssl.SSLContext:
    """Reads the certificate authorities; several clients may share them.

    Raises:
        ConfigError: the CA bundle cannot be read.
    """
    # Not ssl.create_default_context(): it writes TLS keys to the file in SSLKEYLOGFILE.
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_default_certs()
    if ca_file:
        try:
            trust.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            what = f"{ca_file} cannot be read as a PEM bundle of certificates ({error.strerror or error})"
            raise ConfigError([Problem("daemon.ca_file", what)]) from error
    return trust
