"""Rules that form a loop: the link is paused with its evidence, everything else continues."""

import pytest

from pagerforce.model.event import Event
from pagerforce.model.ids import EventId, RecordId, Side
from pagerforce.model.outbox import Done
from pagerforce.pipeline.causality import depth_of
from pagerforce.service.catalog import SPECS
from pagerforce.store import pauses
from rig import INCIDENT, JANE, START, P, open_rig

RULES = f"""
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "loop"
[[rulesets.rules]]
name = "page"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "event.type", op = "equals", value = "create" }}]
actions = [{{ do = "pagerduty.create_incident", title = "loop" }}]
[[rulesets.rules]]
name = "answer every note"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "event.type", op = "equals", value = "annotate" }}]
actions = [{{ do = "pagerduty.add_note", text = "again: {{{{ event.note }}}}" }}]
[[rulesets.rules]]
name = "impact of what somebody works on"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [{{ field = "event.type", op = "equals", value = "acknowledge" }}]
actions = [{{ do = "salesforce.set_field", field = "{P}FKImpact__c", lookup = {{ Name = "MEDIUM" }} }}]
[[rulesets.rules]]
name = "hold the impact"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [{{ field = "record.{P}FKImpact__r.Name", op = "changed_to", value = "LOW" }}]
actions = [{{ do = "salesforce.set_field", field = "{P}FKImpact__c", lookup = {{ Name = "HIGH" }} }}]
"""
LIMIT = 5


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path, RULES) as opened:
        with opened.desk.config.open("a") as config:
            config.write(f'[delivery]\nloop_limit = {LIMIT}\nloop_pause = "10s"\n')
        yield opened


async def paused_incident(rig, daemon, notes):
    record_id = rig.open_record()
    await daemon.step()
    (incident,) = rig.incidents()
    for number in range(notes):
        rig.pd.annotate(incident["id"], f"note {number}", by=JANE)
    await daemon.step(1)
    assert [state for *_, state in await daemon.links()] == ["paused"]
    return record_id, incident["id"]


async def test_what_acts_on_several_records_of_an_incident_counts_once(rig):
    async with rig.daemon() as daemon:
        records = [rig.open_record(f"ticket {number}") for number in range(LIMIT + 3)]
        await daemon.step(4, seconds=60)
        first, *others = [incident["id"] for incident in rig.incidents()]
        rig.pd.merge(first, others, by=JANE)
        await daemon.step(4, seconds=60)
        rig.pd.acknowledge(first, by=JANE)
        await daemon.step(2)
        assert {state for *_, state in await daemon.links()} == {"active"}
        impacts = {rig.record(record)[f"{P}FKImpact__c"] for record in records}
        assert impacts == {rig.id_of("Impact", "MEDIUM")}


async def the_pause(daemon, member):
    async with daemon.parts.database.read() as tx:
        return (await pauses.pauses_of(tx, member))[0]


def written(rig, record_id, incident_id):
    return len(rig.notes_of(incident_id)) + len(rig.comments_of(record_id))


async def test_a_pause_names_the_actions_that_led_to_it(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await paused_incident(rig, daemon, 10)
        pause = await the_pause(daemon, record_id)
        assert pause.lane == (await the_pause(daemon, incident_id)).lane
        assert len(pause.evidence) == LIMIT
        rules = {item["rule"] for item in pause.evidence}
        assert rules <= {"page", "answer every note", INCIDENT}
        assert "note" not in str(pause.evidence).replace("every note", "").replace("add_note", "")


async def test_a_pause_shorter_than_a_minute_ends_and_as_much_goes_out_again(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await paused_incident(rig, daemon, 10)
        before = written(rig, record_id, incident_id)
        await daemon.step(1, seconds=12)
        assert written(rig, record_id, incident_id) == before + LIMIT


async def test_a_backlog_of_slow_changes_is_no_loop(rig):
    async with rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        (incident,) = rig.incidents()
        for number in range(3 * LIMIT):
            rig.pd.annotate(incident["id"], f"note {number}", by=JANE)
            rig.advance(60)
        await daemon.step(2, seconds=1)
        assert [state for *_, state in await daemon.links()] == ["active"]
        theirs = [text for text in rig.comments_of(record_id) if "again" not in str(text)]
        assert len(theirs) >= 3 * LIMIT


async def test_resuming_continues_the_link_at_once(rig):
    async with rig.daemon() as daemon:
        record_id, incident_id = await paused_incident(rig, daemon, 10)
        before = written(rig, record_id, incident_id)
        async with daemon.parts.database.write() as tx:
            assert await pauses.resume(tx, record_id, rig.host.now())
        rig.advance(1)
        await daemon.deliver()
        assert written(rig, record_id, incident_id) == before + LIMIT


async def test_another_link_continues_meanwhile(rig):
    async with rig.daemon() as daemon:
        await paused_incident(rig, daemon, 10)
        rig.open_record("another")
        await daemon.step()
        assert len(rig.incidents()) == 2


async def test_a_slow_loop_over_an_automation_is_noticed_by_its_chain(rig):
    """Each turn takes two minutes: no rate of actions shows it."""
    async with rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        for _ in range(LIMIT + 2):
            rig.change(record_id, FKImpact=rig.id_of("Impact", "LOW"))
            await daemon.step(2, seconds=60)
        pause = await the_pause(daemon, record_id)
        assert "each answered by a change of what it wrote" in pause.reason
        depths = [item["depth"] for item in pause.evidence]
        assert depths == list(range(depths[0], depths[0] - len(depths), -1))


async def test_people_who_change_something_else_make_no_chain(rig):
    async with rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        for number in range(LIMIT + 2):
            rig.change(record_id, FKImpact=rig.id_of("Impact", "LOW"))
            await daemon.step(1, seconds=700)
            rig.change(record_id, shortDescription=f"text {number}")
            await daemon.step(1, seconds=60)
        async with daemon.parts.database.read() as tx:
            assert await pauses.pauses_of(tx, record_id) == []


@pytest.mark.parametrize(
    ("field", "record", "changed", "depth"),
    [
        ("A__c", "a0R000000000001", {"A__c"}, 4),
        ("a__C", "a0R000000000001EAA", {"A__c"}, 4),
        ("A__c", "a0R000000000001EAA", {"B__c"}, 1),
        ("A__c", "a0R000000000002EAA", {"A__c"}, 1),
    ],
)
def test_only_a_change_of_what_was_written_there_continues_a_chain(field, record, changed, depth):
    event = Event(
        EventId("e"),
        Side.SALESFORCE,
        "update",
        START,
        object=INCIDENT,
        record_id=RecordId("a0R000000000001EAA"),
        changed=frozenset(changed),
    )
    done = Done(
        "a",
        "salesforce.set_field",
        "s",
        "r",
        {"field": field},
        record,
        None,
        START,
        depth=3,
        event_at=START,
    )
    assert depth_of(event, [done], SPECS) == depth
