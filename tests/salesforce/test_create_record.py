from datetime import timedelta

import pytest
from msgspec.structs import replace

from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import Incident, Ref
from pagerforce.model.verdict import Delivered, Rejected, RetryLater, Skipped, Unknown
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.kit import CATEGORY, EVENT_ID, INCIDENT, SHORT, START, STATUS, make_task, sandboxed

DO = "salesforce.create_record"


def creating(service="PNET001", incident="PINC001", **more):
    fields = more.pop("fields", {SHORT: "Router is down"})
    one = Incident(IncidentId(incident), service=Ref(service) if service else None)
    call = {"fields": fields, **more.pop("call", {})}
    return make_task(DO, call, incident_id=one.id, incident=one, **more)


def made(verdict):
    assert isinstance(verdict, Delivered), verdict
    (effect,) = verdict.effects
    return effect.record


async def test_a_record_is_made_with_its_key_and_the_category_of_the_service():
    async with sandboxed() as box:
        record = made(await box.deliver(creating()))
        row = box.world.row(INCIDENT, record.id)
        assert row[EVENT_ID] == "pd:PINC001"
        assert row[SHORT] == "Router is down"
        assert row[CATEGORY] == box.world.find_id("BMCServiceDesk__Category__c", Name="Network")
        assert record.fields["BMCServiceDesk__FKCategory__r.Name"] == "Network"
        assert record.stamp == box.clock.now()
        assert record == await box.read(record.id)


async def test_the_expectation_is_the_key_and_what_it_is_given_is_kept():
    async with sandboxed() as box:
        expected, given = await box.handlers[DO].expectations(creating())
        assert expected.object == INCIDENT
        assert expected.values == {EVENT_ID: "pd:PINC001"}
        assert expected.actor_id == await box.line.client.user_id()
        assert box.world.rows(INCIDENT) == []
        record = made(await box.deliver(creating()))
        assert given.object == INCIDENT
        assert given.values[EVENT_ID] == "pd:PINC001"
        row = box.world.row(INCIDENT, record.id)
        assert given.values == {name: row[name] for name in given.values}


async def test_a_service_without_a_category_goes_by_the_mapping():
    async with sandboxed() as box:
        record = made(await box.deliver(creating(service="PPRT001")))
        printing = box.world.find_id("BMCServiceDesk__Category__c", Name="Printing")
        assert box.world.row(INCIDENT, record.id)[CATEGORY] == printing


async def test_what_the_rule_gives_beats_category_and_mapping():
    for service in ("PNET001", "PPRT001"):
        async with sandboxed() as box:
            fields = {CATEGORY: {"lookup": {"Name": "database"}}, SHORT: "x"}
            record = made(await box.deliver(creating(service=service, fields=fields)))
            database = box.world.find_id("BMCServiceDesk__Category__c", Name="Database")
            assert box.world.row(INCIDENT, record.id)[CATEGORY] == database


async def test_two_categories_with_one_service_are_an_error_that_says_so():
    async with sandboxed() as box:
        box.world.insert(
            "BMCServiceDesk__Category__c",
            {"Name": "Network 2", "PagerDuty_Service_ID__c": "PNET001"},
        )
        verdict = await box.deliver(creating())
        assert isinstance(verdict, Rejected)
        assert "2 rows" in verdict.reason
        assert "PNET001" in verdict.reason
        fields = {CATEGORY: {"lookup": {"Name": "Database"}}}
        made(await box.deliver(creating(fields=fields)))


async def test_a_record_that_exists_is_adopted_and_not_overwritten():
    async with sandboxed() as box:
        first = made(await box.deliver(creating()))
        box.clock.advance(60)
        box.world.update(INCIDENT, first.id, {SHORT: "edited by a person"})
        again = made(await box.deliver(replace(creating(), is_uncertain=True)))
        assert again.id == first.id
        assert again.fields[SHORT] == "edited by a person"
        assert len(box.world.rows(INCIDENT)) == 1


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER])
async def test_a_lost_answer_makes_no_second_record(kind):
    async with sandboxed() as box:
        box.faults.add(Fault(kind, method="PATCH"))
        assert isinstance(await box.deliver(creating()), Unknown)
        assert len(box.world.rows(INCIDENT)) == 1
        record = made(await box.deliver(replace(creating(), is_uncertain=True)))
        assert len(box.world.rows(INCIDENT)) == 1
        assert record.fields[SHORT] == "Router is down"


