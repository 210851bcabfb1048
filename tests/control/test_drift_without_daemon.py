"""``drift --apply`` on the state itself: it stores actions that the next start of the daemon delivers."""

import pytest

from control.kit import open_direct, open_office
from rig import P, open_rig


async def out_of_step(rig, daemon):
    """A pair whose record was closed while its link was inactive: the rule's resolve was skipped."""
    record_id, incident_id = await rig.paged(daemon)
    pair = {"incident": incident_id, "record": record_id}
    async with open_office(daemon) as office:
        await office.ask("links edit", **pair, state="inactive")
        rig.set_status(record_id, "CLOSED")
        await daemon.step(seconds=100)
        await office.ask("links edit", **pair, state="active")
    return record_id, incident_id


async def test_what_rules_want_waits_for_the_next_life_and_is_done_once(folder):
    async with open_rig(folder) as rig:
        async with rig.daemon() as daemon:
            _, incident_id = await out_of_step(rig, daemon)
        async with open_direct(rig) as office:
            (found,) = (await office.ask("drift"))["differences"]
            assert (found["kind"], found["field"], found["should"]) == (
                "rule",
                "status",
                "resolved",
            )
            assert (await office.ask("drift", apply=True))["applied"]
            assert rig.pd.incident(incident_id)["status"] == "triggered", "it sends nothing itself"
            again = await office.ask("drift", apply=True)
            assert (again["differences"], again["waiting"]) == ([], 1)
            (entry, _) = [x for x in await office.audit() if x["command"] == "drift --apply"]
            assert entry["arguments"] == {"unseen": 0, "rule": 1}
        async with rig.daemon() as daemon:
            assert rig.pd.incident(incident_id)["status"] == "resolved"
            resolves = [x for x in await daemon.actions() if x["action"] == "pagerduty.resolve"]
            assert [x["outcome"] for x in resolves] == ["skipped", "delivered"]


@pytest.mark.parametrize("is_applied", [True, False])
async def test_what_no_poll_has_seen_is_an_event_once(folder, is_applied):
    async with open_rig(folder) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            await daemon.step(seconds=100)
            told = len(await daemon.log())
        rig.pd.set_title(incident_id, "Core switch down, building B")
        rig.change(record_id, shortDescription="Core switch down, building B")
        rig.advance(100)
        async with open_direct(rig) as office:
            found = (await office.ask("drift", apply=is_applied))["differences"]
            assert ("unseen", "title") in [(x["kind"], x["field"]) for x in found]
            stored = (await office.ask("log"))["entries"][told:]
            assert [x["event"] for x in stored] == (["update"] if is_applied else [])
        async with rig.daemon() as daemon:
            await daemon.step(4, seconds=200)
            news = (await daemon.log())[told:]
            assert sorted((x["source"], x["event"]) for x in news) == [
                ("pagerduty", "update"),
                ("salesforce", "update"),
            ]
            assert rig.record(record_id)[f"{P}shortDescription__c"].endswith("building B")
