"""A lost answer in an org that changes what it stores: nothing is created twice, a doubt is reported."""

import pytest
from msgspec.structs import replace

from pagerforce.model.action import Rival, Tried
from pagerforce.model.verdict import Delivered, Rejected, Unknown
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.automation import add_flow, as_rich_text, rewriting, setting
from salesforce.kit import CATEGORY, HISTORY, INCIDENT, NOTE, SHORT, make_task, sandboxed
from salesforce.test_create_record import creating, made

COMMENT = "salesforce.add_comment"
RICH = "BMCServiceDesk__RichTextNote__c"
DESCRIPTION = "BMCServiceDesk__incidentDescription__c"
CONTACT = "BMCServiceDesk__contactType__c"
WINDOW = "Change_Window__c"
OURS = "integration@example.com"
GIVEN = {SHORT: "Router is down", DESCRIPTION: "The core router does not answer"}


def again(task, *, at, **more):
    """The attempt after one with a lost answer."""
    return replace(task, is_uncertain=True, tried=(Tried(at),), attempt=2, **more)


async def lost(box, task, kind=FaultKind.DROP_AFTER):
    """An attempt with a lost answer; returns when it began."""
    at = box.clock.now()
    box.faults.add(Fault(kind, method="POST", path="/sobjects/"))
    assert isinstance(await box.deliver(task), Unknown)
    box.clock.advance(30)
    return at


REWRITES = [
    rewriting(SHORT, lambda text: f"[NET] {text}"),
    rewriting(SHORT, str.upper),
    rewriting(SHORT, lambda _: "Set by the flow"),
    rewriting(DESCRIPTION, as_rich_text),
    setting(**{CATEGORY: None, CONTACT: "Event"}),
]


@pytest.mark.parametrize("flow", REWRITES)
async def test_a_record_that_a_flow_rewrote_is_found_and_not_made_again(flow):
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, flow)
        task = creating(fields=GIVEN)
        at = await lost(box, task)
        (row,) = box.world.rows(INCIDENT)
        record = made(await box.deliver(again(task, at=at)))
        assert record.id == row["Id"]
        assert len(box.world.rows(INCIDENT)) == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.ERROR_BEFORE])
async def test_a_record_that_was_not_made_is_made(kind):
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, REWRITES[0])
        task = creating(fields=GIVEN)
        at = await lost(box, task, kind)
        made(await box.deliver(again(task, at=at)))
        assert len(box.world.rows(INCIDENT)) == 1


@pytest.mark.parametrize("page", ["no_longer_exists", "url_not_reset", "maintenance_page"])
async def test_a_write_that_took_effect_behind_a_page_is_not_sent_again(page):
    async with sandboxed(external_id_field="") as box:
        task = creating(fields=GIVEN)
        at = box.clock.now()
        fault = Fault(FaultKind.ERROR_AFTER, method="POST", path="/sobjects/", answer=page)
        box.faults.add(fault)
        assert isinstance(await box.deliver(task), Unknown)
        box.clock.advance(30)
        made(await box.deliver(again(task, at=at, now=box.clock.now())))
        assert len(box.world.rows(INCIDENT)) == 1


async def test_values_that_types_store_otherwise_are_found():
    fields = {
        "Name": "Switch exchange",
        "Regions__c": "AMER;EMEA",
        "Amount__c": "1.50",
        "Notes__c": " two lines\r\nof text ",
    }
    async with sandboxed() as box:
        add_flow(box.world, WINDOW, rewriting("Regions__c", lambda _: "EMEA;AMER"))
        add_flow(box.world, WINDOW, rewriting("Name", str.upper))
        task = creating(fields=fields, call={"object": WINDOW})
        at = await lost(box, task)
        made(await box.deliver(again(task, at=at)))
        assert len(box.world.rows(WINDOW)) == 1


async def test_a_record_that_somebody_deleted_meanwhile_is_not_made_again_without_a_key_either():
    async with sandboxed(external_id_field="") as box:
        task = creating(fields=GIVEN)
        at = await lost(box, task)
        (row,) = box.world.rows(INCIDENT)
        box.world.delete(INCIDENT, row["Id"])
        record = made(await box.deliver(again(task, at=at)))
        assert (record.id, record.is_deleted) == (row["Id"], True)


