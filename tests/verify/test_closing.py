"""However ``pagerforce verify`` ends, everything it created is closed."""

import json
import os
import signal
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from process import command, open_stage, until
from verify.kit import INCIDENT, SLOW, TEXT, asked, is_closed, rows, statuses


@asynccontextmanager
async def running(stage, *words):
    """``verify`` as a process of its own."""
    process = await anyio.open_process(
        [
            *(sys.executable, "-m", "pagerforce", "verify", "PNET001", "--yes", *words),
            *(
                "--report",
                str(stage.desk.folder / "report.json"),
                "--config",
                str(stage.desk.config),
            ),
        ],
        stdin=None,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )
    try:
        yield process
    except AssertionError as error:
        if process.returncode is None:
            process.kill()
        said = await process.stderr.receive() if process.stderr is not None else b""
        raise AssertionError(f"{error}: code {process.returncode}, {said.decode()}") from error
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


@pytest.mark.parametrize(
    ("kind", "side"),
    [
        (signal.SIGINT, "incident"),
        (signal.SIGTERM, "record"),
        (signal.SIGHUP, "incident"),
    ],
)
async def test_interrupted_it_closes_what_it_created(folder, kind, side):
    async with open_stage(folder) as stage:
        desk = stage.desk

        def is_there():
            if side == "record":
                return bool(rows(desk))
            return any(one["status"] != "resolved" for one in desk.pagerduty.incidents())

        if side == "incident":
            desk.pagerduty_faults.add(SLOW)
        async with running(stage) as process:
            await until(is_there, f"the test {side}")
            process.send_signal(kind)
            with anyio.fail_after(30):
                assert await process.wait() == 1
        assert is_closed(desk)
        assert not (folder / "report.json").exists()


async def test_killed_the_next_run_finds_and_closes_what_was_left(folder):
    async with open_stage(folder) as stage:
        desk = stage.desk
        other = desk.pagerduty.trigger("PNET001", "Core switch down")
        async with running(stage) as process:
            await until(lambda: bool(rows(desk)), "the test record")
            process.kill()
            await process.wait()
        (record,) = [row["Id"] for row in rows(desk)]
        (folder / "report.json").unlink()
        desk.pagerduty_faults.add(SLOW)
        async with running(stage) as process:
            await until(lambda: len(desk.pagerduty.incidents()) == 3, "another incident")
            process.kill()
            await process.wait()
        left = [x["id"] for x in desk.pagerduty.incidents() if x["status"] != "resolved"]
        left.remove(other["id"])
        code, out, err = await command(
            "verify",
            "PNET001",
            "--yes",
            "--json",
            "--report",
            str(folder / "r"),
            config=desk.config,
        )
        assert code == 0, err
        assert json.loads(out)["closed"] == [*left, record]
        still = [x["id"] for x in desk.pagerduty.incidents() if x["status"] != "resolved"]
        assert still == [other["id"]]  # nothing of another user
        assert rows(desk) == []


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER, FaultKind.MALFORMED])
async def test_an_incident_or_record_whose_answer_was_lost_is_closed_too(folder, kind):
    async with asked(folder) as (desk, ask):
        desk.pagerduty_faults.add(Fault(kind, method="POST", path="^/incidents$"))
        desk.salesforce_faults.add(Fault(kind, method="POST", path=f"{INCIDENT}$"))
        found = await ask(wait_seconds=1)
        assert len(desk.pagerduty.incidents()) <= 1
        assert is_closed(desk)
        assert found["left"] == []
        assert "ok" not in statuses(found).values()


async def test_trouble_half_way_leaves_beliefs_untried_and_nothing_open(folder):
    async with asked(folder) as (desk, ask):
        desk.pagerduty_faults.add(
            Fault(FaultKind.ERROR_BEFORE, count=2, method="PUT", path="^/incidents/")
        )
        found = await ask(wait_seconds=1)
        by_name = {item["belief"]: item for item in found["beliefs"]}
        assert "503" in by_name["pagerduty.acknowledge-assigns-to-writer"]["reason"]
        assert "differs" not in statuses(found).values()
        assert is_closed(desk)


async def test_what_cannot_be_closed_is_reported_with_its_id(folder):
    async with asked(folder) as (desk, ask):
        desk.salesforce.access.deny(INCIDENT, "delete")
        found = await ask(wait_seconds=1)
        (row,) = rows(desk)
        (line,) = found["left"]
        assert row["Id"] in line


async def test_a_daemon_that_is_asked_closes_what_it_made_when_the_caller_goes(folder):
    async with open_stage(folder) as stage, stage.daemon() as daemon:
        await daemon.ready()
        desk = stage.desk
        desk.pagerduty_faults.add(SLOW)
        async with running(stage) as process:
            await until(lambda: bool(desk.pagerduty.incidents()), "the test incident")
            process.kill()
            await process.wait()
        await until(lambda: is_closed(desk), "the end of the story", 30)


async def test_a_record_that_a_rule_makes_of_the_test_incident_is_not_deleted(folder):
    async with asked(folder) as (desk, ask):
        values = {TEXT: "[pagerforce verify] a copy", "BMCServiceDesk__contactType__c": "Event"}
        desk.salesforce.insert(INCIDENT, values, by="integration@example.com")
        assert (await ask(wait_seconds=1))["closed"] == []
        assert [row[TEXT] for row in desk.salesforce.rows(INCIDENT)] == [values[TEXT]]


async def test_a_daemon_that_is_stopped_closes_what_it_made(folder):
    async with open_stage(folder) as stage, stage.daemon() as daemon:
        await daemon.ready()
        desk = stage.desk
        async with running(stage) as process:
            await until(lambda: bool(rows(desk)), "the test record")
            assert await daemon.stop() < 12
            with anyio.fail_after(30):
                assert await process.wait() == 1
        assert rows(desk) == []


async def test_interrupted_while_an_incident_is_being_made_it_is_closed(folder):
    async with open_stage(folder) as stage:
        desk = stage.desk
        slow = Fault(FaultKind.LATENCY, method="POST", path="^/incidents$", seconds=1.0)
        desk.pagerduty_faults.add(slow)
        async with running(stage) as process:
            await until(lambda: not desk.pagerduty_faults.armed(), "the request to be on its way")
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(30):
                assert await process.wait() == 1
        await anyio.sleep(1.5)
        assert is_closed(desk), desk.pagerduty.incidents()
