"""The state belongs to one Salesforce org: another org ends the process, even if none is pinned."""

import json

import anyio
import pytest

from engines import IS_POSTGRESQL
from pagerforce.sandbox.salesforce import app
from process import command, open_stage, until

OTHER = "00D000000000009EAA"
PINNED = 'org_id = "00D000000000001EAA"\n'


async def ended(running):
    with anyio.fail_after(60):
        await running.process.wait()
    return running.process.returncode


@pytest.fixture
def other_org(monkeypatch):
    return lambda: monkeypatch.setattr(app, "ORG_ID", OTHER)


async def test_a_refreshed_sandbox_is_refused_and_check_says_so(tmp_path, other_org):
    async with open_stage(tmp_path) as stage:
        stage.edit(PINNED, "")
        async with stage.daemon() as running:
            await running.ready()
            await running.stop()
        other_org()
        async with stage.daemon() as running:
            assert await ended(running) == 2
            log = running.log.read_text()
            assert OTHER in log
            assert "was created with org 00D000000000001EAA" in log
            assert "move pagerforce.db" in log
        _, out, _ = await command("check", "--json", config=stage.desk.config)
        codes = {line["code"]: line["remedy"] for line in json.loads(out) if not line["ok"]}
        assert "start over" in codes["salesforce.wrong_org"]
        if IS_POSTGRESQL:
            stage.edit('connection = "', 'connection = "new_')
        for path in (tmp_path / "state").glob("pagerforce.db*"):
            path.rename(tmp_path / path.name)
        async with stage.daemon() as running:
            await running.ready()


async def test_a_login_that_leads_elsewhere_while_it_runs_ends_it(tmp_path, other_org):
    async with open_stage(tmp_path) as stage:
        stage.edit(PINNED, "")
        async with stage.daemon() as running:
            await running.ready()
            other_org()
            stage.desk.salesforce.expire_tokens()
            assert await ended(running) == 2


async def test_check_in_the_daemon_knows_the_states_org(tmp_path, other_org):
    async with open_stage(tmp_path) as stage:
        stage.edit(PINNED, "")
        async with stage.daemon() as running:
            await running.ready()
            socket = tmp_path / "control.sock"
            await until(socket.exists, "the control socket")
            other_org()
            _, out, _ = await command("check", "--json", config=stage.desk.config)
            codes = [line["code"] for line in json.loads(out) if not line["ok"]]
            assert "salesforce.wrong_org" in codes
