"""Keeps the database small: deletes what nobody needs any more, in small batches."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio
import msgspec
from msgspec import Struct

from pagerforce.errors import StoreUnavailableError
from pagerforce.model.ports import Clock
from pagerforce.observe.internal_errors import Part, report_internal_error
from pagerforce.observe.log import get_log
from pagerforce.observe.metrics import Metrics
from pagerforce.store import retention
from pagerforce.store.database import Database, Transaction
from pagerforce.store.retention import Limits, Progress
from pagerforce.store.trouble import concerns_all

_LOG = get_log("retention")
_EVERY_SECONDS = 600.0
_BEAT_SECONDS = 5.0
_BATCHES = 50  # of each kind per round
_BREATH_SECONDS = 0.05  # others write between two batches

_Work = Callable[[Transaction, datetime, Limits, Progress], Awaitable[int]]
_KINDS: dict[str, _Work] = {
    "events": retention.prune_journal,
    "incidents": retention.prune_incidents,
    "records": retention.prune_records,
    "comments": retention.prune_comments,
    "operators": retention.prune_operators,
}


class Pruner(Struct):
    """The loop that deletes old data."""

    database: Database
    clock: Clock
    metrics: Metrics
    limits: Limits = msgspec.field(default_factory=Limits)
    _progress: Progress = msgspec.field(default_factory=Progress)
    _is_stopping: anyio.Event = msgspec.field(default_factory=anyio.Event)

    def stop(self) -> None:
        """Ends the loop after its present batch."""
        self._is_stopping.set()

    async def run(self, beat: Callable[[], None]) -> None:
        """Prunes until stopped, some minutes after the start for the first time."""
        while not self._is_stopping.is_set():
            await self._pause(_EVERY_SECONDS, beat)
            if not self._is_stopping.is_set():
                await self.prune(beat)

    async def prune(self, beat: Callable[[], None]) -> dict[str, int]:
        """Runs one round; returns the number of deleted items of each kind."""
        found = dict.fromkeys(_KINDS, 0)
        for name in _KINDS:
            try:
                await self._prune_kind(name, found, beat)
            except StoreUnavailableError as error:
                _LOG.warning("storage_unavailable", reason=str(error))
                break
            except Exception as error:
                if concerns_all(error):
                    raise
                # The other kinds continue; this one is tried again in the next round.
                report_internal_error(self.metrics, Part.RETENTION, error, about=name)
        if any(found.values()):
            _LOG.info(
                "pruned",
                events=found["events"],
                incidents=found["incidents"],
                records=found["records"],
                comments=found["comments"],
                operators=found["operators"],
            )
        return found

    async def _prune_kind(self, name: str, found: dict[str, int], beat: Callable[[], None]) -> None:
        for _ in range(_BATCHES):
            beat()
            async with self.database.write() as tx:
                work = _KINDS[name]
                found[name] += await work(tx, self.clock.now(), self.limits, self._progress)
            if self._is_stopping.is_set() or self._is_at_end(name):
                return
            await anyio.sleep(_BREATH_SECONDS)

    def _is_at_end(self, name: str) -> bool:
        """Whether a walk is complete and would start again."""
        return not getattr(self._progress, name.removesuffix("s"))

    async def _pause(self, seconds: float, beat: Callable[[], None]) -> None:
        end = self.clock.monotonic() + seconds
        while not self._is_stopping.is_set() and (left := end - self.clock.monotonic()) > 0:
            beat()
            with anyio.move_on_after(min(left, _BEAT_SECONDS)):
                await self._is_stopping.wait()
