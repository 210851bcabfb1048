"""A sandbox in a process of its own, forked from worlds that are filled once and served often.

Changes of a run are lost with its process, so that every run begins with the same data.
The worlds' clock stays at the time of filling, or follows the real clock.
"""

import gc
import multiprocessing
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import anyio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagerforce.sandbox import pagerduty, salesforce
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, PagerDutyWorld
from pagerforce.sandbox.running import CONSUMER_KEY, ORG_ID, USERNAME, free_port
from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import make_tls

_FORK = multiprocessing.get_context("fork")
_PATIENCE_SECONDS = 60.0
_KEPT_HEADERS = frozenset({"authorization", "accept", "accept-encoding", "content-type"})
REQUESTS = "/bench/requests"
NO_LIMIT = 1_000_000  # requests a minute; the daemon takes a larger number for a broken header


class StageClock:
    """Stays at an instant, or follows the real clock."""

    def __init__(self, held: datetime | None = None) -> None:
        self.held = held

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        return self.held or datetime.now(UTC)


@dataclass(slots=True)
class Worlds:
    """Both sides, with everything in them."""

    clock: StageClock
    pagerduty: PagerDutyWorld
    salesforce: SalesforceWorld

    def token(self) -> str:
        """A session of the integration user, for clients that do not log in themselves."""
        user = self.salesforce.user_id(USERNAME)
        return self.salesforce.tokens.issue(user, self.salesforce.clock.now())


Script: TypeAlias = Callable[[Worlds], Awaitable[object]]
"""What people do during a run; returns its report."""


@dataclass(slots=True)
class Serving:
    """A running sandbox."""

    pagerduty_url: str
    salesforce_url: str
    token: str
    ca_file: str
    _counters: tuple[object, object]
    _told: Connection

    def trust(self) -> ssl.SSLContext | bool:
        """The certificate authority that a client must trust."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True

    def calls(self) -> tuple[int, int]:
        """Requests so far: PagerDuty's, Salesforce's."""
        first, second = (counter.value for counter in self._counters)  # type: ignore[attr-defined]
        return first, second

    def begin(self) -> None:
        """Starts the script."""
        self._told.send(None)

    def result(self, seconds: float) -> object:
        """The script's result.

        Raises:
            TimeoutError: it did not end in time.
        """
        if not self._told.poll(seconds):
            raise TimeoutError(f"the script of a benchmark did not end within {seconds} s")
        return self._told.recv()


@dataclass(slots=True)
class Stage:
    """A folder with keys and a configuration, and the worlds to serve.

    ``secure``: over https. ``is_streamed``: changes of Salesforce wake the poll. ``pairs``: linked
    incidents and records, if a benchmark needs them. ``state``: the section of the configuration.
    ``urls``: of both sides, once they were served.
    """

    folder: Path
    worlds: Worlds
    rules: str
    pace: dict[str, str] = field(default_factory=dict)
    metrics: str = ""
    secure: bool = False
    is_streamed: bool = False
    pairs: list[tuple[str, str]] = field(default_factory=list)
    state: str = ""
    urls: tuple[str, str] = ("", "")

    @property
    def config(self) -> Path:
        """The daemon's configuration, written again with every serving."""
        return self.folder / "config.toml"

    @property
    def ca_file(self) -> str:
        """The sandbox's certificate authority; none over http."""
        return f"{self.folder}/ca.crt" if self.secure else ""

    @property
    def database(self) -> Path:
        """The daemon's state."""
        return self.folder / "state" / "pagerforce.db"

    @contextmanager
    def serving(self, script: Script | None = None) -> Iterator[Serving]:
        """The sandbox, while the block runs; ``script`` begins with ``Serving.begin``."""
        here, there = _FORK.Pipe()
        counters = (_FORK.Value("q", 0), _FORK.Value("q", 0))
        gc.collect()
        gc.freeze()
        token = self.worlds.token()
        child = _FORK.Process(target=_live, args=(self, script, there, counters), daemon=True)
        child.start()
        gc.unfreeze()
        there.close()
        try:
            if not here.poll(_PATIENCE_SECONDS):
                raise TimeoutError("the sandbox did not start")
            self.urls = here.recv()
            self.write_config()
            yield Serving(*self.urls, token, self.ca_file, counters, here)
        finally:
            child.kill()
            child.join()

    def write_config(self) -> None:
        """Writes the configuration for the last serving."""
        pagerduty_url, salesforce_url = self.urls
        pace = "".join(f'{key} = "{value}"\n' for key, value in self.pace.items())
        ca_file = f'ca_file = "{self.ca_file}"\n' if self.secure else ""
        stream = 'stream = "cometd"\n' if self.is_streamed else ""
        self.config.write_text(
            f'[daemon]\nstate_dir = "{self.folder}/state"\ncontrol_socket = ""\n'
            f'log_level = "warning"\n{ca_file}'
            f"{self.state}"
            f'[metrics]\nlisten = "{self.metrics}"\n'
            f'[pagerduty]\napi_url = "{pagerduty_url}"\nfrom_email = "{USERNAME}"\n'
            f'api_key_file = "{self.folder}/pagerduty.key"\n{pace}'
            f'[salesforce]\nlogin_url = "{salesforce_url}"\norg_id = "{ORG_ID}"\n'
            f'consumer_key = "{CONSUMER_KEY}"\nusername = "{USERNAME}"\n'
            f'private_key_file = "{self.folder}/salesforce.key"\ndaily_call_budget = 1000000\n{stream}{pace}'
            f"{self.rules}"
        )


