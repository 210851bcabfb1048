"""The time to evaluate one event, with 1,000 rules and with 10,000.

Run it from the top of the repository: ``.venv/bin/python -m bench.rules``. Every rule has four
conditions, two of them unique; each event matches ten rules or fewer. It prints a table
and has no targets: machines differ, and the ratio of the two sizes is what must stay below 2. Each
pair of rows is measured twice: with ``contains`` as the fourth condition, and with ``matches``. Time
is processor time of this process, so that other load on the machine counts as little as possible.

The last lines evaluate 1,000 rules of the same conditions, on the same Salesforce events and in the same
run, with two general rule engines, which try them one by one.
"""

import gc
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import json_logic
import rule_engine

from bench.size import Size
from bench.table import Bound, Figure
from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Ref
from pagerforce.model.value import Scalar
from pagerforce.rules.evaluate import Facts, RuleBook
from pagerforce.rules.parse import parse_rulesets
from pagerforce.service.catalog import CATALOG

SIZES = (1_000, 10_000)
EVENTS = 2_000
ROUNDS = 7
TEXTS = ("contains", "matches")
MATCHING = 10
OBJECT = "BMCServiceDesk__Incident__c"
CATEGORY = "BMCServiceDesk__FKCategory__r.Name"
PRIORITY = "BMCServiceDesk__FKPriority__r.Name"
DESCRIPTION = "BMCServiceDesk__shortDescription__c"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def part_of(number: int, groups: int) -> str:
    """A part of every description, different for each rule of a group."""
    return "ore switch"[number // groups :]


def make_rule(number: int, run_on: Side, groups: int, op: str = "contains") -> dict[str, object]:
    """A rule as parsed from TOML: a subject of its own group, and three more conditions."""
    own = f"group {number % groups}"
    part = part_of(number, groups)
    text = {"op": op, "value": part if op == "contains" else f"{part}(es)? ?[0-9]* down$"}
    if run_on is Side.SALESFORCE:
        conditions = [
            {"field": f"record.{CATEGORY}", "op": "equals", "value": own},
            {"field": f"record.{PRIORITY}", "op": "in", "value": ["1", f"1.{number}"]},
            {"field": "record.BMCServiceDesk__state__c", "op": "equals", "value": True},
            {"field": f"record.{DESCRIPTION}", **text},
        ]
    else:
        conditions = [
            {"field": "event.type", "op": "in", "value": ["trigger", "acknowledge"]},
            {"field": "incident.service.name", "op": "equals", "value": own},
            {"field": "incident.id", "op": "not_equals", "value": f"POLD{number}"},
            {"field": "incident.title", **text},
        ]
    return {
        "name": f"rule {number}",
        "object": OBJECT,
        "run_on": str(run_on),
        "conditions": conditions,
        "actions": [{"do": "pagerduty.add_note", "text": "seen by a rule"}],
    }


def make_book(size: int, run_on: Side, op: str = "contains") -> RuleBook:
    """A rule book with ten rules for each category or service.

    Raises:
        ValueError: a rule is not valid.
    """
    table = {
        "name": "bench",
        "rules": [make_rule(number, run_on, size // MATCHING, op) for number in range(size)],
    }
    rules, problems = parse_rulesets([("bench", table)], catalog=CATALOG, objects=[OBJECT], maps={})
    if problems:
        raise ValueError(str(problems[0]))
    return RuleBook(rules)


def make_facts(number: int, run_on: Side) -> Facts:
    """One event of one group; another number gives another group."""
    own = f"group {number % (SIZES[0] // MATCHING)}"
    if run_on is Side.SALESFORCE:
        record: dict[str, Scalar] = {
            "Name": f"{number:08d}",
            CATEGORY: own,
            PRIORITY: "1",
            "BMCServiceDesk__state__c": True,
            DESCRIPTION: f"Core switch {number} down",
        }
        event = Event(
            id=EventId(f"e{number}"),
            source=run_on,
            type="update",
            at=AT,
            object=OBJECT,
            record_id=RecordId("a0R000000000001EAA"),
            record=record,
            old_record={**record, PRIORITY: "3"},
            changed=frozenset({PRIORITY}),
        )
        return Facts(event)
    incident = Incident(
        id=IncidentId("PINC001"),
        title=f"Core switch {number} down",
        status=IncidentStatus.TRIGGERED,
        urgency="high",
        service=Ref("PNET001", own),
    )
    event = Event(
        id=EventId(f"e{number}"),
        source=run_on,
        type="trigger",
        at=AT,
        incident_id=incident.id,
        incident=incident,
    )
    return Facts(event)


def time_events(book: RuleBook, events: Sequence[Facts]) -> float:
    """Microseconds per event, once through all events."""
    began = time.process_time()
    for facts in events:
        book.evaluate(facts, AT)
    return (time.process_time() - began) / len(events) * 1e6


def time_sizes(run_on: Side, op: str) -> Iterator[tuple[int, float, float, int]]:
    """(rules, best and median microseconds per event, rules that match) for each size.

    The sizes alternate, so that a slow minute of the machine slows both.
    """
    events = [make_facts(number, run_on) for number in range(EVENTS)]
    books = {size: make_book(size, run_on, op) for size in SIZES}
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        for size, book in books.items():
            times[size].append(time_events(book, events))
    gc.unfreeze()
    for size, book in books.items():
        traces = book.evaluate(events[0], AT).traces
        matched = sum(1 for trace in traces if trace.matched)
        yield size, min(times[size]), statistics.median(times[size]), matched


def time_engines(groups: int) -> Iterator[tuple[str, float]]:
    """(package, best microseconds per event) with as many rules as the first size has."""
    numbers = range(20)  # few: they take milliseconds for each
    facts = [make_facts(number, Side.SALESFORCE).event.record or {} for number in numbers]
    flat = [
        {"category": r[CATEGORY], "priority": r[PRIORITY], "state": True, "text": r[DESCRIPTION]}
        for r in facts
    ]
    own = [
        (f"group {number % groups}", ["1", f"1.{number}"], part_of(number, groups))
        for number in range(SIZES[0])
    ]
    compiled = [
        rule_engine.Rule(
            f'category == "{group}" and priority in {json.dumps(priorities)} and state == true'
            f' and "{part}" in text'
        )
        for group, priorities, part in own
    ]
    logic = [
        {
            "and": [
                {"==": [{"var": "category"}, group]},
                {"in": [{"var": "priority"}, priorities]},
                {"==": [{"var": "state"}, True]},
                {"in": [part, {"var": "text"}]},
            ]
        }
        for group, priorities, part in own
    ]
    yield "rule-engine", _best(lambda thing: [rule.matches(thing) for rule in compiled], flat)
    yield (
        "json-logic-qubit",
        _best(lambda thing: [json_logic.jsonLogic(rule, thing) for rule in logic], flat),
    )


def _best(
    evaluate: Callable[[dict[str, Scalar]], list[bool]], things: list[dict[str, Scalar]]
) -> float:
    times = []
    for _ in range(3):
        began = time.process_time()
        for thing in things:
            if sum(map(bool, evaluate(thing))) != MATCHING:
                raise ValueError("the rules do not match what they match here")
        times.append((time.process_time() - began) / len(things) * 1e6)
    return min(times)


def measure(size: Size, _: Path) -> Iterator[Figure]:
    """The factor by which an event takes longer with ten times the rules; one kind only in a single run."""
    kinds = list(itertools.product(Side, TEXTS))
    for run_on, op in kinds if size.runs > 1 else kinds[:1]:
        (_, _, few, _), (_, _, many, matched) = time_sizes(run_on, op)
        yield Figure(
            f"one event of {run_on.value}, {SIZES[1]:,} rules with {op}",
            "µs",
            [many],
            bound=Bound(f"{SIZES[0]:,} rules, µs", [few]),
            note=f"processor time, median of {ROUNDS}; {matched} rules match",
        )


def main() -> None:
    """Measures and prints."""
    row = "{:<12}{:<10}{:>8}{:>10}{:>12}{:>12}{:>8}\n"
    out = sys.stdout
    out.write(row.format("events of", "text", "rules", "matching", "best µs", "median µs", "ratio"))
    for run_on, op in itertools.product(Side, TEXTS):
        first = 0.0
        for size, best, median, matched in time_sizes(run_on, op):
            first = first or median
            cells = (
                run_on.value,
                op,
                size,
                matched,
                f"{best:.1f}",
                f"{median:.1f}",
                f"{median / first:.2f}",
            )
            out.write(row.format(*cells))
    for package, best in time_engines(SIZES[0] // MATCHING):
        out.write(f"{package}: {SIZES[0]} rules one by one, best {best:.0f} µs per event\n")


if __name__ == "__main__":
    main()
