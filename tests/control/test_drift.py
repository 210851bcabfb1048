"""``drift`` shows what polls have not seen and what rules do not allow, and only that."""

from control.kit import open_office
from pagerforce.service.control import drift
from pagerforce.service.control.roles import Role, missing
from rig import JANE, SAM, open_rig

P = "BMCServiceDesk__"


async def test_pairs_in_step_show_nothing_and_stay_untouched(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step(seconds=100)
        found = await office.ask("drift")
        assert found["differences"] == []
        assert found["compared"] == {"links": 1, "incidents": 1, "records": 1}
        assert daemon.sample("drift_found") == 0
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(seconds=100)
        assert rig.status_of(record_id) == "CLOSED"
        assert (await office.ask("drift", all=True))["differences"] == []
        before = len(await daemon.log())
        await office.ask("drift", apply=True)
        await daemon.step()
        assert len(await daemon.log()) == before


async def test_a_record_that_a_rule_would_have_closed_is_shown_and_closed_by_apply(folder):
    """The rule came after the resolve: nobody closed the record, and nobody changed it since."""
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        shown = await office.ask("rules show")
        calm = [item for item in shown["rulesets"] if item["name"] == "Remedyforce to PagerDuty"]
        await office.ask("rules apply", name="one-way.toml", content=to_toml(calm))
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(seconds=100)
        assert (await office.ask("drift"))["differences"] == []
        await office.ask("rules rollback")
        found = (await office.ask("drift"))["differences"]
        assert {(x["kind"], x["side"], x["field"]) for x in found} == {
            ("rule", "salesforce", f"{P}FKStatus__c"),
            ("rule", "salesforce", f"{P}incidentResolution__c"),
        }
        assert {x["rule"]["rule"] for x in found} == {"Resolved"}
        assert rig.status_of(record_id) != "CLOSED", "only shown"
        assert daemon.sample("drift_found") == 2
        await office.ask("drift", apply=True)
        await daemon.step()
        assert rig.status_of(record_id) == "CLOSED"
        assert (await office.ask("drift"))["differences"] == []
        (entry,) = [x for x in await office.audit() if x["command"] == "drift --apply"]
        assert entry["arguments"] == {"unseen": 0, "rule": 2}


async def test_an_incident_left_open_beside_a_closed_record_is_resolved_by_apply(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        pair = {"incident": incident_id, "record": record_id}
        await office.ask("links edit", **pair, state="inactive")
        rig.set_status(record_id, "CLOSED")
        await daemon.step(seconds=100)
        await office.ask("links edit", **pair, state="active")
        (found,) = (await office.ask("drift"))["differences"]
        assert (found["side"], found["field"], found["should"]) == (
            "pagerduty",
            "status",
            "resolved",
        )
        await office.ask("drift", apply=True)
        await daemon.step()
        assert [item["status"] for item in rig.incidents()] == ["resolved"]


async def test_what_a_person_changed_later_is_no_drift(folder):
    """Jane acknowledged; later Raj set the record back to NEW, which no rule covers: his value stays."""
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=SAM)
        await daemon.step(seconds=100)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        rig.set_status(record_id, "NEW")
        await daemon.step(seconds=100)
        assert (await office.ask("drift"))["differences"] == []


async def test_a_title_that_changed_without_an_entry_becomes_an_event_by_apply(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        _, incident_id = await rig.paged(daemon)
        await daemon.step(seconds=100)
        rig.pd.set_title(incident_id, "Core switch down, building B")
        rig.advance(100)
        (found,) = (await office.ask("drift"))["differences"]
        assert (found["kind"], found["field"]) == ("unseen", "title")
        assert found["is"] == "Core switch down, building B"
        before = len(await daemon.log())
        await office.ask("drift", apply=True)
        await daemon.poll()
        (event,) = (await daemon.log())[before:]
        assert (event["event"], event["incident"]) == ("update", incident_id)
        assert (await office.ask("drift"))["differences"] == []


async def test_what_came_in_since_the_comparison_is_not_overwritten(folder, monkeypatch):
    """Between comparison and repair the record is reopened: the incident stays open."""
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        pair = {"incident": incident_id, "record": record_id}
        await office.ask("links edit", **pair, state="inactive")
        rig.set_status(record_id, "CLOSED")
        await daemon.step(seconds=100)
        await office.ask("links edit", **pair, state="active")
        original = drift._repair

        async def late(*args):
            rig.set_status(record_id, "NEW")
            await daemon.step()
            await original(*args)

        # A test can't hit that moment from outside.
        monkeypatch.setattr(drift, "_repair", late)
        await office.ask("drift", apply=True)
        await daemon.step()
        assert [item["status"] for item in rig.incidents()] == ["triggered"]


async def test_a_record_that_is_gone_is_named(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, _ = await rig.paged(daemon)
        rig.sf.store.purge(record_id)  # hidden, as by a sharing rule: no feed reports it
        (found,) = (await office.ask("drift"))["differences"]
        assert (found["kind"], found["side"], found["record"]) == ("gone", "salesforce", record_id)


def test_showing_is_an_auditors_and_repairing_is_not():
    assert not missing([Role.AUDITOR], "drift")
    assert missing([Role.AUDITOR], "drift --apply")


def to_toml(rulesets):
    import tomli_w  # noqa: PLC0415

    return tomli_w.dumps({"rulesets": rulesets})
