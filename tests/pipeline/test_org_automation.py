"""An org rewrites pagerforce's writes, and every answer is lost: no duplicates, no false events."""

from datetime import timedelta
from importlib import resources

import anyio
import pytest

from control.kit import open_office
from pagerforce.pipeline import claim
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.store import pauses
from rig import HISTORY, INCIDENT, INTEGRATION, JANE, P, open_rig
from salesforce.automation import add_flow, as_rich_text, rewriting, setting

SHORT, NOTE = f"{P}shortDescription__c", f"{P}note__c"
SERVICE = "PDBA001"


def without_key() -> str:
    shipped = (resources.files("pagerforce.sandbox") / "rules.toml").read_text()
    preset = 'preset = "remedyforce-incident"'
    return shipped.replace(preset, f'{preset}\nexternal_id_field = ""')


def lose(rig, path, kind=FaultKind.DROP_AFTER, method="POST", count=1):
    rig.desk.salesforce_faults.add(Fault(kind, count=count, method=method, path=path))


async def attempt(rig, daemon, after=2):
    """PagerDuty is read and the resulting actions are tried; Salesforce is not read yet."""
    rig.advance(after)
    await daemon.parts.pagerduty_reader.poll()
    await daemon.deliver()


async def look_again(rig, daemon, polls=0):
    """After enough polls of Salesforce the next attempt is due."""
    for _ in range(polls):
        await daemon.parts.salesforce_reader.poll()
    rig.advance(70)
    await daemon.step(4)


async def pause_all(rig, daemon):
    """Every lane that waits now is paused for an hour."""
    now = rig.host.now()
    async with daemon.parts.database.write() as tx:
        for (lane,) in await tx.rows("SELECT DISTINCT lane FROM action"):
            await pauses.begin(tx, lane, now, now + timedelta(hours=1), reason="a test")


def raising(rig):
    """A flow that makes every new record a priority 1."""
    return setting(**{f"{P}FKPriority__c": rig.id_of("Priority", "1")})


@pytest.mark.parametrize(
    "flow",
    [
        rewriting(SHORT, lambda text: f"[DB] {text}"),
        rewriting(SHORT, str.upper),
        rewriting(SHORT, lambda _: "Set by the flow"),
    ],
)
@pytest.mark.parametrize("seen_first_by", ["a poll", "the next attempt"])
async def test_a_rewritten_record_of_pagerforce_is_one_record_and_pages_nobody(
    tmp_path, flow, seen_first_by
):
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        add_flow(rig.sf, INCIDENT, flow)
        add_flow(rig.sf, INCIDENT, raising(rig))
        lose(rig, f"/{INCIDENT}$")
        incident_id = rig.pd.trigger(SERVICE, "Replication lag on the primary")["id"]
        await attempt(rig, daemon)
        await look_again(rig, daemon, polls=2 if seen_first_by == "a poll" else 0)
        (record,) = rig.sf.rows(INCIDENT)
        assert await daemon.links() == [(incident_id, record["Id"], "active")]
        assert len(rig.incidents()) == 1
        assert await daemon.dead_letters() == []


async def test_a_persons_record_with_the_integrations_account_is_an_event_once_the_own_one_is_settled(
    tmp_path,
):
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        lose(rig, f"/{INCIDENT}$", FaultKind.DROP_AFTER)
        rig.pd.trigger(SERVICE, "Replication lag on the primary")
        await attempt(rig, daemon)
        rig.open_record("Something quite different", priority="1", by=INTEGRATION)
        rig.advance(2)
        await daemon.parts.salesforce_reader.poll()
        await look_again(rig, daemon)
        assert len(rig.sf.rows(INCIDENT)) == 2
        assert len(rig.incidents()) == 2  # an incident is created for the person's record
        assert len(await daemon.links()) == 2


async def test_a_record_created_during_the_search_for_a_lost_one_is_not_mistaken_for_it(tmp_path):
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        lose(rig, f"/{INCIDENT}$", FaultKind.DROP_BEFORE)
        rig.pd.trigger(SERVICE, "Replication lag on the primary")
        await attempt(rig, daemon)
        assert rig.sf.rows(INCIDENT) == []
        rig.advance(70)
        rig.pd.trigger(SERVICE, "Disk is full")
        rig.advance(2)
        await daemon.parts.pagerduty_reader.poll()
        late = Fault(FaultKind.LATENCY, seconds=0.5, method="GET", path="queryAll")
        rig.desk.salesforce_faults.add(late)  # the search happens when the other record exists
        await daemon.deliver()
        await daemon.step()
        assert len(rig.sf.rows(INCIDENT)) == 2
        linked = [record for _, record, _ in await daemon.links()]
        assert sorted(linked) == sorted(row["Id"] for row in rig.sf.rows(INCIDENT))
        assert await daemon.dead_letters() == []


