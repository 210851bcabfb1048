"""docs/how-to/first-steps.md: a new user's commands, in one shell, in their order."""

import os
import re
import shutil
import subprocess

import pytest

from pagerforce.sandbox.running import free_port
from setup.staged import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to" / "first-steps.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> list[str]:
    return _BLOCK.findall(PAGE.read_text("utf-8"))


def script() -> str:
    """The page's commands, with ports of this test, so that another sandbox may run too."""
    text = "\n".join(f"echo '--- step {place}'\n{block}" for place, block in enumerate(blocks(), 1))
    pagerduty, salesforce, metrics = (str(free_port()) for _ in range(3))
    text = text.replace("8480", pagerduty).replace("9479", metrics)
    ports = f"--dir . --pagerduty-port {pagerduty} --salesforce-port {salesforce}"
    text = text.replace("--dir .", ports)
    text = text.replace(
        "cat sandbox.log", f"cat sandbox.log; sed -i 's/9479/{metrics}/' config.toml"
    )
    return f"set -eum\ntrap 'kill %1 %2 2>/dev/null || true' EXIT\n{text}"


@pytest.mark.skipif(
    shutil.which("bash") is None or shutil.which("curl") is None, reason="needs bash and curl"
)
def test_the_commands_of_the_page_lead_where_it_says(tmp_path):
    assert len(blocks()) == 9
    done = subprocess.run(
        ["bash", "-c", script()],
        cwd=REPOSITORY,
        env={**os.environ, "HOME": str(tmp_path), "COLUMNS": "200", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    steps = dict(zip("0123456789", done.stdout.split("--- step "), strict=False))
    assert "(schema " in steps["1"]
    assert "FAIL" not in steps["3"]
    assert "pagerforce is ready" in steps["4"]
    assert "Runbook: https://wiki.example.com/Network" in steps["6"]
    assert re.search(r"P\w+ +BMCServiceDesk__Incident__c +\w+ +active", steps["6"])
    assert "matched Mine / Show the runbook" in steps["6"]
    assert "Show the runbook" in steps["7"]
    assert " 0 differ" in steps["8"]
    assert "Traceback" not in told
    log = (tmp_path / "pagerforce-try" / "daemon.log").read_text()
    assert "stopped" in log
