"""Child processes and the resources they used: the real daemon, and programs that load data."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.stage import Stage

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_LOOK_SECONDS = 0.02
_DONE_LOOK_SECONDS = 0.2  # each scrape makes the daemon write all its metrics
_STOP_SECONDS = 15.0
_UNIT = Path(__file__).parents[1] / "systemd" / "pagerforce.service"
_SETS = "Environment="
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
MIB = 1024.0
_OTHER_TRUST = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""If these are set, requests trusts them instead of the sandbox's certificate authority."""


class BrokenBenchmarkError(Exception):
    """A benchmark did not do the work that it measures."""


@dataclass(frozen=True, slots=True)
class Used:
    """The resources a process has used so far. Memory is resident, in MiB."""

    cpu_seconds: float
    resident: float
    peak: float


def used_by(pid: int) -> Used:
    """Reads the kernel's figures of one process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    resident, peak = (float(status[name].split()[0]) / MIB for name in ("VmRSS", "VmHWM"))
    return Used(ticks / _TICKS, resident, peak)


class Running:
    """The real daemon."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def until_ready(self, seconds: float) -> None:
        """Waits until both sides were polled to the end."""
        self._until(self._is_ready, "ready", seconds, _READY_LOOK_SECONDS)

    def until_delivered(self, seconds: float) -> None:
        """Waits until the outbox is empty."""
        self._until(self._is_empty, "delivered", seconds, _DONE_LOOK_SECONDS)

    def sample(self, name: str, **labels: str) -> float:
        """One series of the metrics; the sum over the labels that are not given."""
        return self._sample(f"pagerforce_{name}", **labels)

    def used(self) -> Used:
        """The resources that the process has used."""
        return used_by(self.pid)

    def stop(self) -> None:
        """Ends it like systemd."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _sample(self, name: str, **labels: str) -> float:
        text = self._http.get("/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _is_empty(self) -> bool:
        return self._sample("pagerforce_outbox_depth") == 0

    def _until(
        self, look: Callable[[], bool], what: str, seconds: float, pace_seconds: float
    ) -> None:
        end = time.monotonic() + seconds
        while not look():
            if self._process.poll() is not None or time.monotonic() > end:
                said = self._log.read_text()[-2000:]
                raise BrokenBenchmarkError(f"the daemon is not {what}:\n{said}")
            pause(pace_seconds)


def pause(seconds: float) -> None:
    """Waits. Benchmarks look at other processes from outside; nothing else runs in this one."""
    time.sleep(seconds)  # noqa: TID251 - no event loop waits here


@contextmanager
def daemon(stage: Stage) -> Iterator[Running]:
    """The real daemon on a stage that is being served."""
    log = stage.folder / "daemon.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pagerforce", "run", "--config", str(stage.config)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environ(),
        )
    try:
        yield Running(process, f"http://{stage.metrics}", log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def environ() -> dict[str, str]:
    """This process's, without a proxy for the sandbox, and with what an installation adds.

    There modules are compiled, and systemd's unit sets variables.
    """
    found = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    return {**found, **_of_unit(), "NO_PROXY": "127.0.0.1", "PYTHONPYCACHEPREFIX": _bytecode()}


@cache
def _of_unit() -> dict[str, str]:
    lines = _UNIT.read_text().splitlines()
    words = [line.removeprefix(_SETS) for line in lines if line.startswith(_SETS)]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


@cache
def _bytecode() -> str:
    folder = tempfile.mkdtemp(prefix="pagerforce-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run_program(module: str, *arguments: str) -> str:
    """Runs a module of this package to its end; returns its output.

    Raises:
        BrokenBenchmarkError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in environ().items() if k not in _OTHER_TRUST},
    )
    if done.returncode:
        raise BrokenBenchmarkError(f"{module} failed:\n{done.stderr[-3000:]}")
    return done.stdout