async def test_of_two_lost_records_each_finds_its_own():
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, rewriting(SHORT, lambda text: f"[NET] {text}"))
        fields = {SHORT: "Switch is down in hall 2", DESCRIPTION: "no light"}
        one, other = creating(fields=GIVEN), creating(fields=fields, incident="PINC002")
        rival = Rival(one.calls[0], (Tried(await lost(box, one)),))
        at = await lost(box, other)
        found = made(await box.deliver(again(other, at=at, rivals=(rival,))))
        assert found.fields[SHORT] == "[NET] Switch is down in hall 2"
        assert len(box.world.rows(INCIDENT)) == 2


async def test_what_another_lost_attempt_made_is_not_adopted():
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, rewriting(SHORT, lambda text: f"[NET] {text}"))
        one = creating(fields=GIVEN)
        other = creating(fields={**GIVEN, SHORT: "Switch is down"}, incident="PINC002")
        rival = Rival(one.calls[0], (Tried(await lost(box, one)),))
        at = await lost(box, other, FaultKind.DROP_BEFORE)
        made(await box.deliver(again(other, at=at, rivals=(rival,))))
        shorts = sorted(row[SHORT] for row in box.world.rows(INCIDENT))
        assert shorts == ["[NET] Router is down", "[NET] Switch is down"]


@pytest.mark.parametrize(("minutes", "is_doubt"), [(10, False), (0, True)])
async def test_only_an_attempt_of_that_time_makes_a_row_doubtful(minutes, is_doubt):
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, rewriting(SHORT, lambda _: "Set by the flow"))
        fields = {SHORT: "Router is down", CONTACT: "Event"}
        one = creating(service=None, fields=fields, incident="PINC002")
        rival = Rival(one.calls[0], (Tried(await lost(box, one, FaultKind.DROP_BEFORE)),))
        box.clock.advance(minutes * 60)
        task = creating(service=None, fields={**fields, SHORT: "Switch is down"})
        at = await lost(box, task)
        (row,) = box.world.rows(INCIDENT)
        uncertain = again(task, at=at, rivals=(rival,), now=box.clock.now())
        verdict = await box.deliver(uncertain)
        if is_doubt:
            assert isinstance(verdict, Rejected)
            assert verdict.is_doubt
        else:
            assert made(verdict).id == row["Id"]
        assert len(box.world.rows(INCIDENT)) == 1


async def test_a_row_from_before_the_attempt_leaves_no_doubt():
    async with sandboxed(external_id_field="") as box:
        box.incident(by=OURS, **{SHORT: "Something else"})
        box.clock.advance(60)
        task = creating(service=None, fields={**GIVEN, CONTACT: "Chat"})
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        made(await box.deliver(again(task, at=at, now=box.clock.now())))
        assert len(box.world.rows(INCIDENT)) == 2


async def test_a_row_that_a_poll_had_read_before_the_attempt_leaves_no_doubt():
    async with sandboxed(external_id_field="") as box:
        row = box.incident(by=OURS, **{SHORT: "Something else"})
        task = creating(service=None, fields={**GIVEN, CONTACT: "Chat"})
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        uncertain = again(task, at=at, now=box.clock.now(), seen_before=frozenset({row}))
        made(await box.deliver(uncertain))
        assert len(box.world.rows(INCIDENT)) == 2


async def test_a_row_of_the_integration_user_without_a_trace_is_a_doubt_and_nothing_is_sent():
    async with sandboxed(external_id_field="") as box:
        task = creating(service=None, fields={**GIVEN, CONTACT: "Chat"})
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        row = box.incident(by=OURS, **{SHORT: "Something else"})
        verdict = await box.deliver(again(task, at=at))
        assert isinstance(verdict, Rejected)
        assert verdict.is_doubt
        assert row in verdict.reason
        assert "failed retry" in verdict.reason
        assert "failed discard" in verdict.reason
        assert len(box.world.rows(INCIDENT)) == 1
        # The operator has checked: it is sent.
        made(await box.deliver(task))
        assert len(box.world.rows(INCIDENT)) == 2


async def test_two_rows_that_look_alike_are_a_doubt():
    async with sandboxed(external_id_field="") as box:
        add_flow(box.world, INCIDENT, rewriting(SHORT, lambda text: f"[NET] {text}"))
        task = creating(fields=GIVEN)
        at = await lost(box, task)
        box.incident(by=OURS, **GIVEN)
        verdict = await box.deliver(again(task, at=at))
        assert isinstance(verdict, Rejected)
        assert verdict.is_doubt
        assert len(box.world.rows(INCIDENT)) == 2


