"""The common part of the two polling loops, and when each polls next.

A loop reads its side to the end, commits batch by batch, and waits. A failed poll loses nothing:
the cursor is at the end of the last stored batch. A full disk is such a failure too: the loop tries
again until it ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pagerforce.errors import (
    CredentialsError,
    PacedError,
    RemoteError,
    StoreUnavailableError,
)
from pagerforce.model.durations import LIVELY_FOR
from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock, Flaw
from pagerforce.observe.internal_errors import Part, Repeats, report_internal_error
from pagerforce.observe.log import get_log, is_shown
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.commit import Committed
from pagerforce.pipeline.pace import Budget, Spare, next_delay
from pagerforce.pipeline.settings import Pace
from pagerforce.store.trouble import concerns_all

_LOG = get_log("poll")
_BEAT_SECONDS = 5.0
_MUCH = 200  # events of one commit; normal commits have a few
_DOWN_AFTER = 3
_MOST_IDLE_WAKES = 5
_MOST_AT_ONCE = 3
_DEBOUNCE = timedelta(seconds=0.5)  # one change causes several hints
_NO_BUDGET = Budget(None, 0.0, 0.0)


class SourceState(Struct):
    """The state of one side's polling, for metrics, ``status`` and readiness."""

    is_current: bool = False
    is_up: bool = False
    failures: int = 0
    problem: str = ""
    last_success_at: datetime | None = None
    last_found_at: datetime | None = None
    is_stretched: bool = False
    is_storage_failing: bool = False
    interval_seconds: float | None = None


class SideReader(Protocol):
    """Reads one side: the part that differs between PagerDuty and Salesforce."""

    async def start(self) -> None:
        """Stores baseline and start cursor on the first start; may raise ``RemoteError``."""
        ...

    async def may_poll(self) -> bool:
        """False while this side must wait for the other one, shortly after a restore."""
        ...

    async def poll(self) -> int:
        """Reads to the end and commits; returns how many events were new."""
        ...

    def budget(self) -> Budget:
        """The rest of this side's share of calls."""
        ...


