"""Searches for names: few requests, no wrong namesake, no stale "missing"."""

import anyio
import pytest

from pagerforce.errors import RefusedError, TransientError
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty import USER_KEY
from pagerforce.sandbox.pagerduty.directory import Service, User, Workflow


async def test_a_user_is_found_by_email_whatever_its_case(rig):
    found = await rig.directory.find_user_by_email(" Jane.DOE@example.com ")
    assert (found.id, found.name) == ("PJANE01", "Jane Doe")


async def test_a_similar_email_is_nobody(rig):
    rig.world.state.directory.users["PX"] = User("PX", "xjane.doe@example.com.org", "X")
    assert await rig.directory.find_user_by_email("jane.doe@example.co") is None


async def test_users_beyond_the_first_page_are_found(rig):
    for number in range(250):
        user = User(f"PU{number:05}", f"team.{number}@example.com", f"Team {number}")
        rig.world.state.directory.users[user.id] = user
    found = await rig.directory.find_user_by_email("team.249@example.com")
    assert found.id == "PU00249"


async def test_one_request_serves_all_who_ask_at_once_and_later(rig):
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(rig.directory.find_service, "Network")
    await rig.directory.find_service("Network")
    assert rig.observer.count("services.list") == 1


async def test_what_was_found_is_cached_only_for_a_while(rig):
    await rig.directory.find_user("PJANE01")
    rig.world.state.directory.users["PJANE01"] = User("PJANE01", "jane@example.com", "Jane")
    assert (await rig.directory.find_user("PJANE01")).email == "jane.doe@example.com"
    rig.clock.advance(601)
    assert (await rig.directory.find_user("PJANE01")).email == "jane@example.com"


async def test_what_is_missing_is_asked_for_again_soon(rig):
    assert await rig.directory.find_service("Storage") is None
    assert await rig.directory.find_service("Storage") is None
    asked = rig.observer.count("services.list")
    rig.world.state.directory.services["PSTO001"] = Service("PSTO001", "Storage", "PEPNET1")
    rig.clock.advance(31)
    assert (await rig.directory.find_service("Storage")).id == "PSTO001"
    assert (asked, rig.observer.count("services.list")) == (1, 2)


async def test_a_failure_is_remembered_for_nobody(rig):
    rig.faults.add(Fault(FaultKind.ERROR_BEFORE, path="^/services"))
    with pytest.raises(TransientError):
        await rig.directory.find_service("Network")
    assert (await rig.directory.find_service("Network")).id == "PNET001"


@pytest.mark.parametrize(
    ("method", "by_id", "by_name"),
    [
        ("find_service", "PDBA001", "database"),
        ("find_escalation_policy", "PEPDBA1", "Database On Call"),
        ("find_workflow", "PWFLOW1", "BRIDGE CALL"),
        ("find_priority", "PPRIO02", "p2"),
    ],
)
async def test_things_are_found_by_id_and_by_name(rig, method, by_id, by_name):
    find = getattr(rig.directory, method)
    assert (await find(by_id)).id == by_id
    assert (await find(by_name)).id == by_id
    assert await find("nothing like it") is None
    assert await find("  ") is None


async def test_a_name_that_looks_like_an_id(rig):
    rig.world.state.directory.services["PDNS001"] = Service("PDNS001", "DNS", "PEPNET1")
    assert (await rig.directory.find_service("DNS")).id == "PDNS001"


async def test_the_exact_name_beats_another_case_and_namesakes_are_refused(rig):
    flows = rig.world.state.directory.workflows
    flows["PWFLOW2"] = Workflow("PWFLOW2", "bridge call", "")
    assert (await rig.directory.find_workflow("bridge call")).id == "PWFLOW2"
    with pytest.raises(RefusedError, match="PWFLOW1, PWFLOW2"):
        await rig.directory.find_workflow("BRIDGE CALL")


async def test_an_account_key_has_no_owner(rig):
    assert await rig.directory.find_key_owner() is None
    await rig.directory.find_key_owner()
    assert rig.observer.count("users.me") == 1


@pytest.mark.parametrize("api_key", [USER_KEY])
async def test_a_users_key_has_one(rig):
    assert (await rig.directory.find_key_owner()).id == "PJANE01"


EMAIL = "integration@example.com"


async def test_a_response_play_is_found_by_id_or_name(rig):
    for wanted in ("PPLAY01", "Major incident"):
        assert (await rig.directory.find_response_play(wanted, EMAIL)).id == "PPLAY01"
    assert await rig.directory.find_response_play("PPLAY02", EMAIL) is None
    assert await rig.directory.find_response_play("Minor", EMAIL) is None


async def test_response_plays_that_have_ended_are_refused_and_not_treated_as_missing(rig):
    rig.world.plan.response_plays = False
    for wanted in ("PPLAY01", "Major incident"):
        with pytest.raises(RefusedError):
            await rig.directory.find_response_play(wanted, EMAIL)
