"""Pure: tries rules on recorded events, without writing anything. Same input, same result."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from pagerforce.model.action import Decision, Rendered, Unrenderable
from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident
from pagerforce.model.value import Fields, Json
from pagerforce.pipeline.ruling import show_trace
from pagerforce.rules.evaluate import Evaluation, Facts, RuleBook, RuleTrace


class Recorded(Struct, frozen=True):
    """An event of the journal with the other data of its rules, and when it was evaluated."""

    event: Event
    seen_at: datetime
    linked: frozenset[str] = frozenset()
    records: Mapping[str, Fields] = msgspec.field(default_factory=dict)
    incident: Incident | None = None

    @property
    def facts(self) -> Facts:
        """As the rules saw it."""
        is_own = self.event.source is Side.PAGERDUTY
        return Facts(
            self.event,
            self.linked,
            self.records,
            self.event.incident if is_own else self.incident,
        )


class Bounds(Struct):
    """How much a report lists; the rest is only counted.

    Attributes:
        size: bytes of the whole list.
        tried: events per rule. differences: actions gained, and actions lost.
        shows_values: whether values and rendered texts of events are shown.
    """

    size: int
    tried: int
    differences: int
    shows_values: bool = True

    def take(self, item: object) -> bool:
        """Whether one more item may be listed."""
        if self.size <= 0:
            return False
        self.size -= len(json.dumps(item, default=str))
        return self.size > 0


class Tally(Struct):
    """What one rule would do over all events. ``events``: the newest ones, newest first."""

    fired: int = 0
    actions: dict[str, int] = msgspec.field(default_factory=dict)
    events: list[Mapping[str, Json]] = msgspec.field(default_factory=list)
    more: int = 0


class Differences(Struct):
    """Actions that only one of two sets of rules would take: the newest, event by event."""

    events: list[list[Mapping[str, Json]]] = msgspec.field(default_factory=list)
    count: int = 0
    listed: int = 0

    def add(self, found: Sequence[Mapping[str, Json]], bounds: Bounds) -> None:
        """Adds the differences of one event."""
        self.count += len(found)
        room = bounds.differences - self.listed
        kept = [item for item in found[: max(0, room)] if bounds.take(item)]
        self.listed += len(kept)
        if kept:
            self.events.append(kept)

    @property
    def oldest_first(self) -> list[Mapping[str, Json]]:
        """The listed actions, in the order of the events."""
        return [item for found in reversed(self.events) for item in found]


class Report(Struct):
    """What the rules would do, and the differences from the rules in force.

    Attributes:
        rules: per (ruleset, rule), in file order.
        gained / lost: actions that only these rules, or only those in force, would take.
    """

    events: int = 0
    rules: dict[tuple[str, str], Tally] = msgspec.field(default_factory=dict)
    gained: Differences = msgspec.field(default_factory=Differences)
    lost: Differences = msgspec.field(default_factory=Differences)


def simulate(
    recorded: Iterable[Recorded],
    tried: RuleBook,
    in_force: RuleBook | None,
    bounds: Bounds,
) -> Iterator[Report]:
    """Tries ``tried`` on every event and compares with ``in_force``.

    Yields the same report after each event, so that a caller without more time can stop and keep
    the
    results: each event counts as a whole or not at all.

    Args:
        recorded: events, the newest first, without echoes.
        tried: the rules to try.
        in_force: the rules to compare with; None if those are tried.
        bounds: how much to list.
    """
    report = Report(rules={(rule.ruleset, rule.name): Tally() for rule in tried.rules})
    yield report
    for item in recorded:
        facts = item.facts
        evaluation = tried.evaluate(facts, item.seen_at, every_rule=True)
        before = evaluation.decisions
        if in_force is not None:
            before = in_force.evaluate(facts, item.seen_at).decisions
        _count(report, item.event, evaluation, bounds)
        if in_force is not None:
            _compare(report, item.event, evaluation.decisions, before, bounds)
        report.events += 1
        yield report


def _compare(
    report: Report,
    event: Event,
    after: Sequence[Decision],
    before: Sequence[Decision],
    bounds: Bounds,
) -> None:
    new, old = [[(_key(x), x) for x in found] for found in (after, before)]
    for target, some, others in ((report.gained, new, old), (report.lost, old, new)):
        known = {key for key, _ in others}
        found = [_show(event, one, bounds) for key, one in some if key not in known]
        target.add(found, bounds)


def _count(report: Report, event: Event, evaluation: Evaluation, bounds: Bounds) -> None:
    for trace in evaluation.traces:
        tally = report.rules.setdefault((trace.ruleset, trace.rule), Tally())
        tally.fired += trace.matched
        shown = None
        if len(tally.events) < bounds.tried and bounds.size > 0:
            shown = {"event": event.id, **_shown_trace(trace, bounds)}
        if shown is not None and bounds.take(shown):
            tally.events.append(shown)
        else:
            tally.more += 1
    for decision in evaluation.decisions:
        tally = report.rules.setdefault((decision.ruleset, decision.rule), Tally())
        do = decision.call.do
        tally.actions[do] = tally.actions.get(do, 0) + 1


def _shown_trace(trace: RuleTrace, bounds: Bounds) -> dict[str, Any]:
    shown = dict(show_trace(trace))
    if not bounds.shows_values:
        shown["conditions"] = [
            {"field": item.field, "op": item.op, "result": item.result} for item in trace.conditions
        ]
    return shown


def _show(event: Event, decision: Decision, bounds: Bounds) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "event": event.id,
        "type": event.type,
        "incident": event.incident_id,
        "record": event.record_id,
        "ruleset": decision.ruleset,
        "rule": decision.rule,
        "action": decision.call.do,
    }
    if not bounds.shows_values:
        return shown
    match decision.arguments:
        case Rendered(args=args):
            shown["arguments"] = args
        case Unrenderable(reason=reason):
            shown["problem"] = reason
        case _:
            shown["arguments"] = None
    return shown


def _key(decision: Decision) -> tuple[str, str]:
    """The key of a decision: equal for the same action, whatever the rule's name."""
    match decision.arguments:
        case Rendered(args=args):
            return decision.call.do, str(args)
        case Unrenderable(reason=reason):
            return decision.call.do, reason
    return decision.call.do, "None"
