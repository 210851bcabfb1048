"""Clocks that are wrong by days, this host's or a row's: nothing is lost, and nothing is reread for ever."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, HostClock, P, open_rig
from rules.kit import REMEDYFORCE, SHORT, is_, rule, toml

DAY = 86_400.0
KEYLESS = toml(
    rule(
        "made",
        "pagerduty",
        [is_("event.type", "equals", "trigger")],
        {
            "do": "salesforce.create_record",
            "fields": {
                SHORT: "{{ incident.title }}",
                f"{P}FKStatus__c": {"lookup": {"Name": "NEW"}},
            },
        },
    ),
    objects=({**REMEDYFORCE, "external_id_field": ""},),
)


async def a_story(rig, daemon, text):
    """One pair, from creation to the end, with a lost answer in between; everything happens once."""
    record_id, incident_id = await rig.paged(daemon, text)
    rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path=r"/notes$"))
    rig.comment(record_id, "second floor too")
    await daemon.step()
    rig.pd.annotate(incident_id, "on my way", by=JANE)
    rig.pd.acknowledge(incident_id, by=JANE)
    await daemon.step(4, seconds=70)
    assert rig.status_of(record_id) == "ACKNOWLEDGED"
    assert sorted(rig.notes_of(incident_id)) == ["[Raj Patel] second floor too", "on my way"]
    assert sorted(rig.comments_of(record_id)) == [
        "[PagerDuty - Jane Doe] on my way",
        "second floor too",
    ]
    rig.set_status(record_id, "CLOSED")
    await daemon.step(2)
    assert rig.pd.incident(incident_id)["status"] == "resolved"
    assert await daemon.dead_letters() == []


@pytest.mark.parametrize("days", [-9, 9])
async def test_a_host_that_is_days_off_loses_nothing(tmp_path, days):
    async with open_rig(tmp_path) as rig:
        rig.host = HostClock(rig.remote.now() + timedelta(days=days))
        async with rig.daemon() as daemon:
            await a_story(rig, daemon, "the first")
            rig.host.set_back(days * DAY)  # somebody corrects it while the daemon runs
            await a_story(rig, daemon, "the second")
            rig.raise_to_1(rig.open_record("seen by the next life"))
        rig.host.set_back(-days * DAY)
        async with rig.daemon() as daemon:
            assert len(rig.incidents()) == 3
            await a_story(rig, daemon, "the fourth")
            assert len(rig.incidents()) == 4


def stamp_ahead(rig, record_id, by):
    """A row with a future SystemModstamp, as after a wrong clock of the org."""
    row = rig.sf.store.find(record_id)
    values = {**row.values, "SystemModstamp": rig.remote.now() + by}
    rig.sf.store.put([replace(row, values=values)], rig.remote.now())


@pytest.mark.parametrize("by", [timedelta(hours=2), timedelta(days=3)])
async def test_a_row_from_the_future_hides_no_other(tmp_path, by):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        odd = rig.open_record("odd clock")
        stamp_ahead(rig, odd, by)
        await daemon.step()
        rig.advance(1800)
        rig.raise_to_1(rig.open_record("afterwards"))
        await daemon.step(3)
        assert len(rig.incidents()) == 1
        rig.advance(by.total_seconds())
        rig.change(odd, FKPriority=rig.id_of("Priority", "1"))
        await daemon.step(3)
        assert len(rig.incidents()) == 2
        assert await daemon.dead_letters() == []
        heard = [x["event"] for x in await daemon.log() if x["record"] == odd]
        assert heard == (["create", "update"] if by < timedelta(days=1) else ["create"])


@pytest.mark.parametrize("back", [-277, 277])
@pytest.mark.parametrize("delivers_first", [True, False])
async def test_a_record_whose_answer_was_lost_is_found_although_the_host_was_set_meanwhile(
    tmp_path, back, delivers_first
):
    """Somebody changed its text, so that only the time of the attempt can tell."""
    async with open_rig(tmp_path, KEYLESS) as rig:
        async with rig.daemon() as daemon:
            fault = Fault(FaultKind.ERROR_AFTER, method="POST", path=INCIDENT)
            rig.desk.salesforce_faults.add(fault)
            incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
            rig.advance(2)
            await daemon.parts.pagerduty_reader.poll()
            await daemon.deliver()
        (record,) = rig.sf.rows(INCIDENT)
        rig.change(record["Id"], shortDescription="Renamed by a person")
        rig.host.set_back(back)
        rig.advance(300)
        async with rig.daemon(delivers_first=delivers_first) as daemon:
            await daemon.step(4, seconds=70)
            assert [row["Id"] for row in rig.sf.rows(INCIDENT)] == [record["Id"]]
            assert await daemon.links() == [(incident_id, record["Id"], "active")]
            assert await daemon.dead_letters() == []
