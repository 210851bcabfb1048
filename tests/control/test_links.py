"""``links``: both sides are asked, no false event results, and the audit names the user."""

import pytest
from msgspec.structs import replace

from control.kit import open_office, pause
from pagerforce.errors import ConfigError, NotFoundError, PagerforceError
from pagerforce.store import snapshots
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


async def test_add_leaves_a_new_record_to_the_poll_that_creates_its_incident(folder):
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


async def test_edit_makes_inactive_and_nothing_is_synchronised_until_it_is_active_again(folder):
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


def called(rig, record_id, incident_id):
    """The Name and the number that people use for a pair."""
    number = next(i["incident_number"] for i in rig.incidents() if i["id"] == incident_id)
    return rig.record(record_id)["Name"], str(number)


async def test_a_pair_is_known_by_name_and_number_as_well(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        await rig.paged(daemon, "Another one")
        name, number = called(rig, record_id, incident_id)
        for word in (name, f" {name} ", number, record_id[:15], incident_id):
            (link,) = await office.ask("links show", id=word)
            assert (link["incident"], link["record"]) == (incident_id, record_id), word
        link = await office.ask("links edit", incident=number, record=name, state="inactive")
        assert link["state"] == "inactive"
        link = await office.ask("links edit", incident=number, record=name, state="active")
        await pause(daemon, incident_id)
        assert (await office.ask("links resume", id=number))["resumed"] is True
        await pause(daemon, incident_id)
        assert (await office.ask("links resume", id=name))["resumed"] is True
        await office.ask("links remove", incident=number, record=name)
        assert [link[0] for link in await daemon.links()] != [incident_id]
        assert (await office.audit())[-1]["incident"] == incident_id, "the audit has the ids"


async def rename(tx, record_id, name):
    """Changes the Name in a record's snapshot."""
    record = await snapshots.find_record(tx, record_id)
    await snapshots.put_records(tx, [replace(record, fields={**record.fields, "Name": name})])


async def test_an_ambiguous_name_is_never_guessed(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        first, _ = await rig.paged(daemon)
        second, incident_id = await rig.paged(daemon, "Another one")
        name, _ = called(rig, first, incident_id)
        async with daemon.parts.database.write() as tx:
            # Two objects may use the same record numbers; the sandbox's rules have one object only.
            await rename(tx, second, name)
        for word, values in (
            ("links show", {"id": name}),
            ("links resume", {"id": name}),
            ("links remove", {"incident": incident_id, "record": name}),
        ):
            with pytest.raises(NotFoundError, match="several have the number or name") as caught:
                await office.ask(word, **values)
            assert first in str(caught.value)
            assert second in str(caught.value)
        assert len(await daemon.links()) == 2


async def test_a_number_that_is_also_a_name_is_distinguished_by_ids(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        record_id, incident_id = await rig.paged(daemon)
        _, number = called(rig, record_id, incident_id)
        async with daemon.parts.database.write() as tx:
            await rename(tx, record_id, number)
        with pytest.raises(NotFoundError, match="several have the number or name"):
            await office.ask("links show", id=number)
        (link,) = await office.ask("links show", id=incident_id)
        assert link["record"] == record_id
        other_id, _ = await rig.paged(daemon, "Another one")
        async with daemon.parts.database.write() as tx:
            await rename(tx, other_id, incident_id)
        (link,) = await office.ask("links show", id=incident_id)
        assert link["record"] == record_id, "an id wins over a name"
