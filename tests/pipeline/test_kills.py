"""The process dies during one of its requests: the next start neither repeats nor loses the write."""

import pytest

from rig import HISTORY, INCIDENT, JANE, open_rig

BOTH = {"[Raj Patel] only once", "[PagerDuty - Jane Doe] only once", "only once"}


def make_news(rig, what, record_id, incident_id):
    """A change that leads to one write; returns the side that receives it, and the request."""
    if what == "page":
        rig.raise_to_1(rig.open_record("the second"))
        return rig.desk.pagerduty_faults, "POST", r"/incidents$"
    if what == "note":
        rig.comment(record_id, "only once")
        return rig.desk.pagerduty_faults, "POST", r"/notes$"
    if what == "comment":
        rig.pd.annotate(incident_id, "only once", by=JANE)
        return rig.desk.salesforce_faults, "POST", HISTORY
    if what == "record":
        rig.pd.trigger("PDBA001", "Replication lag")
    else:
        rig.pd.acknowledge(incident_id, by=JANE)
    return rig.desk.salesforce_faults, "PATCH", INCIDENT


async def killed(rig, what, when):
    """A life after a pair was created, and one that ended at that moment of a write; returns the pair."""
    async with rig.daemon() as daemon:
        pair = await rig.paged(daemon)
        request = make_news(rig, what, *pair)
        if when == "decided":
            rig.advance(2)
            await daemon.poll()
    if when != "decided":
        rig.advance(2)
        async with rig.dying_at(*request, is_served=when == "arrived"), rig.daemon():
            pass
    return pair


@pytest.mark.parametrize("when", ["decided", "not arrived", "arrived"])
@pytest.mark.parametrize("what", ["page", "note", "comment", "record", "field"])
async def test_a_kill_anywhere_makes_nothing_twice(tmp_path, when, what):
    async with open_rig(tmp_path) as rig:
        record_id, incident_id = await killed(rig, what, when)
        async with rig.daemon() as daemon:
            await daemon.step(4, seconds=70)
            notes, comments = rig.notes_of(incident_id), rig.comments_of(record_id)
            assert len(rig.incidents()) == (2 if what in ("page", "record") else 1)
            assert len(rig.sf.rows(INCIDENT)) == (2 if what in ("page", "record") else 1)
            assert (len(notes), len(comments)) == (
                (1, 1) if what in ("note", "comment") else (0, 0)
            )
            assert BOTH.issuperset(notes + comments)
            assert rig.status_of(record_id) == ("ACKNOWLEDGED" if what == "field" else "NEW")
            assert await daemon.dead_letters() == []
            assert len(await daemon.links()) == (2 if what in ("page", "record") else 1)


@pytest.mark.parametrize("when", ["not arrived", "arrived"])
async def test_a_note_under_way_at_a_kill_is_on_one_incident_after_a_merge(tmp_path, when):
    """If it arrived, it is on the incident that was merged away; else it goes to the survivor."""
    async with open_rig(tmp_path) as rig:
        record_id, merged = await killed(rig, "note", when)
        survivor = rig.pd.trigger("PNET001", "The bigger one")["id"]
        alert = rig.pd.trigger("PNET001", "An alert")["id"]
        rig.pd.merge(merged, [alert], by=JANE)  # only incidents with alerts can be merged
        rig.advance(5)
        rig.pd.merge(survivor, [merged], by=JANE)
        rig.advance(5)
        async with rig.daemon() as daemon:
            await daemon.step(4, seconds=70)
            assert (survivor, record_id, "active") in await daemon.links()
            here, there = (
                [x for x in rig.notes_of(one) if "only once" in x] for one in (survivor, merged)
            )
            assert (here, there) == (
                ([], ["[Raj Patel] only once"])
                if when == "arrived"
                else (["[Raj Patel] only once"], [])
            )
            copies = [x for x in rig.comments_of(record_id) if "only once" in x]
            assert copies == ["only once"], "pagerforce's own note is not copied"
            assert await daemon.dead_letters() == []
