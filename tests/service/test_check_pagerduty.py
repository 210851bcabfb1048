"""The lines of ``check`` about the PagerDuty side, each provoked over HTTP."""

import pytest

from checking import OBJECT, open_bench, rule
from pagerforce.config.checkline import Kind
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty.seeds import READ_ONLY_KEY, USER_KEY

PRIORITY = 'do = "pagerduty.set_priority", priority = "{}"'
WORKFLOW = 'do = "pagerduty.run_workflow", workflow = "{}"'
PLAY = 'do = "pagerduty.run_response_play", response_play = "{}"'
CREATE = 'do = "pagerduty.create_incident", title = "t", urgency = "high"'


def use_key(bench, key):
    (bench.desk.folder / "pagerduty.key").write_text(key)


async def test_all_is_well_with_an_accounts_key_but_its_rights_cannot_be_tried(tmp_path):
    async with open_bench(tmp_path) as bench:
        found = await bench.check()
        assert found.todo == []
        assert "pagerduty.key_rights" in found.remarks
        assert found.has("PagerDuty user integration@example.com: user")
        assert found.has(f"PagerDuty at {bench.desk.pagerduty_url}: reachable")


async def test_a_refused_key_is_the_only_finding(tmp_path):
    async with open_bench(tmp_path) as bench:
        use_key(bench, "no-such-key")
        found = await bench.check()
        line = found.about("pagerduty.key_refused")
        assert line.kind is Kind.TODO
        assert "region" in line.remedy
        assert not found.has("PagerDuty user")
        assert found.has("Salesforce login")


async def test_the_key_of_another_person_is_remarked(tmp_path):
    async with open_bench(tmp_path) as bench:
        use_key(bench, USER_KEY)
        found = await bench.check()
        assert "jane.doe@example.com" in found.about("pagerduty.key_owner").what
        bench.edit("integration@example.com", "jane.doe@example.com")
        assert "pagerduty.key_owner" not in (await bench.check()).remarks


async def test_a_read_only_key_is_read_without_writing_anything(tmp_path):
    async with open_bench(tmp_path) as bench:
        use_key(bench, READ_ONLY_KEY)
        assert (await bench.check()).todo == []


async def test_a_key_of_unknown_kind_is_remarked(tmp_path):
    async with open_bench(tmp_path) as bench:
        fault = Fault(FaultKind.ERROR_BEFORE, path="/users/me", status=403)
        bench.desk.pagerduty_faults.add(fault)
        found = await bench.check()
        assert "pagerduty.key_unknown" in found.remarks
        assert found.todo == []


async def test_the_user_must_be_there(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.edit('from_email = "integration@example.com"', 'from_email = "who@example.com"')
        line = (await bench.check()).only_todo()
        assert line.code == "pagerduty.user_missing"
        assert "pagerduty.from_email" in line.remedy


@pytest.mark.parametrize(
    ("role", "code", "kind"),
    [
        ("read_only_user", "pagerduty.user_read_only", Kind.TODO),
        ("read_only_limited_user", "pagerduty.user_read_only", Kind.TODO),
        ("observer", "pagerduty.user_by_team", Kind.REMARK),
    ],
)
async def test_the_user_must_be_allowed_to_act(tmp_path, role, code, kind):
    async with open_bench(tmp_path) as bench:
        bench.directory.users["PINTEG1"].role = role
        line = (await bench.check()).about(code)
        assert line.kind is kind
        assert role in line.remedy


@pytest.mark.parametrize(
    ("action", "word"),
    [
        (PRIORITY.format("P1"), "priorities"),
        (PRIORITY.format("{{ incident.title }}"), "priorities"),
    ],
)
async def test_priorities_are_missed_only_where_they_are_used(tmp_path, action, word):
    async with open_bench(tmp_path, OBJECT + rule(action)) as bench:
        bench.pd.plan.priorities = False
        found = await bench.check()
        assert set(found.todo) == {"asking.plan"}
        assert any(word in line.what for line in found.lines if line.code == "asking.plan")
    async with open_bench(tmp_path, OBJECT) as bench:
        bench.pd.plan.priorities = False
        assert (await bench.check()).todo == []


async def test_workflows_are_missed_only_where_they_are_used(tmp_path):
    async with open_bench(tmp_path, OBJECT + rule(WORKFLOW.format("Bridge call"))) as bench:
        assert (await bench.check()).has("PagerDuty workflow Bridge call")
        bench.pd.plan.workflows = False
        found = await bench.check()
        assert set(found.todo) == {"asking.plan"}


async def test_an_urgency_without_its_ability_is_remarked(tmp_path):
    text = OBJECT + rule(CREATE + ', service = "PNET001"', run_on="salesforce")
    async with open_bench(tmp_path, text) as bench:
        assert "pagerduty.no_urgencies" not in (await bench.check()).remarks
        bench.pd.plan.abilities.discard("urgencies")
        assert "pagerduty.no_urgencies" in (await bench.check()).remarks


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (CREATE + ', service = "PNONE99"', "PagerDuty service PNONE99"),
        (
            CREATE + ', service = "PNET001", escalation_policy = "Nobody"',
            "escalation policy Nobody",
        ),
        (PRIORITY.format("P9"), "PagerDuty priority P9"),
        (WORKFLOW.format("Nope"), "PagerDuty workflow Nope"),
        (PLAY.format("Nope"), "PagerDuty response play Nope"),
        (PLAY.format("PNONE99"), "PagerDuty response play PNONE99"),
        ('do = "pagerduty.reassign", assignees = ["no@example.com"]', "user no@example.com"),
        ('do = "pagerduty.reassign", assignees = ["PNONE99"]', "user PNONE99"),
    ],
)
async def test_what_pagerduty_does_not_have_is_named_with_its_place(tmp_path, action, what):
    run_on = "salesforce" if "create_incident" in action else "pagerduty"
    async with open_bench(tmp_path, OBJECT + rule(action, run_on=run_on)) as bench:
        line = (await bench.check()).only_todo()
        assert line.code == "pagerduty.not_found"
        assert what in line.what
        assert "rulesets[0].rules[0].actions[0]." in line.remedy


