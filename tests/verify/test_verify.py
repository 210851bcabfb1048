"""``verify`` by the real command line against the sandbox, and each belief made false once."""

import json
import os
import pty
import signal
import stat
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from pagerforce.errors import PagerforceError
from pagerforce.model.beliefs import BELIEFS
from pagerforce.sandbox.desk import open_desk
from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.sandbox.pagerduty.edits import Both
from pagerforce.service.clock import SystemClock
from pagerforce.service.control.desk import Desk, Home
from pagerforce.service.control.operations import OPERATIONS
from pagerforce.service.control.peers import Caller
from pagerforce.service.control.roles import Role
from process import command, open_stage, until

INCIDENT = "BMCServiceDesk__Incident__c"
TEXT = "BMCServiceDesk__shortDescription__c"
TRIED = [name for name, item in BELIEFS.items() if not item.untried]
# What a false belief keeps from being tried: what builds upon it.
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
EVERYTHING = ("--urgency", "high", "--status-update", "--policy", "PEPDBA1")
PEOPLE = ("Jane", "Sam", "example.com", "Network", "Database")


# The incident's story takes less than half a second here: time to look at it half-way.
SLOW = Fault(FaultKind.LATENCY, method="PUT", path="^/incidents/", seconds=2.0)


def statuses(found):
    return {item["belief"]: item["status"] for item in found["beliefs"]}


def rows(desk):
    """The test records; those that a daemon's rules make of the test incident are none."""
    found = desk.salesforce.rows(INCIDENT)
    return [row for row in found if str(row[TEXT]).startswith("[pagerforce verify: record]")]


def is_closed(desk):
    """Nothing open, nothing left."""
    incidents = desk.pagerduty.incidents()
    return all(one["status"] == "resolved" for one in incidents) and not rows(desk)


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


async def test_every_belief_is_tried_or_listed_and_none_differs(folder):
    async with open_stage(folder) as stage:
        path = folder / "report.json"
        code, out, err = await command(
            "verify", "PNET001", "--yes", "--json", *EVERYTHING, "--report", str(path),
            config=stage.desk.config,
        )  # fmt: skip
        assert code == 0, err
        found = json.loads(out)
        expected = {name: "ok" if name in TRIED else "not_tried" for name in BELIEFS}
        assert statuses(found) == expected
        assert all(item["expected"] for item in found["beliefs"])
        assert all(bool(item["seen"]) != bool(item["reason"]) for item in found["beliefs"])
        assert found["report"] == str(path)
        assert is_closed(stage.desk)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        assert json.loads(text)["beliefs"] == found["beliefs"]
        assert not [word for word in (*PEOPLE, "nothing to do", "first line") if word in text]


async def test_without_options_what_would_reach_others_is_not_tried_and_says_so(folder):
    async with open_stage(folder) as stage:
        code, out, _ = await command(
            "verify", "Network", "--yes", "--report", str(folder / "r"), config=stage.desk.config
        )
        assert code == 0
        lines = out.splitlines()
        for name, option in (
            ("delegate-names-no-targets", "--policy"),
            ("status-update-entry-bears-message", "--status-update"),
            ("urgency-change-entry", "--urgency high"),
        ):
            (line,) = [line for line in lines if name in line]
            assert line.startswith("not tried")
            assert option in line
        assert stage.desk.pagerduty.incidents()[0]["urgency"] == "low"


async def test_it_asks_and_where_nobody_can_answer_it_does_nothing(folder):
    async with open_stage(folder) as stage:
        code, out, err = await command("verify", "PNET001", config=stage.desk.config)
        assert code == 2, (out, err)
        assert "notifies who is on call" in err
        assert "--yes" in err
        assert INCIDENT in err
        assert stage.desk.pagerduty.incidents() == []
        assert rows(stage.desk) == []
        assert list(folder.glob("pagerforce-verify-*")) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("PNOTHERE", "--yes"), 1, "PNOTHERE"),
        (("PNET001", "--yes", "--object", "Nope__c"), 1, "Nope__c"),
        (("PNET001", "--yes", "--policy", "Nope"), 1, "Nope"),
        (("PNET001", "--yes", "--set", "x"), 2, "FIELD=VALUE"),
        (("PNET001", "--yes", "--urgency", "loud"), 2, "loud"),
    ],
)
async def test_a_wrong_name_is_said_and_nothing_is_made(folder, words, code, said):
    async with open_stage(folder) as stage:
        shown = await command(
            "verify", *words, "--report", str(folder / "r"), config=stage.desk.config
        )
        assert shown[0] == code, shown
        assert said in shown[2]
        assert stage.desk.pagerduty.incidents() == []
        assert not (folder / "r").exists()


async def test_a_report_that_is_there_is_kept_and_nothing_is_made(folder):
    async with open_stage(folder) as stage:
        path = folder / "r"
        path.write_text("mine")
        code, _, err = await command(
            "verify", "PNET001", "--yes", "--report", str(path), config=stage.desk.config
        )
        assert (code, path.read_text()) == (1, "mine")
        assert "--report" in err
        assert stage.desk.pagerduty.incidents() == []


@pytest.mark.parametrize(
    ("kind", "side"),
    [
        (signal.SIGINT, "incident"),
        (signal.SIGTERM, "record"),
        (signal.SIGHUP, "incident"),
    ],
)
async def test_interrupted_it_closes_what_it_made(folder, kind, side):
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
        assert still == [other["id"]]  # nothing of anybody else's
        assert rows(desk) == []


