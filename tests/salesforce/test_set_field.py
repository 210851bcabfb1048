from datetime import timedelta

import pytest

from pagerforce.model.ids import Side
from pagerforce.model.verdict import (
    Delivered,
    FieldsStand,
    HaltSide,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
)
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.salesforce.troubles import Trouble
from rig import after
from salesforce.kit import CATEGORY, INCIDENT, SHORT, START, STATUS, make_task, sandboxed

DO = "salesforce.set_field"
MARKED = "disk full on @{host.name}"  # a composite request would replace the end
STATE = "BMCServiceDesk__state__c"
RESOLUTION = "BMCServiceDesk__incidentResolution__c"
FOLLOW_UP = "BMCServiceDesk__followUp__c"
OUTAGE_FROM = "BMCServiceDesk__outageFrom__c"


def put(field, value):
    return {"field": field, "value": value}


def find(field, **values):
    return {"field": field, "lookup": values}


def sent(box):
    """The operations so far, without logins and describes."""
    return [op for op, _ in box.line.observer.requests if op not in ("login", "describe")]


async def prepared(box, *, later=60, **fields):
    """A record as the daemon knows it, and an event some time later."""
    row_id = box.incident(**{SHORT: "before", **fields})
    snapshot = await box.read(row_id)
    box.clock.advance(later)
    box.poller.plan.note_polled([INCIDENT], box.clock.now())
    return row_id, snapshot


def task(row_id, snapshot, *calls, at, **more):
    return make_task(DO, *calls, record_id=row_id, record=snapshot, event_at=at, **more)


async def test_a_field_is_written_and_its_effects_are_known():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        verdict = await box.deliver(
            task(row_id, snapshot, find(STATUS, Name="resolved"), at=box.clock.now())
        )
        assert isinstance(verdict, Delivered)
        status = box.world.find_id("BMCServiceDesk__Status__c", Name="RESOLVED")
        assert box.world.row(INCIDENT, row_id)[STATUS] == status
        (effect,) = verdict.effects
        assert effect.record_id == row_id
        assert effect.fields[STATUS] == status
        assert effect.fields["BMCServiceDesk__FKStatus__r.Name"] == "RESOLVED"
        assert SHORT not in effect.fields
        assert effect.modified_at == box.clock.now()
        after = await box.read(row_id)
        assert {k: after.fields[k] for k in effect.fields} == effect.fields


async def test_what_the_packages_triggers_changed_is_part_of_the_effect():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        verdict = await box.deliver(
            task(row_id, snapshot, find(STATUS, Name="CLOSED"), at=box.clock.now())
        )
        assert verdict.effects[0].fields[STATE] is False


async def test_several_calls_are_one_write():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        one = task(
            row_id,
            snapshot,
            put(SHORT, "first"),
            find(STATUS, Name="RESOLVED"),
            put(SHORT, "after"),
            at=box.clock.now(),
        )
        verdicts = await box.handlers[DO].deliver(one)
        assert [type(v) for v in verdicts] == [Skipped, Delivered, Delivered]
        assert [op for op, _ in box.line.observer.requests].count("update") == 1
        assert sum(len(v.effects) for v in verdicts[1:]) == 1
        assert box.world.row(INCIDENT, row_id)[SHORT] == "after"


async def test_a_field_that_is_refused_does_not_keep_the_others_back():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        one = task(
            row_id,
            snapshot,
            find(STATUS, Name="PENDING (OLD)"),  # the lookup filter of the field refuses
            put(SHORT, "after"),
            at=box.clock.now(),
        )
        refused, written = await box.handlers[DO].deliver(one)
        assert isinstance(refused, Rejected)
        assert "Select an active status" in refused.reason
        assert "choose a row that it allows" in refused.reason
        assert isinstance(written, Delivered)
        assert box.world.row(INCIDENT, row_id)[SHORT] == "after"


async def test_one_bad_argument_is_rejected_before_anything_is_sent():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        one = task(
            row_id,
            snapshot,
            put("No_such__c", "x"),
            put("BMCServiceDesk__Status_ID__c", "x"),
            put("BMCServiceDesk__contactType__c", "y" * 256),
            find(STATUS, Name="NO SUCH"),
            put(STATUS, "RESOLVED"),
            put(OUTAGE_FROM, "yesterday"),
            put("BMCServiceDesk__note__c", "fine"),
            at=box.clock.now(),
        )
        verdicts = await box.handlers[DO].deliver(one)
        *bad, good = verdicts
        assert isinstance(good, Delivered)
        assert all(isinstance(v, Rejected) for v in bad)
        for verdict, words in zip(
            bad,
            ["field-level security", "formula", "255", "no row", "lookup", "datetime"],
            strict=True,
        ):
            assert words in verdict.reason
            assert "failed retry" in verdict.reason
        assert "yyy" not in bad[2].reason
        assert "yesterday" not in bad[5].reason


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        (FOLLOW_UP, "True", True),
        (STATE, "false", False),
        (OUTAGE_FROM, "2026-11-24T11:00:00+01:00", "2026-11-24T10:00:00Z"),
        ("BMCServiceDesk__UpdateCount__c", "7", 7),
        (RESOLUTION, "fixed ünïcode\n'quoted'", "fixed ünïcode\n'quoted'"),
        (SHORT, "", None),
        (CATEGORY, "a0C000000000002", "a0C000000000002EAA"),
    ],
)
async def test_values_are_typed_as_the_field_is(field, given, stored):
    more = {"BMCServiceDesk__followUpDateTime__c": START + timedelta(days=9)}
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box, **more)
        one = task(row_id, snapshot, put(field, given), at=box.clock.now())
        (expected,) = await box.handlers[DO].expectations(one)
        assert expected.values == {field: stored}
        verdict = await box.deliver(one)
        assert isinstance(verdict, Delivered), verdict
        assert verdict.effects[0].fields[field] == stored


