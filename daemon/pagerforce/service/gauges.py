"""Updates the gauges from the store, the loops, both clocks and the certificates."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import msgspec
from msgspec import Struct

from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock
from pagerforce.observe.internal_errors import Part, Repeats
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.poll import PollLoop
from pagerforce.service.certificates import Certificates
from pagerforce.service.wiring import Parts
from pagerforce.store import links, outbox
from pagerforce.store.database import Database
from pagerforce.store.trouble import concerns_all

_CERTIFICATES_EVERY_SECONDS = 3600.0


class Gauges(Struct):
    """The sources of the gauges, and the metrics that show them.

    Attributes:
        server_time: each side's clock according to its answers; None before the first answer.
        calls_in_last_day: this daemon's calls to Salesforce in the day before an instant.
        waiting: the number of waiting actions, as last seen.
    """

    database: Database
    metrics: Metrics
    clock: Clock
    loops: tuple[PollLoop, ...]
    server_time: Mapping[Side, Callable[[], datetime | None]]
    calls_in_last_day: Callable[[datetime], int]
    certificates: Certificates
    waiting: int = 0
    _certificates_read_at: float = float("-inf")
    _repeats: Repeats = msgspec.field(default_factory=Repeats)

    @classmethod
    def of(cls, parts: Parts, clock: Clock, certificates: Certificates) -> "Gauges":
        """Creates the gauges of a daemon, and sets the constant ones."""
        _set_constants(parts, clock)
        pagerduty, salesforce = parts.pagerduty_side.client, parts.salesforce_side.client
        return cls(
            parts.database,
            parts.metrics,
            clock,
            (parts.pagerduty, parts.salesforce),
            {
                Side.PAGERDUTY: lambda: pagerduty.server_time,
                Side.SALESFORCE: lambda: (
                    salesforce.session.now() if salesforce.session.known else None
                ),
            },
            salesforce.usage.calls_in_last_day,
            certificates,
        )

    async def refresh(self) -> int:
        """Updates all gauges, each by itself; returns the number of waiting actions, as last seen.

        Raises:
            StoreUnavailableError: the store can't be read now; all other gauges are up to date.
        """
        now = self.clock.now()
        for loop in self.loops:
            with self._contained(f"polling {loop.side.value}"):
                self._polled(loop, now)
        for side in self.server_time:
            with self._contained(f"clock of {side.value}"):
                self._skewed(side, now)
        with self._contained("calls"):
            calls = self.calls_in_last_day(now)
            self.metrics.calls_last_day.labels(Side.SALESFORCE.value).set(calls)
        self._certified()
        await self._stored(now)
        return self.waiting

    @contextmanager
    def _contained(self, what: str) -> Iterator[None]:
        """After an internal error in one gauge it keeps its last value, and the others continue."""
        try:
            yield
        except Exception as error:
            if concerns_all(error):
                raise
            self._repeats.failed(self.metrics, Part.GAUGE, error, what)
        else:
            self._repeats.worked(what)

    def _skewed(self, side: Side, now: datetime) -> None:
        there = self.server_time[side]()
        if there is not None:
            self.metrics.clock_skew.labels(side.value).set((there - now).total_seconds())

    async def _stored(self, now: datetime) -> None:
        with self._contained("outbox"):
            async with self.database.read() as tx:
                depth = await outbox.depth(tx)
            self.waiting = depth.waiting
            age = (now - depth.oldest_at).total_seconds() if depth.oldest_at else 0.0
            self.metrics.outbox_depth.set(depth.waiting)
            self.metrics.outbox_oldest.set(max(0.0, age))
            self.metrics.dead_letters.set(depth.dead_letters)
        with self._contained("links"):
            async with self.database.read() as tx:
                total, paused = await links.count_links(tx)
                size = await tx.size_bytes()
            self.metrics.links.set(total)
            self.metrics.links_paused.set(paused)
            self.metrics.database_size.set(size)

    def _polled(self, loop: PollLoop, now: datetime) -> None:
        source, state = loop.side.value, loop.state
        self.metrics.poll_interval.labels(source).set(loop.calm_seconds)
        self.metrics.poll_failures.labels(source).set(state.failures)
        self.metrics.poll_stretched.labels(source).set(state.is_stretched)
        if state.interval_seconds is not None:
            self.metrics.present_interval.labels(source).set(state.interval_seconds)
            self.metrics.forecast.labels(source).set(loop.forecast())
        if state.last_success_at is not None:
            lag = (now - state.last_success_at).total_seconds()
            self.metrics.cursor_lag.labels(source).set(max(0.0, lag))

    def _certified(self) -> None:
        now = self.clock.monotonic()
        if now - self._certificates_read_at < _CERTIFICATES_EVERY_SECONDS:
            return
        self._certificates_read_at = now
        for name, find in self.certificates.finders().items():
            with self._contained(f"certificate {name}"):
                at = find()
                if at is not None:
                    self.metrics.certificate_expiry.labels(name).set(at.timestamp())


def _set_constants(parts: Parts, clock: Clock) -> None:
    metrics, settings = parts.metrics, parts.rules.settings
    metrics.started.set(clock.now().timestamp())
    metrics.is_shadow.set(settings.is_shadow)
    for side, pace in (
        (Side.PAGERDUTY, settings.pagerduty),
        (Side.SALESFORCE, settings.salesforce),
    ):
        metrics.poll_interval.labels(side.value).set(pace.calm.total_seconds())
    budget = parts.rules.loaded.config.salesforce.daily_call_budget
    metrics.daily_budget.labels(Side.SALESFORCE.value).set(budget)