async def test_a_record_that_somebody_deleted_before_its_lost_answer_was_resolved_is_not_made_again():
    async with sandboxed() as box:
        box.faults.add(Fault(FaultKind.DROP_AFTER, method="PATCH"))
        assert isinstance(await box.deliver(creating()), Unknown)
        (row,) = box.world.rows(INCIDENT)
        box.world.delete(INCIDENT, row["Id"])
        record = made(await box.deliver(replace(creating(), is_uncertain=True)))
        assert (record.id, record.is_deleted) == (row["Id"], True)
        assert box.world.rows(INCIDENT) == []


async def test_a_record_made_in_between_is_adopted():
    async with sandboxed() as box:
        original = box.line.client.upsert

        async def upsert(*args, **kwargs):
            box.incident(**{EVENT_ID: "pd:PINC001", SHORT: "made by another"})
            return await original(*args, **kwargs)

        box.line.client.upsert = upsert
        made(await box.deliver(creating()))
        assert len(box.world.rows(INCIDENT)) == 1


async def test_without_a_key_an_uncertain_attempt_is_searched_by_its_values():
    async with sandboxed(external_id_field="") as box:
        box.faults.add(Fault(FaultKind.ERROR_AFTER, method="POST", path=f"{INCIDENT}$"))
        fields = {SHORT: "Router is down ", "BMCServiceDesk__note__c": "a\r\nb"}
        box.incident(**{SHORT: "Router is down", "BMCServiceDesk__note__c": "a\nb"})
        box.clock.advance(1)
        assert isinstance(await box.deliver(creating(fields=fields)), Unknown)
        box.clock.advance(30)
        record = made(await box.deliver(creating(fields=fields, is_uncertain=True)))
        assert len(box.world.rows(INCIDENT)) == 2
        assert record.created_by.email == "integration@example.com"


async def test_the_search_leaves_alone_what_other_actions_made():
    async with sandboxed(external_id_field="") as box:
        first = made(await box.deliver(creating(incident="PINC001")))
        known = frozenset({first.id})
        second = made(
            await box.deliver(creating(incident="PINC002", is_uncertain=True, known_ids=known))
        )
        assert second.id != first.id
        values = (await box.handlers[DO].expectations(creating()))[0].values
        assert values[SHORT] == "Router is down"


async def test_an_older_record_with_the_same_values_is_not_adopted():
    async with sandboxed(external_id_field="") as box:
        old = made(await box.deliver(creating()))
        box.clock.advance(7200)
        late = creating(is_uncertain=True, event_at=START + timedelta(hours=2, seconds=30))
        assert made(await box.deliver(late)).id != old.id


async def test_a_record_of_another_object():
    async with sandboxed() as box:
        call = {"object": "Case"}
        verdict = await box.deliver(creating(fields={"Subject": "x"}, call=call))
        record = made(verdict)
        assert record.object == "Case"
        assert box.world.row("Case", record.id)["Subject"] == "x"


async def test_a_value_that_the_org_refuses_says_what_to_do():
    async with sandboxed() as box:
        fields = {STATUS: {"lookup": {"Name": "PENDING (OLD)"}}}
        verdict = await box.deliver(creating(fields=fields))
        assert isinstance(verdict, Rejected)
        assert "failed retry" in verdict.reason
        read_only = await box.deliver(creating(fields={"BMCServiceDesk__Status_ID__c": "x"}))
        assert isinstance(read_only, Rejected)
        assert "formula" in read_only.reason


async def test_a_lock_is_waited_for():
    async with sandboxed() as box:
        box.world.knobs.lock_errors = 1
        assert isinstance(await box.deliver(creating()), RetryLater)


async def test_a_record_that_cannot_be_read_back_is_searched_for_and_read_in_full():
    """Without the values that the org set itself, the next change of them would be missed."""
    async with sandboxed() as box:
        original = box.line.client.upsert

        async def upsert(*args, **kwargs):
            done = await original(*args, **kwargs)
            box.faults.add(Fault(FaultKind.ERROR_BEFORE, method="GET"))
            return done

        box.line.client.upsert = upsert
        assert isinstance(await box.deliver(creating()), Unknown)
        record = made(await box.deliver(replace(creating(), is_uncertain=True)))
        (row,) = box.world.rows(INCIDENT)
        assert record.id == row["Id"]
        assert record == await box.read(record.id)


async def test_without_an_incident_there_is_nothing_to_link():
    async with sandboxed() as box:
        alone = replace(creating(), incident_id=None)
        assert isinstance(await box.deliver(alone), Skipped)
        assert box.world.rows(INCIDENT) == []


async def test_empty_values_are_left_to_the_org():
    async with sandboxed() as box:
        record = made(await box.deliver(creating(fields={SHORT: ""})))
        row = box.world.row(INCIDENT, record.id)
        assert row[SHORT] is None
