"""A configuration with the new preset is read, and so is a rule about its object."""

import sys
from pathlib import Path

from pagerforce.config.load import load_config
from pagerforce.service.catalog import CATALOG
from unit.config.config_catalog import write

RULES = """
[[objects]]
preset = "work-order"
[[rulesets]]
name = "s"
[[rulesets.rules]]
name = "r"
object = "WorkOrder"
run_on = "salesforce"
conditions = [{ field = "record.Status", op = "changed" }]
actions = [{ do = "pagerduty.create_incident", title = "{{ record.Subject }}" }]
"""

loaded = load_config(write(Path(sys.argv[1]), RULES), catalog=CATALOG, environ={})
(item,) = loaded.config.objects
assert (item.name, item.conflict, item.comments) == ("WorkOrder", "newest", None)
assert [rule.object for rule in loaded.rules] == ["WorkOrder"]
