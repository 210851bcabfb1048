"""Own writes that are read back while their outcome is unknown: cases that the simulation found."""

from datetime import timedelta

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, SAM, P, open_rig


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
async def test_a_lost_answer_is_no_event_if_another_field_of_the_write_had_its_value_already(
    tmp_path, kind
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step()
        rig.pd.unacknowledge(incident_id)
        rig.pd.acknowledge(incident_id, by=SAM)  # the status is the same already, the owner is not
        rig.desk.salesforce_faults.add(Fault(kind, count=1, method="PATCH", path=INCIDENT))
        before = len(await daemon.log())
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        await daemon.deliver()
        await daemon.parts.salesforce_reader.poll()
        await daemon.step(4)
        new = [entry for entry in (await daemon.log())[before:] if not entry["echo_of"]]
        assert {entry["event"] for entry in new} == {"unacknowledge", "acknowledge"}
        assert rig.record(record_id)["OwnerId"] == rig.sf.user_id("sam.lee@example.com")


async def _first_seen_edited(rig, daemon, seen_first_by, edit):
    """A record of pagerforce's with a lost answer; its incident is acknowledged before somebody edits it."""
    rig.desk.salesforce_faults.add(Fault(FaultKind.DROP_AFTER, method="PATCH", path=INCIDENT))
    incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
    rig.advance(2)
    await daemon.parts.pagerduty_reader.poll()
    await daemon.deliver()
    (record,) = rig.sf.rows(INCIDENT)
    rig.pd.acknowledge(incident_id, by=JANE)
    rig.advance(10)
    edit(record["Id"])
    rig.advance(70)
    if seen_first_by == "the next attempt":
        await daemon.deliver()
    await daemon.step(4)
    return incident_id, record["Id"]


@pytest.mark.parametrize("seen_first_by", ["a poll", "the next attempt"])
async def test_an_edit_of_an_own_record_before_the_first_poll_wins_over_older_events(
    tmp_path, seen_first_by
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        incident_id, record_id = await _first_seen_edited(
            rig, daemon, seen_first_by, lambda record: rig.set_status(record, "CLOSED")
        )
        assert rig.status_of(record_id) == "CLOSED"
        assert rig.pd.incident(incident_id)["status"] == "resolved"


@pytest.mark.parametrize("seen_first_by", ["a poll", "the next attempt"])
async def test_own_values_of_a_record_are_not_mistaken_for_an_edit_of_another_field(
    tmp_path, seen_first_by
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        _, record_id = await _first_seen_edited(
            rig, daemon, seen_first_by, lambda record: rig.change(record, note="Looked at it")
        )
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_an_act_with_the_integrations_account_long_before_the_attempt_is_an_event(tmp_path):
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            rig.pd.resolve(incident_id, by="PINTEG1")
            rig.advance(360)  # its entry is not read yet
            rig.set_status(record_id, "CLOSED")
            rig.advance(2)
            await daemon.parts.salesforce_reader.poll()
        # The process ends once the expectation is stored, with its first read of the incident.
        look = f"/incidents/{incident_id}"
        async with (
            rig.dying_at(rig.desk.pagerduty_faults, "GET", look, is_served=False),
            rig.daemon(delivers_first=True),
        ):
            pass
        async with rig.daemon() as daemon:
            await daemon.step(4)
            (resolve,) = [x for x in await daemon.log() if x["event"] == "resolve"]
            assert resolve["echo_of"] is None


async def test_the_first_notification_of_an_own_incident_is_own_although_its_trigger_is_seen_last(
    tmp_path,
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.open_record(priority="1")
        rig.pd.hide_new_entries(20)
        await daemon.step()
        rig.pd.hide_new_entries(0)
        made = {item.type: item for item in rig.pd.state.journal.entries.values()}
        # They become visible one by one: the notification, the assignment, the trigger.
        for kind, seconds in (("notify", 4), ("assign", 8), ("trigger", 16)):
            entry = made[f"{kind}_log_entry"]
            entry.visible_at = entry.created_at + timedelta(seconds=seconds)
        await daemon.step(12, seconds=2)
        seen = [(item["event"], bool(item["echo_of"])) for item in await daemon.log()]
        assert [kind for kind, _ in seen] == ["create", "notify", "assign", "trigger"]
        assert ("assign", True) in seen
        assert ("trigger", True) in seen


TAKEN = f"""
[[rulesets]]
name = "Taken"
[[rulesets.rules]]
name = "Sam takes it"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{P}contactType__c", op = "changed_to", value = "Phone" }}]
actions = [{{ do = "pagerduty.reassign", assignees = ["{SAM}"] }}]
"""


@pytest.mark.parametrize("before", ["delegate", "trigger"])
async def test_what_the_service_assigns_beside_another_act_is_not_an_own_reassignment(
    tmp_path, before
):
    """Both assign it to Sam, and both are seen after pagerforce's write."""
    async with open_rig(tmp_path) as rig:
        (rig.desk.folder / "rules.d" / "taken.toml").write_text(TAKEN)
        async with rig.daemon() as daemon:
            record_id = rig.open_record(category="Database")
            await daemon.step()
            if before == "trigger":
                rig.pd.hide_new_entries(12)
            rig.raise_to_1(record_id)
            await daemon.step()
            rig.pd.hide_new_entries(0)
            (incident,) = rig.incidents()
            if before == "delegate":
                await daemon.step(2, seconds=5)
                rig.pd.delegate(incident["id"], "PEPDBA1", by=JANE)
                rig.advance(4)
            rig.pd.reassign(incident["id"], [JANE], by=JANE)
            rig.advance(4)
            rig.change(record_id, contactType="Phone")
            await daemon.parts.salesforce_reader.poll()
            await daemon.deliver()
            await daemon.step(3, seconds=20)
            (reassigned,) = [x for x in await daemon.actions() if x["action"].endswith("reassign")]
            told = [
                (item["recorded"]["event"]["actor"]["id"], item["echo_of"])
                for item in await daemon.log()
                if item["event"] == "assign"
            ]
            assert (JANE, None) in told
            ours = [actor for actor, echo_of in told if echo_of == reassigned["action_id"]]
            assert ours == ["PINTEG1"]


BEGUN = TAKEN.replace("Taken", "Begun").replace("Sam takes it", "Work begins")
BEGUN = BEGUN.replace(f'"pagerduty.reassign", assignees = ["{SAM}"]', '"pagerduty.acknowledge"')


async def test_an_assignment_with_the_integrations_account_before_an_acknowledgement_is_an_event(
    tmp_path,
):
    """Beside an acknowledgement the service may assign it to the same user."""
    async with open_rig(tmp_path) as rig:
        (rig.desk.folder / "rules.d" / "begun.toml").write_text(BEGUN)
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            await daemon.step(2, seconds=20)
            rig.pd.reassign(incident_id, ["PINTEG1"], by="PINTEG1")
            rig.advance(2)
            rig.change(record_id, contactType="Phone")
            await daemon.parts.salesforce_reader.poll()
            await daemon.deliver()
            await daemon.step(3, seconds=20)
            (done,) = [x for x in await daemon.actions() if x["action"].endswith("acknowledge")]
            told = {item["event"]: item["echo_of"] for item in await daemon.log()}
            assert told["acknowledge"] == done["action_id"]
            (theirs,) = [
                item["echo_of"]
                for item in await daemon.log()
                if item["event"] == "assign"
                and item["recorded"]["event"]["actor"]["id"] == "PINTEG1"
            ]
            assert theirs is None