class PollLoop:
    """Polls one side until stopped."""

    def __init__(
        self,
        side: Side,
        reader: SideReader,
        pace: Pace,
        *,
        clock: Clock,
        metrics: Metrics,
        calm: Callable[[], timedelta | None] = lambda: None,
    ) -> None:
        self.side = side
        self.state = SourceState()
        self._reader = reader
        self._pace = pace
        self._clock = clock
        self._metrics = metrics
        self._calm = calm
        self._is_stopping = False
        self._nudge = anyio.Event()
        self._is_woken = self._was_woken = False
        self._idle_wakes = 0
        self._spare = Spare(_MOST_AT_ONCE, pace.busy)
        self._is_started = False
        self.tell_current: Callable[[], None] = lambda: None
        """Called once, when the side has been read to the end for the first time."""

    def stop(self) -> None:
        """Starts no further poll."""
        self._is_stopping = True
        self._nudge.set()

    def wake(self) -> None:
        """Polls at once, or later if the budget or a failure requires it.

        Many wakes poll every ``min_poll_interval`` on average. Those that find nothing five times in a
        row are worth no more than ``poll_interval``, so that no flood of hints costs more calls than
        polling without hints.
        """
        self._is_woken = True
        self._nudge.set()

    async def run(self, beat: Callable[[], None]) -> None:
        """Polls until stopped.

        ``beat`` is called every few seconds of a pause. A poll beats by its requests and other work
        (``observe/pulse.py``): one that hangs is silent.
        """
        while not self._is_stopping:
            await self._turn()
            await self._pause(self._delay(), beat)

    async def _turn(self) -> None:
        try:
            await self._poll()
        except Exception as error:
            if concerns_all(error):
                raise
            # Only the report of the poll failed; the next poll is still due.
            report_internal_error(self._metrics, Part.POLL, error, about=self.side.value)

    async def _poll(self) -> None:
        began = self._clock.monotonic()
        self._spare.polled(began)
        self._was_woken, self._is_woken = self._is_woken, False
        try:
            if not self._is_started:
                await self._reader.start()
                self._is_started = True
            if not await self._reader.may_poll():
                return
            found = await self._reader.poll()
        except PacedError:
            return  # The batches read so far are stored; the budget decides when to continue.
        except (RemoteError, StoreUnavailableError) as error:
            self._failed(error, str(error))
        except Exception as error:
            if concerns_all(error):
                raise
            source = self.side.value
            self._failed(
                error, report_internal_error(self._metrics, Part.POLL, error, about=source)
            )
        else:
            self._succeeded(found, self._clock.monotonic() - began)

    def _succeeded(self, found: int, seconds: float) -> None:
        now = self._clock.now()
        state = self.state
        is_news = state.failures or not state.is_up
        is_first = not state.is_current
        state.failures, state.problem = 0, ""
        state.is_storage_failing = False
        state.is_up = state.is_current = True
        state.last_success_at = now
        if found:
            state.last_found_at = now
            self._idle_wakes = 0
        elif self._was_woken:
            self._idle_wakes += 1
        self._metrics.source_up.labels(self.side.value).set(1)
        self._metrics.poll_duration.labels(self.side.value).observe(seconds)
        self._metrics.last_success.labels(self.side.value).set(now.timestamp())
        if is_news:
            _LOG.info("source_up", source=self.side.value)
        if is_first:
            self.tell_current()

    def _failed(self, error: Exception, reason: str) -> None:
        state = self.state
        state.failures += 1
        state.problem = reason
        is_storage = state.is_storage_failing = isinstance(error, StoreUnavailableError)
        _LOG.warning(
            "storage_unavailable" if is_storage else "poll_failed",
            source=self.side.value,
            failures=state.failures,
            error=type(error).__name__,
            reason=reason,
        )
        if state.failures >= _DOWN_AFTER or isinstance(error, CredentialsError):
            state.is_up = False
            self._metrics.source_up.labels(self.side.value).set(0)

    def budget(self) -> Budget:
        """The rest of this side's share of calls."""
        return self._reader.budget() if self._is_started else _NO_BUDGET

    def forecast(self) -> int:
        """Calls of polling in a period of the budget.

        The busy pace never lasts for long: the calm one counts, or the stretched one.
        """
        calm = self._present_pace().calm.total_seconds()
        return self.budget().forecast(max(calm, self.state.interval_seconds or calm))

    def _delay(self) -> timedelta:
        """The wait before the next poll; the calm one if it can't be determined."""
        try:
            return self._next_delay()
        except Exception as error:
            if concerns_all(error):
                raise
            report_internal_error(self._metrics, Part.POLL, error, about=f"{self.side.value}: pace")
            return self._pace.calm

    def _next_delay(self) -> timedelta:
        found_at = self.state.last_found_at
        is_lively = found_at is not None and abs(self._clock.now() - found_at) < LIVELY_FOR
        # What is announced needs no polls in advance: they would only delay the poll that a hint
        # asks for.
        is_busy = is_lively and self._announced_calm() is None
        pace, budget = self._present_pace(), self.budget()
        wait = next_delay(pace, is_busy=is_busy, failures=self._failures, budget=budget)
        self._tell_stretch(wait, pace, budget)
        self.state.interval_seconds = wait.total_seconds()
        return wait

    def _woken_delay(self) -> timedelta:
        """The wait before a poll that was asked for."""
        is_busy = self._idle_wakes < _MOST_IDLE_WAKES
        budget = self.budget()
        delay = next_delay(self._pace, is_busy=is_busy, failures=self._failures, budget=budget)
        is_usual = is_busy and delay <= self._pace.busy
        if is_usual and self._spare.has_one(self._clock.monotonic()):
            return min(delay, _DEBOUNCE)
        return delay

    @property
    def _failures(self) -> int:
        # If only the local disk fails, the remote side is fine: it is asked at the calm pace.
        return 1 if self.state.is_storage_failing else self.state.failures

    def _announced_calm(self) -> timedelta | None:
        """The calm interval while changes are announced; None if they are not, or after a failure."""
        return None if self.state.failures else self._calm()

    def _present_pace(self) -> Pace:
        """The configured pace, or a calmer one while changes are announced."""
        calm = self._announced_calm()
        return self._pace if calm is None else replace(self._pace, calm=max(calm, self._pace.calm))

    @property
    def calm_seconds(self) -> float:
        """The wait between two polls while nothing happens."""
        return self._present_pace().calm.total_seconds()

    def _tell_stretch(self, wait: timedelta, pace: Pace, budget: Budget) -> None:
        """Logs when the call budget makes polling slower than configured, and when that ends."""
        is_stretched = not self.state.failures and wait > pace.calm
        if is_stretched != self.state.is_stretched:
            self.state.is_stretched = is_stretched
            _LOG.warning(
                "polling_stretched" if is_stretched else "polling_at_pace",
                source=self.side.value,
                seconds=round(wait.total_seconds(), 1),
                calls_left=budget.remaining,
            )

    async def _pause(self, delay: timedelta, beat: Callable[[], None]) -> None:
        began = self._clock.monotonic()
        end = began + delay.total_seconds()
        while not self._is_stopping:
            if self._is_woken:
                end = min(end, began + self._woken_delay().total_seconds())
            left = end - self._clock.monotonic()
            if left <= 0:
                break
            beat()
            with anyio.move_on_after(min(left, _BEAT_SECONDS)):
                await self._nudge.wait()
            if self._nudge.is_set():
                self._nudge = anyio.Event()
        beat()


