"""The real daemon and commands while a field is hidden, and what they refuse in advance."""

import json

from process import command, open_stage, until
from rig import INCIDENT, RAJ, P

LOST = f"{P}incidentResolution__c"
MORE = f"""
[[rulesets]]
name = "Resolutions"
[[rulesets.rules]]
name = "Noted"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{LOST}", op = "changed" }} ]
actions = [ {{ do = "pagerduty.add_note", text = "x" }} ]
"""


def page(stage, text):
    sf = stage.desk.salesforce
    values = {
        f"{P}shortDescription__c": text,
        f"{P}FKCategory__c": sf.find_id(f"{P}Category__c", Name="Network"),
        f"{P}FKPriority__c": sf.find_id(f"{P}Priority__c", Name="1"),
        f"{P}FKStatus__c": sf.find_id(f"{P}Status__c", Name="NEW"),
    }
    return sf.insert(INCIDENT, values, by=RAJ)


async def test_status_names_what_is_not_read_while_pages_go_out(tmp_path):
    async with open_stage(tmp_path) as stage:
        rules = tmp_path / "rules.d" / "rules.toml"
        rules.write_text(rules.read_text() + MORE)
        async with stage.daemon() as daemon:
            await daemon.ready()
            stage.desk.salesforce.access.hidden.add((INCIDENT.lower(), LOST.lower()))
            page(stage, "Core switch down")
            await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "the page")
            code, said, _ = await command("status", "--json", config=stage.desk.config)
            (item,) = json.loads(said)["not_read"]
            assert (code, item["object"], item["field"]) == (0, INCIDENT, LOST)
            assert item["rules"] == [["Resolutions", "Noted"]]
            _, said, _ = await command("status", config=stage.desk.config)
            assert f"{INCIDENT}.{LOST}" in said
            assert '"Resolutions / Noted"' in said
            assert await daemon.sample("rules_off") == 1
            _, said, _ = await command("log", "--json", config=stage.desk.config)
            traces = [x for line in said.splitlines() for x in json.loads(line)["rules"]]
            assert any("switched off" in x["reason"] for x in traces if x["rule"] == "Noted")


async def test_rules_that_no_query_accepts_are_not_applied(tmp_path):
    file = tmp_path / "new.toml"
    async with open_stage(tmp_path) as stage, stage.daemon() as daemon:
        await daemon.ready()
        shipped = (tmp_path / "rules.d" / "rules.toml").read_text()
        begin = shipped.index("[[rulesets]]")
        file.write_text(shipped[begin:] + MORE.replace(LOST, "Owner.Department"))
        for word in ("check", "apply"):
            code, said, why = await command("rules", word, str(file), config=stage.desk.config)
            assert code == 2, said
            assert "Owner.Department" in why + said
            assert 'rule "Noted"' in why + said
        page(stage, "Core switch down")
        await until(lambda: len(stage.desk.pagerduty.incidents()) == 1, "the page")
