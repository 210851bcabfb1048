"""The shipped example is a working Remedyforce set-up: ``check`` finds everything it names."""

from pathlib import Path

from process import command, open_stage

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"


async def test_the_example_passes_check_against_the_sandbox(tmp_path):
    async with open_stage(tmp_path) as stage:
        desk = stage.desk
        text = EXAMPLE.read_text("utf-8")
        for old, new in (
            ("https://api.pagerduty.com", desk.pagerduty_url),
            ("https://acme.my.salesforce.com", desk.salesforce_url),
            ('api_key_file = ""', f'api_key_file = "{desk.folder / "pagerduty.key"}"'),
            ('private_key_file = ""', f'private_key_file = "{desk.folder / "salesforce.key"}"'),
            ("3MVG9...", desk.consumer_key),
            ("127.0.0.1:9479", stage.url.removeprefix("http://")),
        ):
            assert old in text, old
            text = text.replace(old, new)
        desk.config.write_text(text)
        (desk.folder / "rules.d" / "rules.toml").unlink()
        code, out, err = await command("check", config=desk.config)
        assert code == 0, out + err
        assert "FAIL" not in out
        assert "Salesforce objects and fields" in out
        async with stage.daemon(STATE_DIRECTORY=str(desk.folder / "state")) as running:
            await running.ready(20)
