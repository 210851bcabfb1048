"""The PagerDuty things that a configuration names, as far as known before a rule fires. Pure."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from pagerforce.config.load import Loaded
from pagerforce.model.action import Thing
from pagerforce.model.value import Json
from pagerforce.rules.inspection import is_template
from pagerforce.rules.syntax import Rule

_TRANSLATED = re.compile(
    r"""\s*\{\{[^{}]*\|\s*translate\(\s*(?:'([^']*)'|"([^"]*)")\s*\)\s*\}\}\s*"""
)


class Name(Struct, frozen=True):
    """One named thing: its kind, its id or name, and where it is named."""

    kind: Thing
    value: str
    where: str


def names_of(loaded: Loaded) -> list[Name]:
    """Returns each PagerDuty thing that the configuration names, once, with its first place."""
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
    """Whether any action has this argument, also as a template."""
    return any(action.args.get(key) for rule in loaded.rules for action in rule.actions)


def foreseeable(value: Json, maps: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """Returns the possible values of a text argument; empty if only the event decides.

    A plain text has itself as its value. A template that ends in ``translate`` has its map's
    values.
    """
    if not isinstance(value, str) or not value.strip():
        return ()
    if not is_template(value):
        return (value.strip(),)
    found = _TRANSLATED.fullmatch(value)
    table = maps.get(found.group(1) or found.group(2), {}) if found else {}
    return tuple(dict.fromkeys(str(item) for item in table.values() if str(item).strip()))
