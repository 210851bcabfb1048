"""The demo: a day of incidents, played against the real daemon, and checked.

The daemon is a separate process with a real configuration, database and log. People and monitoring
act in the sandbox; every printed effect is read from the sandbox's state, never assumed.
"""

import os
import socket
import sys
import tempfile
from pathlib import Path

import anyio
import httpx
from anyio.abc import Process

from pagerforce.sandbox.running import Intervals, RunningSandbox, open_sandbox
from pagerforce.sandbox.story import Page, Story
from pagerforce.sandbox.tale import tell

_READY_SECONDS = 20.0
_STOP_SECONDS = 10.0
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


async def play(page: Page, rules: Path | None, folder: Path | None) -> bool:
    """Runs the demo; False if an expected effect is missing.

    Args:
        page: prints the story.
        rules: a rules file to use instead of the shipped one.
        folder: working directory; None: a new temporary one, which is kept.

    Raises:
        OSError: the rules file or the folder cannot be used.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="pagerforce-demo-"))
    text = None if rules is None else rules.read_text("utf-8")  # noqa: ASYNC240 (before anything runs)
    pace = Intervals("1s", "0.3s", f"127.0.0.1:{_free_port()}")
    async with open_sandbox(place, pace=pace, rules=text) as desk:
        story = Story(page)
        crew = Crew(desk, f"http://{pace.metrics}")
        try:
            await tell(story, desk, crew)
        finally:
            await crew.kill()
        await _close(story, desk, crew, page)
    return story.is_true


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Crew:
    """Starts, kills and stops the daemon, and reads its metrics."""

    def __init__(self, desk: RunningSandbox, metrics_url: str) -> None:
        self._desk = desk
        self._metrics_url = metrics_url
        self._process: Process | None = None
        self.log = desk.folder / "daemon.log"
        self.totals: dict[str, float] = {}

    async def start(self) -> bool:
        """Starts the daemon; True once it is ready."""
        arguments = [sys.executable, "-m", "pagerforce", "run", "--config", str(self._desk.config)]
        environ = {**os.environ, "NO_PROXY": "127.0.0.1,localhost"}
        handle = os.open(self.log, _APPEND, 0o644)
        try:
            self._process = await anyio.open_process(
                arguments, stdin=None, stdout=handle, stderr=handle, env=environ
            )
        finally:
            os.close(handle)
        with anyio.move_on_after(_READY_SECONDS):
            while self._process.returncode is None:
                if await self._get("/-/ready") is not None:
                    return True
                await anyio.sleep(0.1)
        return False

    async def kill(self) -> None:
        """Sends SIGKILL: the daemon has no time to clean up."""
        if self._process is not None and self._process.returncode is None:
            await self.read_metrics()
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> float | None:
        """Sends SIGTERM; returns the seconds to the end, None if too long or already ended."""
        if self._process is None or self._process.returncode is not None:
            return None
        await self.read_metrics()
        began = anyio.current_time()
        self._process.terminate()
        with anyio.move_on_after(_STOP_SECONDS):
            code = await self._process.wait()
            return anyio.current_time() - began if code == 0 else None
        return None

    async def read_metrics(self) -> None:
        """Adds the daemon's counters to the totals over all its restarts."""
        text = await self._get("/metrics") or ""
        for line in (x for x in text.splitlines() if not x.startswith("#")):
            name, _, value = line.rpartition(" ")
            if name.partition("{")[0].endswith(("_total", "_count", "_sum")):
                self.totals[name] = self.totals.get(name, 0.0) + float(value)

    async def ask(self, *words: str) -> str:
        """The output of a pagerforce command about the daemon's state."""
        arguments = [sys.executable, "-m", "pagerforce", *words]
        done = await anyio.run_process(
            [*arguments, "--config", str(self._desk.config)], check=False
        )
        return done.stdout.decode()

    async def _get(self, path: str) -> str | None:
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            try:
                response = await client.get(self._metrics_url + path)
            except httpx.HTTPError:
                return None
        return response.text if response.status_code == 200 else None


async def _close(story: Story, desk: RunningSandbox, crew: Crew, page: Page) -> None:
    """Prints totals, the important metrics, and the places of all files."""
    page.rule("totals")
    story.print_totals()
    for prefix, label in (
        ("pagerforce_events_total", "events seen"),
        ("pagerforce_actions_total", "actions"),
        ("pagerforce_api_requests_total", "requests"),
    ):
        parts = _sums(crew.totals, prefix)
        page.line(f"  {label}: {parts}")
    page.line(f"  {_latency(crew.totals)}")
    page.rule("where to look")
    for label, path in (
        ("configuration", desk.config),
        ("rules", desk.folder / "rules.d" / "rules.toml"),
        ("database", desk.folder / "state" / "pagerforce.db"),
        ("daemon's log", crew.log),
    ):
        page.line(f"  {label:14} {path}")
    config = f"--config {desk.config}"
    page.line(f"  journal        pagerforce log {config}")
    page.line(f"  try a rule     edit the rules, then: pagerforce demo --dir {desk.folder}")
    page.line("")
    page.line(story.verdict())


def _latency(totals: dict[str, float]) -> str:
    """The mean of the histogram of both sides: from the remote event to confirmed delivery."""
    name = "pagerforce_sync_latency_seconds"
    count = sum(value for key, value in totals.items() if key.startswith(f"{name}_count"))
    seconds = sum(value for key, value in totals.items() if key.startswith(f"{name}_sum"))
    mean = seconds / count if count else 0.0
    return f"event to confirmed delivery: {mean:.1f} s on average, over {count:.0f} deliveries"


def _sums(totals: dict[str, float], prefix: str) -> str:
    """A counter's sums by its last label or outcome, largest first."""
    sums: dict[str, float] = {}
    for name, value in totals.items():
        if name.startswith(prefix + "{") and value:
            labels = dict(
                pair.split("=", 1) for pair in name.partition("{")[2].rstrip("}").split(",")
            )
            word = " ".join(
                labels[key].strip('"')
                for key in ("source", "system", "action", "type", "outcome", "code")
                if key in labels
            )
            sums[word] = sums.get(word, 0.0) + value
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    return ", ".join(f"{word} {value:.0f}" for word, value in ordered) or "none"
