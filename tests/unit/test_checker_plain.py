"""Rules that the checker read are the same in the daemon as if it had read them itself."""

import json

from pagerforce.config.files import RulesText
from pagerforce.config.load import load_config
from pagerforce.service.catalog import CATALOG, SPECS
from pagerforce.service.checker.plain import line_of_rule, rule_of
from unit.config.config_catalog import write

RULES = """
[[rulesets]]
name = "Ünï"
[[rulesets.rules]]
name = "all there is"
object = "Case"
run_on = "salesforce"
when = "any"
enabled = false
stop = true
max_age = "1.5h"
conditions = [
  { field = "record.A__c", op = "in", value = ["x", 1, 2.5, true] },
  { field = "record.At__c", op = "greater_than", value = 2026-01-02T03:04:05Z },
  { any = [ { field = "record.B__c", op = "is_empty" }, { all = [ { field = "record.C__c", op = "changed" } ] } ] },
]
actions = [
  { do = "pagerduty.create_incident", title = "{{ record.Name }}" },
  { do = "salesforce.set_field", field = "N__c", value = 1.0 },
  { do = "salesforce.set_field", field = "L__c", lookup = { Name = "x" } },
]
"""


def test_every_part_of_a_rule_comes_back(tmp_path):
    path = write(tmp_path, '[[objects]]\nname = "Case"')
    loaded = load_config(path, catalog=CATALOG, environ={}, rules=[RulesText("x", RULES)])
    assert len(loaded.rules) == 1
    for rule in loaded.rules:
        again = rule_of(json.loads(line_of_rule(rule)), SPECS)
        assert repr(again) == repr(rule)
        assert line_of_rule(again) == line_of_rule(rule)
        named = rule_of(json.loads(line_of_rule(rule)), SPECS, old_label="x", label="revision 7")
        assert named.place == "revision 7" + rule.place.removeprefix("x")
