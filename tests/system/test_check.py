"""``check`` finds before it happens what would fail when a rule fires."""

import json
import os

import pytest
from typer.testing import CliRunner

from pagerforce.cli.app import app
from process import command, open_stage

RULES = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "x"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "trigger" }]
actions = [%s]
"""

# A test's pace asks far more often than anybody would.
ROOMY = "[salesforce]\ndaily_call_budget = 1000000\n"


@pytest.mark.parametrize(
    ("action", "what", "remedy"),
    [
        (
            '{ do = "salesforce.set_field", field = "BMCServiceDesk__Status_ID__c", value = "x" }',
            "actions[0].field",
            "read-only",
        ),
        (
            '{ do = "salesforce.set_field", field = "BMCServiceDesk__contactType__c", value = "Smoke signal" }',
            "actions[0].field",
            "no value 'Smoke signal'",
        ),
        (
            '{ do = "salesforce.create_record", fields = { BMCServiceDesk__contactType__c = "Smoke signal" } }',
            "fields.BMCServiceDesk__contactType__c",
            "no value",
        ),
        (
            '{ do = "pagerduty.set_priority", priority = "P9" }',
            "PagerDuty priority P9",
            "nothing has this id or name",
        ),
        (
            '{ do = "pagerduty.run_workflow", workflow = "Nope" }',
            "PagerDuty workflow Nope",
            "nothing has this id or name",
        ),
        (
            '{ do = "pagerduty.reassign", assignees = ["jane.doe@example.com", "nobody@example.com"] }',
            "PagerDuty user nobody@example.com",
            "nothing has this id or name",
        ),
        (
            '{ do = "pagerduty.add_note", text = "{{ incident.titel }}" }',
            "actions[0].text",
            "title",
        ),
    ],
)
async def test_check_names_the_place_and_the_remedy(tmp_path, action, what, remedy):
    async with open_stage(tmp_path, rules=RULES % action) as stage:
        code, out, err = await command("check", "--json", config=stage.desk.config)
        assert code == 1, out + err
        bad = [line for line in json.loads(out) if not line["ok"]]
        assert len(bad) == 1, bad
        assert what in bad[0]["what"]
        assert remedy in bad[0]["remedy"]


async def test_an_operator_that_cannot_apply_to_the_fields_type_is_refused(tmp_path):
    rules = (
        (RULES % "")
        .replace('run_on = "pagerduty"', 'run_on = "salesforce"')
        .replace(
            '{ field = "event.type", op = "equals", value = "trigger" }',
            '{ field = "record.BMCServiceDesk__state__c", op = "greater_than", value = 3 }',
        )
        .replace("actions = []", 'actions = [{ do = "pagerduty.resolve" }]')
    )
    async with open_stage(tmp_path, rules=rules) as stage:
        code, _, err = await command("run", config=stage.desk.config)
        assert code == 2, err
        assert "rules.d/rules.toml: rulesets[0].rules[0].conditions[0]" in err


async def test_a_field_of_a_new_record_that_the_org_does_not_have_is_refused(tmp_path):
    action = '{ do = "salesforce.create_record", fields = { BMCServiceDesk__nope__c = "x" } }'
    async with open_stage(tmp_path, rules=RULES % action) as stage:
        code, _, err = await command("run", config=stage.desk.config)
        assert code == 2, err
        assert "actions[0].fields.BMCServiceDesk__nope__c" in err


async def test_lines_are_words_and_the_plan_stands_among_them(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.edit("[salesforce]\n", ROOMY)
        code, out, err = await command("check", "--plan", config=stage.desk.config)
        assert code == 0, out + err
        words = {line.split()[0] for line in out.splitlines()}
        assert words == {"OK", "REMARK"}
        assert "plan: Salesforce, all together: " in out
        stage.edit("from_email = ", 'from_email = "nobody@example.com" #')
        code, out, err = await command("check", config=stage.desk.config)
        assert code == 1, out + err
        assert "TODO   PagerDuty user nobody@example.com: no user has this e-mail" in out


async def test_offline_needs_neither_side_nor_secrets(tmp_path):
    async with open_stage(tmp_path) as stage:
        config = stage.desk.config
        stage.edit("[salesforce]\n", ROOMY)
        (stage.desk.folder / "pagerduty.key").unlink()
    code, out, err = await command("check", "--offline", "--plan", "--json", config=config)
    assert code == 0, out + err
    lines = json.loads(out)
    assert {"ok", "kind", "what", "remedy", "code"} <= lines[0].keys()
    plans = [line for line in lines if "idle_per_day" in line]
    assert len(plans) > 5
    assert all(line["busy_per_day"] >= line["idle_per_day"] for line in plans)
    code, out, err = await command("check", config=config)
    assert code == 2, out + err
    assert "pagerduty.api_key_file" in err


async def test_who_may_not_read_the_secrets_is_told_so(tmp_path, monkeypatch):
    async with open_stage(tmp_path) as stage:
        # Tests may run as root, who may read everything: only the answer is made up.
        monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith("pagerduty.key"))
        done = CliRunner().invoke(app, ["check", "--config", str(stage.desk.config)])
        assert done.exit_code == 3, done.output
        assert "pagerduty.key: permission denied" in done.output
