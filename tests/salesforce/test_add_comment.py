from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.parts import split_text
from pagerforce.model.verdict import Delivered, Rejected, RetryLater, Skipped, Unknown
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.kit import HISTORY, INCIDENT, NOTE, START, STATUS, make_task, sandboxed

DO = "salesforce.add_comment"


def saying(row_id, text, **more):
    return make_task(DO, {"text": text}, record_id=row_id, **more)


def bodies(box, row_id=None):
    return [
        row[NOTE]
        for row in box.world.rows(HISTORY)
        if row_id in (None, row["BMCServiceDesk__FKIncident__c"])
    ]


async def test_a_comment_is_made_as_configured():
    async with sandboxed() as box:
        row_id = box.incident()
        verdict = await box.deliver(saying(row_id, '[PagerDuty - Jane] it\'s "down"\nagain'))
        assert isinstance(verdict, Delivered)
        (effect,) = verdict.effects
        row = box.world.row(HISTORY, effect.id)
        assert effect.parent_id == row_id
        assert row[NOTE] == '[PagerDuty - Jane] it\'s "down"\nagain'
        notes = box.world.find_id("BMCServiceDesk__Action__c", Name="Notes")
        assert row["BMCServiceDesk__FKAction__c"] == notes


async def test_the_expectation_is_the_text():
    async with sandboxed() as box:
        row_id = box.incident()
        (expected,) = await box.handlers[DO].expectations(saying(row_id, "hello"))
        assert (expected.parent_id, expected.body) == (row_id, "hello")
        assert bodies(box) == []


async def test_a_long_comment_is_written_in_numbered_parts():
    async with sandboxed() as box:
        case = box.world.insert("Case", {"Subject": "x"})
        text = "word " * 1700  # 8,500 characters, and a CaseComment takes 4,000
        task = saying(case, text, object="Case")
        expected = await box.handlers[DO].expectations(task)
        verdict = await box.deliver(task)
        rows = [row["CommentBody"] for row in box.world.rows("CaseComment")]
        assert [body[:6] for body in rows] == ["(1/3) ", "(2/3) ", "(3/3) "]
        assert all(len(body) <= 4000 for body in rows)
        assert len(verdict.effects) == 3
        assert [e.body for e in expected] == list(split_text(text, 4000))
        assert "".join(body[6:] for body in rows).split() == text.split()


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.DROP_AFTER])
async def test_a_lost_answer_makes_no_second_comment(kind):
    async with sandboxed() as box:
        row_id = box.incident()
        box.faults.add(Fault(kind, method="POST", path=HISTORY))
        assert isinstance(await box.deliver(saying(row_id, "once\r\n")), Unknown)
        verdict = await box.deliver(saying(row_id, "once\r\n", is_uncertain=True))
        assert isinstance(verdict, Delivered)
        assert len(verdict.effects) == 1
        assert len(bodies(box)) == 1


async def test_a_lost_request_is_sent_again():
    async with sandboxed() as box:
        row_id = box.incident()
        box.faults.add(Fault(FaultKind.DROP_BEFORE, method="POST", path=HISTORY))
        assert isinstance(await box.deliver(saying(row_id, "once")), Unknown)
        assert bodies(box) == []
        assert isinstance(await box.deliver(saying(row_id, "once", is_uncertain=True)), Delivered)
        assert bodies(box) == ["once"]


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.ERROR_BEFORE])
async def test_only_the_missing_parts_are_made_after_an_interruption(kind):
    async with sandboxed() as box:
        case = box.world.insert("Case", {"Subject": "x"})
        text = "word " * 1700
        original, calls = box.line.client.create, []

        async def create(*args, **kwargs):
            calls.append(args)
            if len(calls) == 2:
                box.faults.add(Fault(kind, method="POST", path="CaseComment"))
            return await original(*args, **kwargs)

        box.line.client.create = create
        assert isinstance(await box.deliver(saying(case, text, object="Case")), Unknown)
        again = saying(case, text, object="Case", is_uncertain=True)
        verdict = await box.deliver(again)
        assert len(verdict.effects) == 3
        rows = sorted(row["CommentBody"][:6] for row in box.world.rows("CaseComment"))
        assert rows == ["(1/3) ", "(2/3) ", "(3/3) "]