async def test_what_is_there_already_is_skipped_but_is_an_own_write_after_a_lost_answer():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        same = put(SHORT, "before")
        verdict = await box.deliver(task(row_id, snapshot, same, at=box.clock.now()))
        stands = (FieldsStand(row_id, (SHORT,)),)
        assert verdict == Skipped(f"{SHORT} already has this value", effects=stands)
        uncertain = task(row_id, snapshot, same, at=box.clock.now(), is_uncertain=True)
        verdict = await box.deliver(uncertain)
        assert isinstance(verdict, Delivered)
        assert verdict.effects[0].fields == {SHORT: "before"}
        assert "update" not in [op for op, _ in box.line.observer.requests]


@pytest.mark.parametrize(
    ("policy", "edited_after", "event_after", "is_written"),
    [
        ("newest", 10, 20, True),
        ("newest", 20, 10, False),
        ("newest", 10, 10, False),  # a tie goes to the person
        ("salesforce", 10, 20, False),
        ("pagerduty", 20, 10, True),
    ],
)
async def test_who_wins_where_a_person_changed_the_same_field(
    policy, edited_after, event_after, is_written
):
    async with sandboxed(conflict=policy) as box:
        row_id, snapshot = await prepared(box, later=edited_after)
        box.write(row_id, **{SHORT: "by a person"})
        box.clock.advance(60)
        at = START + timedelta(seconds=event_after)
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "by us"), at=at))
        value = box.world.row(INCIDENT, row_id)[SHORT]
        if is_written:
            assert isinstance(verdict, Delivered)
            assert value == "by us"
            assert verdict.winner is Side.PAGERDUTY
            assert f"replaced an older edit of {SHORT}" in verdict.detail
        else:
            assert isinstance(verdict, Skipped)
            assert ("newer value" if policy == "newest" else "keeps that change") in verdict.reason
            assert "by a person" not in verdict.reason
            assert value == "by a person"
            assert verdict.winner is Side.SALESFORCE


async def test_a_policy_of_one_field_beats_the_objects():
    async with sandboxed(conflict="pagerduty", conflict_fields={SHORT: "salesforce"}) as box:
        row_id, snapshot = await prepared(box)
        box.write(row_id, **{SHORT: "by a person"})
        box.clock.advance(60)
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "by us"), at=box.clock.now()))
        assert isinstance(verdict, Skipped)


async def test_an_edit_of_another_field_keeps_nothing_back():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        at = box.clock.now()
        box.clock.advance(30)
        box.write(row_id, **{RESOLUTION: "a person was here, later than the event"})
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "by us"), at=at))
        assert isinstance(verdict, Delivered)
        assert verdict.winner is None, "no change of a person was lost"
        assert RESOLUTION not in verdict.effects[0].fields


async def test_a_rule_on_the_record_itself_yields_to_a_newer_edit_whatever_the_policy():
    async with sandboxed(conflict="pagerduty") as box:
        row_id, seen = await prepared(box, later=0)
        at = seen.modified_at
        box.clock.advance(30)
        box.write(row_id, **{SHORT: "newer"})
        now = await box.read(row_id)
        more = {"event_source": Side.SALESFORCE, "event_record": seen.fields}
        verdict = await box.deliver(task(row_id, now, put(SHORT, "rule"), at=at, **more))
        assert isinstance(verdict, Skipped)
        verdict = await box.deliver(task(row_id, now, put(FOLLOW_UP, "false"), at=at, **more))
        assert verdict == Skipped(f"{FOLLOW_UP} already has this value")


class EditsBeforeWrites:
    """A client that lets a person edit after each of its reads."""

    def __init__(self, box, row_id, times):
        self.box, self.row_id, self.times = box, row_id, times

    def install(self):
        client = self.box.line.client
        original = client.update_many

        async def update_many(*args, **kwargs):
            if self.times > 0:
                self.times -= 1
                self.box.clock.advance(5)
                self.box.write(self.row_id, **{SHORT: f"edit {self.times}"})
            return await original(*args, **kwargs)

        client.update_many = update_many


