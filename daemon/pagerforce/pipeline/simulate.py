"""Pure: rules tried on recorded events, without writing anything. Same input, same result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pagerforce.model.action import Decision, Rendered, Unrenderable
from pagerforce.model.event import Event
from pagerforce.model.ids import Side
from pagerforce.model.incident import Incident
from pagerforce.model.value import Fields, Json
from pagerforce.pipeline.ruling import show_trace
from pagerforce.rules.evaluate import Evaluation, Facts, RuleBook


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of the journal with what else the rules saw, and when it was ruled on."""

    event: Event
    seen_at: datetime
    linked: frozenset[str] = frozenset()
    records: Mapping[str, Fields] = field(default_factory=dict)
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


@dataclass(slots=True)
class Tally:
    """What one rule would do over all events."""

    fired: int = 0
    actions: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Json]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What the rules would do, and how that differs from the rules in force.

    Attributes:
        rules: per (ruleset, rule), in file order.
        gained / lost: actions that only these rules, or only those in force, would take.
    """

    events: int = 0
    rules: dict[tuple[str, str], Tally] = field(default_factory=dict)
    gained: list[dict[str, Json]] = field(default_factory=list)
    lost: list[dict[str, Json]] = field(default_factory=list)


def simulate(
    recorded: Iterable[Recorded],
    tried: RuleBook,
    in_force: RuleBook,
    names: Iterable[tuple[str, str]],
) -> Report:
    """Tries ``tried`` on every event and compares with ``in_force``.

    Args:
        recorded: events in their order, our own echoes left out.
        tried: the rules to try.
        in_force: the rules to compare with.
        names: (ruleset, rule) of every rule to try, in file order.
    """
    report = Report(rules={name: Tally() for name in names})
    for item in recorded:
        report.events += 1
        evaluation = tried.evaluate(item.facts, item.seen_at, every_rule=True)
        _count(report, item.event, evaluation)
        before = [
            _show(item.event, x) for x in in_force.evaluate(item.facts, item.seen_at).decisions
        ]
        after = [_show(item.event, x) for x in evaluation.decisions]
        report.gained += [x for x in after if _key(x) not in [_key(y) for y in before]]
        report.lost += [x for x in before if _key(x) not in [_key(y) for y in after]]
    return report


def _count(report: Report, event: Event, evaluation: Evaluation) -> None:
    for trace in evaluation.traces:
        tally = report.rules.setdefault((trace.ruleset, trace.rule), Tally())
        tally.fired += trace.matched
        tally.events.append({"event": event.id, **show_trace(trace)})
    for decision in evaluation.decisions:
        tally = report.rules.setdefault((decision.ruleset, decision.rule), Tally())
        do = decision.call.do
        tally.actions[do] = tally.actions.get(do, 0) + 1


def _show(event: Event, decision: Decision) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "event": event.id,
        "type": event.type,
        "incident": event.incident_id,
        "record": event.record_id,
        "ruleset": decision.ruleset,
        "rule": decision.rule,
        "action": decision.call.do,
    }
    match decision.arguments:
        case Rendered(args=args):
            shown["arguments"] = args
        case Unrenderable(reason=reason):
            shown["problem"] = reason
        case _:
            shown["arguments"] = None
    return shown


def _key(shown: Mapping[str, Json]) -> tuple[str, str]:
    """Two decisions are the same where they would do the same, whatever the rule's name."""
    return str(shown["action"]), str(shown.get("arguments", shown.get("problem")))
