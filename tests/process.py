"""The real daemon as a process of its own, for tests that need signals, exit codes and the real loops."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
from anyio.abc import Process
from prometheus_client.parser import text_string_to_metric_families

from engines import choose_engine
from pagerforce.sandbox.running import Intervals, RunningSandbox, free_port, open_sandbox


async def until(look: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    with anyio.move_on_after(seconds):
        while not look():
            await anyio.sleep(0.05)
        return
    raise AssertionError(f"not within {seconds} s: {what}")


class Running:
    """A daemon process."""

    def __init__(self, process: Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    async def get(self, path: str) -> httpx.Response | None:
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            try:
                return await client.get(self.url + path)
            except httpx.HTTPError:
                return None

    async def ready(self, seconds: float = 60.0) -> None:
        with anyio.move_on_after(seconds):
            while True:
                response = await self.get("/-/ready")
                if response is not None and response.status_code == 200:
                    return
                assert self.process.returncode is None, self.log.read_text()
                await anyio.sleep(0.05)
        raise AssertionError(f"not ready within {seconds} s:\n{self.log.read_text()}")

    async def sample(self, name: str, **labels: str) -> float | None:
        response = await self.get("/metrics")
        if response is None:
            return None
        for family in text_string_to_metric_families(response.text):
            for sample in family.samples:
                if sample.name == f"pagerforce_{name}" and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    async def stop(self) -> float:
        began = anyio.current_time()
        self.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(15):
            await self.process.wait()
        return anyio.current_time() - began


class Stage:
    """A sandbox with the real time, and daemons that work with it."""

    def __init__(self, desk: RunningSandbox, port: int) -> None:
        self.desk = desk
        self.url = f"http://127.0.0.1:{port}"

    @asynccontextmanager
    async def daemon(
        self,
        *,
        program: Sequence[str] = ("-m", "pagerforce"),
        prefix: Sequence[str] = (),
        **environ: str,
    ) -> AsyncIterator[Running]:
        """One life of the daemon.

        Args:
            program: what Python runs in place of pagerforce itself.
            prefix: the command that starts Python, such as ``prlimit``.
            environ: of the process.
        """
        log = self.desk.folder / "daemon.log"
        with log.open("ab") as stream:
            process = await anyio.open_process(
                [*prefix, sys.executable, *program, "run", "--config", str(self.desk.config)],
                stdin=None,
                stdout=stream,
                stderr=stream,
                env={**os.environ, "NO_PROXY": "127.0.0.1", **environ},
            )
        try:
            yield Running(process, self.url, log)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def use_config(self, text: str) -> None:
        """Uses a published configuration, except for addresses and secrets."""
        desk = self.desk
        for old, new in (
            ("https://api.pagerduty.com", desk.pagerduty_url),
            ("https://acme.my.salesforce.com", desk.salesforce_url),
            ('api_key_file  = ""', f'api_key_file = "{desk.folder / "pagerduty.key"}"'),
            ('api_key_file = ""', f'api_key_file = "{desk.folder / "pagerduty.key"}"'),
            ('private_key_file = ""', f'private_key_file = "{desk.folder / "salesforce.key"}"'),
            ("3MVG9...", desk.consumer_key),
            ("127.0.0.1:9479", self.url.removeprefix("http://")),
        ):
            text = text.replace(old, new)
        for needed in (desk.pagerduty_url, desk.salesforce_url, "pagerduty.key", "salesforce.key"):
            assert needed in text, needed
        desk.config.write_text(text)
        (desk.folder / "rules.d" / "rules.toml").unlink()

    def edit(self, old: str, new: str) -> None:
        text = self.desk.config.read_text()
        assert old in text
        self.desk.config.write_text(text.replace(old, new))


@asynccontextmanager
async def open_stage(
    folder: Path, *, tls: bool = False, rules: str | None = None
) -> AsyncIterator[Stage]:
    port = free_port()
    pace = Intervals("0.3s", "0.1s", f"127.0.0.1:{port}")
    async with open_sandbox(folder, tls=tls, pace=pace, rules=rules) as desk:
        choose_engine(desk.config)
        yield Stage(desk, port)


async def command(*words: str, config: Path | None = None, **environ: str) -> tuple[int, str, str]:
    """Runs a command of the command line; returns exit code, standard output, standard error."""
    arguments = [sys.executable, "-m", "pagerforce", *words]
    if config is not None:
        arguments += ["--config", str(config)]
    env = {**os.environ, "COLUMNS": "200", **environ}
    with anyio.fail_after(60):
        done = await anyio.run_process(arguments, check=False, env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
