"""The unit's command, started as the unit says, with the test in the role of systemd.

``test_boot`` does the same under a real systemd where the machine allows it; this runs everywhere.
"""

import os
import shlex
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from process import open_stage
from setup.test_units import UNITS, settings

_PATIENCE = 60


class Manager:
    """The notification socket and the messages it received."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.told: list[dict[str, str]] = []

    async def until(self, assignment: str) -> dict[str, str]:
        """The message with this assignment, of those after the last one returned."""
        key, _, value = assignment.partition("=")
        with anyio.fail_after(_PATIENCE):
            while True:
                await anyio.wait_readable(self._socket)
                text = self._socket.recv(4096).decode()
                message = dict(line.split("=", 1) for line in text.splitlines())
                self.told.append(message)
                if message.get(key) == value:
                    return message

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def started(folder: Path, unit: str, config: Path):
    """The unit's ExecStart with the folders, credentials and socket that systemd would give it."""
    (line,) = settings(unit)["ExecStart"]
    program, *words = shlex.split(line.replace("%i", "emea"))
    assert program == "/opt/pagerforce/bin/pagerforce"
    place = words.index("--config") + 1
    assert Path(words[place]).name == "config.toml"
    words[place] = str(config)
    given = folder / "given"
    for name in ("state", "run", "credentials"):
        (given / name).mkdir(parents=True)
    for credential in settings(unit)["LoadCredential"]:
        name, _, source = credential.partition(":")
        key = {"pagerduty-api-key": "pagerduty.key", "salesforce.key": "salesforce.key"}
        content = (folder / key[Path(source).name]).read_bytes()
        (given / "credentials" / name).write_bytes(content)
    manager = Manager(given / "notify")
    watchdog = int(settings(unit)["WatchdogSec"][0].removesuffix("s")) * 1_000_000
    environ = {
        **os.environ,
        "NO_PROXY": "127.0.0.1",
        "NOTIFY_SOCKET": str(given / "notify"),
        "WATCHDOG_USEC": str(watchdog),
        "STATE_DIRECTORY": str(given / "state"),
        "RUNTIME_DIRECTORY": str(given / "run"),
        "CREDENTIALS_DIRECTORY": str(given / "credentials"),
    }
    process = await anyio.open_process(
        [sys.executable, "-m", "pagerforce", *words], stdout=None, stderr=None, env=environ
    )
    try:
        yield process, manager
    finally:
        manager.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("unit", UNITS)
async def test_it_notifies_systemd_of_its_life(tmp_path, unit):
    async with open_stage(tmp_path) as stage:
        config = stage.desk.config
        text = config.read_text()
        # the values from systemd win over those of the configuration
        for name in ("pagerduty.key", "salesforce.key"):
            text = text.replace(str(tmp_path / name), "/nonexistent/of-root.key")
        config.write_text(text)
        async with started(tmp_path, unit, config) as (process, manager):
            await manager.until("READY=1")
            before = [message.get("STATUS", "") for message in manager.told]
            assert any("waiting for: " in status for status in before[:-1])
            await manager.until("WATCHDOG=1")
            reload_began = time.monotonic()
            process.send_signal(signal.SIGHUP)
            reloading = await manager.until("RELOADING=1")
            assert reload_began * 1e6 <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic() * 1e6
            await manager.until("READY=1")
            process.send_signal(signal.SIGTERM)
            await manager.until("STOPPING=1")
            with anyio.fail_after(15):
                assert await process.wait() == 0
        assert (tmp_path / "given" / "state" / "pagerforce.db").exists()
