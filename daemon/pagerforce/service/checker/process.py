"""Starts a checker, gives it a job, and always ends it: it never outlives the request."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, Process
from msgspec import Struct

import pagerforce
from pagerforce.errors import ConfigError, PagerforceError, Problem
from pagerforce.observe.log import get_log
from pagerforce.service.checker import bounds

_LOG = get_log("checker")
_ROOT = str(Path(pagerforce.__file__).parent.parent)
# -I: neither the environment nor the working folder decides what runs; the root is this program's
# own.
_PROGRAM = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); "
    "from pagerforce.service.checker.child import main; main()"
)
_KEPT = ("LD_LIBRARY_PATH",)  # what an interpreter may need to start
_END_SECONDS = 2.0
_OUT_OF_MEMORY = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)
_REASONS: Mapping[str, str] = {
    "time": f"reading and checking the rules took more than {bounds.CHECK_SECONDS:.0f} s: "
    "use fewer or simpler rules",
    "memory": f"the rules or events need more than {bounds.MEMORY_BYTES // bounds.MIB} MiB of "
    "memory: use fewer or smaller ones",
    "nesting": "the rules or events are nested too deeply: flatten them",
    "version": "the program was replaced while the daemon was running: restart the daemon",
}


class TooMuchError(PagerforceError):
    """The input needs more than a checker may use; nothing was changed."""


class CheckerFailedError(Exception):
    """A checker met an unexpected error; its place is in the log."""


class Checker(Struct):
    """A running checker."""

    process: Process
    _rest: bytes = b""
    _size: int = 0

    async def send(self, line: bytes) -> None:
        """Sends some bytes; a checker that has ended meanwhile says why in its answer."""
        stream = self.process.stdin
        if stream is None:
            raise RuntimeError("the checker was started without an input")
        try:
            await stream.send(line)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            await anyio.lowlevel.checkpoint()

    async def send_end(self) -> None:
        """Closes the input."""
        if self.process.stdin is not None:
            await self.process.stdin.aclose()

    async def answers(self) -> AsyncIterator[tuple[str, Any]]:
        """Yields its answers to the last.

        Raises:
            ConfigError: the rules or events are wrong.
            TooMuchError: they need more than a checker may use.
            CheckerFailedError: the checker failed.
        """
        async for line in self._lines():
            # A line may hold a megabyte: not on the daemon's own thread.
            found = (
                await anyio.to_thread.run_sync(json.loads, line)
                if len(line) > 10_000
                else json.loads(line)
            )
            ((word, value),) = found.items()
            match word:
                case "problems":
                    raise ConfigError([Problem(where, what) for where, what in value])
                case "too_much":
                    raise TooMuchError(_REASONS[value])
                case "failed":
                    _LOG.error("internal_error", where="request", about="checker", place=value)
                    raise CheckerFailedError
                case "done":
                    return
            yield word, value
        raise await self._why_ended()

    async def _lines(self) -> AsyncIterator[bytes]:
        stream = self.process.stdout
        if stream is None:
            raise RuntimeError("the checker was started without an output")
        parts: list[bytes] = []
        async for chunk in _chunks(stream):
            await anyio.lowlevel.checkpoint()  # more chunks may be ready: let other tasks run
            self._size += len(chunk)
            if self._size > bounds.ANSWER_BYTES:
                raise TooMuchError("the report about these rules is too long: use fewer rules")
            head, *others = chunk.split(b"\n")
            parts.append(head)
            for other in others:
                yield b"".join(parts)
                parts = [other]

    async def _why_ended(self) -> PagerforceError:
        with anyio.move_on_after(_END_SECONDS):
            await self.process.wait()
        code = self.process.returncode
        if code == -signal.SIGXCPU:
            return TooMuchError(_REASONS["time"])
        if code in _OUT_OF_MEMORY or code == -signal.SIGKILL:
            return TooMuchError(_REASONS["memory"])
        return TooMuchError(f"the check ended before it was done (exit code {code}): try again")


async def _chunks(stream: ByteReceiveStream) -> AsyncIterator[bytes]:
    try:
        while True:
            yield await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return


@asynccontextmanager
async def open_checker(environ: Mapping[str, str]) -> AsyncIterator[Checker]:
    """Starts a checker, and always ends it with the block.

    Raises:
        PagerforceError: the checker can't be started.
    """
    try:
        process = await anyio.open_process(
            [sys.executable, "-I", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={name: environ[name] for name in _KEPT if name in environ},
        )
    except OSError as error:
        raise PagerforceError(
            f"the process that checks rules could not be started ({error.strerror}): "
            f"{sys.executable} must be executable for the service user, and its unit must allow "
            "one more process"
        ) from error
    try:
        yield Checker(process)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_END_SECONDS):
            if process.returncode is None:
                try:
                    process.kill()
                except ProcessLookupError:
                    await anyio.lowlevel.checkpoint()
            await process.aclose()
