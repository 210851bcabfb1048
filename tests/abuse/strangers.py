"""Swarms of other users against a daemon, and a daemon that they can reach."""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from process import Running, Stage

NOBODY = 65534
GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = "POST /v1/{} HTTP/1.1\r\nHost: pagerforce\r\nContent-Length: 2\r\n\r\n{{}}"
MORE = int(os.environ.get("ABUSE", "1"))

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own is closed to them."""
    with tempfile.TemporaryDirectory(prefix="pagerforce-abuse-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def few_descriptors(stage: Stage, most: int) -> AsyncIterator[Running]:
    """A daemon that may open only this number of files."""
    prefix = ("prlimit", f"--nofile={most}:{most}", "--")
    async with stage.daemon(prefix=prefix) as running:
        yield running


def port_of(running: Running) -> list[object]:
    host, port = running.url.removeprefix("http://").split(":")
    return [host, int(port)]


class Swarm:
    """What the swarm saw, after its end."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.longest = 0.0


@asynccontextmanager
async def swarm(
    how: str, where: Any, count: int, uids: Sequence[int] = (NOBODY,), **more: Any
) -> AsyncIterator[Swarm]:
    """This number of clients of each of these users, until the block ends."""
    order = {"how": how, "where": where, "count": count, "uids": uids, **more}
    found = Swarm()
    words = [sys.executable, str(Path(__file__).with_name("swarm.py")), json.dumps(order)]
    async with await anyio.open_process(words, stderr=None) as process:
        try:
            said = b""
            with anyio.fail_after(60):
                while said.count(b"up") < len(uids):
                    said += await process.stdout.receive()
            yield found
            await process.stdin.aclose()
            with anyio.fail_after(60):
                last = b"".join([chunk async for chunk in process.stdout])
            for line in last.splitlines():
                told = json.loads(line)
                found.seen.update(told["seen"])
                found.longest = max(found.longest, told["longest"])
        finally:
            if process.returncode is None:
                process.kill()
