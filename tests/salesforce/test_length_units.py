"""Comments are measured in the unit of their field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagerforce.model.action import Tried
from pagerforce.model.lengths import Unit, cut
from pagerforce.model.parts import halved, is_piece, split_text
from pagerforce.model.verdict import Delivered, Rejected, Unknown
from pagerforce.sandbox.faults import Fault, FaultKind
from salesforce.automation import byte_limit, encoded, refusing
from salesforce.kit import HISTORY, NOTE, make_task, sandboxed

DO = "salesforce.add_comment"


def saying(row_id, text, **more):
    return make_task(DO, {"text": text}, record_id=row_id, **more)


def said(box, object_name="CaseComment", body="CommentBody"):
    return [row[body] for row in box.world.rows(object_name)]


def joined(parts):
    return "".join(part.partition(") ")[2] for part in parts)


@pytest.mark.parametrize(
    "text",
    ["障害が発生しました。" * 200, "& it's <down> " * 300, "Ärger über Öl " * 260, "x" * 4000],
)
async def test_a_case_comment_is_split_by_the_bytes_that_the_org_counts(text):
    async with sandboxed() as box:
        box.world.dml.rules["CaseComment"] = [byte_limit("CommentBody", 4000)]
        case = box.world.insert("Case", {"Subject": "x"})
        verdict = await box.deliver(saying(case, text, object="Case"))
        assert isinstance(verdict, Delivered), verdict
        parts = said(box)
        assert all(len(encoded(part).encode()) <= 4000 for part in parts)
        assert parts == [text] or joined(parts) == text.rstrip() or joined(parts) == text
        assert "create" not in [x for x, code in box.line.observer.requests if code == "400"]


async def test_what_the_org_still_finds_too_long_is_split_smaller():
    async with sandboxed() as box:
        box.world.dml.rules[HISTORY] = [byte_limit(NOTE, 1000)]  # describe does not show it
        text = "".join(f"word{number} " for number in range(300)).strip()
        verdict = await box.deliver(saying(box.incident(), text))
        assert isinstance(verdict, Delivered), verdict
        parts = said(box, HISTORY, NOTE)
        assert joined(parts) == text
        assert len(verdict.effects) == len(parts) > 2


async def test_a_field_that_accepts_no_part_is_abandoned():
    async with sandboxed() as box:
        box.world.dml.rules[HISTORY] = [refusing("STRING_TOO_LONG", lambda draft: True, NOTE)]
        verdict = await box.deliver(saying(box.incident(), "word " * 300))
        assert isinstance(verdict, Rejected)
        assert [x for x, _ in box.line.observer.requests].count("create") <= 5
        other = [refusing("STRING_TOO_LONG", lambda draft: True, "Name")]
        box.world.dml.rules[HISTORY] = other
        assert isinstance(await box.deliver(saying(box.incident(), "word " * 300)), Rejected)


@pytest.mark.parametrize("lost_create", [2, 3, 4])
async def test_smaller_parts_are_not_doubled_after_a_lost_answer(lost_create):
    async with sandboxed() as box:
        box.world.dml.rules[HISTORY] = [byte_limit(NOTE, 1000)]
        text = "".join(f"word{number} " for number in range(300)).strip()
        original, calls = box.line.client.create, []

        async def create(*args, **kwargs):
            calls.append(args)
            if len(calls) == lost_create:
                box.faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path=HISTORY))
            return await original(*args, **kwargs)

        box.line.client.create = create
        task = saying(box.incident(), text)
        at = box.clock.now()
        verdict = await box.deliver(task)
        if not isinstance(verdict, Unknown):  # the lost one is refused because of its length
            assert isinstance(verdict, Delivered)
            pytest.fail(f"{lost_create} was not lost")
        box.clock.advance(30)
        verdict = await box.deliver(replace(task, is_uncertain=True, tried=(Tried(at),)))
        assert isinstance(verdict, Delivered), verdict
        parts = said(box, HISTORY, NOTE)
        assert joined(parts) == text
        assert len(verdict.effects) == len(parts)


LETTERS = st.sampled_from(
    [
        "a",
        " ",
        "&",
        "é",
        "e\u0301",
        "障",
        "👩\u200d👧",
        "👍🏽",
        "🇩🇪",
        "\r\n",
        "'",
        "각",
        "\u1112\u1161\u11ab",
    ]
)


@given(st.lists(LETTERS, min_size=1, max_size=300).map("".join), st.sampled_from(Unit))
def test_parts_fit_in_every_unit_lose_nothing_and_cut_no_character(text, unit):
    parts = split_text(text, 60, unit)
    assert all(unit.of(part) <= 60 for part in parts)
    if len(parts) > 1:
        assert joined(parts) == text
        for part in parts[1:]:
            first = part.partition(") ")[2][:1]
            assert first not in ("\u0301", "\u200d", "🏽", "\n", "\u1161", "\u11ab")
    assert unit.of(cut(text, 20, unit=unit)) <= 20


@given(st.lists(LETTERS, min_size=1, max_size=100).map("".join))
def test_halves_are_pieces_and_lose_nothing(text):
    parts = halved(text)
    if len(parts) == 2:
        assert joined(parts) == text
        again = halved(parts[1])
        assert "".join(part.partition(") ")[2] for part in again) == parts[1].partition(") ")[2]
        assert all(part.startswith("(2/2) ") for part in again)
    else:
        assert parts == (text,)


def test_a_piece_is_recognised_by_its_number_and_text():
    text = "We exchange the router in hall two"
    assert is_piece("(1/2) We exchange the", text)
    assert is_piece("FLOW: (2/2) router in hall two", text)
    assert not is_piece("We exchange the", text)
    assert not is_piece("(1/2) Something else", text)