class ExpectMore(Protocol):
    """Receives whether more will soon be read from a side."""

    def __call__(self, side: Side, *, is_more: bool) -> None:
        """May be called repeatedly and in any order."""
        ...


class Reporter(Struct, frozen=True):
    """Counts and logs the results of a commit, and wakes delivery.

    Attributes:
        wake: called if actions wait.
        expect_more: called before that if much was read at once, and when there is no more.
    """

    side: Side
    metrics: Metrics
    wake: Callable[[], None]
    expect_more: ExpectMore
    _repeats: Repeats = msgspec.field(default_factory=Repeats)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """For the time that a side is read to its end, batch by batch."""
        try:
            yield
        finally:
            with self.contained("the end of a reading"):
                self.expect_more(self.side, is_more=False)

    @contextmanager
    def contained(self, what: str) -> Iterator[None]:
        """Contains internal errors: the block ends, but the rest of the side's poll continues.

        Errors of the remote side or of the disk are raised again: then the poll has failed.
        """
        about = f"{self.side.value}: {what}"
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:
            if concerns_all(error):
                raise
            self._repeats.failed(self.metrics, Part.POLL, error, about)
        else:
            self._repeats.worked(about)

    def failed(self, error: Exception, what: str) -> str:
        """Reports an item that could not be stored; returns the text for its reason."""
        return self._repeats.failed(self.metrics, Part.POLL, error, f"{self.side.value}: {what}")

    def committed(self, result: Committed) -> int:
        """Reports a commit; returns how many events were stored."""
        with self.contained("a report"):
            self._count(result)
        with self.contained("waking delivery"):
            if len(result.ruled) >= _MUCH:
                self.expect_more(self.side, is_more=True)
            if result.actions:
                self.wake()
        return len(result.ruled)

    def _count(self, result: Committed) -> None:
        result.report(self.metrics, self.side)
        for incident_id, what in result.contradictions:
            self.metrics.count_contradiction(what)
            _LOG.warning("contradiction", incident=incident_id, what=what)
        for item in result.ruled:
            for error in item.errors:
                self.failed(error, f"rules, on {item.event.type}")
        for item in result.ruled if is_shown("debug") else ():
            _LOG.debug(
                "event",
                source=self.side.value,
                type=item.event.type,
                incident=item.event.incident_id,
                record=item.event.record_id,
                echo_of=item.echo_of,
                actions=len(item.actions),
            )

    def compared(self, found: int) -> int:
        """Counts the events that only a full comparison found; returns their number."""
        self.metrics.count_compared(self.side, found)
        return found

    def flaws(self, found: tuple[Flaw, ...]) -> None:
        """Reports malformed items; all others were processed."""
        with self.contained("a report"):
            for flaw in found:
                self.metrics.count_event(self.side, "other")
                _LOG.warning("malformed", source=self.side.value, where=flaw.where, what=flaw.what)
