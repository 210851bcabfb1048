"""Every metric series of pagerforce (docs/reference/metrics.md), declared and initialised here.

No label ever contains an incident or record id, or customer text; every label's values are a closed
set or come from the configuration. docs/reference/metrics.md describes each series.
"""

import math
from collections.abc import Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pagerforce.model.action import ActionSpec
from pagerforce.model.display import shown
from pagerforce.model.event import PAGERDUTY_TYPES, SALESFORCE_TYPES
from pagerforce.model.ids import Side
from pagerforce.observe.api_calls import (
    OPERATIONS,
    OTHER,
    TROUBLE_CODES,
    code_label,
    operation_label,
)
from pagerforce.observe.internal_errors import Part
from pagerforce.observe.requests import note_request

OUTCOMES = ("delivered", "retried", "dead_letter", "skipped", "shadowed")
_TYPES = {Side.PAGERDUTY: PAGERDUTY_TYPES, Side.SALESFORCE: SALESFORCE_TYPES}
CONTRADICTED = ("status", "assignees", "priority", "urgency", "escalation_policy")
CERTIFICATES = ("salesforce", "ca_file")
_POLL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
# Polling adds seconds, an outage hours; 30 s is the goal that the recording rules measure.
_LATENCY_BUCKETS = (0.1, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60, 120, 300, 900, 3600, 21600, 86400)

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped upstream