async def test_at_most_one_answer_of_a_new_record_is_lost_at_a_time(tmp_path):
    titles = ["Replication lag", "Disk is full", "Certificate expires"]
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        lose(rig, f"/{INCIDENT}$", count=2)
        for title in titles:
            rig.pd.trigger(SERVICE, title)
        await attempt(rig, daemon)
        (row,) = rig.sf.rows(INCIDENT)
        rig.change(row["Id"], shortDescription="Somebody's own words")
        for _ in range(3):
            await look_again(rig, daemon)
        assert len(rig.sf.rows(INCIDENT)) == len(await daemon.links()) == len(titles)
        assert await daemon.dead_letters() == []


async def test_new_records_that_wait_hold_no_other_actions(tmp_path, monkeypatch):
    monkeypatch.setattr(claim, "_MOST_AT_ONCE", 3)  # of 500
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        lose(rig, f"/{INCIDENT}$", FaultKind.DROP_BEFORE)
        for number in range(5):
            rig.pd.trigger(SERVICE, f"Disk {number} is full")
        await attempt(rig, daemon)
        rig.pd.acknowledge(incident_id, JANE)
        await attempt(rig, daemon, after=0.1)  # the lost one is not due yet
        assert len(rig.sf.rows(INCIDENT)) == 1
        assert rig.status_of(record_id) == "ACKNOWLEDGED"


async def test_a_paused_new_record_of_unknown_outcome_holds_the_others_for_minutes_only(tmp_path):
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        lose(rig, f"/{INCIDENT}$", FaultKind.DROP_BEFORE)
        rig.pd.trigger(SERVICE, "Replication lag")
        await attempt(rig, daemon)
        await pause_all(rig, daemon)
        rig.pd.trigger(SERVICE, "Disk is full")
        await attempt(rig, daemon)
        assert rig.sf.rows(INCIDENT) == []
        await attempt(rig, daemon, after=900)
        assert len(rig.sf.rows(INCIDENT)) == 1


async def test_an_action_in_doubt_is_reported_counted_and_sent_on_the_operators_order(tmp_path):
    async with (
        open_rig(tmp_path, without_key()) as rig,
        rig.daemon() as daemon,
        open_office(daemon) as office,
    ):
        lose(rig, f"/{INCIDENT}$", FaultKind.DROP_BEFORE)
        incident_id = rig.pd.trigger(SERVICE, "Replication lag on the primary")["id"]
        await attempt(rig, daemon)
        others = [rig.open_record("A person's own", by=INTEGRATION) for _ in range(2)]
        await look_again(rig, daemon)
        (letter,) = await daemon.dead_letters()
        assert all(row in letter["reason"] for row in others)
        assert "failed discard" in letter["reason"]
        assert "lag" not in letter["reason"]
        assert daemon.sample("doubts_total", action="salesforce.create_record") == 1
        assert len(rig.sf.rows(INCIDENT)) == 2
        await office.ask("failed retry", ids=[letter["id"]])
        await daemon.step(2)
        assert await daemon.dead_letters() == []
        assert len(rig.sf.rows(INCIDENT)) == 3
        ((linked, _, _),) = [x for x in await daemon.links() if x[0] == incident_id]
        assert linked == incident_id


