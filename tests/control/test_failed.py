"""``failed``, ``why`` and ``log``: what failed and why, and what an operator can do about it."""

import pytest

from control.kit import open_office
from pagerforce.errors import NotFoundError, PagerforceError
from pagerforce.sandbox.faults import Fault, FaultKind
from rig import open_rig

RULES = """
[[objects]]
preset = "remedyforce-incident"
[maps.urgency]
1 = "high"
[[rulesets]]
name = "Paging"
[[rulesets.rules]]
name = "Page for everything"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [ { field = "event.type", op = "equals", value = "create" } ]
actions = [
  { do = "pagerduty.create_incident", title = "{{ record.Name }}", urgency = "{{ record.BMCServiceDesk__FKPriority__r.Name | translate('urgency') }}" },
]
"""


async def unmapped(rig, daemon):
    """A dead letter: the map does not know priority 3."""
    rig.open_record(priority="3")
    await daemon.step()
    (letter,) = await daemon.dead_letters()
    return letter


async def test_retry_renders_again_what_failed_to_render_with_the_rule_in_force(folder):
    async with (
        open_rig(folder, RULES) as rig,
        rig.daemon() as daemon,
        open_office(daemon) as office,
    ):
        letter = await unmapped(rig, daemon)
        assert (await office.ask("failed list")) == [letter]
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.step()
        assert len(await daemon.dead_letters()) == 1, "the rule has not changed"
        better = RULES[RULES.index("[maps") :].replace('1 = "high"', '1 = "high"\n3 = "low"')
        await office.ask("rules apply", name="better.toml", content=better)
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.step()
        assert await daemon.dead_letters() == []
        assert [item["urgency"] for item in rig.incidents()] == ["low"]
        words = [entry["command"] for entry in await office.audit()]
        assert words == ["failed retry", "rules apply", "failed retry"]


async def test_discard_gives_up_for_good_and_says_who(folder):
    async with (
        open_rig(folder, RULES) as rig,
        rig.daemon() as daemon,
        open_office(daemon) as office,
    ):
        letter = await unmapped(rig, daemon)
        assert await office.ask("failed discard", all=True) == {"discarded": [letter["id"]]}
        story = await office.ask("why", id=letter["id"])
        assert story["outcome"] == "discarded"
        assert "mia" in story["reason"]
        assert letter["reason"] in story["reason"]
        for word in ("failed retry", "failed discard"):
            with pytest.raises(NotFoundError, match="discarded"):
                await office.ask(word, ids=[letter["id"]])
        with pytest.raises(NotFoundError):
            await office.ask("failed show", id="a123")
        with pytest.raises(PagerforceError, match="--all"):
            await office.ask("failed retry")


async def test_a_retry_after_a_lost_answer_looks_before_it_sends(folder):
    """A note has no key by which PagerDuty could recognise a duplicate."""
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        path = f"/incidents/{incident_id}/notes"
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.ERROR_AFTER, count=1, status=500, method="POST", path=path)
        )
        rig.comment(record_id, "The UPS is beeping")
        await daemon.step(turns=1)
        assert len(rig.notes_of(incident_id)) == 1
        # Nothing can show whether it arrived: it is abandoned while it is in doubt.
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.ERROR_BEFORE, count=10_000, status=503, path=path)
        )
        for _ in range(12):
            rig.advance(10_000)
            await daemon.deliver()
        rig.desk.pagerduty_faults.clear()
        (letter,) = await daemon.dead_letters()
        assert letter["attempts"] > 1
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.step()
        assert await daemon.dead_letters() == []
        assert len(rig.notes_of(incident_id)) == 1


async def test_the_time_for_attempts_starts_again_with_a_retry(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        path = f"/incidents/{incident_id}/notes"
        down = Fault(FaultKind.ERROR_BEFORE, count=10_000, status=503, path=path)
        rig.desk.pagerduty_faults.add(down)
        rig.comment(record_id, "The UPS is beeping")
        await daemon.step()

        async def hours_pass(hours):
            for _ in range(2 * hours):
                rig.advance(1800)
                await daemon.deliver()

        await hours_pass(25)
        (letter,) = await daemon.dead_letters()
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.deliver()
        assert await daemon.dead_letters() == [], (
            "an old dead letter that fails temporarily is retried"
        )
        await hours_pass(22)
        assert await daemon.dead_letters() == []
        await hours_pass(4)
        assert [x["id"] for x in await daemon.dead_letters()] == [letter["id"]]
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.deliver()
        rig.desk.pagerduty_faults.clear()
        await hours_pass(1)
        assert await daemon.dead_letters() == []
        assert rig.notes_of(incident_id) == ["[Raj Patel] The UPS is beeping"]


async def test_why_shows_event_rule_values_attempts_and_answers(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        (action,) = [a for a in await daemon.actions() if a["action"].endswith("create_incident")]
        story = await office.ask("why", id=action["action_id"])
        assert story["outcome"] == "delivered"
        assert story["incident"] == incident_id
        assert story["event"]["event"] == "update"
        assert story["event"]["record"] == record_id
        change = story["event"]["changed"]["BMCServiceDesk__FKPriority__r.Name"]
        assert change == {"from": "3", "to": "1"}
        conditions = {item["field"]: item for item in story["rule"]["conditions"]}
        assert conditions["record.BMCServiceDesk__FKPriority__r.Name"]["actual"] == "1"
        assert story["decision"]["arguments"]["urgency"] == "high"
        (attempt,) = story["attempts"]
        assert attempt["verdict"] == "delivered"
        made = {"system": "pagerduty", "operation": "incidents.create", "answer": "201"}
        assert made in attempt["requests"]
        assert story["waits_for"] is None
        with pytest.raises(NotFoundError):
            await office.ask("why", id="a123")


async def test_why_says_what_a_waiting_action_waits_for(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        rig.desk.pagerduty_faults.add(
            Fault(FaultKind.ERROR_BEFORE, count=100, status=503, method="POST", path="/incidents")
        )
        record_id = rig.open_record()
        await daemon.step()
        rig.raise_to_1(record_id)
        await daemon.step()
        rig.set_status(record_id, "CLOSED")
        await daemon.poll()
        first, second = [a for a in await daemon.actions() if a["outcome"] == "pending"]
        assert "next attempt" in (await office.ask("why", id=first["action_id"]))["waits_for"]
        behind = await office.ask("why", id=second["action_id"])
        assert first["action_id"] in behind["waits_for"]


async def test_log_filters_by_level_and_gives_page_after_page(folder):
    async with (
        open_rig(folder, RULES) as rig,
        rig.daemon() as daemon,
        open_office(daemon) as office,
    ):
        await unmapped(rig, daemon)
        record_id = rig.open_record(priority="1")
        await daemon.step()
        rig.change(record_id, shortDescription="changed, no rule cares")
        await daemon.step()
        everything = (await office.ask("log"))["entries"]
        levels = [entry["level"] for entry in everything]
        assert set(levels) == {"error", "info", "debug"}
        wanted = {"at", "event", "incident", "object", "record", "rules", "actions"}
        assert all(wanted <= set(entry) for entry in everything)
        errors = (await office.ask("log", level="error"))["entries"]
        assert [e["actions"][0]["outcome"] for e in errors] == ["dead_letter"]
        infos = (await office.ask("log", level="info"))["entries"]
        assert len(infos) == len([x for x in levels if x != "debug"])
        after = (await office.ask("log"))["after"]
        assert (await office.ask("log", after=after))["entries"] == []
