"""TOML tables -> rules. Finds all problems at once, each with its key path and its remedy.

It knows no vendor: the kinds of actions come from a catalog. Anything that only the org or the
account knows (types of a record's fields, names of services) is checked elsewhere, from
``needs.py``.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from pagerforce.errors import Problem
from pagerforce.model.action import ActionSpec
from pagerforce.model.ids import Side
from pagerforce.model.value import Scalar
from pagerforce.rules.parse_actions import ActionScope, parse_actions
from pagerforce.rules.parse_conditions import parse_group
from pagerforce.rules.report import Report, suggest, word_for
from pagerforce.rules.syntax import Mode, Rule

RULESET_KEYS = ("name", "rules")
RULE_KEYS = (
    "name",
    "object",
    "run_on",
    "when",
    "enabled",
    "stop",
    "max_age",
    "conditions",
    "actions",
)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)


class _Scope(Struct, frozen=True):
    """The names that the rest of the configuration defines."""

    objects: Collection[str]
    actions: ActionScope


def parse_rulesets(
    items: Sequence[tuple[str, Mapping[str, object]]],
    *,
    catalog: Sequence[ActionSpec],
    objects: Collection[str],
    maps: Mapping[str, Mapping[str, Scalar]],
) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    """Reads rulesets.

    Args:
        items: place and table of each ruleset, e.g. ``("config.toml: rulesets[0]", {...})``.
        catalog: all kinds of actions.
        objects: names of the configured objects.
        maps: the value maps, by name.

    Returns:
        The rules without a problem, in file order, and all problems. The rules may be used only if
        there are none.
    """
    report = Report()
    scope = _Scope(objects, ActionScope({spec.do: spec for spec in catalog}, objects, set(maps)))
    places: dict[str, str] = {}
    rules: list[Rule] = []
    for place, table in items:
        rules.extend(_parse_ruleset(place, table, scope, report, places))
    return tuple(rules), tuple(report.problems)


def parse_duration(text: str) -> timedelta | None:
    """A duration such as ``15s``, ``5m``, ``24h`` or ``2d``; None if the text is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    span = _UNITS[match[2]]
    try:
        length = timedelta(**{span: float(match[1])})
    except OverflowError:
        return None
    return length if length <= _LONGEST else None


def _parse_ruleset(
    place: str, table: object, scope: _Scope, report: Report, places: dict[str, str]
) -> list[Rule]:
    if not isinstance(table, Mapping):
        report.add(place, f"must be a table, not {word_for(table)}")
        return []
    report.check_keys(place, table, RULESET_KEYS)
    name = report.take_text(place, table, "name") or ""
    if name and name in places:
        report.add(f"{place}.name", f'"{name}" is already the name of {places[name]}; rename one')
    places.setdefault(name, place)
    names: dict[str, str] = {}
    rules = [
        _parse_rule(f"{place}.rules[{index}]", item, name, scope, report, names)
        for index, item in enumerate(report.take_list(place, table, "rules"))
    ]
    return [rule for rule in rules if rule is not None]


def _parse_rule(
    place: str, table: object, ruleset: str, scope: _Scope, report: Report, names: dict[str, str]
) -> Rule | None:
    if not isinstance(table, Mapping):
        report.add(place, f"must be a table, not {word_for(table)}")
        return None
    before = len(report.problems)
    report.check_keys(place, table, RULE_KEYS)
    name = report.take_text(place, table, "name") or ""
    if name and name in names:
        report.add(f"{place}.name", f'"{name}" is already the name of {names[name]}; rename one')
    names.setdefault(name, place)
    object_name = _parse_object(place, table, scope, report)
    run_on = _parse_word(place, table, "run_on", tuple(Side), report)
    side = Side.SALESFORCE if run_on is None else Side(run_on)
    when = _parse_word(place, table, "when", tuple(Mode), report, default=Mode.ALL)
    stop = report.take_boolean(place, table, "stop", default=False)
    rule = Rule(
        ruleset=ruleset,
        name=name,
        object=object_name or "",
        run_on=side,
        when=Mode.ALL if when is None else Mode(when),
        enabled=report.take_boolean(place, table, "enabled", default=True),
        stop=stop,
        max_age=_parse_max_age(place, table, report),
        condition=parse_group(
            place,
            report.take_list(place, table, "conditions"),
            Mode(when or Mode.ALL),
            side,
            report,
        ),
        actions=parse_actions(
            place, report.take_list(place, table, "actions"), scope.actions, report
        ),
        place=place,
    )
    if not table.get("actions") and not stop and isinstance(table.get("actions", []), list):
        report.add(
            f"{place}.actions", "a rule without actions does nothing; add one, or stop = true"
        )
    return rule if len(report.problems) == before else None


def _parse_object(
    place: str, table: Mapping[str, object], scope: _Scope, report: Report
) -> str | None:
    name = report.take_text(place, table, "object")
    if name is not None and name not in scope.objects:
        report.add(
            f"{place}.object",
            f'"{name}" is not a configured object{suggest(name, scope.objects)}'
            " (add it under [[objects]])",
        )
    return name


def _parse_word(
    place: str,
    table: Mapping[str, object],
    key: str,
    words: tuple[str, ...],
    report: Report,
    default: str | None = None,
) -> str | None:
    value = table.get(key, default)
    if value in words:
        return str(value)
    listed = " or ".join(f'"{word}"' for word in words)
    if value is None:
        report.add(f"{place}.{key}", f"is required: {listed}")
    else:
        report.add(f"{place}.{key}", f"must be {listed}, not {value!r}")
    return None


def _parse_max_age(place: str, table: Mapping[str, object], report: Report) -> timedelta | None:
    value = table.get("max_age", "")
    if value == "":
        return None
    age = parse_duration(value) if isinstance(value, str) else None
    if age is None or not age:
        report.add(
            f"{place}.max_age",
            f'{value!r} is not a duration; write e.g. "90s", "15m", "2h" or "1d", up to ten years',
        )
        return None
    return age
