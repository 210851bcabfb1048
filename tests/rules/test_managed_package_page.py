"""docs/how-to/from-the-managed-package.md names only what exists."""

import re
import tomllib
from pathlib import Path

import pytest

from pagerforce.cli.app import app
from pagerforce.model.event import PAGERDUTY_TYPES
from pagerforce.rules.fields import UnknownFieldError, parse_field
from pagerforce.rules.parse import parse_rulesets
from pagerforce.service.catalog import CATALOG

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "from-the-managed-package.md").read_text()
CODES = set(re.findall(r"`([^`\n]+)`", PAGE.replace("```toml", "").replace("```", "")))


@pytest.mark.parametrize(
    "screen",
    [
        "Summary",
        "Rulesets",
        "The rule form",
        "Service Mapping",
        "Logger and PagerDuty Logs",
        "Permission sets",
    ],
)
def test_every_screen_has_its_place(screen):
    assert f"\n## {screen}\n" in PAGE


def test_every_action_exists():
    named = {
        code
        for code in CODES
        if re.fullmatch(
            r"(pagerduty|salesforce)\.[a-z]+_[a-z_]+|pagerduty\.(acknowledge|resolve|reassign)",
            code,
        )
    }
    settings = {
        "pagerduty.api_key_file",
        "pagerduty.api_url",
        "pagerduty.from_email",
        "salesforce.login_url",
    }
    assert named - settings == {spec.do for spec in CATALOG}


def test_every_event_type_of_the_guide_exists():
    assert {
        "trigger",
        "acknowledge",
        "resolve",
        "assign",
        "escalate",
        "delegate",
        "custom",
    } <= CODES & set(PAGERDUTY_TYPES)


def test_every_field_exists():
    fields = [
        code
        for code in CODES
        if code.startswith(("event.", "incident.", "record.")) and "…" not in code
    ]
    assert len(fields) > 9
    for name in fields:
        try:
            parse_field(name)
        except UnknownFieldError as error:
            pytest.fail(str(error))


def test_every_command_exists():
    commands = {code.split()[1] for code in CODES if code.startswith("pagerforce ")}
    known = {info.name or info.callback.__name__ for info in app.registered_commands}
    known |= {info.name for info in app.registered_groups}
    assert commands <= known


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        text = (DOCS / "how-to" / name).resolve().read_text()
        headings = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")}
        assert not anchor or anchor in headings


def test_the_example_is_a_rule():
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    table = tomllib.loads("[[rulesets]]\nname = 'x'\n" + example)["rulesets"][0]
    objects = ["BMCServiceDesk__Incident__c"]
    rules, problems = parse_rulesets([("x", table)], catalog=CATALOG, objects=objects, maps={})
    assert (len(rules), problems) == (1, ())