@pytest.mark.parametrize(("times", "kind"), [(1, Delivered), (2, Delivered), (9, RetryLater)])
async def test_an_edit_between_read_and_write_is_judged_again(times, kind):
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        EditsBeforeWrites(box, row_id, times).install()
        verdict = await box.deliver(
            task(row_id, snapshot, find(STATUS, Name="RESOLVED"), at=box.clock.now())
        )
        assert isinstance(verdict, kind)
        assert sent(box).count("update") == min(times + 1, 3)


async def test_an_edit_of_the_same_field_in_between_is_kept():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        EditsBeforeWrites(box, row_id, 1).install()
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "by us"), at=box.clock.now()))
        assert isinstance(verdict, Skipped)
        assert box.world.row(INCIDENT, row_id)[SHORT] == "edit 0"


async def test_a_closed_incident_says_what_to_do():
    async with sandboxed() as box:
        closed = box.world.find_id("BMCServiceDesk__Status__c", Name="CLOSED")
        row_id, _ = await prepared(box)
        box.write(row_id, **{STATUS: closed})
        snapshot = await box.read(row_id)
        box.clock.advance(5)
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now()))
        assert isinstance(verdict, Rejected)
        assert "This incident is closed" in verdict.reason
        assert "reopen it" in verdict.reason


async def test_a_locked_row_is_tried_again_later():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.world.knobs.lock_errors = 1
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert isinstance(await box.deliver(one), RetryLater)
        assert isinstance(await box.deliver(one), Delivered)


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER])
async def test_a_lost_answer_is_unknown_and_found_done_the_next_time(kind):
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.faults.add(Fault(kind, method="PATCH"))
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert isinstance(await box.deliver(one), Unknown)
        again = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now(), is_uncertain=True)
        verdict = await box.deliver(again)
        assert isinstance(verdict, Delivered)
        assert verdict.effects[0].fields[SHORT] == "x"


async def test_writes_sent_together_are_all_read_back_where_the_org_answers_in_small_batches():
    async with sandboxed() as box:
        tasks = []
        for number in range(3):
            row_id, snapshot = await prepared(box)
            wanted = find(STATUS, Name="RESOLVED")
            at = box.clock.now()
            tasks.append(task(row_id, snapshot, wanted, at=at, key=f"key {number}"))
        box.world.knobs.batch_size = 1
        for (verdict,) in await box.handlers[DO].deliver_batch(tasks):
            assert isinstance(verdict, Delivered)
            assert [effect.is_followed for effect in verdict.effects] == [True]


async def test_what_followed_from_a_write_that_cannot_be_read_back_is_left_to_the_next_poll():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.world.troubles.add(Trouble("query_timeout", "query", INCIDENT))
        verdict = await box.deliver(task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now()))
        assert isinstance(verdict, Delivered)
        (effect,) = verdict.effects
        assert (effect.fields, effect.is_followed) == ({SHORT: "x"}, False)
        assert box.world.row(INCIDENT, row_id)[SHORT] == "x"


async def test_a_write_of_its_own_that_cannot_be_read_back_is_looked_at_again():
    """Its effects, such as the state, must be known before a poll shows them."""
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        fails = Fault(FaultKind.ERROR_BEFORE, method="GET")
        after(box.faults, "PATCH", INCIDENT, lambda: box.faults.add(fails))
        one = task(row_id, snapshot, put(SHORT, MARKED), at=box.clock.now())
        assert isinstance(await box.deliver(one), Unknown)
        again = task(row_id, snapshot, put(SHORT, MARKED), at=box.clock.now(), is_uncertain=True)
        verdict = await box.deliver(again)
        assert isinstance(verdict, Delivered)
        assert verdict.effects[0].fields[SHORT] == MARKED


async def test_deleted_and_vanished_records():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.world.delete(INCIDENT, row_id)
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        assert isinstance(await box.deliver(one), Skipped)
        box.world.purge(INCIDENT, row_id)
        verdict = await box.deliver(one)
        assert isinstance(verdict, Rejected)
        assert "remove the link" in verdict.reason
        nothing = make_task(DO, put(SHORT, "x"))
        assert isinstance(await box.deliver(nothing), Skipped)
        assert await box.handlers[DO].expectations(nothing) == ()


async def test_refused_credentials_and_quota_hold_the_whole_side():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        box.world.set_remaining_calls(0)
        assert isinstance(await box.deliver(one), HaltSide)


async def test_a_rule_of_the_customer_is_shown_in_its_own_words():
    async with sandboxed() as box:
        row_id, snapshot = await prepared(box)
        box.world.add_rule(INCIDENT, lambda _draft, _tx: "Resolution is required")
        one = task(row_id, snapshot, put(SHORT, "x"), at=box.clock.now())
        verdict = await box.deliver(one)
        assert isinstance(verdict, Rejected)
        assert "Resolution is required" in verdict.reason