async def test_a_change_that_a_poll_reports_during_the_search_is_reported_once(tmp_path):
    async with open_rig(tmp_path, without_key()) as rig, rig.daemon() as daemon:
        lose(rig, f"/{INCIDENT}$")
        incident_id = rig.pd.trigger(SERVICE, "Replication lag on the primary")["id"]
        await attempt(rig, daemon)
        (row,) = rig.sf.rows(INCIDENT)
        rig.pd.acknowledge(incident_id, JANE)  # a write that follows at once
        await daemon.parts.pagerduty_reader.poll()
        rig.advance(2)
        rig.raise_to_1(row["Id"])
        rig.advance(70)
        late = Fault(FaultKind.LATENCY, seconds=0.5, method="GET", path="queryAll")
        rig.desk.salesforce_faults.add(late)
        async with anyio.create_task_group() as group:
            group.start_soon(daemon.deliver)
            await anyio.sleep(0.1)
            await daemon.parts.salesforce_reader.poll()
        await daemon.step()
        assert len(await daemon.links()) == 1
        events = [x for x in await daemon.log() if x["record"] == row["Id"] and not x["echo_of"]]
        assert [x["event"] for x in events] == ["update"]


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_request_that_was_answered_leaves_no_doubt_about_what_came_later(
    tmp_path, is_answered
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        fault = (
            Fault(FaultKind.ERROR_BEFORE, method="POST", path=HISTORY, answer="server_unavailable")
            if is_answered
            else Fault(FaultKind.DROP_BEFORE, method="POST", path=HISTORY)
        )
        rig.desk.salesforce_faults.add(fault)
        rig.pd.annotate(incident_id, "We exchange the disk", by=JANE)
        await attempt(rig, daemon)
        rig.advance(5)
        rig.comment(record_id, "Something quite different", by=INTEGRATION)
        rig.advance(70)
        await daemon.deliver()
        assert len(rig.sf.rows(HISTORY)) == (2 if is_answered else 1)
        assert len(await daemon.dead_letters()) == (0 if is_answered else 1)


@pytest.mark.parametrize(
    "rewrite", [as_rich_text, str.upper, lambda text: f"Via the integration:\n{text}"]
)
@pytest.mark.parametrize("seen_first_by", ["a poll", "the next attempt"])
async def test_a_rewritten_comment_is_one_comment_and_not_copied_back(
    tmp_path, rewrite, seen_first_by
):
    async with open_rig(tmp_path) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        add_flow(rig.sf, HISTORY, rewriting(NOTE, rewrite))
        lose(rig, "composite/sobjects")
        lose(rig, HISTORY)
        rig.pd.annotate(incident_id, 'It is "the switch" & <nothing> else', by=JANE)
        await attempt(rig, daemon, after=20)
        await look_again(rig, daemon, polls=1 if seen_first_by == "a poll" else 0)
        assert len(rig.comments_of(record_id)) == 1
        assert len(rig.notes_of(incident_id)) == 1
        assert await daemon.dead_letters() == []


@pytest.mark.parametrize("seen_first_by", ["a poll", "the next attempt"])
async def test_what_a_flow_makes_of_a_lost_write_is_no_change_of_somebody(tmp_path, seen_first_by):
    rules = without_key() + _SHORT_RULES
    async with open_rig(tmp_path, rules) as rig, rig.daemon() as daemon:
        record_id, incident_id = await rig.paged(daemon)
        add_flow(rig.sf, INCIDENT, rewriting(SHORT, lambda text: f"FLOW: {text}", on_update=True))
        lose(rig, INCIDENT, method="PATCH")
        rig.pd.annotate(incident_id, "Looking", by=JANE)
        await attempt(rig, daemon)
        await look_again(rig, daemon, polls=1 if seen_first_by == "a poll" else 0)
        assert rig.record(record_id)[SHORT] == "FLOW: Noted by hand"
        entries = [x for x in await daemon.log() if x["event"] == "update" and not x["echo_of"]]
        assert [x for x in entries if SHORT in str(x.get("changed"))] == []
        assert "Short was changed" not in rig.notes_of(incident_id)
        rig.change(record_id, by=INTEGRATION, shortDescription="A person's own words")
        await daemon.step(4)
        assert "Short was changed" in rig.notes_of(incident_id)


_SHORT_RULES = f"""
[[rulesets]]
name = "Short"
[[rulesets.rules]]
name = "Note sets the short description"
object = "{INCIDENT}"
run_on = "pagerduty"
conditions = [ {{ field = "event.type", op = "equals", value = "annotate" }} ]
actions = [ {{ do = "salesforce.set_field", field = "{SHORT}", value = "Noted by hand" }} ]
[[rulesets.rules]]
name = "A changed short description is noted"
object = "{INCIDENT}"
run_on = "salesforce"
conditions = [ {{ field = "record.{SHORT}", op = "changed" }} ]
actions = [ {{ do = "pagerduty.add_note", text = "Short was changed" }} ]
"""
