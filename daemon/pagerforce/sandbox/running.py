"""Both sandbox applications on loopback, with keys and a configuration for them."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from itertools import count
from pathlib import Path

import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pagerforce.host.files import read_plain, replace_file
from pagerforce.sandbox import pagerduty, salesforce
from pagerforce.sandbox.clock import SandboxClock, WallClock
from pagerforce.sandbox.faults import Faults
from pagerforce.sandbox.pagerduty import ACCOUNT_KEY, PagerDutyWorld
from pagerforce.sandbox.salesforce import SalesforceWorld
from pagerforce.sandbox.server import serve
from pagerforce.sandbox.tls import TlsFiles, make_tls

CONSUMER_KEY = "sandbox-consumer-key"
USERNAME = "integration@example.com"
_LONGEST_SOCKET_PATH = 107  # unix(7)
_LARGEST_KEY = 64 * 1024
ORG_ID = "00D000000000001EAA"
# Each process begins elsewhere, so that two of them rarely ask for the same port.
_ASKED = count(os.getpid() * 97)
_PORTS = range(12_000, 32_000)


@dataclass(frozen=True, slots=True)
class Intervals:
    """The polling intervals in the written configuration."""

    poll_interval: str = "5s"
    min_poll_interval: str = "1s"
    metrics: str = "127.0.0.1:9479"


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """The running sandbox and its addresses."""

    folder: Path
    config: Path
    pagerduty_url: str
    salesforce_url: str
    pagerduty: PagerDutyWorld
    salesforce: SalesforceWorld
    pagerduty_faults: Faults
    salesforce_faults: Faults
    api_key: str = ACCOUNT_KEY
    consumer_key: str = CONSUMER_KEY


@asynccontextmanager
async def open_sandbox(
    folder: Path,
    *,
    ports: tuple[int, int] = (0, 0),
    tls: bool = False,
    clock: SandboxClock | None = None,
    pace: Intervals | None = None,
    rules: str | None = None,
) -> AsyncIterator[RunningSandbox]:
    """Serves both sides until the block ends; writes keys and a configuration into the folder.

    Existing rules are kept: they may have been edited for a trial.

    Args:
        folder: created if it is missing.
        ports: of PagerDuty and Salesforce; 0 for any free one.
        tls: serve https with a CA of its own.
        clock: the sandbox's time.
        pace: of the daemon with this configuration.
        rules: the text of a rules file to use instead; replaces an existing one.

    Raises:
        AddressInUseError: a port is taken.
    """
    clock = clock or WallClock()
    config = _lay_out(folder, rules)
    files = make_tls(folder) if tls else None
    pd_world, sf_world = pagerduty.seeded_world(clock), salesforce.seeded_world(clock)
    sf_world.trust(_public_key(folder / "salesforce.key"))
    _write_private(folder / "pagerduty.key", ACCOUNT_KEY.encode())
    pd_faults, sf_faults = Faults(), Faults()
    pd_app = pagerduty.make_app(pd_world, pd_faults)
    sf_app = salesforce.make_app(sf_world, sf_faults)
    async with (
        serve(pd_app, port=ports[0], tls=files) as pd_url,
        serve(sf_app, port=ports[1], tls=files) as sf_url,
    ):
        text = _config(folder, (pd_url, sf_url), files, pace or Intervals())
        replace_file(config, text.encode(), 0o644)
        yield RunningSandbox(
            folder, config, pd_url, sf_url, pd_world, sf_world, pd_faults, sf_faults
        )


def free_port() -> int:
    """A loopback port that nobody listens on.

    It lies below those that the kernel gives to connections by itself: none of them takes it before
    its owner listens.

    Raises:
        OSError: all of them are taken.
    """
    for _ in _PORTS:
        port = _PORTS[next(_ASKED) % len(_PORTS)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def _lay_out(folder: Path, rules: str | None) -> Path:
    """Creates the folders and the rules file; returns the path of the configuration."""
    place = folder / "rules.d" / "rules.toml"
    place.parent.mkdir(parents=True, exist_ok=True)
    if rules is not None or not place.exists():
        shipped = resources.files("pagerforce.sandbox") / "rules.toml"
        text = rules if rules is not None else shipped.read_text("utf-8")
        replace_file(place, text.encode(), 0o644)
    return folder / "config.toml"


def _config(folder: Path, urls: tuple[str, str], files: TlsFiles | None, pace: Intervals) -> str:
    """A configuration for a daemon that works against the sandbox."""
    daemon = {"state_dir": str((folder / "state").absolute())}
    daemon["control_socket"] = _socket(folder)
    if files is not None:
        daemon["ca_file"] = str(files.ca.absolute())
    polling = {"poll_interval": pace.poll_interval, "min_poll_interval": pace.min_poll_interval}
    return tomli_w.dumps(
        {
            "include": ["rules.d/*.toml"],
            "daemon": daemon,
            "metrics": {"listen": pace.metrics},
            "pagerduty": {
                "api_url": urls[0],
                "api_key_file": str((folder / "pagerduty.key").absolute()),
                "from_email": USERNAME,
                **polling,
            },
            "salesforce": {
                "login_url": urls[1],
                "org_id": ORG_ID,
                "consumer_key": CONSUMER_KEY,
                "username": USERNAME,
                "private_key_file": str((folder / "salesforce.key").absolute()),
                **polling,
            },
        }
    )


def _socket(folder: Path) -> str:
    """The control socket beside the state; none if its path would be too long for a socket."""
    path = str((folder / "control.sock").absolute())
    return path if len(path) < _LONGEST_SOCKET_PATH else ""


def _public_key(path: Path) -> bytes:
    """The public half of the key in the file; creates the key if it is missing."""
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write_private(path, pem)
    pem = read_plain(path, _LARGEST_KEY)
    loaded = serialization.load_pem_private_key(pem, password=None)
    return loaded.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write_private(path: Path, content: bytes) -> None:
    """Writes a private file. An existing link of that name is replaced, not followed."""
    replace_file(path, content, 0o600)
