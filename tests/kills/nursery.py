"""Starts ``pagerforce run`` repeatedly, each time as a process of its own.

Imports take about a second, most of the length of a life. So one process imports everything and
forks for each life; now and then a life is a whole new interpreter instead.

``python nursery.py``: one JSON object ``{"config", "log", "point"}`` per line on standard input starts
a life; the answer is its pid, then ``ended``, and after an empty line of input its exit code.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

TESTS = Path(__file__).parents[1]


class Nursery:
    """The forking process. One life at a time."""

    def __init__(self, process, config: Path, log: Path) -> None:
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._config = config
        self._log = log

    async def _line(self) -> str:
        return (await self._lines.receive_until(b"\n", 1000)).decode()

    async def begin(self, point: str, *, is_fresh: bool = False) -> "Life":
        order = {"config": str(self._config), "log": str(self._log), "point": point}
        order["fresh"] = is_fresh
        await self._process.stdin.send(json.dumps(order).encode() + b"\n")
        return Life(int(await self._line()), self)

    async def has_ended(self) -> None:
        """Waits for the end of the life; its pid stays reserved."""
        await self._line()

    async def bury(self) -> int:
        """The exit code, or the negative number of the signal that ended it."""
        await self._process.stdin.send(b"\n")
        return int(await self._line())


class Life:
    """One process of the daemon, from start to end."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid = pid
        self.is_over = False
        self._nursery = nursery

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    async def watch(self) -> None:
        await self._nursery.has_ended()
        self.is_over = True

    async def bury(self) -> int:
        return await self._nursery.bury()


@asynccontextmanager
async def open_nursery(config: Path, log: Path) -> AsyncIterator[Nursery]:
    environ = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    environ |= {
        "PYTHONPYCACHEPREFIX": str(config.parent / "pycache"),
        "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "NO_PROXY": "127.0.0.1",
    }
    with log.open("ab") as stream:
        process = await anyio.open_process(
            [sys.executable, str(Path(__file__))], stderr=stream, env=environ
        )
    async with process:
        try:
            yield Nursery(process, config, log)
        finally:
            process.kill()


def _serve() -> None:
    from pagerforce.cli import app as _imported  # noqa: F401, PLC0415 - what the lives need

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        # Reported before it is reaped: until then nobody else gets the pid, and it may be sent a signal.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        sys.stdout.write("ended\n")
        sys.stdout.flush()
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _live(order) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    words = ["run", "--config", order["config"]]
    if order["fresh"]:
        place = [order["point"]] if order["point"] else []
        os.execv(sys.executable, [sys.executable, __file__, "live", *place, "--", *words])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _run(order["point"], words)


def _run(point: str, words: list[str]) -> None:
    from crash_points import CrashPoint, arm  # noqa: PLC0415 - stands beside this file

    from pagerforce.cli.app import main  # noqa: PLC0415

    if point:
        arm(CrashPoint.parse(point))
    sys.argv = ["pagerforce", *words]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["live"]:
        cut = sys.argv.index("--")
        _run("".join(sys.argv[2:cut]), sys.argv[cut + 1 :])
    else:
        _serve()
