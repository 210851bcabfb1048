"""Every key of the models is in the shipped example and in the docs, with its real default."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from pagerforce.config.explain import SECTIONS
from pagerforce.config.values import parse_duration
from pagerforce.rules.parse import RULE_KEYS, RULESET_KEYS

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "config.toml.example").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.+?) \| (.+?) \| .+ \|$", re.MULTILINE)
DOCUMENTED = {key: default for key, _, default in ROW.findall(DOCS)}
KEYS = {
    ".".join((*section, key)): field
    for section, model in SECTIONS.items()
    for key, field in model.model_fields.items()
}
# Sections, rather than keys with a value of their own.
TABLES = {
    "daemon",
    "state",
    "metrics",
    "pagerduty",
    "salesforce",
    "delivery",
    "objects",
    "service_mappings",
}
# The example shows a preset in use and some keys without a default; their comments say so.
SHOWN = re.compile(r"^(include|objects|service_mappings|maps|rulesets)\b")
VALUES = sorted(KEYS.keys() - TABLES)


def default_of(key: str) -> object:
    """A default as the configuration would write it; None if the key is required."""
    field = KEYS[key]
    if field.is_required():
        return None
    default = field.default
    if default is PydanticUndefined:
        default = field.default_factory()
    if isinstance(default, tuple):
        return list(default)
    if isinstance(default, Path):
        return str(default)
    return "" if default is None else default


def same(written: object, default: object) -> bool:
    if isinstance(default, timedelta):
        return isinstance(written, str) and parse_duration(written) == default
    return type(written) is type(default) and written == default


def find(table: object, path: list[str]) -> list[object]:
    """Every value at a path, through lists of tables."""
    if not path:
        return [table]
    if isinstance(table, list):
        return [value for item in table for value in find(item, path)]
    return find(table[path[0]], path[1:]) if isinstance(table, dict) and path[0] in table else []


@pytest.mark.parametrize("key", VALUES)
def test_every_key_is_documented_with_its_default(key):
    assert key in DOCUMENTED
    written, default = DOCUMENTED[key], default_of(key)
    if default is None:
        assert written == "required"
    elif written == "none":
        assert default == ""
    else:
        assert same(tomllib.loads(f"x = {written.strip('`')}")["x"], default)


@pytest.mark.parametrize("key", VALUES)
def test_every_key_is_in_the_example_with_its_default(key):
    values = find(tomllib.loads(EXAMPLE), key.split("."))
    assert values
    if not SHOWN.match(key) and default_of(key) is not None:
        assert same(values[0], default_of(key))


@pytest.mark.parametrize("key", [key for key in VALUES if SHOWN.match(key)])
def test_a_shown_value_that_is_not_the_default_has_the_default_beside_it(key):
    default, last = default_of(key), key.split(".")[-1]
    values = find(tomllib.loads(EXAMPLE), key.split("."))
    is_table = isinstance(values[0], dict) or key == "rulesets"
    if default is None or is_table or same(values[0], default):
        return
    before = EXAMPLE.split(f"\n{last} = ")[0].splitlines()[-3:]
    assert any("default: " in line for line in before), key


def test_the_docs_name_no_key_that_does_not_exist():
    rules = {f"rulesets.{key}" for key in RULESET_KEYS}
    rules |= {f"rulesets.rules.{key}" for key in RULE_KEYS}
    assert DOCUMENTED.keys() - KEYS.keys() - rules == set()
    assert {f"rulesets.rules.{key}" for key in RULE_KEYS} <= DOCUMENTED.keys()


@pytest.mark.parametrize("key", RULE_KEYS)
def test_every_key_of_a_rule_is_in_the_example(key):
    assert find(tomllib.loads(EXAMPLE), ["rulesets", "rules", key])
