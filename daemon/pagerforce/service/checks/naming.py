"""Pure: what of PagerDuty's a configuration names, as far as it can be known before a rule fires."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pagerforce.config.load import Loaded
from pagerforce.model.action import Thing
from pagerforce.model.value import Json
from pagerforce.rules.inspection import is_template
from pagerforce.rules.syntax import Rule

_TRANSLATED = re.compile(
    r"""\s*\{\{[^{}]*\|\s*translate\(\s*(?:'([^']*)'|"([^"]*)")\s*\)\s*\}\}\s*"""
)


@dataclass(frozen=True, slots=True)
class Name:
    """One thing named: what kind of thing, by which id or name, and where."""

    kind: Thing
    value: str
    where: str


def names_of(loaded: Loaded) -> list[Name]:
    """Everything of PagerDuty's that the configuration names, each once, at its first place."""
    found: dict[tuple[Thing, str], Name] = {}
    for name in _all_names(loaded):
        found.setdefault((name.kind, name.value), name)
    return list(found.values())


def _all_names(loaded: Loaded) -> Iterator[Name]:
    for service in loaded.config.pagerduty.services:
        yield Name(Thing.SERVICE, service, "pagerduty.services")
    for row in loaded.config.service_mappings:
        yield Name(Thing.SERVICE, row.service, f'service mapping "{row.name}"')
    for rule in loaded.rules:
        yield from _names_in(rule, loaded.config.maps)


def _names_in(rule: Rule, maps: Mapping[str, Mapping[str, object]]) -> Iterator[Name]:
    for index, action in enumerate(rule.actions):
        for param in action.spec.params:
            if param.names is None or param.name not in action.args:
                continue
            value = action.args[param.name]
            for item in value if isinstance(value, list | tuple) else (value,):
                for text in foreseeable(item, maps):
                    yield Name(param.names, text, f"{rule.place}.actions[{index}].{param.name}")


def uses(loaded: Loaded, key: str) -> bool:
    """Whether any action has this argument, be it a template."""
    return any(action.args.get(key) for rule in loaded.rules for action in rule.actions)


def foreseeable(value: Json, maps: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """The texts that a text argument can become; empty where that is known only when it is filled in.

    A plain text becomes itself, and a template that ends in ``translate`` one of its map's values.
    """
    if not isinstance(value, str) or not value.strip():
        return ()
    if not is_template(value):
        return (value.strip(),)
    found = _TRANSLATED.fullmatch(value)
    table = maps.get(found.group(1) or found.group(2), {}) if found else {}
    return tuple(dict.fromkeys(str(item) for item in table.values() if str(item).strip()))
