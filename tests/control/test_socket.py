"""The control socket of a real daemon, asked by real commands."""

import json
import signal
import sys

import anyio

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


async def test_follow_prints_new_entries_and_ctrl_c_ends_it_cleanly(tmp_path):
    async with open_stage(tmp_path) as stage, stage.daemon() as running:
        await running.ready(60)
        words = ["log", "--follow", "--json", "--config", str(stage.desk.config)]
        async with await anyio.open_process(
            [sys.executable, "-m", "pagerforce", *words]
        ) as process:
            incident_id = stage.desk.pagerduty.trigger("PNET001", "Disk full")["id"]
            received = b""
            with anyio.fail_after(60):
                async for chunk in process.stdout:
                    received += chunk
                    if received.count(b"\n"):
                        break
            assert json.loads(received.splitlines()[0])["incident"] == incident_id
            process.send_signal(signal.SIGINT)
            with anyio.fail_after(30):
                errors = b"".join([chunk async for chunk in process.stderr])
                assert await process.wait() == 0
            assert b"Traceback" not in errors
