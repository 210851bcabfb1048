"""Reading incidents themselves: all open incidents, and one by its id."""

import pytest

from pagerforce.errors import (
    RefusedError,
)
from pagerforce.model.incident import IncidentStatus
from pagerforce.sandbox.faults import Fault, FaultKind


async def test_open_incidents_of_any_age_come_with_people_and_bridge(rig):
    old = rig.trigger("old")
    rig.world.set_conference_bridge(old, "+1 555", "https://meet.example.com/1")
    rig.world.set_priority(old, "P2", "PJANE01")
    rig.clock.advance(300 * 86_400)
    rig.trigger("new")
    rig.world.resolve(rig.trigger("closed"), "PJANE01")
    found = await rig.poller().fetch_open_incidents()
    assert [incident.title for incident in found] == ["old", "new"]
    assert found[0].assignees[0].email == "jane.doe@example.com"
    assert found[0].conference_bridge == "+1 555 https://meet.example.com/1"
    assert found[0].priority is not None
    assert found[0].priority.name == "P2"
    assert found[0].service.name == "Network"


async def test_open_incidents_can_be_narrowed_to_services(rig):
    rig.trigger("net")
    rig.trigger("db", "PDBA001")
    found = await rig.poller(services=["PDBA001"]).fetch_open_incidents()
    assert [incident.title for incident in found] == ["db"]


async def test_an_incident_resolved_between_pages_hides_no_other(rig):
    ids = [rig.trigger(str(number)) for number in range(205)]

    def resolve_one() -> None:
        rig.world.resolve(ids[0], "PJANE01")

    rig.on("GET", "^/incidents$", resolve_one, after=True)
    found = await rig.poller().fetch_open_incidents()
    assert {incident.id for incident in found} >= set(ids[1:])
    assert len(found) == len({incident.id for incident in found})


async def test_more_open_incidents_than_the_api_lists_are_read_by_service(rig, monkeypatch):
    monkeypatch.setattr("pagerforce.pagerduty.open_incidents.MAX_DEPTH", 100)
    for number in range(70):
        rig.trigger(f"net {number}")
        rig.trigger(f"db {number}", "PDBA001")
    assert len(await rig.poller().fetch_open_incidents()) == 140


async def test_too_many_open_incidents_of_one_service_are_not_ignored(rig, monkeypatch):
    monkeypatch.setattr("pagerforce.pagerduty.open_incidents.MAX_DEPTH", 100)
    for number in range(101):
        rig.trigger(f"net {number}")
    with pytest.raises(RefusedError, match="PNET001"):
        await rig.poller().fetch_open_incidents()


async def test_one_incident_is_found_with_what_is_needed(rig):
    incident = rig.trigger()
    rig.world.set_custom_field(incident, "ticket", "INC-1", "PJANE01")
    rig.world.resolve(incident, "PJANE01")
    found = await rig.poller(needs_custom_fields=True).find_incident(incident)
    assert found.status is IncidentStatus.RESOLVED
    assert found.custom_fields == {"ticket": "INC-1"}
    assert (await rig.poller().find_incident(incident)).custom_fields == {}


async def test_an_incident_that_is_gone_is_none_but_a_failure_is_not(rig):
    incident = rig.trigger()
    rig.world.hide_incident(incident)
    assert await rig.poller().find_incident(incident) is None
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, status=403, path="/incidents/"))
    with pytest.raises(RefusedError):
        await rig.poller().find_incident(incident)


async def test_a_merged_incident_names_its_survivor(rig):
    source, target = rig.trigger("a"), rig.trigger("b")
    rig.world.merge(target, [source], "PJANE01")
    found = await rig.poller().find_incident(source)
    assert (found.resolve_reason, found.merged_into) == ("merge_resolve_reason", target)
