"""Answers of Salesforce that are lost, late or invalid: no duplicates, no false events."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import HISTORY, INCIDENT, JANE, open_rig

TIMEOUT = "request_timeout_page"
KINDS = [FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER]


async def changes_by_others(daemon):
    log = await daemon.log()
    return [x for x in log if x["source"] == "salesforce" and not x["echo_of"]]


async def one_attempt(rig, daemon):
    """A change in PagerDuty leads to one attempt."""
    rig.advance(2)
    await daemon.parts.pagerduty_reader.poll()
    await daemon.deliver()


async def states(daemon, word):
    async with daemon.parts.database.read() as tx:
        sql = 'SELECT state, is_uncertain FROM action WHERE "do" = ?'
        return [(state, bool(doubt)) for state, doubt in await tx.rows(sql, (word,))]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_comment_that_took_too_long_is_searched_for(tmp_path, kind):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.desk.salesforce_faults.add(Fault(kind, method="POST", path=HISTORY, answer=TIMEOUT))
        rig.pd.annotate(incident_id, "on my way", by=JANE)
        await one_attempt(rig, daemon)
        assert await states(daemon, "salesforce.add_comment") == [("pending", True)]
        await daemon.step(4, seconds=70)
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] on my way"]
        assert rig.notes_of(incident_id) == ["on my way"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_record_that_took_too_long_is_searched_for(tmp_path, kind):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.desk.salesforce_faults.add(Fault(kind, method="PATCH", path=INCIDENT, answer=TIMEOUT))
        incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await one_attempt(rig, daemon)
        assert await states(daemon, "salesforce.create_record") == [("pending", True)]
        await daemon.step(4, seconds=70)
        (record,) = rig.sf.rows(INCIDENT)
        assert await daemon.links() == [(incident_id, record["Id"], "active")]
        assert len(rig.incidents()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_field_write_that_took_too_long_is_searched_for(tmp_path, kind):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        before = len(await changes_by_others(daemon))
        rig.desk.salesforce_faults.add(Fault(kind, method="PATCH", path=INCIDENT, answer=TIMEOUT))
        rig.pd.acknowledge(incident_id, by=JANE)
        await one_attempt(rig, daemon)
        assert set(await states(daemon, "salesforce.set_field")) == {("pending", True)}
        await daemon.step(4, seconds=70)
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        assert len(await changes_by_others(daemon)) == before


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_a_search_that_fails_leaves_a_comment_uncertain(tmp_path, kind):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.desk.salesforce_faults.add(Fault(kind, method="POST", path=HISTORY))
        rig.pd.annotate(incident_id, "on my way", by=JANE)
        await one_attempt(rig, daemon)
        for _ in range(3):
            rig.desk.salesforce_faults.add(Fault(FaultKind.ERROR_BEFORE, method="GET", status=503))
            rig.advance(300)
            await daemon.deliver()
            assert rig.desk.salesforce_faults.armed() == ()
            assert await states(daemon, "salesforce.add_comment") == [("pending", True)]
        await daemon.step(3, seconds=300)
        assert rig.comments_of(record_id) == ["[PagerDuty - Jane Doe] on my way"]
        assert rig.notes_of(incident_id) == ["on my way"]
        assert await states(daemon, "salesforce.add_comment") == [("delivered", False)]


async def test_a_value_whose_answer_was_lost_is_an_own_write_even_four_hours_later(tmp_path):
    """The host was off meanwhile; the first polls see it before the next attempt does."""
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id, incident_id = await rig.paged(daemon)
            before = len(await changes_by_others(daemon))
            lost = Fault(FaultKind.DROP_AFTER, method="PATCH", path=INCIDENT)
            rig.desk.salesforce_faults.add(lost)
            rig.pd.acknowledge(incident_id, by=JANE)
            await one_attempt(rig, daemon)
            assert rig.status_of(record_id) == "ACKNOWLEDGED"
        rig.advance(4 * 3600)
        async with rig.daemon() as daemon:
            await daemon.step(2)
            assert len(await changes_by_others(daemon)) == before
            assert set(await states(daemon, "salesforce.set_field")) == {("delivered", False)}
