"""``links``: both sides are asked, nothing false follows, and who did it is known."""

import pytest

from control.kit import open_office, pause
from pagerforce.errors import ConfigError, NotFoundError, PagerforceError
from rig import JANE, open_rig


async def old_pair(rig):
    """A record and an incident from long before the daemon's first start, not linked."""
    record_id = rig.open_record("Printer on fire")
    incident_id = rig.pd.trigger("PNET001", "Printer on fire")["id"]
    rig.advance(7200)
    return record_id, incident_id


async def test_add_links_what_both_sides_show_and_makes_no_false_event(folder):
    async with open_rig(folder) as rig:
        record_id, incident_id = await old_pair(rig)
        async with rig.daemon() as daemon, open_office(daemon) as office:
            before = len(await daemon.log())
            link = await office.ask("links add", incident=incident_id, record=record_id[:15])
            assert link["incident"] == incident_id
            assert link["record"] == record_id
            assert link["state"] == "active"
            assert set(link) == {"incident", "object", "record", "state", "created_at"}
            await daemon.step()
            assert len(await daemon.log()) == before
            (entry,) = await office.audit()
            assert entry["operator"] == {
                "uid": 4711,
                "user": "mia",
                "roles": ["pagerforce-manager"],
            }
            assert entry["command"] == "links add"
            assert entry["incident"] == incident_id
            rig.pd.acknowledge(incident_id, by=JANE)
            await daemon.step()
            assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_add_takes_the_incidents_number(folder):
    async with open_rig(folder) as rig:
        record_id, incident_id = await old_pair(rig)
        async with rig.daemon() as daemon, open_office(daemon) as office:
            number = next(i["incident_number"] for i in rig.incidents() if i["id"] == incident_id)
            link = await office.ask("links add", incident=str(number), record=record_id)
            assert link["incident"] == incident_id


async def test_add_leaves_a_new_record_to_the_poll_that_pages_for_it(folder):
    async with open_rig(folder) as rig:
        incident_id = rig.pd.trigger("PNET001", "Something else")["id"]
        rig.advance(7200)
        async with rig.daemon() as daemon, open_office(daemon) as office:
            record_id = rig.open_record("New one")
            await office.ask("links add", incident=incident_id, record=record_id)
            await daemon.step()
            created = [x for x in await daemon.log() if x["record"] == record_id]
            assert [x["event"] for x in created] == ["create"]


@pytest.mark.parametrize(
    ("which", "value"),
    [("incident", "PNOTHERE"), ("record", "a0B00000000ZZZZEAA"), ("record", "not an id")],
)
async def test_add_of_what_one_side_does_not_show_is_refused_and_stores_nothing(
    folder, which, value
):
    async with open_rig(folder) as rig:
        record_id, incident_id = await old_pair(rig)
        pair = {"incident": incident_id, "record": record_id} | {which: value}
        async with rig.daemon() as daemon, open_office(daemon) as office:
            with pytest.raises(PagerforceError):
                await office.ask("links add", **pair)
            assert await daemon.links() == []
            assert await office.audit() == []


async def test_edit_makes_inactive_and_nothing_is_carried_over_until_it_is_active_again(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        pair = {"incident": incident_id, "record": record_id}
        assert (await office.ask("links edit", **pair, state="inactive"))["state"] == "inactive"
        rig.pd.acknowledge(incident_id, by=JANE)
        await daemon.step()
        assert rig.status_of(record_id) == "NEW"
        assert (await office.ask("links edit", **pair, state="active"))["state"] == "active"
        with pytest.raises(ConfigError):
            await office.ask("links edit", **pair, state="asleep")


async def test_edit_moves_a_link_to_another_record(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        other = rig.open_record("The real one")
        await daemon.step()
        await office.ask("links edit", incident=incident_id, record=record_id, new_record=other)
        assert await daemon.links() == [(incident_id, other, "active")]


async def test_remove_forgets_and_what_is_unknown_is_not_found(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        await office.ask("links remove", incident=incident_id, record=record_id[:15])
        assert await daemon.links() == []
        for word, values in (
            ("links remove", {"incident": incident_id, "record": record_id}),
            ("links show", {"id": record_id}),
            ("links resume", {"id": "PNOTHERE"}),
        ):
            with pytest.raises(NotFoundError):
                await office.ask(word, **values)


async def test_resume_ends_a_pause_and_says_whether_there_was_one(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        assert (await office.ask("links resume", id=incident_id))["resumed"] is False
        await pause(daemon, incident_id)
        (shown,) = await office.ask("links show", id=record_id[:15])
        assert shown["state"] == "paused"
        assert shown["pauses"][0]["reason"] == "a test"
        assert (await office.ask("status"))["links"]["paused"] == [incident_id]
        assert (await office.ask("links resume", id=incident_id))["resumed"] is True
        assert await daemon.links() == [(incident_id, record_id, "active")]
