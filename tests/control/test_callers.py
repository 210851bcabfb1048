"""Callers are authorised in time, however slow the user database is."""

import threading

import anyio
import pytest

from pagerforce.service.control import callers as module
from pagerforce.service.control.callers import Callers
from pagerforce.service.control.peers import Caller, Peer
from pagerforce.service.control.roles import Role
from pagerforce.service.inbound.gate import Rank

GIDS = {Role.ADMIN: 901, Role.USER: 904}


@pytest.fixture
def callers(monkeypatch):
    monkeypatch.setattr(module, "role_gids", lambda: GIDS)
    monkeypatch.setattr(module, "_LOOKUP_SECONDS", 0.2)
    return Callers(service_uid=700)


async def test_ranks_come_from_the_kernel_at_once(callers):
    await callers.learn_groups()
    assert callers.rank_of(Peer(1, 0, 0)) is Rank.ROOT
    assert callers.rank_of(Peer(1, 700, 700)) is Rank.ROOT
    assert callers.rank_of(Peer(1, 5, 5, frozenset({901}))) is Rank.ADMINISTRATOR
    assert callers.rank_of(Peer(1, 5, 904)) is Rank.ROLE
    assert callers.rank_of(Peer(1, 5, 5)) is Rank.STRANGER


async def test_a_user_database_that_hangs_holds_few_threads_and_keeps_nobody_from_being_authorised(
    callers, monkeypatch
):
    await callers.learn_groups()
    gate, inside = threading.Event(), []

    def hang(peer, service_uid):
        inside.append(peer)
        gate.wait(30)
        return Caller(peer.uid, "late", frozenset())

    monkeypatch.setattr(module, "find_caller", hang)
    try:
        async with anyio.create_task_group() as group:
            for uid in range(50):
                group.start_soon(callers.find, Peer(1, 2000 + uid, 2000))
            root = await callers.find(Peer(1, 0, 0))
            user = await callers.find(Peer(1, 5, 904))
        assert root.roles == {Role.ADMIN}
        assert (user.user, user.roles) == ("uid 5", {Role.USER})
        assert len([peer for peer in inside if peer.uid >= 2000]) <= 4
        assert len(inside) <= 8
    finally:
        gate.set()
    await anyio.sleep(0.3)
    monkeypatch.setattr(module, "find_caller", lambda p, _: Caller(p.uid, "eve", frozenset()))
    assert (await callers.find(Peer(1, 4999, 5))).user == "eve", "the turns were returned"


async def test_a_stranger_is_asked_for_once_and_a_role_is_seen_soon(callers, monkeypatch):
    asked = []

    def find(peer, service_uid):
        asked.append(peer.uid)
        roles = frozenset({Role.USER}) if peer.uid == 6 else frozenset()
        return Caller(peer.uid, "x", roles)

    monkeypatch.setattr(module, "find_caller", find)
    for pid in range(20):
        await callers.find(Peer(pid, 5, 5))
        await callers.find(Peer(pid, 6, 6))
    assert asked.count(5) == 1
    assert asked.count(6) == 20
    assert callers.rank_of(Peer(1, 6, 6)) is Rank.ROLE, "by the user database only"
    for uid in range(1000, 2000):
        await callers.find(Peer(1, uid, uid))
    assert len(callers._strangers) <= 256
    monkeypatch.setattr(module, "_STRANGER_SECONDS", 0.0)
    await callers.find(Peer(1, 5, 5))
    assert asked.count(5) == 2
