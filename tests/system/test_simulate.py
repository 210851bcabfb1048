"""``simulate``: what rules would do about recorded events, without writes, the same every time."""

import json

from process import command
from rig import JANE, open_rig


async def recorded(tmp_path):
    """A short story, recorded; returns the configuration and the state folder."""
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            rig.pd.acknowledge(incident_id, by=JANE)
            await daemon.step()
            rig.set_status(record_id, "CLOSED")
            await daemon.step()
        return rig.desk.config


async def test_the_rules_in_force_differ_in_nothing(tmp_path):
    config = await recorded(tmp_path)
    code, out, err = await command("simulate", "--json", config=config)
    assert code == 0, err
    report = json.loads(out)
    fired = {rule["rule"]: rule["fired"] for rule in report["rules"]}
    assert fired["Page for priority 1"] >= 1
    assert fired["Acknowledged"] == 1
    assert fired["Resolve when the record is closed"] == 1
    assert report["gained"] == report["lost"] == []
    again = await command("simulate", "--json", config=config)
    assert again[1] == out, "the same input gives the same bytes"


async def test_other_rules_show_what_they_would_change(tmp_path):
    config = await recorded(tmp_path)
    rules = (config.parent / "rules.d" / "rules.toml").read_text()
    other = tmp_path / "other.toml"
    other.write_text(
        rules.split("[[objects]]")[0]
        + "[[rulesets]]"
        + rules.split("[[rulesets]]", 1)[1].replace('urgency = "high"', 'urgency = "low"')
    )
    code, out, err = await command("simulate", "--json", "--rules", str(other), config=config)
    assert code == 0, err
    report = json.loads(out)
    assert {item["action"] for item in report["gained"]} == {"pagerduty.create_incident"}
    assert report["gained"][0]["arguments"]["urgency"] == "low"
    assert report["lost"][0]["arguments"]["urgency"] == "high"
    code, out, _ = await command("simulate", "--rules", str(other), config=config)
    assert "more than with the rules in force" in out


async def test_events_of_a_file_give_the_same(tmp_path):
    config = await recorded(tmp_path)
    code, lines, _ = await command("log", "--json", config=config)
    assert code == 0
    events = tmp_path / "events.jsonl"
    events.write_text(lines)
    _, from_journal, _ = await command("simulate", "--json", config=config)
    code, from_file, err = await command(
        "simulate", "--json", "--events", str(events), config=config
    )
    assert code == 0, err
    assert from_file == from_journal
    events.write_text(lines + "\n{}\n")
    code, _, err = await command("simulate", "--events", str(events), config=config)
    assert code == 2
    assert "events.jsonl: line" in err


async def test_broken_rules_are_named_with_their_file(tmp_path):
    config = await recorded(tmp_path)
    broken = tmp_path / "broken.toml"
    broken.write_text(
        '[[rulesets]]\nname = "x"\n[[rulesets.rules]]\nname = "y"\nobject = "Nope"\nrun_on = "salesforce"\n'
    )
    code, _, err = await command("simulate", "--rules", str(broken), config=config)
    assert code == 2
    assert "broken.toml: rulesets[0].rules[0].object" in err
