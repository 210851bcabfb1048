"""A false belief is named, and beliefs that depend on it are not tried."""

import anyio
import pytest

from pagerforce.sandbox.pagerduty.edits import Both
from process import command, open_stage
from verify.kit import TRIED, asked, is_closed, statuses

# The beliefs that are not tried after a false one: those that depend on it.
HIDES = {
    "pagerduty.acknowledge-assigns-to-writer": {"pagerduty.service-assigns-beside-acknowledge"},
    "pagerduty.service-assigns-beside-acknowledge": {"pagerduty.service-assign-keeps-status"},
    "pagerduty.service-assign-keeps-status": {
        "pagerduty.reassign-ends-acknowledgement",
        "pagerduty.escalate-ends-acknowledgement",
        "pagerduty.delegate-ends-acknowledgement",
        "pagerduty.acknowledge-reopens",
        "pagerduty.reopen-leaves-no-entry",
    },
    "pagerduty.reassign-ends-acknowledgement": {
        "pagerduty.acknowledge-with-assignments-keeps-both"
    },
    "pagerduty.annotate-entry-bears-text": {"pagerduty.newest-first-within-second"},
    "pagerduty.acknowledge-reopens": {"pagerduty.reopen-leaves-no-entry"},
    "salesforce.deleted-rows-in-queryAll": {"salesforce.delete-moves-system-modstamp"},
}


async def test_each_belief_made_false_is_named_and_no_other(folder, private_key):
    """All at once, each with a sandbox of its own: most of the time is waiting."""
    problems = {}

    async def attempt(name):
        place = folder / name
        place.mkdir()
        (place / "salesforce.key").write_bytes(private_key)
        (place / "salesforce.key").chmod(0o600)
        async with asked(place) as (desk, ask):
            state = desk.pagerduty.state if name.startswith("pagerduty") else desk.salesforce
            state.knobs.false_beliefs.add(name)
            found = statuses(
                await ask(urgency="high", policy="PEPDBA1", status_update=True, wait_seconds=3)
            )
            differs = {key for key, status in found.items() if status == "differs"}
            lost = {key for key in TRIED if found[key] == "not_tried"}
            if differs != {name} or not lost <= HIDES.get(name, set()) or not is_closed(desk):
                problems[name] = differs, lost, is_closed(desk)

    async def some(names):
        for name in names:
            await attempt(name)

    async with anyio.create_task_group() as group:
        for start in range(12):
            group.start_soon(some, TRIED[start::12])
    assert problems == {}


@pytest.mark.parametrize(
    "name", ["pagerduty.escalate-ends-acknowledgement", "salesforce.if-unmodified-since-guards"]
)
async def test_the_command_names_what_differs_and_ends_with_1(folder, name):
    async with open_stage(folder) as stage:
        desk = stage.desk
        state = desk.pagerduty.state if name.startswith("pagerduty") else desk.salesforce
        state.knobs.false_beliefs.add(name)
        code, out, _ = await command(
            "verify", "PNET001", "--yes", "--report", str(folder / "r"), config=desk.config
        )
        assert code == 1
        assert [line.split()[1] for line in out.splitlines() if line.startswith("DIFFERS")] == [
            name
        ]
        assert "1 differ" in out
        assert is_closed(desk)


@pytest.mark.parametrize(
    ("both", "said"),
    [
        (Both.IGNORES, "acknowledged, assigned to PINTEG1"),
        (Both.ENDS, "triggered, assigned to PJANE01"),
        (Both.REFUSES, "HTTP 400, code 2001"),
    ],
)
async def test_what_comes_of_an_acknowledge_with_assignments_is_reported(folder, both, said):
    async with asked(folder) as (desk, ask):
        desk.pagerduty.state.knobs.acknowledge_with_assignments = both.value
        found = (await ask(urgency="high", wait_seconds=1))["beliefs"]
        (item,) = [one for one in found if one["status"] == "differs"]
        assert item["belief"] == "pagerduty.acknowledge-with-assignments-keeps-both"
        assert (item["expected"], item["seen"]) == ("acknowledged, assigned to PJANE01", said)
        assert is_closed(desk)


async def test_where_the_plan_has_no_priorities_that_is_not_tried(folder):
    async with asked(folder) as (desk, ask):
        desk.pagerduty.state.plan.priorities = False
        found = await ask(wait_seconds=1)
        (item,) = [x for x in found["beliefs"] if x["belief"] == "pagerduty.priority-change-entry"]
        assert item["status"] == "not_tried"
        assert "402" in item["reason"]


async def test_where_the_policy_names_nobody_else_reassigning_is_not_tried(folder):
    async with asked(folder) as (desk, ask):
        desk.pagerduty.state.directory.policies["PEPNET1"].levels[:] = [("PINTEG1",)]
        found = {item["belief"]: item for item in (await ask(wait_seconds=1))["beliefs"]}
        for name in (
            "reassign-ends-acknowledgement",
            "acknowledge-with-assignments-keeps-both",
            "one-entry-per-target",
        ):
            assert found[f"pagerduty.{name}"]["status"] == "not_tried"
            assert "nobody else" in found[f"pagerduty.{name}"]["reason"]
        assert is_closed(desk)
