"""Brings the gauges up to date: what the store, the loops, both clocks and the certificates say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pagerforce.model.ids import Side
from pagerforce.model.ports import Clock
from pagerforce.observe.metrics import Metrics
from pagerforce.pipeline.poll import PollLoop
from pagerforce.service.certificates import Certificates
from pagerforce.service.wiring import Parts
from pagerforce.store import links, outbox
from pagerforce.store.database import Database

_CERTIFICATES_EVERY_SECONDS = 3600.0


@dataclass(slots=True)
class Gauges:
    """What is looked at, and where it is shown.

    Attributes:
        server_time: each side's clock as its answers told it; None before the first answer.
        calls_in_last_day: this daemon's calls to Salesforce before an instant.
    """

    database: Database
    metrics: Metrics
    clock: Clock
    loops: tuple[PollLoop, ...]
    server_time: Mapping[Side, Callable[[], datetime | None]]
    calls_in_last_day: Callable[[datetime], int]
    certificates: Certificates
    _certificates_read_at: float = float("-inf")

    @classmethod
    def of(cls, parts: Parts, clock: Clock, certificates: Certificates) -> "Gauges":
        """The gauges of a daemon, with those set that stay as they are."""
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
        """Looks at everything; returns how many actions wait."""
        now = self.clock.now()
        waiting = await self._stored(now)
        for loop in self.loops:
            self._polled(loop, now)
        for side, server_time in self.server_time.items():
            there = server_time()
            if there is not None:
                self.metrics.clock_skew.labels(side.value).set((there - now).total_seconds())
        self.metrics.calls_last_day.labels(Side.SALESFORCE.value).set(self.calls_in_last_day(now))
        self._certified()
        return waiting

    async def _stored(self, now: datetime) -> int:
        metrics = self.metrics
        async with self.database.read() as tx:
            depth = await outbox.depth(tx)
            total, paused = await links.count_links(tx)
        age = (now - depth.oldest_at).total_seconds() if depth.oldest_at else 0.0
        metrics.outbox_depth.set(depth.waiting)
        metrics.outbox_oldest.set(max(0.0, age))
        metrics.dead_letters.set(depth.dead_letters)
        metrics.links.set(total)
        metrics.links_paused.set(paused)
        metrics.database_size.set(self.database.size_bytes())
        return depth.waiting

    def _polled(self, loop: PollLoop, now: datetime) -> None:
        source, state = loop.side.value, loop.state
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
        for name, at in self.certificates.expiries().items():
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
