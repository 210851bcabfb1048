"""The daily comparison: changes that leave no stamp for a poll to find."""

import pytest

from rig import INCIDENT, P, open_rig

A_DAY = 25 * 3600.0


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        yield opened


def vanish(rig, record_id):
    """Deleted and removed from the Recycle Bin before a poll could see it there."""
    rig.sf.delete(INCIDENT, record_id)
    rig.sf.purge(INCIDENT, record_id)


async def events_of(daemon, record_id):
    return [item["event"] for item in await daemon.log() if item["record"] == record_id]


async def test_a_record_deleted_for_good_is_a_deletion_once(rig):
    async with rig.daemon() as daemon:
        records = [rig.open_record(f"ticket {number}") for number in range(4)]
        await daemon.step()
        middle, last = records[1], records[3]
        vanish(rig, middle)
        vanish(rig, last)
        await daemon.step(1, seconds=A_DAY)
        await daemon.step(2, seconds=A_DAY)
        assert await events_of(daemon, middle) == ["create", "delete"]
        assert await events_of(daemon, last) == ["create", "delete"]
        assert await events_of(daemon, records[0]) == ["create"]


async def test_a_linked_record_deleted_for_good_loses_its_link(rig):
    async with rig.daemon() as daemon:
        rig.open_record("stays")
        record_id, incident_id = await rig.paged(daemon)
        vanish(rig, record_id)
        await daemon.step(1, seconds=A_DAY)
        await daemon.step()
        assert (incident_id, record_id, "inactive") in await daemon.links()


async def test_everything_missing_at_once_is_treated_as_a_lost_permission(rig):
    async with rig.daemon() as daemon:
        records = [rig.open_record(f"ticket {number}") for number in range(3)]
        await daemon.step()
        for record_id in records:
            vanish(rig, record_id)
        await daemon.step(1, seconds=A_DAY)
        await daemon.step()
        assert [await events_of(daemon, record_id) for record_id in records] == [["create"]] * 3


async def test_many_missing_at_once_are_treated_as_a_lost_permission(rig):
    async with rig.daemon() as daemon:
        records = [rig.open_record(f"ticket {number}") for number in range(40)]
        await daemon.step()
        for record_id in records[:25]:
            vanish(rig, record_id)
        await daemon.step(1, seconds=A_DAY)
        await daemon.step()
        assert "delete" not in [item["event"] for item in await daemon.log()]


async def test_a_record_out_of_the_filter_is_no_deletion(rig):
    rules = rig.desk.folder / "rules.d" / "rules.toml"
    where = f"where = \"{P}FKPriority__r.Name != '5'\""
    preset = 'preset = "remedyforce-incident"'
    assert preset in rules.read_text()
    rules.write_text(rules.read_text().replace(preset, f"{preset}\n{where}", 1))
    async with rig.daemon() as daemon:
        rig.open_record("stays")
        record_id = rig.open_record("moves out of sight")
        await daemon.step()
        rig.change(record_id, FKPriority=rig.id_of("Priority", "5"))
        await daemon.step(2, seconds=A_DAY)
        assert await events_of(daemon, record_id) == ["create"]


async def test_a_comment_later_than_every_window_is_found_within_a_day(rig):
    async with rig.daemon() as daemon:
        # As in an org whose list of updated rows does not show open transactions.
        daemon.parts.salesforce_reader._low_water_asked = float("inf")
        record_id, incident_id = await rig.paged(daemon)
        other_id, other_incident = await rig.paged(daemon, "Another switch down")
        rig.advance(3600)
        rig.sf.begin_late(2 * 3600)
        rig.comment(record_id, "committed late")
        rig.advance(3600)
        rig.comment(other_id, "on time")  # moves the cursor past it
        await daemon.step(2, seconds=60)
        rig.advance(2 * 3600)
        await daemon.step(2, seconds=60)
        assert len(rig.notes_of(other_incident)) == 1
        assert rig.notes_of(incident_id) == []
        await daemon.step(1, seconds=19 * 3600)
        await daemon.step(2, seconds=3600)
        notes = [text.partition("] ")[2] for text in rig.notes_of(incident_id)]
        assert notes == ["committed late"]
