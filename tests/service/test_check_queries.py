"""``check``, ``rules check``, ``rules apply`` and the start refuse fields that no query accepts."""

import pytest

from checking import INCIDENT, OBJECT, open_bench, rule
from pagerforce.errors import ConfigError
from rig import open_rig

PATH = "Owner.Department"
CONDITION = f'{{ field = "record.{PATH}", op = "equals", value = "Field service" }}'
NOTE = 'do = "pagerduty.add_note", text = "{}"'


def text(condition="", note="x"):
    return OBJECT + rule(NOTE.format(note), run_on="salesforce", name="Mine", conditions=condition)


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        (text(CONDITION), "conditions[0].field"),
        (text(note=f"{{{{ record.{PATH} }}}}"), "actions[0].text"),
    ],
)
async def test_check_names_the_rule_and_the_field(tmp_path, rules, place):
    async with open_bench(tmp_path, rules) as bench:
        line = (await bench.check()).only_todo()
        assert line.what.endswith(place)
        assert 'rule "Mine"' in line.remedy
        assert PATH in line.remedy


async def test_check_names_a_field_of_the_objects_own_entry(tmp_path):
    async with open_bench(tmp_path, OBJECT + f'fields = ["{PATH}"]\n') as bench:
        line = (await bench.check()).only_todo()
        assert line.what == f"{INCIDENT}.{PATH}"


async def test_the_start_is_refused(tmp_path):
    async with open_rig(tmp_path, text(CONDITION)) as rig:
        with pytest.raises(ConfigError, match=r'rule "Mine": Owner\.Department'):
            async with rig.daemon():
                pass


async def test_a_field_that_a_query_accepts_behind_an_owner_is_well(tmp_path):
    async with open_bench(tmp_path, text(CONDITION.replace(PATH, "Owner.Name"))) as bench:
        assert (await bench.check()).todo == []
