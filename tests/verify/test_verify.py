"""``verify`` by the real command line against the sandbox: what it asks, does and says."""

import json
import os
import pty
import stat
import sys

import anyio
import pytest

from pagerforce.errors import PagerforceError
from pagerforce.model.beliefs import BELIEFS
from process import command, open_stage, until
from verify.kit import INCIDENT, SLOW, TRIED, asked, is_closed, rows, statuses

EVERYTHING = ("--urgency", "high", "--status-update", "--policy", "PEPDBA1")
PEOPLE = ("Jane", "Sam", "example.com", "Network", "Database")


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
        assert "notifies the people on call" in err
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
            with pytest.raises(PagerforceError, match="already runs on PNET001"):
                await ask()
            refused.append(True)

        async with anyio.create_task_group() as group:
            group.start_soon(second)
            found = await ask(wait_seconds=1)
        assert refused
        assert "differs" not in statuses(found).values()


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
            assert "notifies the people on call" in shown
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
        if b"Continue?" in shown and not is_answered:
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