async def test_a_lock_after_the_first_part_is_searched_for_before_the_next_part():
    async with sandboxed() as box:
        case = box.world.insert("Case", {"Subject": "x"})
        original, calls = box.line.client.create, []

        async def create(*args, **kwargs):
            calls.append(args)
            box.world.knobs.lock_errors = 1 if len(calls) == 2 else 0
            return await original(*args, **kwargs)

        box.line.client.create = create
        verdict = await box.deliver(saying(case, "word " * 1700, object="Case"))
        assert isinstance(verdict, Unknown)
        assert "1 of 3" in verdict.reason


async def test_the_same_text_of_another_action_is_not_mistaken_for_this_one():
    async with sandboxed() as box:
        row_id = box.incident()
        first = await box.deliver(saying(row_id, "same"))
        known = frozenset(effect.id for effect in first.effects)
        again = await box.deliver(saying(row_id, "same", is_uncertain=True, known_ids=known))
        assert again.effects[0].id not in known
        assert bodies(box) == ["same", "same"]


async def test_the_search_ignores_others_other_records_and_old_comments():
    async with sandboxed() as box:
        row_id, other = box.incident(), box.incident()
        await box.deliver(saying(other, "text"))
        await box.deliver(saying(row_id, "text"))
        box.clock.advance(7200)
        notes = box.world.find_id("BMCServiceDesk__Action__c", Name="Notes")
        values = {"BMCServiceDesk__FKIncident__c": row_id, "BMCServiceDesk__FKAction__c": notes}
        box.world.insert(HISTORY, {**values, NOTE: "text"})
        at = START + timedelta(hours=2)
        verdict = await box.deliver(saying(row_id, "text", is_uncertain=True, event_at=at))
        assert isinstance(verdict, Delivered)
        assert len(bodies(box, row_id)) == 3


async def test_a_closed_incident_takes_no_comment_and_says_why():
    async with sandboxed() as box:
        closed = box.world.find_id("BMCServiceDesk__Status__c", Name="CLOSED")
        row_id = box.incident()
        box.write(row_id, **{STATUS: closed})
        verdict = await box.deliver(saying(row_id, "x"))
        assert isinstance(verdict, Rejected)
        assert "closed" in verdict.reason
        assert "failed retry" in verdict.reason


async def test_a_locked_parent_is_waited_for():
    async with sandboxed() as box:
        row_id = box.incident()
        box.world.knobs.lock_errors = 1
        assert isinstance(await box.deliver(saying(row_id, "x")), RetryLater)
        assert isinstance(await box.deliver(saying(row_id, "x")), Delivered)
        assert bodies(box) == ["x"]


async def test_an_unusable_comment_is_rejected():
    async with sandboxed() as box:
        row_id = box.incident()
        assert isinstance(await box.deliver(saying(row_id, " \n")), Rejected)
        nowhere = saying(row_id, "x", object="Account")
        assert isinstance(await box.deliver(nowhere), Rejected)
        assert await box.handlers[DO].expectations(nowhere) == ()
        assert isinstance(await box.deliver(saying(None, "x")), Skipped)
        box.world.delete(INCIDENT, row_id)
        assert isinstance(await box.deliver(saying(row_id, "x")), Rejected)


# Splitting alone.


def units(text):
    return len(text.encode("utf-16-le")) // 2


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=600), st.integers(16, 90)
)
def test_parts_are_numbered_fit_and_lose_nothing(text, limit):
    parts = split_text(text, limit)
    assert all(units(part) <= limit for part in parts)
    if len(parts) == 1:
        assert parts == (text,)
    else:
        prefixes = [f"({n}/{len(parts)}) " for n in range(1, len(parts) + 1)]
        assert all(part.startswith(p) for part, p in zip(parts, prefixes, strict=True))
        joined = "".join(part[len(p) :] for part, p in zip(parts, prefixes, strict=True))
        assert joined == text


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=9), min_size=40, max_size=90))
def test_words_are_not_cut_and_blanks_do_not_end_a_part(words):
    text = " ".join(words)
    for part in split_text(text, 60)[:-1]:
        assert not part[-1].isspace()
        assert part.split()[-1] in words


def test_a_field_without_a_known_length_takes_everything():
    assert split_text("x" * 10_000, 0) == ("x" * 10_000,)


def test_a_field_too_short_for_parts_is_an_error():
    with pytest.raises(ValueError, match="too short"):
        split_text("x" * 10_000, 8)
