"""``check`` says whose an incident is once a rule has acknowledged it."""

import pytest

from pagerforce.config.checkline import Kind
from pagerforce.config.load import load_config
from pagerforce.config.offline import offline_lines
from pagerforce.errors import ConfigError
from pagerforce.service.catalog import CATALOG
from unit.config.config_catalog import write
from unit.config.test_offline import NOW

RULE = """
[pagerduty]
from_email = "integration@example.com"
{settings}
[[rulesets]]
name = "a"
[[rulesets.rules]]
name = "b"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
enabled = {enabled}
actions = [{{ do = "pagerduty.add_note", text = "x" }}, {{ do = "pagerduty.acknowledge"{args} }}]
"""


def said(folder, args="", settings="", enabled="true"):
    text = RULE.format(settings=settings, args=args, enabled=enabled)
    text += '[[objects]]\npreset = "remedyforce-incident"\n'
    loaded = load_config(write(folder, text), catalog=CATALOG, environ={})
    found = offline_lines(loaded, {}, now=NOW)
    return [line for line in found if line.code.startswith("acknowledge.")]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (
            "",
            "acknowledge.writer",
            ["to integration@example.com;", "not the person on call", "actor"],
        ),
        (', assign_to = "writer"', "acknowledge.writer", ['"unchanged"']),
        (', assign_to = "actor"', "acknowledge.actor", ["the person who made the change"]),
        (', assign_to = "unchanged"', "acknowledge.unchanged", ["no longer escalates", "verify"]),
        (', assign_to = "{{ event.type }}"', "acknowledge.by_template", ["when the rule fires"]),
    ],
)
def test_each_choice_has_its_remark(tmp_path, args, code, words):
    (line,) = said(tmp_path, args)
    assert (line.code, line.kind) == (code, Kind.REMARK)
    assert line.what == "config.toml: rulesets[0].rules[0].actions[1]: pagerduty.acknowledge"
    for word in words:
        assert word in line.remedy


def test_with_act_as_actor_the_writer_is_the_person(tmp_path):
    (line,) = said(tmp_path, settings='act_as = "actor"')
    assert "the person who made the change" in line.remedy


def test_a_rule_that_is_off_is_left_out(tmp_path):
    assert said(tmp_path, enabled="false") == []


def test_another_word_is_refused_when_rules_are_loaded(tmp_path):
    with pytest.raises(ConfigError, match=r"actions\[1\]\.assign_to.*\"unchanged\""):
        said(tmp_path, ', assign_to = "me"')
