"""A change of a parent that rules use is found with the next poll, although the child does not change."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rig import INCIDENT, P, open_rig

CATEGORY = f"{P}Category__c"
RULES = f"""
[[objects]]
preset = "remedyforce-incident"

[[rulesets]]
name = "Parents"

[[rulesets.rules]]
name = "Category renamed"
object = "{INCIDENT}"
run_on = "salesforce"
max_age = "1h"
conditions = [ {{ field = "record.{P}FKCategory__r.Name", op = "changed" }} ]
actions = [ {{ do = "pagerduty.create_incident", title = "{{{{ record.{P}FKCategory__r.Name }}}} by {{{{ event.actor.id }}}}", service = "PNET001", unless_linked = "open" }} ]
"""


def rename(rig, category, name):
    rig.sf.update(CATEGORY, category, {"Name": name})


async def updates_of(daemon, record_id):
    return [x for x in await daemon.log() if (x["record"], x["event"]) == (record_id, "update")]


async def test_a_parents_change_is_an_update_of_the_child_with_the_next_poll(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.advance(7200)  # the child's own last change is old
        other = rig.open_record("Paper jam", category="Printing")  # and no poll reads back that far
        await daemon.step()
        category = rig.record(record_id)[f"{P}FKCategory__c"]
        stamp = rig.record(record_id)["SystemModstamp"]
        rename(rig, category, "Networks")
        await daemon.step(turns=1)
        assert rig.record(record_id)["SystemModstamp"] == stamp
        assert len(await updates_of(daemon, record_id)) == 1
        assert await updates_of(daemon, other) == []
        (incident,) = rig.incidents()
        changed_by = rig.sf.row(CATEGORY, category)["LastModifiedById"]
        assert incident["title"] == f"Networks by {changed_by}", (
            "within max_age, with the person's name"
        )
        await daemon.step(5, seconds=30)
        assert len(await updates_of(daemon, record_id)) == 1


async def test_a_change_and_its_reversal_are_two_changes(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        category = rig.record(record_id)[f"{P}FKCategory__c"]
        for name in ("Networks", "Network", "Networks"):
            rename(rig, category, name)
            await daemon.step(seconds=10)
        assert len(await updates_of(daemon, record_id)) == 3


async def test_what_changed_while_the_daemon_was_down_is_found_at_its_start(tmp_path):
    async with open_rig(tmp_path, RULES) as rig:
        async with rig.daemon() as daemon:
            record_id = rig.open_record()
            await daemon.step()
        category = rig.record(record_id)[f"{P}FKCategory__c"]
        rename(rig, category, "Networks")
        rig.advance(1800)
        async with rig.daemon() as daemon:
            await daemon.step()
            assert len(await updates_of(daemon, record_id)) == 1


async def test_it_costs_no_call_while_no_parent_changes(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        rig.open_record()
        await daemon.step(4)
        usage = daemon.parts.salesforce_side.client.usage
        before = usage.calls_in_last_day(rig.host.now())
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        assert usage.calls_in_last_day(rig.host.now()) == before + 1


async def test_a_parent_from_the_future_hides_no_other(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        odd = rig.open_record("Paper jam", category="Printing")
        await daemon.step()
        row = rig.sf.store.find(rig.record(odd)[f"{P}FKCategory__c"])
        ahead = {**row.values, "SystemModstamp": rig.remote.now() + timedelta(days=400)}
        rig.sf.store.put([replace(row, values=ahead)], rig.remote.now())
        await daemon.step()
        rig.advance(7200)
        rig.open_record("Something else", category="Printing")  # and no poll reads back that far
        await daemon.step()
        rename(rig, rig.record(record_id)[f"{P}FKCategory__c"], "Networks")
        await daemon.step()
        assert len(await updates_of(daemon, record_id)) == 1


@pytest.mark.parametrize("size", [1, 2])
async def test_every_child_is_read_where_the_org_answers_in_small_batches(tmp_path, size):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        records = [rig.open_record() for _ in range(5)]
        other = rig.open_record("Paper jam", category="Printing")
        await daemon.step()
        rig.advance(7200)
        rig.open_record("Something else", category="Printing")  # and no poll reads back that far
        await daemon.step()
        rig.sf.knobs.batch_size = size
        rename(rig, rig.record(other)[f"{P}FKCategory__c"], "Print")
        rig.advance(1)
        rename(rig, rig.record(records[0])[f"{P}FKCategory__c"], "Networks")
        await daemon.step(turns=1)
        for record_id in records:
            assert len(await updates_of(daemon, record_id)) == 1


async def test_more_parents_than_a_poll_reads_are_read_by_the_next_polls(tmp_path):
    async with open_rig(tmp_path, RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.advance(7200)
        rig.open_record("Something else", category="Printing")  # and no poll reads back that far
        await daemon.step()
        rig.sf.knobs.batch_size = 1
        for number in range(25):  # more than a poll reads, all within its overlap
            rig.sf.insert(CATEGORY, {"Name": f"Unused {number}"})
        rig.advance(1)
        rename(rig, rig.record(record_id)[f"{P}FKCategory__c"], "Networks")
        await daemon.step(4, seconds=5)
        assert len(await updates_of(daemon, record_id)) == 1
