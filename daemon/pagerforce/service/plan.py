"""``check --plan``: the API calls per day of a configuration. Pure.

It follows the loops and actions: ``pipeline/read_*.py``, both ``source.py`` and the handlers. A
test runs a whole hour of both loops against the sandbox and compares. For everything else (how many
changes, by how many people) there are :class:`Assumptions`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pagerforce.config.checkline import CheckLine, Kind, ok, remark, todo
from pagerforce.config.load import Loaded
from pagerforce.config.schema import Config
from pagerforce.model.action import ActionSpec, Purpose, TargetKind, Thing, spec_for
from pagerforce.model.durations import (
    DESCRIBE_KNOWN_FOR,
    LIVELY_FOR,
    NAMES_KNOWN_FOR,
    PARENTS_EVERY,
)
from pagerforce.model.ids import Side
from pagerforce.model.value import Json
from pagerforce.pipeline.pace import low_water_every
from pagerforce.pipeline.read_pagerduty import SWEEP
from pagerforce.rules.needs import fields_needed, incident_needs
from pagerforce.rules.syntax import Rule
from pagerforce.service.catalog import CATALOG

DEFAULT_CHANGES = 1_000
DEFAULT_RECORDS = 10_000
_DAY = 86_400.0
_DESCRIBES = _DAY / DESCRIBE_KNOWN_FOR.total_seconds()
_LOOKUPS = _DAY / NAMES_KNOWN_FOR.total_seconds()
_PARENT_CALLS = _DAY / PARENTS_EVERY.total_seconds()
_FEEDS_PER_CALL, _PARTS_PER_CALL = 5, 25
_ROWS_PER_PAGE, _ENTRIES_PER_PAGE = 2_000, 100
_WIDE_POLLS = _DAY / SWEEP.every.total_seconds()
_LIMIT_PER_MINUTE, _SHARE = 960, 0.6

OVER_BUDGET = todo(
    "plan.over_budget",
    "plan: Salesforce, all together",
    "{idle} calls a day even when nothing changes, but daily_call_budget is {budget}: raise it to"
    " {enough} or more, or lengthen salesforce.poll_interval",
)
STRETCHED = remark(
    "plan.stretched",
    "plan: Salesforce, all together",
    "{idle} calls a day idle, {busy} at {changes} changes; above half of daily_call_budget"
    " ({budget}) polling slows down: raise it to {enough} to keep the pace",
)
RATE = remark(
    "plan.rate",
    "plan: PagerDuty, the busiest minute",
    "about {calls} calls, more than 60 % of the key's 960: lengthen pagerduty.min_poll_interval",
)

ADVICE = (OVER_BUDGET, STRETCHED, RATE)


class Assumptions(Struct, frozen=True):
    """The figures that the configuration does not determine.

    Attributes:
        changes: changes a day, half of them on each side; each fires the most expensive rule of its
            side.
        records: rows of each object.
        people: different people who act in PagerDuty within ten minutes.
    """

    changes: int = DEFAULT_CHANGES
    records: int = DEFAULT_RECORDS
    people: int = 5


class Item(Struct, frozen=True):
    """One reason for calls: calls a day without changes, and with the assumed changes."""

    side: Side
    what: str
    idle: float
    busy: float


class _Cost(Struct, frozen=True):
    """The calls and log entries that one change causes."""

    pagerduty: int = 0
    salesforce: int = 0
    entries: int = 0

    @classmethod
    def of(cls, spec: ActionSpec, *, has_key: bool = False) -> "_Cost":
        calls = spec.cost.calls + spec.cost.calls_for_key * has_key
        if spec.side is Side.SALESFORCE:
            return cls(salesforce=calls)
        return cls(pagerduty=calls, entries=spec.cost.entries)

    def __add__(self, other: "_Cost") -> "_Cost":
        return _Cost(
            self.pagerduty + other.pagerduty,
            self.salesforce + other.salesforce,
            self.entries + other.entries,
        )


def plan_lines(loaded: Loaded, given: Assumptions) -> list[CheckLine]:
    """Returns the plan as lines, each side's sum last, with advice if a limit is near."""
    items = plan(loaded, given)
    lines = []
    for side, name in ((Side.PAGERDUTY, "PagerDuty"), (Side.SALESFORCE, "Salesforce")):
        mine = [item for item in items if item.side is side]
        if not mine:
            continue
        lines += [_line(name, item.what, item.idle, item.busy) for item in mine]
        idle, busy = (sum(x) for x in zip(*((i.idle, i.busy) for i in mine), strict=True))
        lines.append(_line(name, "all together", idle, busy))
        if side is Side.SALESFORCE:
            lines[-1] = _judge_budget(loaded.config, given, lines[-1])
            lines += _streamed(loaded.config, given, mine)
    return lines + _judge_rate(loaded, given)


