"""The control socket of a real daemon, asked by real commands."""

import json

from process import command, open_stage


async def test_status_comes_from_the_running_daemon_and_else_from_the_file(tmp_path):
    async with open_stage(tmp_path) as stage:
        async with stage.daemon() as running:
            await running.ready(60)
            code, out, err = await command("status", "--json", config=stage.desk.config)
            assert code == 0, err
            found = json.loads(out)
            assert found["ready"] is True
            assert found["sources"]["salesforce"]["up"] is True
            assert found["api"]["salesforce"]["remaining"] > 0
            await running.stop()
        assert not (stage.desk.folder / "control.sock").exists()
        code, out, err = await command("status", "--json", config=stage.desk.config)
        assert code == 0, err
        assert json.loads(out)["ready"] is False
