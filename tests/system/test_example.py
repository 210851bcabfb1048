"""The shipped example is a working Remedyforce set-up: ``check`` finds everything it names."""

from pathlib import Path

from process import command, open_stage

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"


async def test_the_example_passes_check_against_the_sandbox(tmp_path):
    async with open_stage(tmp_path) as stage:
        desk = stage.desk
        stage.use_config(EXAMPLE.read_text("utf-8"))
        code, out, err = await command("check", config=desk.config)
        assert code == 0, out + err
        assert "TODO" not in out
        assert "OK     Salesforce object BMCServiceDesk__Incident__c" in out
        async with stage.daemon(STATE_DIRECTORY=str(desk.folder / "state")) as running:
            await running.ready(20)