@asynccontextmanager
async def asked(folder):
    """A sandbox, and ``verify`` asked of the desk without a daemon and without a state."""
    async with open_desk(folder) as desk:

        async def ask(**values):
            async def tell(_text, _share=None):
                pass

            operation = OPERATIONS["verify"]
            request = operation.read(json.dumps({"service": "PNET001", **values}).encode())
            caller = Caller(0, "root", frozenset({Role.ADMIN}))
            home = Home(desk.config, {}, SystemClock(), None)
            return await operation.run(Desk(caller, "verify", home, tell), request)

        yield desk, ask


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
async def test_what_comes_of_an_acknowledge_with_assignments_is_told(folder, both, said):
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


async def test_what_cannot_be_closed_is_said_with_its_id(folder):
    async with asked(folder) as (desk, ask):
        desk.salesforce.access.deny(INCIDENT, "delete")
        found = await ask(wait_seconds=1)
        (row,) = rows(desk)
        (line,) = found["left"]
        assert row["Id"] in line


async def test_it_runs_inside_the_daemon_also_in_shadow_mode(folder):
    async with open_stage(folder) as stage:
        stage.edit("[daemon]", '[daemon]\nmode = "shadow"')
        async with stage.daemon() as daemon:
            await daemon.ready()
            code, out, err = await command(
                "verify", "PNET001", "--yes", "--json", "--report", str(folder / "r"),
                config=stage.desk.config,
            )  # fmt: skip
            assert code == 0, err
            assert "differs" not in statuses(json.loads(out)).values()
            assert is_closed(stage.desk)
            code, out, _ = await command("log", "--audit", "--json", config=stage.desk.config)
            assert '"verify"' in out


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


async def test_check_advises_it_as_long_as_nothing_is_written(folder):
    async with open_stage(folder) as stage:
        _, out, _ = await command("check", "--json", config=stage.desk.config)
        assert "beliefs.before_live" not in [line["code"] for line in json.loads(out)]
        stage.edit("[daemon]", '[daemon]\nmode = "shadow"')
        _, out, _ = await command("check", "--json", config=stage.desk.config)
        (line,) = [line for line in json.loads(out) if line["code"] == "beliefs.before_live"]
        assert "pagerforce verify" in line["remedy"]
        assert line["ok"]


async def test_whoever_is_paged_may_act_and_nothing_is_held_against_pagerduty(folder):
    async with asked(folder) as (desk, ask):
        desk.pagerduty_faults.add(SLOW)

        async def answer_the_page():
            await until(lambda: bool(desk.pagerduty.incidents()), "the page")
            (incident,) = desk.pagerduty.incidents()
            desk.pagerduty.acknowledge(incident["id"], by="PJANE01")
            await until(lambda: len(desk.pagerduty.notes(incident["id"])) == 3, "the notes")
            if not is_closed(desk):  # the story may have come to its end
                desk.pagerduty.resolve(incident["id"], by="PJANE01")

        async with anyio.create_task_group() as group:
            group.start_soon(answer_the_page)
            found = await ask(wait_seconds=1, urgency="high", policy="PEPDBA1")
        assert "differs" not in statuses(found).values(), found["beliefs"]
        assert is_closed(desk)


async def test_two_runs_on_one_service_at_a_time_are_refused(folder):
    async with asked(folder) as (desk, ask):
        refused = []
        desk.pagerduty_faults.add(SLOW)

        async def second():
            await until(lambda: bool(desk.pagerduty.incidents()), "the first run")
            with pytest.raises(PagerforceError, match="runs on PNET001 already"):
                await ask()
            refused.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(second)
            found = await ask(wait_seconds=1)
        assert refused
        assert "differs" not in statuses(found).values()


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


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks(folder, private_key, answer, code):
    """The command on a terminal of its own; the sandbox in this process."""

    async def play():
        async with open_stage(folder) as stage:
            words = ["verify", "PNET001", "--report", str(folder / "r"), "--wait", "2"]
            ended, shown = await anyio.to_thread.run_sync(
                on_a_terminal, [*words, "--config", str(stage.desk.config)], answer
            )
            assert ended == code, shown
            assert "notifies who is on call" in shown
            assert bool(stage.desk.pagerduty.incidents()) == (answer == "y")
            assert is_closed(stage.desk)

    anyio.run(play)


def on_a_terminal(words, answer):
    """Exit code and what was shown; answers the question once it is asked."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["NO_PROXY"] = "127.0.0.1"
        os.execv(sys.executable, [sys.executable, "-m", "pagerforce", *words])
    shown, is_answered = b"", False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if b"Go on?" in shown and not is_answered:
            os.write(terminal, f"{answer}\n".encode())
            is_answered = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


async def test_a_key_that_may_only_read_is_said_and_the_exit_code_is_1(folder):
    async with open_stage(folder) as stage:
        (folder / "pagerduty.key").write_text("sandbox-read-only-key")
        stage.desk.salesforce.access.deny(INCIDENT, "create")
        code, out, _ = await command(
            "verify", "PNET001", "--yes", "--json", "--report", str(folder / "r"),
            config=stage.desk.config,
        )  # fmt: skip
        assert code == 1
        found = json.loads(out)
        assert set(statuses(found).values()) == {"not_tried"}
        for item in found["beliefs"]:
            if item["belief"] in TRIED and item["belief"].startswith("pagerduty"):
                assert "HTTP 403" in item["reason"], item


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
