"""What comes late, or too late: nothing newer is undone, and nobody is woken for what is over."""

from datetime import timedelta
from email.utils import format_datetime

import anyio
import pytest

from pagerforce.sandbox import running
from pagerforce.sandbox.faults import Fault, FaultKind
from pipeline.retries import heard, settle
from process import until
from rig import INCIDENT, JANE, RAJ, P, before, open_rig


async def test_late_entries_and_late_rows_are_found(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.pd.hide_new_entries(1500)
        late = rig.pd.trigger("PDBA001", "Seen late")["id"]
        rig.pd.hide_new_entries(0)
        rig.advance(5)
        rig.pd.trigger("PDBA001", "Seen at once")
        await daemon.step(3)
        rig.sf.begin_late(240)
        rig.open_record("committed late", priority="1")
        rig.advance(5)
        rig.open_record("committed at once", priority="1")
        await daemon.step(3)
        titles = [item["title"] for item in rig.incidents()]
        assert not any("committed late" in title for title in titles)
        await daemon.step(6, seconds=400)
        titles = [item["title"] for item in rig.incidents()]
        assert sum("committed late" in title for title in titles) == 1
        assert late in [link[0] for link in await daemon.links()]
        assert len([t for t in titles if "committed at once" in t]) == 1


@pytest.mark.parametrize("is_delivered", [True, False], ids=["skipped by then", "still waiting"])
async def test_what_was_seen_before_a_late_trigger_reaches_the_record_it_leads_to(
    tmp_path, is_delivered
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        rig.pd.hide_new_entries(600)
        late = rig.pd.trigger("PDBA001", "Seen late")["id"]
        rig.pd.hide_new_entries(0)
        rig.advance(5)
        rig.pd.acknowledge(late, by=JANE)
        rig.advance(5)
        rig.pd.resolve(late, by=JANE)
        rig.advance(2)
        await daemon.poll()
        if is_delivered:
            await daemon.deliver()
            assert (await daemon.outcomes())["salesforce.set_field skipped"] == 4
        rig.advance(620)
        await daemon.step(3)
        ((_, record_id, _),) = [x for x in await daemon.links() if x[0] == late]
        assert rig.status_of(record_id) == "CLOSED"
        assert await daemon.dead_letters() == []


_ACK_RULES = """
[[objects]]
preset = "remedyforce-incident"
[[rulesets]]
name = "ack"
[[rulesets.rules]]
name = "page"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "event.type", op = "equals", value = "create" }]
actions = [{ do = "pagerduty.create_incident", title = "x" }]
[[rulesets.rules]]
name = "ack when somebody works on it"
object = "BMCServiceDesk__Incident__c"
run_on = "salesforce"
conditions = [{ field = "record.BMCServiceDesk__FKStatus__r.Name", op = "changed_to", value = "IN PROGRESS" }]
actions = [{ do = "pagerduty.acknowledge" }]
"""


async def test_an_old_acknowledge_never_reopens(tmp_path):
    async with open_rig(tmp_path, _ACK_RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        (incident,) = rig.incidents()
        rig.set_status(record_id, "IN PROGRESS")
        rig.advance(1)
        await daemon.parts.salesforce_reader.poll()
        rig.pd.resolve(incident["id"], by=JANE)
        await daemon.deliver()
        assert rig.pd.incident(incident["id"])["status"] == "resolved"
        assert (await daemon.outcomes())["pagerduty.acknowledge skipped"] == 1


async def test_nobody_is_woken_for_a_record_that_was_deleted_meanwhile(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.raise_to_1(record_id)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        rig.sf.delete(INCIDENT, record_id)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await daemon.step()
        assert rig.incidents() == []
        assert (await daemon.outcomes())["pagerduty.create_incident skipped"] == 1


async def test_resolving_again_what_our_acknowledge_reopened_is_known_as_ours(tmp_path):
    async with open_rig(tmp_path, _ACK_RULES) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        (incident,) = rig.incidents()

        def resolve():
            rig.advance(2)
            rig.pd.resolve(incident["id"], by=JANE)
            rig.advance(2)

        rig.set_status(record_id, "IN PROGRESS")
        rig.advance(1)
        await daemon.parts.salesforce_reader.poll()
        before(rig.desk.pagerduty_faults, "PUT", "/incidents", resolve)  # after our look
        await daemon.deliver()
        await daemon.step()
        assert rig.pd.incident(incident["id"])["status"] == "resolved"
        resolves = [entry for entry in await daemon.log() if entry["event"] == "resolve"]
        (acknowledge,) = [
            x for x in await daemon.actions() if x["action"] == "pagerduty.acknowledge"
        ]
        assert [entry["echo_of"] for entry in resolves] == [None, acknowledge["action_id"]]
        assert "reopen" not in [entry["event"] for entry in await daemon.log()], "it is closed"


async def test_a_newer_human_edit_is_never_overwritten(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.advance(30)
        await daemon.parts.pagerduty_reader.poll()
        rig.set_status(record_id, "IN PROGRESS")
        await daemon.deliver()
        assert rig.status_of(record_id) == "IN PROGRESS"
        reasons = [a["reason"] for a in await daemon.actions() if a["outcome"] == "skipped"]
        assert any("newer" in (reason or "") for reason in reasons), reasons
        assert RAJ


@pytest.mark.parametrize("over", ["closed", "lowered", "deleted", "not over"])
async def test_after_an_outage_nobody_is_paged_for_what_is_over(tmp_path, over):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=1000, method="POST"))
        rig.raise_to_1(record_id)
        await daemon.step(2, seconds=70)
        if over == "closed":
            rig.set_status(record_id, "CLOSED")
        elif over == "lowered":
            rig.change(record_id, FKPriority=rig.id_of("Priority", "4"))
        elif over == "deleted":
            rig.sf.delete(INCIDENT, record_id, by=RAJ)
        else:
            rig.change(record_id, shortDescription="still burning")
        await daemon.step(2, seconds=70)
        rig.desk.pagerduty_faults.clear()
        await daemon.step(4, seconds=400)
        assert len(rig.incidents()) == (1 if over == "not over" else 0)
        assert await daemon.dead_letters() == []


async def test_a_comment_made_while_the_page_waits_is_not_copied(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id = rig.open_record()
        await daemon.step()
        rig.desk.pagerduty_faults.add(Fault(FaultKind.ERROR_BEFORE, count=1000, method="POST"))
        rig.raise_to_1(record_id)
        await daemon.step()
        rig.comment(record_id, "before the link")
        await daemon.step()
        rig.desk.pagerduty_faults.clear()
        await settle(daemon)
        (incident,) = rig.incidents()
        assert rig.notes_of(incident["id"]) == []
        assert (await daemon.outcomes())["pagerduty.add_note skipped"] == 1


async def test_what_a_poll_read_while_we_wrote_is_read_again(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.change(record_id, shortDescription="changed by Raj meanwhile")
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        before = len(await daemon.log())
        source = daemon.parts.salesforce_reader.source
        read = source.iter_changes

        async def read_then_write(*args, **kwargs):
            async for batch in read(*args, **kwargs):
                await daemon.deliver()  # the write happens after the rows were read
                yield batch

        monkeypatch.setattr(source, "iter_changes", read_then_write)
        await daemon.parts.salesforce_reader.poll()
        monkeypatch.undo()
        assert rig.status_of(record_id) == "ACKNOWLEDGED"
        await daemon.step(3)
        async with daemon.parts.database.read() as tx:
            rows = await tx.rows("SELECT json_extract(data, '$.changed') FROM event ORDER BY seq")
        news = [row[0] for row in rows[before:] if row[0] and "BMCServiceDesk" in row[0]]
        assert news == [f'["{P}shortDescription__c"]']


async def test_an_expectation_explains_one_entry_only(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.comment(record_id, "the same words")
        await daemon.step()
        (note,) = rig.notes_of(incident_id)
        rig.pd.annotate(incident_id, note, by="PINTEG1")  # a person who uses our account repeats it
        await daemon.step()
        assert rig.comments_of(record_id) == ["the same words", f"[PagerDuty - Integration] {note}"]


@pytest.mark.parametrize("ahead", [-100, 100])
async def test_comments_after_the_link_are_copied_whatever_the_clocks_say(
    tmp_path, monkeypatch, ahead
):
    seeded = running.salesforce.seeded_world
    shifted = lambda clock: seeded(ShiftedClock(clock, ahead))  # noqa: E731
    monkeypatch.setattr(running.salesforce, "seeded_world", shifted)
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.advance(1)
        rig.comment(record_id, "just after the page")
        rig.pd.annotate(incident_id, "seen", by=JANE)
        await daemon.step(3)
        assert rig.notes_of(incident_id) == ["seen", "[Raj Patel] just after the page"]
        assert len(rig.comments_of(record_id)) == 2


class ShiftedClock:
    """A remote side whose clock is off."""

    def __init__(self, clock, seconds):
        self._clock, self._shift = clock, timedelta(seconds=seconds)

    def now(self):
        return self._clock.now() + self._shift


async def test_a_date_that_lags_behind_hides_no_entries(tmp_path, monkeypatch):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        line = daemon.parts.pagerduty_side.client.line
        behind = rig.remote.now() - timedelta(minutes=4)
        assert line.remote_clock.note(format_datetime(behind, usegmt=True))
        monkeypatch.setattr(line.remote_clock, "note", lambda _: False)
        rig.pd.trigger("PDBA001", "Replication lag")
        await daemon.step(2)
        assert len(rig.sf.rows(INCIDENT)) == 1


async def test_a_person_with_our_account_who_is_faster_than_our_attempt_is_heard(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.set_status(record_id, "CLOSED")
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        slow = Fault(FaultKind.LATENCY, count=1, path=f"/incidents/{incident_id}$", seconds=0.5)
        rig.desk.pagerduty_faults.add(slow)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.deliver)
            await until(
                lambda: not rig.desk.pagerduty_faults.armed(), "our attempt to be under way"
            )
            rig.pd.resolve(incident_id, by="PINTEG1")
            rig.advance(1)
            await daemon.parts.pagerduty_reader.poll()
            assert "resolve" not in await heard(daemon), "as yet it looks like ours"
        await settle(daemon)
        assert "resolve" in await heard(daemon)


async def test_an_old_entry_seen_late_does_not_undo_what_a_newer_one_brought(tmp_path):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.hide_new_entries(300)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.pd.hide_new_entries(0)
        rig.advance(10)
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step()
        assert rig.status_of(record_id) == "CLOSED"
        await daemon.step(4, seconds=200)
        assert "acknowledge" in [entry["event"] for entry in await daemon.log()]
        assert rig.status_of(record_id) == "CLOSED"


async def test_comments_are_copied_after_a_page_that_went_out_before_salesforce_was_asked(tmp_path):
    """Its link bears a time of Salesforce's clock, which is not known yet; this host's is wrong."""
    async with open_rig(tmp_path) as rig:
        async with rig.daemon() as daemon:
            record_id = rig.open_record()
            await daemon.step()
            rig.raise_to_1(record_id)
            rig.advance(2)
            await daemon.poll()
        async with rig.daemon(delivers_first=True) as daemon:
            (incident,) = rig.incidents()
            rig.advance(10)
            rig.comment(record_id, "second floor too")
            await daemon.step()
            assert rig.notes_of(incident["id"]) == ["[Raj Patel] second floor too"]
