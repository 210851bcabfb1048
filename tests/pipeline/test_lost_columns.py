"""A missing field disables the rules that need it, and nothing else."""

import pytest

from pagerforce.errors import ConfigError, RefusedError
from rig import INCIDENT, RAJ, P, open_rig

LOST = f"{P}incidentResolution__c"
RULES = f"""
[[objects]]
preset = "remedyforce-incident"

[[objects]]
name = "Case"

[[rulesets]]
name = "Paging"

[[rulesets.rules]]
name = "Page"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{P}FKPriority__r.Name", op = "equals", value = "1" }} ]
actions = [ {{ do = "pagerduty.create_incident", title = "{{{{ record.{P}shortDescription__c }}}}" , service = "PNET001" }} ]

[[rulesets.rules]]
name = "Resolution changed"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{LOST}", op = "changed" }} ]
actions = [ {{ do = "pagerduty.add_note", text = "Resolution: {{{{ record.{LOST} }}}}" }} ]

[[rulesets.rules]]
name = "No resolution yet"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [ {{ field = "event.type", op = "equals", value = "acknowledge" }}, {{ field = "record.{LOST}", op = "is_empty" }} ]
actions = [ {{ do = "pagerduty.add_note", text = "please fill in the resolution" }} ]

[[rulesets.rules]]
name = "Page for a case"
object = "Case"
run_on = "salesforce"
conditions = [ {{ field = "record.Priority", op = "equals", value = "High" }} ]
actions = [ {{ do = "pagerduty.create_incident", title = "{{{{ record.Subject }}}}", service = "PNET001" }} ]
"""


def hide(rig, field=LOST, name=INCIDENT):
    rig.sf.access.hidden.add((name.lower(), field.lower()))


async def traces_of(daemon, rule):
    log = await daemon.log()
    return [trace for entry in log for trace in entry["rules"] if trace["rule"] == rule]


async def test_other_rules_fire_in_the_same_poll_and_those_in_need_say_why_they_do_not(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        hide(rig)
        rig.raise_to_1(record_id)
        await daemon.step(turns=1)
        assert len(rig.incidents()) == 1, "the incident is created with the first poll"
        last = (await traces_of(daemon, "Resolution changed"))[-1]
        assert not last["matched"]
        assert LOST in last["reason"]
        assert "switched off" in last["reason"]
        assert daemon.sample("fields_left_out", object=INCIDENT) == 1
        assert daemon.sample("fields_left_out", object="Case") == 0
        assert daemon.sample("rules_off") == 2
        assert daemon.sample("source_up", source="salesforce") in (0, 1)


async def test_rules_of_the_other_side_that_need_it_are_switched_off_too(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon)
        hide(rig)
        await daemon.step()
        rig.pd.acknowledge(incident_id, by="PJANE01")
        await daemon.step()
        (trace,) = [
            x for x in await traces_of(daemon, "No resolution yet") if "switched off" in x["reason"]
        ]
        assert not trace["matched"]
        assert rig.notes_of(incident_id) == []


async def test_neither_removing_nor_restoring_a_field_is_a_change(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, incidentResolution="rebooted")
        await daemon.step()
        assert len(rig.notes_of(incident_id)) == 1
        hide(rig)
        rig.change(record_id, shortDescription="Core switch down again")
        await daemon.step()
        before = len(await daemon.log())
        rig.change(record_id, incidentResolution="")  # as a field that was created again
        await daemon.step()
        rig.sf.access.restore()
        rig.advance(301)
        await daemon.step(3)
        assert len(await daemon.log()) == before
        assert daemon.sample("fields_left_out", object=INCIDENT) == 0
        assert daemon.sample("rules_off") == 0
        rig.change(record_id, incidentResolution="replaced")
        await daemon.step()
        assert len(rig.notes_of(incident_id)) == 2, "from then on it is a change"


async def test_a_restart_while_a_field_is_lost_does_not_make_a_change_of_its_return(tmp_path):
    async with open_rig(tmp_path, RULES) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            rig.change(record_id, incidentResolution="rebooted")
            await daemon.step()
            hide(rig)
            await daemon.step()
            rig.change(record_id, incidentResolution="")
        rig.sf.access.restore()
        async with rig.daemon() as daemon:
            await daemon.step(3)
            assert len(rig.notes_of(incident_id)) == 1
            rig.change(record_id, incidentResolution="replaced")
            await daemon.step()
            assert len(rig.notes_of(incident_id)) == 2


async def test_a_start_continues_without_a_field_that_was_there_before(tmp_path, capsys):
    async with open_rig(tmp_path, RULES) as rig:
        async with rig.daemon():
            pass
        hide(rig)
        async with rig.daemon() as daemon:
            await rig.paged(daemon)
            (trace, *_) = await traces_of(daemon, "Resolution changed")
            assert "switched off" in trace["reason"]
        assert "org_changed" in capsys.readouterr().out


async def test_a_start_refuses_a_field_that_was_never_there(tmp_path):
    async with open_rig(tmp_path, RULES) as rig:
        hide(rig)
        with pytest.raises(ConfigError, match=LOST):
            async with rig.daemon():
                pass


async def test_what_cannot_be_left_out_halts_its_object_only(tmp_path):
    rules = RULES.replace('name = "Case"\n', 'name = "Case"\nwhere = "Reason = null"\n', 1)
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        hide(rig, "Reason", "Case")
        record_id = rig.open_record()
        with pytest.raises(RefusedError, match=r"Case.*where"):
            await daemon.step()
        for _ in range(3):
            await daemon.step()
        rig.raise_to_1(record_id)
        await daemon.step()
        assert len(rig.incidents()) == 1
        assert daemon.sample("object_halted", object="Case") == 1
        assert daemon.sample("object_halted", object=INCIDENT) == 0
        rig.sf.insert("Case", {"Subject": "Portal down", "Priority": "High"}, by=RAJ)
        await daemon.step()
        rig.sf.access.restore()
        await daemon.step()
        assert len(rig.incidents()) == 2, "what happened meanwhile is found"
        assert daemon.sample("object_halted", object="Case") == 0


async def test_a_write_between_two_polls_does_not_fail_because_of_a_lost_field(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        _, incident_id = await rig.paged(daemon)
        hide(rig, f"{P}shortDescription__c")
        rig.pd.acknowledge(incident_id, by="PJANE01")
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        assert await daemon.dead_letters() == []
