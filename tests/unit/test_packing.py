from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from pagerforce.model.ids import Side
from pagerforce.pipeline.claim import Claimer
from pagerforce.pipeline.packing import Carriage, Packing

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FIELD, NOTE = "salesforce.set_field", "pagerduty.add_note"
BURST = timedelta(seconds=5)
SIZES = {FIELD: Carriage(5, BURST)}


@dataclass(frozen=True)
class Item:
    do: str = FIELD
    waits_since: datetime = NOW
    goes_alone: bool = False


def pack(*items, slots=4, full_at=None, now=NOW):
    packing = Packing(slots, SIZES, {} if full_at is None else full_at)
    taken = 0
    for item in items:
        if packing.has_room(item.do):
            packing.add(item)
            taken += 1
    return [len(batch) for batch in packing.batches(now)], taken


def test_few_go_out_each_by_itself():
    assert pack(*[Item()] * 4) == ([1, 1, 1, 1], 4)


def test_more_than_there_are_slots_go_out_together():
    assert pack(*[Item()] * 10) == ([5, 5], 10)


def test_no_more_is_taken_than_can_go():
    sizes, taken = pack(*[Item()] * 30, *[Item(NOTE)] * 3)
    assert (sizes, taken) == ([5, 5, 5, 5], 20)
    assert pack(*[Item(NOTE)] * 9) == ([1, 1, 1, 1], 4)


def test_kinds_that_no_request_can_carry_together_share_the_slots():
    assert pack(*[Item(NOTE)] * 2, *[Item()] * 12) == ([1, 1, 5, 5], 12)


@pytest.mark.parametrize(("number", "sizes"), [(7, [5]), (5, [5]), (10, [5, 5])])
def test_in_a_burst_the_rest_waits_for_more(number, sizes):
    assert pack(*[Item()] * number)[0] == sizes


def test_the_rest_waits_no_longer_than_the_burst():
    late = Item(waits_since=NOW - BURST)
    assert pack(*[Item()] * 5, late, Item())[0] == [5, 2]
    full_at = {FIELD: NOW}
    assert pack(Item(), Item(), full_at=full_at)[0] == []
    assert pack(Item(), Item(), full_at=full_at, now=NOW + BURST)[0] == [2]
    assert pack(late, Item(), full_at=full_at)[0] == [2]


def test_while_much_is_read_few_wait_for_more_but_not_for_long():
    packing = Packing(4, SIZES, {}, is_crowded=True)
    packing.add(Item())
    assert packing.batches(NOW) == []
    packing.add(Item(waits_since=NOW - BURST))
    assert [len(batch) for batch in packing.batches(NOW)] == [2]


def test_each_kind_has_a_patience_of_its_own():
    patient = Carriage(5, 2 * BURST)
    late = Item(waits_since=NOW - BURST)
    for carriage, sizes in ((SIZES[FIELD], [1]), (patient, [])):
        packing = Packing(4, {FIELD: carriage}, {FIELD: NOW})
        packing.add(late)
        assert [len(batch) for batch in packing.batches(NOW)] == sizes


def test_what_would_wait_for_more_is_known_beforehand():
    crowded, calm = (Packing(4, SIZES, {}, is_crowded=is_crowded) for is_crowded in (True, False))
    assert crowded.keeps_back(FIELD, [NOW] * 4, NOW)
    assert not crowded.keeps_back(FIELD, [NOW] * 5, NOW)
    assert not crowded.keeps_back(FIELD, [NOW, NOW - BURST], NOW)
    assert not crowded.keeps_back(NOTE, [NOW], NOW)
    assert not calm.keeps_back(FIELD, [NOW] * 4, NOW)


def test_one_that_failed_before_goes_by_itself():
    bad = Item(goes_alone=True)
    assert pack(bad, *[Item()] * 10)[0] == [1, 5, 5]


def test_a_full_batch_is_remembered():
    full_at = {}
    pack(*[Item()] * 5, full_at=full_at)
    assert full_at == {FIELD: NOW}
    pack(*[Item()] * 3, full_at=full_at, now=NOW + timedelta(minutes=1))
    assert full_at == {FIELD: NOW}


def test_a_large_batch_goes_at_once_and_makes_the_next_one_wait():
    full_at = {}
    packing = Packing(4, {FIELD: Carriage(250, BURST)}, full_at)
    for _ in range(25):
        packing.add(Item())
    assert [len(batch) for batch in packing.batches(NOW)] == [25]
    assert full_at == {FIELD: NOW}
    packing = Packing(4, {FIELD: Carriage(250, BURST)}, full_at)
    for _ in range(30):
        packing.add(Item())
    assert packing.batches(NOW) == []
    assert [len(batch) for batch in packing.batches(NOW + BURST)] == [30]


def test_once_the_backlog_is_read_nothing_waits_for_more_any_longer():
    claimer = Claimer({}, lambda: None, None, None)
    claimer.expect_more(Side.PAGERDUTY, is_more=True)
    claimer._full_at[FIELD] = NOW
    claimer.expect_more(Side.SALESFORCE, is_more=False)
    assert claimer._full_at == {FIELD: NOW}, "that side was not being read"
    claimer.expect_more(Side.PAGERDUTY, is_more=False)
    assert claimer._full_at == {}