def plan(loaded: Loaded, given: Assumptions) -> list[Item]:
    """Returns every reason for calls, of both sides."""
    costs = _dearest(loaded)
    return [*_pagerduty(loaded, given, costs), *_salesforce(loaded, given, costs)]


def _pagerduty(loaded: Loaded, given: Assumptions, costs: Mapping[Side, _Cost]) -> Iterator[Item]:
    config = loaded.config.pagerduty
    half = given.changes / 2
    entries = half + sum(half * cost.entries for cost in costs.values())
    finds = half + sum(half for cost in costs.values() if cost.entries)
    idle_polls = _DAY / config.poll_interval.total_seconds()
    polls = _polls(
        config.poll_interval.total_seconds(), config.min_poll_interval.total_seconds(), finds
    )
    pages, wide = _pages(entries, config.late_window.total_seconds())
    interval = f"{config.poll_interval.total_seconds():g} s"
    yield Item(Side.PAGERDUTY, f"log entries, every {interval}", idle_polls, polls * pages + wide)
    reconciles = _DAY / config.reconcile_interval.total_seconds()
    yield Item(Side.PAGERDUTY, "open incidents", reconciles, reconciles)
    if "custom_fields" in incident_needs(loaded.rules):
        yield Item(Side.PAGERDUTY, "incidents with custom fields", 0, entries)
    yield Item(Side.PAGERDUTY, "who is who", 0, _fresh(entries, given.people))
    calls = half * sum(cost.pagerduty for cost in costs.values())
    names = _named(loaded.rules) if calls else 0
    yield Item(Side.PAGERDUTY, "actions", 0, calls + _fresh(half, 2 + names))


