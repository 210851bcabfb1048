"""``test SERVICE``: from trigger to resolve, and resolved whatever happens."""

import anyio
import pytest

from control.kit import open_office
from pagerforce.errors import NotFoundError, PagerforceError
from rig import open_rig


async def run(office, daemon, **values):
    """The trial, while the daemon keeps running."""
    done = []

    async def ask():
        try:
            done.append(await office.ask("test", **values))
        except PagerforceError as error:
            done.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        with anyio.fail_after(60):
            while not done:
                await daemon.step(turns=1)
                await anyio.sleep(0.02)
    return done[0]


async def test_it_is_seen_evaluated_and_resolved(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        found = await run(office, daemon, service="Network")
        assert found["ok"] is True, found
        assert found["service"] == "PNET001"
        assert [step["ok"] for step in found["steps"]] == [True, True]
        rules = [(item["event"], item["rule"]) for item in found["rules"]]
        assert ("trigger", "Record for what monitoring found") in rules
        assert {action["outcome"] for action in found["actions"]} <= {"delivered", "skipped"}
        (incident,) = rig.incidents()
        assert incident["id"] == found["incident"]
        assert (incident["status"], incident["urgency"]) == ("resolved", "low")
        assert "test" in incident["title"]
        (entry,) = await office.audit()
        assert entry["command"] == "test"


async def test_it_is_resolved_even_if_it_is_not_seen_in_time(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        rig.pd.hide_new_entries(100_000)
        found = await run(office, daemon, service="PNET001", timeout_seconds=0.6)
        assert found["ok"] is False
        assert "not seen" in found["steps"][0]["problem"]
        assert [item["status"] for item in rig.incidents()] == ["resolved"]


async def test_an_unknown_service_is_reported_and_nothing_is_triggered(folder):
    async with open_rig(folder) as rig, rig.daemon() as daemon, open_office(daemon) as office:
        with pytest.raises(NotFoundError, match="PNOTHERE"):
            await office.ask("test", service="PNOTHERE")
        assert rig.incidents() == []


async def test_in_shadow_mode_there_is_no_test(folder):
    async with (
        open_rig(folder) as rig,
        rig.daemon(is_shadow=True) as daemon,
        open_office(daemon) as office,
    ):
        assert (await office.ask("status"))["mode"] == "shadow"
        with pytest.raises(PagerforceError, match="shadow"):
            await office.ask("test", service="PNET001")
        assert rig.incidents() == []
