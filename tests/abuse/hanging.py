"""Daemons with a hang in them, under a notification socket of their own."""

import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from pagerforce.sandbox.running import Intervals, free_port, open_sandbox
from process import Running, Stage

TESTS = Path(__file__).parents[1]
PAGERDUTY_URL = "the address of PagerDuty"
INCIDENT = "BMCServiceDesk__Incident__c"


@dataclass
class Manager:
    """systemd's side: the notifications it received, with their times."""

    receiver: socket.socket
    told: list[tuple[float, str]] = field(default_factory=list)

    def hear(self) -> None:
        while True:
            try:
                text = self.receiver.recv(4096).decode()
            except BlockingIOError:
                return
            self.told += [(time.monotonic(), line) for line in text.splitlines()]

    async def listen(self) -> None:
        while True:
            await anyio.wait_readable(self.receiver)
            self.hear()

    def fed(self) -> list[float]:
        return [at for at, line in self.told if line == "WATCHDOG=1"]


class Patient:
    """A daemon whose hang begins when ``arm`` is called."""

    def __init__(self, stage: Stage, running: Running, manager: Manager, switch: Path) -> None:
        self.stage = stage
        self.running = running
        self.manager = manager
        self._switch = switch

    def arm(self) -> None:
        self._switch.touch()

    def log(self) -> str:
        return self.running.log.read_text()

    def page(self, title: str = "Core switch down") -> None:
        """Creates a record that makes the rules create an incident."""
        sf = self.stage.desk.salesforce
        category = sf.find_id("BMCServiceDesk__Category__c", Name="Network")
        priority = sf.find_id("BMCServiceDesk__Priority__c", Name="1")
        values = {
            "BMCServiceDesk__shortDescription__c": title,
            "BMCServiceDesk__FKCategory__c": category,
            "BMCServiceDesk__FKPriority__c": priority,
        }
        sf.insert(INCIDENT, values)

    async def ended(self, seconds: float = 90.0) -> int:
        with anyio.fail_after(seconds):
            return await self.running.process.wait()


def edited(text: str, edits: dict[str, object], pagerduty_url: str) -> str:
    for key, new in edits.items():
        old = pagerduty_url if key == PAGERDUTY_URL else key
        assert old in text, old
        text = text.replace(old, new(old) if callable(new) else new)
    return text


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        # Relative: the path of a socket is short.
        receiver.bind(os.path.relpath(folder / "notify"))
        receiver.setblocking(False)
        yield Manager(receiver)


@asynccontextmanager
async def started(environ: dict[str, str], config: Path, *, log: Path, is_mute: bool):
    """Yields the process. ``is_mute``: its log goes to a pipe that nobody reads."""
    with log.open("ab") as stream:
        process = await anyio.open_process(
            [sys.executable, "-m", "abuse.hang_points", "run", "--config", str(config)],
            stdin=None,
            stdout=stream,
            stderr=-1 if is_mute else stream,
            env=environ,
        )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.wait()
            await process.aclose()


@asynccontextmanager
async def hanging(
    folder: Path, point: str, *, edits: dict[str, object] | None = None, **environ: str
) -> AsyncIterator[Patient]:
    """A daemon with this hang, not armed yet. ``edits``: replacements in its configuration."""
    port = free_port()
    switch, log = folder / "armed", folder / "daemon.log"
    async with open_sandbox(folder, pace=Intervals("1s", "0.5s", f"127.0.0.1:{port}")) as desk:
        text = desk.config.read_text() + '\n[delivery]\ntimeout = "2s"\n'
        desk.config.write_text(edited(text, edits or {}, desk.pagerduty_url))
        given = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "daemon")]),
            "HANG": point,
            "HANG_FILE": str(switch),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "60000000",
            "NO_PROXY": "127.0.0.1",
            **environ,
        }
        with managed(folder) as manager:
            async with started(given, desk.config, log=log, is_mute=point == "log") as process:
                running = Running(process, f"http://127.0.0.1:{port}", log)
                async with anyio.create_task_group() as group:
                    group.start_soon(manager.listen)
                    yield Patient(Stage(desk, port), running, manager, switch)
                    group.cancel_scope.cancel()
