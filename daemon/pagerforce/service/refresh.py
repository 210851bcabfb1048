"""Keeps the gauges up to date and reports the status to systemd."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import msgspec
from msgspec import Struct

from pagerforce.errors import StoreUnavailableError
from pagerforce.model.ports import Clock
from pagerforce.observe.internal_errors import Part, Repeats
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.poll import PollLoop
from pagerforce.service.expose import write_textfile
from pagerforce.service.gauges import Gauges
from pagerforce.service.systemd import Notifier
from pagerforce.store.trouble import concerns_all

_LOG = get_log("service")
_EVERY_SECONDS = 5.0
_EVERY_SECONDS_UNTIL_READY = 1.0
_PATIENCE_SECONDS = 1.0
_TEXTFILE_SECONDS = 15.0


class Refresher(Struct):
    """The loop that shows the status of the others."""

    gauges: Gauges
    metrics: Metrics
    clock: Clock
    loops: tuple[PollLoop, ...]
    notifier: Notifier
    textfile: Path | None
    _is_ready: bool = False
    _storage_trouble: str = ""
    _repeats: Repeats = msgspec.field(default_factory=Repeats)
    _written_at: float = float("-inf")
    _is_stopping: bool = False
    _nudge: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        for loop in self.loops:
            loop.tell_current = self._wake

    def missing(self) -> list[str]:
        """Returns the sides that have not been read to the end since the start."""
        return [loop.side.value for loop in self.loops if not loop.state.is_current]

    def unready(self) -> list[str]:
        """Returns what readiness still waits for; empty once the metric and systemd know too."""
        return [] if self._is_ready else self.missing() or ["the next refresh"]

    def stop(self) -> None:
        """Ends the loop after its present turn."""
        self._is_stopping = True
        self._wake()

    def _wake(self) -> None:
        """Starts the next turn at once."""
        self._nudge.set()

    async def look(self) -> None:
        """Updates the gauges for a request; a busy source keeps its last values."""
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await self._reading(self.gauges.refresh)

    async def run(self, beat: Callable[[], None]) -> None:
        """Refreshes until stopped."""
        while not self._is_stopping:
            beat()
            self._nudge = anyio.Event()
            await self._try_refresh()
            pause = _EVERY_SECONDS if self._is_ready else _EVERY_SECONDS_UNTIL_READY
            with anyio.move_on_after(pause):
                await self._nudge.wait()

    async def _try_refresh(self) -> None:
        await self._refresh()

    async def _reading(self, read: Callable[[], Awaitable[object]]) -> None:
        try:
            await read()
        except StoreUnavailableError as error:
            if str(error) != self._storage_trouble:
                _LOG.error("storage_unavailable", reason=str(error))
            self._storage_trouble = str(error)
        except Exception as error:
            if concerns_all(error):
                raise
            self._repeats.failed(self.metrics, Part.GAUGE, error, "refresh")
        else:
            self._storage_trouble = ""

    async def _refresh(self) -> None:
        """Refreshes each part by itself: a gauge or a file must not delay the watchdog."""
        await self._reading(self.gauges.refresh)
        for what, tell in (("status", self._tell), ("textfile", self._write_textfile)):
            try:
                tell()
            except Exception as error:
                if concerns_all(error):
                    raise
                self._repeats.failed(self.metrics, Part.GAUGE, error, what)
            else:
                self._repeats.worked(what)

    def _tell(self) -> None:
        missing = self.missing()
        if not missing and not self._is_ready:
            self._is_ready = True
            self.metrics.ready.set(1)
            _LOG.info("ready")
            self.notifier.send("READY=1", "STATUS=both sides are read")
        down = [loop.side.value for loop in self.loops if loop.state.failures]
        status = f"failing: {', '.join(down)}" if down else "in step"
        status = f"waiting for: {', '.join(missing)}" if missing else status
        self.notifier.send(f"STATUS={status}, {self.gauges.waiting} actions waiting")

    def _write_textfile(self) -> None:
        now = self.clock.monotonic()
        if self.textfile is None or now - self._written_at < _TEXTFILE_SECONDS:
            return
        self._written_at = now
        try:
            write_textfile(self.metrics.registry, self.textfile)
        except OSError as error:
            _LOG.warning("textfile_not_written", path=str(self.textfile), reason=error.strerror)