async def test_values_of_a_map_are_searched_for_if_a_template_translates(tmp_path):
    action = PRIORITY.format("{{ record.Name | translate('p') }}")
    text = '[maps.p]\na = "P1"\ndefault = "P7"\n' + OBJECT + rule(action, run_on="salesforce")
    async with open_bench(tmp_path, text) as bench:
        found = await bench.check()
        assert found.only_todo().what == "PagerDuty priority P7"
        assert found.has("PagerDuty priority P1")


async def test_services_of_the_filter_and_of_mappings_are_searched_for(tmp_path):
    mapping = (
        '[[service_mappings]]\nname = "M"\nobject = "BMCServiceDesk__Incident__c"\n'
        'field = "BMCServiceDesk__contactType__c"\nvalue = "Event"\nservice = "PNONE99"\n'
    )
    async with open_bench(tmp_path, OBJECT + mapping) as bench:
        assert 'service mapping "M"' in (await bench.check()).only_todo().remedy
    async with open_bench(tmp_path) as bench:
        bench.edit("[pagerduty]\n", '[pagerduty]\nservices = ["PNONE99"]\n')
        assert "pagerduty.services" in (await bench.check()).only_todo().remedy


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("disabled", "pagerduty.service_disabled", Kind.TODO),
        ("maintenance", "pagerduty.service_maintenance", Kind.REMARK),
    ],
)
async def test_a_service_that_pages_nobody_is_reported(tmp_path, status, code, kind):
    text = OBJECT + rule(CREATE + ', service = "Network"', run_on="salesforce")
    async with open_bench(tmp_path, text) as bench:
        bench.directory.services["PNET001"].status = status
        assert (await bench.check()).about(code).kind is kind


@pytest.mark.parametrize(
    "name", ["PPLAY01", "Major incident", "1677d8da-e2f1-4a8b-b9b4-0123456789ab"]
)
async def test_response_plays_that_have_ended_are_a_remark(tmp_path, name):
    async with open_bench(tmp_path, OBJECT + rule(PLAY.format(name))) as bench:
        if name.startswith(("P", "M")):
            assert (await bench.check()).has(f"PagerDuty response play {name}")
        bench.pd.plan.response_plays = False
        found = await bench.check()
        assert found.todo == []
        assert "run_workflow" in found.about("pagerduty.play_unverified").remedy


async def test_a_lookup_that_is_forbidden_names_the_right(tmp_path):
    async with open_bench(tmp_path, OBJECT + rule(PRIORITY.format("P1"))) as bench:
        fault = Fault(FaultKind.ERROR_BEFORE, path="/priorities", status=403, count=9)
        bench.desk.pagerduty_faults.add(fault)
        found = await bench.check()
        assert set(found.todo) == {"asking.forbidden"}


async def test_a_name_that_several_have_is_reported(tmp_path):
    text = OBJECT + rule(CREATE + ', service = "network"', run_on="salesforce")
    async with open_bench(tmp_path, text) as bench:
        assert (await bench.check()).has("PagerDuty service network")
        bench.directory.services["PDBA001"].name = "NETWORK"
        line = (await bench.check()).only_todo()
        assert line.code == "asking.refused"
        assert "give the id instead" in line.remedy


async def test_one_failure_is_reported_and_the_rest_is_checked(tmp_path):
    async with open_bench(tmp_path, OBJECT + rule(PRIORITY.format("P1"))) as bench:
        bench.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, path="/abilities"))
        found = await bench.check()
        assert found.only_todo().code == "asking.failed"
        assert found.has("PagerDuty priority P1")


async def test_a_side_that_is_silent_three_times_is_left_alone(tmp_path):
    async with open_bench(tmp_path, OBJECT + rule(PRIORITY.format("P1"))) as bench:
        fault = Fault(
            FaultKind.ERROR_BEFORE, path="/(users|abilities|priorities|services)$", count=99
        )
        bench.desk.pagerduty_faults.add(fault)
        found = await bench.check()
        assert found.todo == ["asking.failed", "asking.failed", "asking.gave_up"]
        assert bench.desk.pagerduty_faults.armed()[0].count == 96
        assert found.has("Salesforce login")


async def test_a_host_that_is_not_pagerduty_is_reported(tmp_path):
    async with open_bench(tmp_path) as bench:
        bench.edit(
            f'api_url = "{bench.desk.pagerduty_url}"', f'api_url = "{bench.desk.salesforce_url}"'
        )
        line = (await bench.check()).only_todo()
        assert line.code == "pagerduty.other_answer"
        assert "pagerduty.api_url" in line.remedy
