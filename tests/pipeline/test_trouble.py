"""Failures of the connection and their limits: nothing is lost, nothing happens twice, no loop."""

import pytest

from pagerforce.errors import CredentialsError
from pagerforce.sandbox.faults import Fault, FaultKind
from pipeline.retries import settle
from rig import JANE, P, open_rig


async def test_lock_errors_are_tried_again(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.sf.knobs.lock_errors = 2
        rig.pd.acknowledge(incident_id, by=JANE)
        await settle(daemon)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        assert daemon.sample("actions_total", action="salesforce.set_field", outcome="retried") > 0


async def test_an_expired_session_is_renewed(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.sf.expire_tokens()
        record_id, _ = await rig.paged(daemon)
        assert record_id


async def test_a_stuck_record_does_not_delay_another(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        stuck, stuck_incident = await rig.paged(daemon, "stuck")
        free, free_incident = await rig.paged(daemon, "free")
        rig.desk.salesforce_faults.add(
            Fault(FaultKind.ERROR_BEFORE, count=50, method="PATCH", path=stuck)
        )
        rig.pd.acknowledge(stuck_incident, by=JANE)
        rig.pd.acknowledge(free_incident, by=JANE)
        await daemon.step()
        assert rig.status_of(free) == "ACKNOWLEDGED"
        assert rig.status_of(stuck) == "NEW"
        rig.desk.salesforce_faults.clear()
        await daemon.step(4, seconds=400)
        assert rig.status_of(stuck) == "ACKNOWLEDGED"


async def test_a_refused_write_is_a_dead_letter_with_the_reason(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.set_status(record_id, "CLOSED")
        rig.pd.annotate(incident_id, "one more thing", by=JANE)
        await daemon.step()
        (letter,) = await daemon.dead_letters()
        assert letter["action"] == "salesforce.add_comment"
        assert "This incident is closed" in letter["reason"]
        assert (letter["record"], letter["incident"]) == (record_id, incident_id)
        assert (
            daemon.sample("actions_total", action="salesforce.add_comment", outcome="dead_letter")
            == 1
        )


async def test_a_loop_between_two_rules_is_paused_and_reported(tmp_path):
    rules = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "loop"
[[rulesets.rules]]
name = "page"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "event.type", op = "equals", value = "create" }]
actions = [{ do = "pagerduty.create_incident", title = "loop" }]
[[rulesets.rules]]
name = "echo every note"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "annotate" }]
actions = [{ do = "pagerduty.add_note", text = "again: {{ event.note }}" }]
"""
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        (incident,) = rig.incidents()
        for number in range(30):
            rig.pd.annotate(incident["id"], f"note {number}", by=JANE)
        await daemon.step(3)
        assert [state for *_, state in await daemon.links()] == ["paused"]
        assert len(rig.notes_of(incident["id"])) <= 30 + 20
        await daemon.step(8, seconds=400)
        assert len(rig.notes_of(incident["id"])) == 60, (
            "it continues without an operator, and nothing is lost"
        )
        assert record_id


async def test_refused_credentials_lose_nothing(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=100, status=401))
        rig.raise_to_1(record_id)
        rig.advance(5)
        with pytest.raises(CredentialsError):
            await daemon.parts.pagerduty_reader.poll()
        await daemon.parts.salesforce_reader.poll()
        await daemon.deliver()
        assert rig.incidents() == []
        rig.desk.pagerduty_faults.clear()
        await settle(daemon)
        assert len(rig.incidents()) == 1


async def test_malformed_answers_are_contained(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.MALFORMED, count=1, method="GET", path="/log_entries")
        )
        rig.pd.trigger("PDBA001", "Replication lag")
        rig.advance(2)
        with pytest.raises(Exception, match="log_entries"):
            await daemon.parts.pagerduty_reader.poll()
        await daemon.step(3)
        assert len(rig.sf.rows(f"{P}Incident__c")) == 1


async def test_an_internal_error_of_one_action_does_not_stop_the_others(
    tmp_path, monkeypatch, capsys
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        handler = daemon.parts.deliverer._tools.handlers["pagerduty.add_note"]

        async def fail(_):
            raise KeyError("customer text")

        with monkeypatch.context() as patch:
            patch.setattr(type(handler), "deliver", lambda *_: fail(None))
            rig.comment(record_id, "hello")
            other = rig.open_record("another", priority="1")
            await daemon.step()
        assert len(rig.incidents()) == 2, "the incident of the other record was created"
        assert "customer text" not in capsys.readouterr().out
        await settle(daemon)
        assert rig.notes_of(incident_id) == ["[Raj Patel] hello"]
        assert other


async def test_a_backfill_evaluates_what_happened_since(tmp_path):
    async with open_rig(tmp_path) as rig:
        rig.open_record("before the time", priority="1")
        rig.advance(100)
        since = rig.remote.now()
        rig.advance(100)
        rig.open_record("after the time", priority="1")
        late = rig.pd.trigger("PDBA001", "monitored after the time")["id"]
        rig.advance(100)
        config = rig.desk.config
        config.write_text(
            config.read_text().replace("[daemon]", f'[daemon]\nstart_from = "{since.isoformat()}"')
        )
        async with rig.daemon() as daemon:
            await daemon.step(3)
            titles = [item["title"] for item in rig.incidents() if item["id"] != late]
            assert len(titles) == 1
            assert "after the time" in titles[0]
            assert late in [link[0] for link in await daemon.links()]


MERGED = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "r"
[[rulesets.rules]]
name = "page"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKPriority__r.Name", op = "changed_to", value = "1" }]
actions = [{ do = "pagerduty.create_incident", title = "{{ record.Name }}" }]
[[rulesets.rules]]
name = "merged"
object = "BMCServiceDesk__Incident__c"
run_on = "pagerduty"
conditions = [{ field = "event.type", op = "equals", value = "merge" }]
actions = [{ do = "salesforce.add_comment", text = "merged" }]
"""


async def test_a_rule_on_merge_acts_on_the_records_that_moved(tmp_path):
    async with open_rig(tmp_path, MERGED) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        await daemon.step()
        rig.pd.merge(survivor, [incident_id], by=JANE)
        await daemon.step(3)
        assert rig.comments_of(record_id) == ["merged"]