async def test_rows_of_others_leave_no_doubt():
    async with sandboxed(external_id_field="") as box:
        task = creating(fields=GIVEN)
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        box.incident(**{SHORT: "A person's"})
        known = box.incident(by=OURS, **{SHORT: "Linked already"})
        uncertain = again(task, at=at, known_ids=frozenset({known}))
        assert made(await box.deliver(uncertain)).fields[SHORT] == "Router is down"


# Comments.


def saying(row_id, text, **more):
    return make_task(COMMENT, {"text": text}, record_id=row_id, **more)


def bodies(box):
    return [row[NOTE] for row in box.world.rows(HISTORY)]


@pytest.mark.parametrize(
    "rewrite",
    [
        as_rich_text,
        str.upper,
        lambda text: f"Via the integration:\n{text}",
        lambda text: text.replace("\n", "\r\n") + "  ",
    ],
)
async def test_a_comment_that_the_org_rewrote_is_found(rewrite):
    async with sandboxed() as box:
        add_flow(box.world, HISTORY, rewriting(NOTE, rewrite))
        task = saying(box.incident(), 'Jane\'s <b>fix</b> & "more"\nis on its way')
        at = await lost(box, task)
        verdict = await box.deliver(again(task, at=at))
        assert isinstance(verdict, Delivered)
        assert len(bodies(box)) == 1
        assert verdict.effects[0].id == box.world.rows(HISTORY)[0]["Id"]


async def test_only_the_missing_parts_of_a_rewritten_comment_are_made():
    async with sandboxed() as box:
        add_flow(box.world, "CaseComment", rewriting("CommentBody", lambda text: f"PD: {text}"))
        case = box.world.insert("Case", {"Subject": "x"})
        task = saying(case, "word " * 1500, object="Case")
        box.faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path="CaseComment"))
        at = box.clock.now()
        assert isinstance(await box.deliver(task), Unknown)
        box.clock.advance(30)
        verdict = await box.deliver(again(task, at=at))
        assert isinstance(verdict, Delivered)
        rows = box.world.rows("CaseComment")
        assert [row["CommentBody"][:10] for row in rows] == ["PD: (1/2) ", "PD: (2/2) "]
        assert [effect.id for effect in verdict.effects] == [row["Id"] for row in rows]


async def test_a_comment_without_a_trace_is_a_doubt_and_nothing_is_sent():
    async with sandboxed() as box:
        row_id = box.incident()
        task = saying(row_id, "We exchange the router")
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        notes = box.world.find_id("BMCServiceDesk__Action__c", Name="Notes")
        values = {"BMCServiceDesk__FKIncident__c": row_id, "BMCServiceDesk__FKAction__c": notes}
        box.world.insert(HISTORY, {**values, NOTE: "Something else"}, OURS)
        verdict = await box.deliver(again(task, at=at))
        assert isinstance(verdict, Rejected)
        assert verdict.is_doubt
        assert bodies(box) == ["Something else"]


async def test_histories_that_the_org_writes_in_the_integrations_name_leave_no_doubt():
    async with sandboxed() as box:
        row_id = box.incident()
        task = saying(row_id, "We exchange the router")
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        other = next(
            row["Id"]
            for row in box.world.rows("BMCServiceDesk__Action__c")
            if row["Name"] != "Notes"
        )
        values = {"BMCServiceDesk__FKIncident__c": row_id, "BMCServiceDesk__FKAction__c": other}
        box.world.insert(HISTORY, {**values, NOTE: "Status changed"}, OURS)
        assert isinstance(await box.deliver(again(task, at=at)), Delivered)
        assert bodies(box) == ["Status changed", "We exchange the router"]


async def test_a_person_with_the_integrations_account_who_wrote_long_before_leaves_no_doubt():
    async with sandboxed() as box:
        row_id = box.incident()
        notes = box.world.find_id("BMCServiceDesk__Action__c", Name="Notes")
        values = {"BMCServiceDesk__FKIncident__c": row_id, "BMCServiceDesk__FKAction__c": notes}
        box.world.insert(HISTORY, {**values, NOTE: "Something else"}, OURS)
        box.clock.advance(600)
        task = saying(row_id, "We exchange the router", now=box.clock.now())
        at = await lost(box, task, FaultKind.DROP_BEFORE)
        uncertain = again(task, at=at)
        assert isinstance(await box.deliver(replace(uncertain, now=box.clock.now())), Delivered)