def make_stage(folder: Path, rules: str, *, at: datetime | None = None) -> Stage:
    """Worlds with people and reference data, and the keys to them. ``at``: the time of their clock."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = StageClock(at)
    worlds = Worlds(clock, pagerduty.seeded_world(clock), salesforce.seeded_world(clock))
    worlds.pagerduty.knobs.requests_per_minute = NO_LIMIT
    worlds.salesforce.trust(_make_key(folder / "salesforce.key"))
    _write_private(folder / "pagerduty.key", ACCOUNT_KEY.encode())
    return Stage(folder, worlds, rules, metrics=f"127.0.0.1:{free_port()}")


def _make_key(path: Path) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_private(path, pem)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write_private(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def _live(
    stage: Stage, script: Script | None, told: Connection, counters: tuple[object, object]
) -> None:
    """The child's life: ends when it is killed."""
    anyio.run(_serve, stage, script, told, counters)


async def _serve(
    stage: Stage, script: Script | None, told: Connection, counters: tuple[object, object]
) -> None:
    worlds = stage.worlds
    files = make_tls(stage.folder) if stage.secure else None
    apps = (pagerduty.make_app(worlds.pagerduty), salesforce.make_app(worlds.salesforce))
    first, second = (_Recorder(app, each) for app, each in zip(apps, counters, strict=True))
    async with serve(first, tls=files) as one, serve(second, tls=files) as two:
        told.send((one, two))
        if script is not None:
            while not told.poll():
                await anyio.sleep(0.01)
            told.send(await script(worlds))
        await anyio.sleep_forever()


@dataclass(slots=True)
class _Recorder:
    """Counts requests, and stores them for a replay; it is in front of one side's application."""

    app: ASGIApp
    counter: object
    kept: list[dict[str, object]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["path"] == REQUESTS:
            await JSONResponse(self.kept)(scope, receive, send)
            return
        self.counter.value += 1  # type: ignore[attr-defined]
        request = Request(scope, receive)
        body = await request.body()
        path, query = (scope[key].decode() for key in ("raw_path", "query_string"))
        self.kept.append(
            {
                "method": scope["method"],
                "path": f"{path}?{query}" if query else path,
                "headers": {k: v for k, v in request.headers.items() if k in _KEPT_HEADERS},
                "body": body.decode(),
            }
        )

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)
