"""Who may have a connection, which connection is closed first, and the limits."""

import pytest

from pagerforce.service.inbound.gate import Bounds, Gate, Phase, Rank
from pagerforce.service.inbound.room import share_room

SHARES = (0.25, 0.6, 0.8, 1.0)


def enter(gate, user=1, rank=Rank.STRANGER, now=0.0):
    place = gate.enter(user, rank, now)
    if place is not None:
        place.cut = lambda: cut.append(place)
    return place


cut = []


@pytest.fixture(autouse=True)
def nobody_cut():
    cut.clear()


def test_the_longest_idle_one_gives_way():
    gate = Gate(Bounds(4))
    first, *others = [enter(gate, now=float(i)) for i in range(4)]
    assert enter(gate, now=10.0) is not None
    assert cut == [first]
    assert first.is_cut
    assert len(gate) == 4
    gate.leave(first)  # it reports itself when its connection is closed
    assert len(gate) == 4
    assert others[0] in gate._places


def test_work_is_never_interrupted_and_new_connections_are_spared():
    gate = Gate(Bounds(4, settle_seconds=1.0))
    for place in [enter(gate) for _ in range(3)]:
        place.phase = Phase.WORKING
    fresh = enter(gate, now=9.5)
    assert not gate.has_room(Rank.STRANGER, 10.0)
    assert enter(gate, now=10.0) is None
    assert cut == []
    assert enter(gate, now=10.6) is not None
    assert cut == [fresh]


def test_who_only_waits_gives_way_before_who_is_still_reading():
    gate = Gate(Bounds(2))
    reading, waiting = enter(gate, now=0.0), enter(gate, now=1.0)
    reading.phase = Phase.DRAINING
    assert enter(gate, now=10.0)
    assert cut == [waiting]


def test_strangers_users_and_administrators_leave_places_to_those_above_them():
    gate = Gate(Bounds(20, SHARES, most_per_user=100))
    for rank, many in zip(Rank, (5, 12, 16, 20), strict=True):
        while (place := enter(gate, user=rank + 1, rank=rank)) is not None:
            place.phase = Phase.WORKING
        assert len(gate) == many, rank
    assert enter(gate, user=0, rank=Rank.ROOT) is None, "nobody waits"


def test_a_stranger_takes_no_place_of_anybody_else():
    gate = Gate(Bounds(20, SHARES))
    held = [enter(gate, user=9, rank=Rank.ROLE) for _ in range(12)]
    assert enter(gate, now=10.0) is None
    assert enter(gate, user=9, rank=Rank.ROLE, now=10.0) is not None
    assert cut == [held[0]]


def test_a_user_beyond_its_bound_loses_its_own_oldest():
    gate = Gate(Bounds(100, most_per_user=2))
    other = enter(gate, user=2, now=0.0)
    first = enter(gate, user=1, now=1.0)
    enter(gate, user=1, now=2.0)
    assert enter(gate, user=1, now=10.0) is not None
    assert cut == [first]
    assert other in gate._places
    for _ in range(10):
        assert enter(gate, user=0, rank=Rank.ROOT, now=10.0) is not None


def test_without_descriptors_all_that_do_no_work_are_given_up():
    gate = Gate(Bounds(10))
    working = enter(gate)
    working.phase = Phase.WORKING
    idle = [enter(gate) for _ in range(3)]
    gate.clear()
    assert cut == idle
    assert list(gate._places) == [working]


@pytest.mark.parametrize("files", [1, 16, 64, 128, 256, 512, 1024, 4096, 65536, 2**31])
def test_the_daemon_keeps_descriptors_for_its_own_work(files):
    room = share_room(files)
    assert 8 <= room.metrics <= 256
    assert 8 <= room.control <= 64
    if files >= 64:
        assert room.metrics + room.control <= files // 2 or files - 320 >= 160
