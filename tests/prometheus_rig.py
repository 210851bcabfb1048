"""The real Prometheus, Alertmanager and promtool, started with the shipped files.

They are Debian's packages. Missing ones are installed, if that is possible without leaving services
behind; otherwise the tests that need them are skipped with the reason.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
from anyio.abc import Process

from pagerforce.sandbox.running import free_port

SHIPPED = Path(__file__).parent.parent / "monitoring"
PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
}


def provide_tools() -> str:
    """Makes the programs available; returns "" or the reason why they are not."""
    missing = [name for name in PACKAGES if shutil.which(name) is None]
    if not missing:
        return ""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{', '.join(missing)} missing; as root: apt-get install {_packages()}"
    if Path("/run/systemd/system").exists():
        # Debian's packages would start their services at once; that is the owner's decision.
        return f"{', '.join(missing)} missing, and installing them would start services here"
    for words in (["update"], ["install", "-y", "--no-install-recommends", *_packages().split()]):
        done = subprocess.run(
            ["apt-get", "-q", *words],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            return f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}"
    return ""


def _packages() -> str:
    return " ".join(sorted(set(PACKAGES.values())))


def promtool(*words: str, stdin: str | None = None) -> tuple[int, str]:
    """Returns the exit code and the whole output."""
    done = subprocess.run(
        ["promtool", *words], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus or Alertmanager."""

    url: str
    log: Path

    async def get(self, path: str, **params: str) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            response = await client.get(self.url + path, params=params)
        assert response.status_code == 200, f"{path} {params}: {response.text}"
        return response.json()

    async def query(self, expr: str) -> list[dict[str, Any]]:
        answer = await self.get("/api/v1/query", query=expr)
        return answer["data"]["result"]

    async def query_range(self, expr: str, start: float, end: float, step: float) -> list[Any]:
        answer = await self.get(
            "/api/v1/query_range", query=expr, start=str(start), end=str(end), step=str(step)
        )
        return answer["data"]["result"]


@asynccontextmanager
async def run_server(
    words: list[str], url: str, log: Path, ready_path: str
) -> AsyncIterator[Server]:
    with log.open("ab") as stream:
        process = await anyio.open_process(words, stdin=None, stdout=stream, stderr=stream)
    try:
        await _ready(process, url + ready_path, log)
        yield Server(url, log)
    finally:
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(10, shield=True):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process: Process, url: str, log: Path) -> None:
    with anyio.move_on_after(60):
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            while process.returncode is None:
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await anyio.sleep(0.1)
    said = await anyio.Path(log).read_text()
    raise AssertionError(f"{url} did not come up:\n{said[-2000:]}")


@asynccontextmanager
async def open_prometheus(
    folder: Path, *, targets: Path, alertmanager: str = "127.0.0.1:1", pace: str = "500ms"
) -> AsyncIterator[Server]:
    """Prometheus with the shipped configuration, faster, with its targets in a file."""
    config = (SHIPPED / "prometheus.yml").read_text()
    for old, new in (
        ("scrape_interval: 15s", f"scrape_interval: {pace}"),
        ("evaluation_interval: 15s", f"evaluation_interval: {pace}"),
        ('- targets: ["127.0.0.1:9093"]', f'- targets: ["{alertmanager}"]'),
        (
            'static_configs:\n      - targets: ["127.0.0.1:9479"]',
            f'file_sd_configs:\n      - files: ["{targets}"]',
        ),
    ):
        assert config.count(old) == 1, old
        config = config.replace(old, new)
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(SHIPPED / "rules.yml", folder)
    if not (folder / "alerts.yml").exists():
        shutil.copy(SHIPPED / "alerts.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    words = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    async with run_server(words, f"http://{address}", folder / "prometheus.log", "/-/ready") as it:
        yield it


@asynccontextmanager
async def open_alertmanager(folder: Path, *, receiver: str) -> AsyncIterator[Server]:
    """Alertmanager with the shipped configuration, faster, with another receiver's address."""
    config = (SHIPPED / "alertmanager.yml").read_text()
    for old, new in (
        ("url: http://127.0.0.1:9095/", f"url: {receiver}"),
        ("group_wait: 30s", "group_wait: 200ms"),
        ("group_interval: 5m", "group_interval: 500ms"),
    ):
        assert config.count(old) == 1, old
        config = config.replace(old, new)
    (folder / "alertmanager.yml").write_text(config)
    address = f"127.0.0.1:{free_port()}"
    words = [
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    log = folder / "alertmanager.log"
    async with run_server(words, f"http://{address}", log, "/-/ready") as it:
        yield it


def write_targets(path: Path, *addresses: str) -> None:
    path.write_text(json.dumps([{"targets": list(addresses)}]))


def hurry_alerts(folder: Path, seconds: str = "1s") -> None:
    """The shipped alerts with short waits, in the place where Prometheus will read them."""
    text = (SHIPPED / "alerts.yml").read_text()
    folder.joinpath("alerts.yml").write_text(re.sub(r"for: \w+", f"for: {seconds}", text))


async def until_true(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Waits until an async look returns something, and returns that."""
    with anyio.move_on_after(seconds):
        while not (found := await look()):
            await anyio.sleep(0.2)
        return found
    raise AssertionError(f"not within {seconds} s: {what}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What Prometheus recorded of a demo."""

    prometheus: Server
    start: float
    end: float
    folder: Path


@asynccontextmanager
async def record_demo(folder: Path) -> AsyncIterator[Recorded]:
    """Runs the demo while Prometheus scrapes its daemon; Prometheus stays until the block ends.

    ``init`` creates the key and its certificate, as an operator would, so that its expiry is known too.
    """
    demo = folder / "demo"
    targets = folder / "targets.json"
    pagerforce = [sys.executable, "-m", "pagerforce"]
    await anyio.run_process([*pagerforce, "init", str(demo)])
    (demo / "config.toml").unlink()
    async with open_prometheus(folder, targets=targets) as prometheus:
        async with anyio.create_task_group() as group:
            group.start_soon(_aim, demo / "config.toml", targets)
            done = await anyio.run_process([*pagerforce, "demo", "--dir", str(demo)], check=False)
            group.cancel_scope.cancel()
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        start, end = await _lifetime(prometheus)
        yield Recorded(prometheus, start, end, folder)


async def _lifetime(prometheus: Server) -> tuple[float, float]:
    """From the first to the last moment at which the daemon was seen."""
    now = float((await prometheus.get("/api/v1/query", query="time()"))["data"]["result"][0])
    seen = await prometheus.query_range("pagerforce_build_info", now - 300, now, 0.5)
    times = [at for line in seen for at, _ in line["values"]]
    return min(times), max(times)


async def _aim(config: Path, targets: Path) -> None:
    """Gives Prometheus the address of the demo's daemon, once its configuration has it."""
    place = anyio.Path(config)
    while True:
        text = await place.read_text() if await place.exists() else ""
        found = re.search(r'listen = "([^"]+)"', text)
        if found:
            write_targets(targets, found[1])
            return
        await anyio.sleep(0.05)