class Metrics:
    """The daemon's series. Implements ``wire.transport.RequestObserver``.

    Args:
        version: of pagerforce, for ``pagerforce_build_info``.
        actions: the catalog, so that each series exists from the start.
    """

    def __init__(self, version: str, actions: Sequence[ActionSpec]) -> None:
        self.registry = CollectorRegistry()
        self.ready = self._gauge(
            "ready", "1 once both sides were polled to the end since the start."
        )
        self.source_up = self._gauge("source_up", "1 after a good poll of this side.", "source")
        self.last_success = self._gauge(
            "last_success_timestamp_seconds", "Unix time of the last good poll.", "source"
        )
        self.cursor_lag = self._gauge(
            "cursor_lag_seconds",
            "Age of the last complete poll.",
            "source",
        )
        self.outbox_depth = self._gauge("outbox_depth", "Actions decided and not yet confirmed.")
        self.outbox_oldest = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest waiting action."
        )
        self.dead_letters = self._gauge("dead_letters", "Actions that need an operator.")
        self.links = self._gauge("links", "Active links.")
        self.links_paused = self._gauge("links_paused", "Links paused by the loop limit.")
        self.api_budget = self._gauge(
            "api_budget_remaining", "Requests the remote side still allows.", "system"
        )
        self.database_size = self._gauge("database_size_bytes", "Size of the state database.")
        self._declare_condition()
        self._declare_counts()
        self.registry.register(_BuildInfo(version))
        # Not in the textfile: node_exporter has process series of its own (service/expose.py).
        ProcessCollector(registry=self.registry)
        self._initialise(actions)
        for spec in actions:
            if spec.is_open_to_doubt:
                self.doubts.labels(spec.do)

    def _declare_counts(self) -> None:
        """Declares counters and histograms of events."""
        self.events = self._counter("events", "Changes seen, before any folding.", "source", "type")
        self.rule_matches = self._counter(
            "rule_matches", "Events a rule matched.", "ruleset", "rule"
        )
        self.actions = self._counter("actions", "Outcomes of actions.", "action", "outcome")
        self.conflicts = self._counter(
            "conflicts", "Changes of the same thing on both sides, by the winner.", "winner"
        )
        self.doubts = self._counter(
            "doubts", "Actions that are in doubt after a lost answer.", "action"
        )
        self.api_requests = self._counter(
            "api_requests", "Requests sent.", "system", "operation", "code"
        )
        self.poll_duration = self._histogram(
            "poll_duration_seconds", "Duration of one poll.", _POLL_BUCKETS
        )
        self.sync_latency = self._histogram(
            "sync_latency_seconds", "Remote event time to confirmed delivery.", _LATENCY_BUCKETS
        )
        self.reconcile_found = self._counter(
            "reconcile_found", "Changes that polling had missed.", "source"
        )
        self.internal_errors = self._counter(
            "internal_errors", "Unexpected errors that one part met and contained.", "part"
        )
        self.stream_missed = self._counter(
            "stream_missed", "Changes that polls found and no change event had announced."
        )
        self.stand_ins = self._counter(
            "requester_refused",
            "People whom PagerDuty refused as the requester; the integration user replaces them.",
        )
        self.contradictions = self._counter(
            "contradictions",
            "Incidents with a value that contradicts their log entries.",
            "what",
        )

    def _declare_condition(self) -> None:
        """Declares further series, for alerts and the dashboard."""
        self.started = self._gauge("start_timestamp_seconds", "Unix time of the start.")
        self.is_shadow = self._gauge("shadow", "1 if nothing is written to either side.")
        self.poll_interval = self._gauge(
            "poll_interval_seconds", "The configured wait between polls.", "source"
        )
        self.present_interval = self._gauge(
            "poll_present_interval_seconds", "The wait before the next poll.", "source"
        )
        self.poll_stretched = self._gauge(
            "poll_stretched", "1 while the call budget slows polling down.", "source"
        )
        self.poll_failures = self._gauge("poll_failures", "Failed polls in a row.", "source")
        self.clock_skew = self._gauge(
            "clock_skew_seconds", "How far the remote clock is ahead of this host's.", "source"
        )
        self.daily_budget = self._gauge(
            "api_daily_budget", "This daemon's own share of daily requests.", "system"
        )
        self.forecast = self._gauge(
            "api_forecast",
            "Requests of polling at this pace: PagerDuty per minute, Salesforce per day.",
            "system",
        )
        self.calls_last_day = self._gauge(
            "api_calls_last_day", "This daemon's requests of the last 24 hours.", "system"
        )
        self.certificate_expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "Unix time at which a certificate expires.",
            "certificate",
        )
        self.fields_left_out = self._gauge(
            "fields_left_out", "Fields that the org refuses in the query of an object.", "object"
        )
        self.object_halted = self._gauge(
            "object_halted", "1 while nothing of an object can be read.", "object"
        )
        self.rules_off = self._gauge(
            "rules_off", "Rules switched off because a field they need can't be read."
        )
        self.stream_up = self._gauge(
            "stream_up", "1 while Salesforce's change events arrive and can be trusted."
        )
        self.drift = self._gauge("drift_found", "Differences the last comparison of links found.")
        self.drift_checked = self._gauge(
            "drift_checked_timestamp_seconds", "Unix time of that comparison; 0: none yet."
        )

    def _gauge(self, name: str, doc: str, *labels: str) -> Gauge:
        return Gauge(f"pagerforce_{name}", doc, labels, registry=self.registry)

    def _counter(self, name: str, doc: str, *labels: str) -> Counter:
        return Counter(f"pagerforce_{name}", doc, labels, registry=self.registry)

    def _histogram(self, name: str, doc: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(
            f"pagerforce_{name}", doc, ("source",), registry=self.registry, buckets=buckets
        )

    def _initialise(self, actions: Sequence[ActionSpec]) -> None:
        for side in Side:
            self.source_up.labels(side.value).set(0)
            self.last_success.labels(side.value).set(0)
            self.cursor_lag.labels(side.value).set(math.nan)
            self.api_budget.labels(side.value).set(math.nan)
            self.clock_skew.labels(side.value).set(math.nan)
            self.poll_interval.labels(side.value).set(math.nan)
            self.present_interval.labels(side.value).set(math.nan)
            self.forecast.labels(side.value).set(math.nan)
            self.poll_stretched.labels(side.value)
            self.poll_failures.labels(side.value)
            self.reconcile_found.labels(side.value)
            self.conflicts.labels(side.value)
            self.poll_duration.labels(side.value)
            self.sync_latency.labels(side.value)
            for kind in (*_TYPES[side], OTHER):
                self.events.labels(side.value, kind)
            for operation, success in OPERATIONS[side].items():
                for code in (success, *TROUBLE_CODES):
                    self.api_requests.labels(side.value, operation, code)
        # The status of a refused login.
        self.api_requests.labels(Side.SALESFORCE.value, "login", "400")
        for what in CONTRADICTED:
            self.contradictions.labels(what)
        for part in Part:
            self.internal_errors.labels(part.value)
        for spec in actions:
            for outcome in OUTCOMES:
                self.actions.labels(spec.do, outcome)
        # PagerDuty has no daily limit, only one per minute.
        self.daily_budget.labels(Side.SALESFORCE.value).set(math.nan)
        self.calls_last_day.labels(Side.SALESFORCE.value)
        for name in CERTIFICATES:
            self.certificate_expiry.labels(name).set(math.nan)
        self.drift.set(math.nan)
        self.stream_up.set(math.nan)

    def declare_rules(self, rules: Iterable[tuple[str, str]]) -> None:
        """Creates the series of these (ruleset, rule) pairs."""
        for ruleset, rule in rules:
            self.rule_matches.labels(shown(ruleset), shown(rule))

    def declare_objects(self, names: Iterable[str]) -> None:
        """Creates the series of these objects and comment objects."""
        for name in names:
            self.fields_left_out.labels(name)
            self.object_halted.labels(name)

    def count_match(self, ruleset: str, rule: str) -> None:
        """Counts a match; people read a rule's name, so it is ``shown``."""
        self.rule_matches.labels(shown(ruleset), shown(rule)).inc()

    def count_event(self, source: Side, kind: str, count: int = 1) -> None:
        """Counts changes; types that rules have no name for count as ``other``."""
        known = kind if kind in _TYPES[source] else OTHER
        self.events.labels(source.value, known).inc(count)

    def count_action(self, do: str, outcome: str) -> None:
        """Counts one outcome of an action, one of ``OUTCOMES``."""
        self.actions.labels(do, outcome).inc()

    def count_doubt(self, do: str) -> None:
        """Counts an action in doubt that was left to an operator; it has ``is_open_to_doubt``."""
        self.doubts.labels(do).inc()

    def count_internal_error(self, part: str) -> None:
        """Counts one unexpected error; ``part`` is a value of ``internal_errors.Part``."""
        self.internal_errors.labels(part).inc()

    def count_contradiction(self, what: str) -> None:
        """Counts an incident whose field (one of ``CONTRADICTED``) overruled its entries."""
        self.contradictions.labels(what).inc()

    def count_conflict(self, winner: Side) -> None:
        """Counts a conflict that this side won."""
        self.conflicts.labels(winner.value).inc()

    def count_compared(self, source: Side, found: int) -> None:
        """Counts the changes that a full comparison found and polling had missed."""
        self.reconcile_found.labels(source.value).inc(found)

    def note_drift(self, found: int, at: float) -> None:
        """Records the result of a comparison of linked pairs: its Unix time and its differences."""
        self.drift.set(found)
        self.drift_checked.set(at)

    def on_request(self, system: Side, operation: str, code: str) -> None:
        """Counts one request with the ``code`` of its answer (or of its failure)."""
        labels = (system.value, operation_label(system, operation), code_label(code))
        self.api_requests.labels(*labels).inc()
        note_request(system.value, operation, code)

    def on_budget(self, system: Side, remaining: float) -> None:
        """Records how many more requests the remote side allows."""
        self.api_budget.labels(system.value).set(remaining)


class _BuildInfo(Collector):
    """``pagerforce_build_info``: always 1, the version as a label."""

    def __init__(self, version: str) -> None:
        self._version = version

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "pagerforce_build_info", "The running version.", labels=["version"]
        )
        family.add_metric([self._version], 1)
        return [family]
