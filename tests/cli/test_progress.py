"""Progress of long operations: a bar on a terminal after a moment, and nowhere else."""

import os
import pty
import subprocess
import sys

import anyio
import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from pagerforce.store import facts
from pagerforce.store.sqlite.engine import open_database
from process import open_stage

# Without the delay that a bar has, so that no test must be slow.
AT_ONCE = """
from pagerforce.cli import progress
def enter(bar):
    bar._is_over or bar._appear()
    return bar
progress.Bar.__enter__ = enter
from pagerforce.__main__ import main
main()
"""
ELAPSED = "0:00:0"  # every bar ends with the elapsed time


def on_terminal(*words, is_piped=False, code=AT_ONCE, cwd=None, columns="120"):
    """Exit code and what a terminal shows. ``is_piped``: standard output goes elsewhere."""
    ours, theirs = pty.openpty()
    started = (
        [sys.executable, "-c", code, *words]
        if code
        else [sys.executable, "-m", "pagerforce", *words]
    )
    process = subprocess.Popen(
        started,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_piped else theirs,
        stderr=theirs,
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", "COLUMNS": columns, "NO_PROXY": "127.0.0.1"},
    )
    os.close(theirs)
    shown = bytearray()
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    process.communicate(timeout=60)
    return process.returncode, shown.decode(errors="replace")


async def run(*words, **options):
    return await anyio.to_thread.run_sync(lambda: on_terminal(*words, **options))


async def test_check_says_what_it_asks_for_while_a_side_takes_its_time(tmp_path):
    async with open_stage(tmp_path) as stage:
        stage.desk.pagerduty_faults.add(Fault(FaultKind.LATENCY, seconds=0.1, count=99))
        config = ("--config", str(stage.desk.config))
        code, shown = await run("check", *config)
        assert code == 0, shown
        assert "asking both sides" in shown
        assert "PagerDuty abilities" in shown
        assert ELAPSED in shown
        assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0, "the cursor is back"
        _, shown = await run("check", "--json", *config)
        assert ELAPSED not in shown
        _, shown = await run("check", *config, is_piped=True)
        assert shown == ""
        async with stage.daemon() as running:
            await running.ready(60)
            code, shown = await run("check", *config)
            assert code == 0, shown
            assert "PagerDuty abilities" in shown, "also if the daemon does the work"


async def test_what_is_quick_shows_none(tmp_path):
    async with open_stage(tmp_path) as stage:
        code, shown = await run("check", "--offline", "--config", str(stage.desk.config), code="")
        assert code == 0
        assert "OK" in shown
        assert ELAPSED not in shown


async def test_a_large_state_is_copied_and_brought_back_with_a_bar(tmp_path):
    async with open_stage(tmp_path) as stage:
        path = tmp_path / "state" / "pagerforce.db"
        async with open_database(path) as database, database.write() as tx:
            for number in range(60):
                await facts.put_fact(tx, f"ballast {number}", "x" * 1_000_000)
        config = ("--config", str(stage.desk.config))
        code, shown = await run("backup", "copy.db", *config, cwd=tmp_path)
        assert code == 0, shown
        assert "copying" in shown
        assert "%" in shown
        code, shown = await run("restore", "copy.db", *config, cwd=tmp_path)
        assert code == 0, shown
        assert "restoring" in shown
        assert "%" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate",), "trying the rules on recorded events"),
        (("drift", "--all"), "records compared"),
        (("links", "list"), "links list"),
    ],
)
async def test_simulate_drift_and_links_have_one_too(tmp_path, words, said):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready(60)
        record = stage.desk.salesforce.insert(
            "BMCServiceDesk__Incident__c", {"BMCServiceDesk__contactType__c": "Event"}
        )
        incident = stage.desk.pagerduty.trigger("PNET001", "Core switch down")["id"]
        config = ("--config", str(stage.desk.config))
        code, shown = await run("links", "add", incident, record, *config)
        assert code == 0, shown
        code, shown = await run(*words, *config)
        assert code == 0, shown
        assert said in shown
        assert ELAPSED in shown