def _salesforce(loaded: Loaded, given: Assumptions, costs: Mapping[Side, _Cost]) -> Iterator[Item]:
    config = loaded.config.salesforce
    half = given.changes / 2
    feeds, comments = _feeds(loaded.config)
    if not feeds:
        return
    per_poll = math.ceil(feeds / _FEEDS_PER_CALL)
    calm = config.poll_interval.total_seconds()
    polls = _polls(calm, config.min_poll_interval.total_seconds(), half)
    what = f"changes of {feeds} objects, every {calm:g} s"
    yield Item(Side.SALESFORCE, what, _DAY / calm * per_poll, polls * per_poll)
    if feeds % _FEEDS_PER_CALL == 0 and _looks_at_parents(loaded):
        # Otherwise they use the free places of other calls.
        yield Item(Side.SALESFORCE, "parents that rules use", _PARENT_CALLS, _PARENT_CALLS)
    asked = _DAY / low_water_every(config.late_window).total_seconds()
    low_waters = asked * math.ceil(feeds / _PARTS_PER_CALL)
    yield Item(Side.SALESFORCE, "transactions in progress", low_waters, low_waters)
    objects = len(loaded.config.objects)
    compared = objects * (given.records // _ROWS_PER_PAGE + 1)
    compared += math.ceil(comments / _FEEDS_PER_CALL)
    yield Item(
        Side.SALESFORCE, f"daily comparison of {given.records} records each", compared, compared
    )
    described = _DESCRIBES * (feeds + _parents(loaded))
    yield Item(Side.SALESFORCE, "describes", described, described)
    calls = half * sum(cost.salesforce for cost in costs.values())
    lookups = _lookups(loaded) if calls else 0
    yield Item(Side.SALESFORCE, "actions", 0, calls + _fresh(half, lookups))


def _streamed(config: Config, given: Assumptions, items: Sequence[Item]) -> list[CheckLine]:
    """The same while the stream announces every change: rare polls, and one for each hint."""
    settings = config.salesforce
    feeds, _ = _feeds(config)
    if settings.stream == "off" or not feeds:
        return []
    per_poll = math.ceil(feeds / _FEEDS_PER_CALL)
    calm = settings.stream_poll_interval.total_seconds()
    hints = min(given.changes, _DAY / settings.min_poll_interval.total_seconds())
    others = items[1:]  # the first are the polls
    idle = sum(item.idle for item in others) + _DAY / calm * per_poll
    busy = sum(item.busy for item in others) + (_DAY / calm + hints) * per_poll
    return [
        _line("Salesforce", "all together while the stream is up", idle, busy),
        ok(
            f"plan: Salesforce, the stream: about {given.changes} events a day of the org's"
            " allocation; its requests are no API calls"
        ),
    ]


def _polls(calm: float, busy: float, finds: float) -> float:
    """Returns polls a day if this many find something, evenly spread: the most expensive case."""
    share = min(1.0, finds * LIVELY_FOR.total_seconds() / _DAY)
    return _DAY * ((1 - share) / calm + share / min(busy, calm))


def _pages(entries: float, window_seconds: float) -> tuple[int, float]:
    """Returns pages of every poll, and pages a day of the wide polls in between."""
    in_window = entries * window_seconds / _DAY
    if in_window <= SWEEP.cheap:
        return max(1, math.ceil(in_window / _ENTRIES_PER_PAGE)), 0.0
    fast = max(1, math.ceil(entries / 1440 / _ENTRIES_PER_PAGE))
    return fast, _WIDE_POLLS * math.ceil(in_window / _ENTRIES_PER_PAGE)


def _fresh(uses: float, things: int) -> float:
    """Returns the lookups a day of things that are cached for ten minutes."""
    if not things:
        return 0.0
    return things * _LOOKUPS * (1 - math.exp(-uses / (things * _LOOKUPS)))


def _dearest(loaded: Loaded) -> Mapping[Side, _Cost]:
    """Returns by side the cost of its most expensive rule or comment."""
    found = {}
    for side in (Side.SALESFORCE, Side.PAGERDUTY):
        costs = [
            _cost(loaded.config, rule)
            for rule in loaded.rules
            if rule.enabled and rule.run_on is side
        ]
        costs.append(_comment(loaded.config, side))
        found[side] = max(costs, key=lambda cost: cost.pagerduty + cost.salesforce)
    return found


def _comment(config: Config, side: Side) -> _Cost:
    synced = [item.comments for item in config.objects if item.comments is not None]
    if side is Side.SALESFORCE:
        purpose, is_wanted = Purpose.NOTE, any(c.to_pagerduty for c in synced)
    else:
        purpose, is_wanted = Purpose.COMMENT, any(c.from_pagerduty for c in synced)
    return _Cost.of(spec_for(purpose, CATALOG)) if is_wanted else _Cost()


def _cost(config: Config, rule: Rule) -> _Cost:
    """Returns the cost of all actions of a rule; actions of one write count once."""
    cost, grouped = _Cost(), set[str]()
    for call in rule.actions:
        if call.do in grouped:
            continue
        if call.spec.is_grouped:
            grouped.add(call.do)
        is_new = call.spec.target is TargetKind.NEW_RECORD
        name = call.args.get("object") or rule.object
        has_key = any(x.name == name and x.external_id_field for x in config.objects)
        cost += _Cost.of(call.spec, has_key=is_new and has_key)
    return cost


def _feeds(config: Config) -> tuple[int, int]:
    """Returns the number of polled objects with comment objects, and of those only for comments."""
    objects = {item.name for item in config.objects}
    comments = {item.comments.object for item in config.objects if item.comments is not None}
    return len(objects | comments), len(comments - objects)


def _looks_at_parents(loaded: Loaded) -> bool:
    needed = fields_needed(loaded.rules)
    return any("." in path for item in loaded.config.objects for path in needed.get(item.name, ()))


def _parents(loaded: Loaded) -> int:
    """Counts the objects described because of a path or a lookup; users always are."""
    steps: set[tuple[str, str]] = set()
    needed = fields_needed(loaded.rules)
    for item in loaded.config.objects:
        paths = {*needed.get(item.name, ()), *item.fields}
        steps |= {(item.name, path.split(".")[0]) for path in paths if "." in path}
    looked_up = {(name, _relation(field)) for name, field, _ in _all_lookups(loaded)}
    own = {"CreatedBy", "LastModifiedBy"}
    return 1 + len({(name, step) for name, step in steps | looked_up if step not in own})


def _relation(field: str) -> str:
    """Returns the relationship name of a reference field, as the platform forms it."""
    return f"{field[:-1]}r" if field.endswith("__c") else field.removesuffix("Id")


def _lookups(loaded: Loaded) -> int:
    return len({(name, field, repr(value)) for name, field, value in _all_lookups(loaded)})


def _all_lookups(loaded: Loaded) -> Iterator[tuple[str, str, object]]:
    for rule in loaded.rules:
        for call in rule.actions:
            if "lookup" in call.args:
                yield rule.object, str(call.args["field"]), call.args["lookup"]
            fields = call.args.get("fields")
            for field, value in fields.items() if isinstance(fields, Mapping) else ():
                if isinstance(value, Mapping):
                    yield str(call.args.get("object") or rule.object), field, value
    for row in loaded.config.service_mappings:
        if not isinstance(row.value, str | int | float | bool):
            yield row.object, row.field, row.value


def _named(rules: Iterable[Rule]) -> int:
    """Counts the different PagerDuty things that the actions name and that are cached."""
    found: set[tuple[str, Json]] = set()
    for rule in rules:
        for call in rule.actions:
            names = [p.name for p in call.spec.params if p.names not in (None, Thing.RESPONSE_PLAY)]
            found |= {(key, repr(call.args[key])) for key in names if call.args.get(key)}
    return len(found)


def _line(side: str, what: str, idle: float, busy: float) -> CheckLine:
    calls = (round(idle), round(busy))
    text = f"plan: {side}, {what}: {calls[0]} calls a day idle, {calls[1]} busy"
    return CheckLine(Kind.OK, text, calls=calls)


def _judge_budget(config: Config, given: Assumptions, total: CheckLine) -> CheckLine:
    """Adds advice about the budget: above half of it polling slows down (service/sides.py)."""
    idle, busy = total.calls or (0, 0)
    budget = config.salesforce.daily_call_budget
    values = {"idle": idle, "busy": busy, "budget": budget, "changes": given.changes}
    if idle > budget:
        found = OVER_BUDGET.line(**values, enough=2 * idle)
    elif max(idle, busy) > budget / 2:
        found = STRETCHED.line(**values, enough=2 * max(idle, busy))
    else:
        return total
    return CheckLine(found.kind, found.what, found.remedy, found.code, total.calls)


def _judge_rate(loaded: Loaded, given: Assumptions) -> list[CheckLine]:
    """Checks the busiest minute: the fast pace, the read of open incidents, actions."""
    config, costs = loaded.config.pagerduty, _dearest(loaded)
    half = given.changes / 2
    entries = half + sum(half * cost.entries for cost in costs.values())
    pages, _ = _pages(entries, config.late_window.total_seconds())
    pace = min(config.min_poll_interval, config.poll_interval).total_seconds()
    actions = half * sum(cost.pagerduty for cost in costs.values()) / 1440
    calls = round(60 / pace * pages + 2 + actions)
    if calls > _LIMIT_PER_MINUTE * _SHARE:
        return [RATE.line(calls=calls)]
    return [ok(f"plan: PagerDuty, the busiest minute: about {calls} of {_LIMIT_PER_MINUTE} calls")]
