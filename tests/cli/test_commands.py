"""Commands that need no running daemon."""

import json
import shutil
from pathlib import Path

import pytest

from process import command

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"


async def test_init_writes_what_check_accepts_and_never_overwrites(tmp_path):
    folder = tmp_path / "new"
    code, out, err = await command("init", str(folder))
    assert code == 0, err
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.toml",
        "salesforce.crt",
        "salesforce.key",
    ]
    assert (folder / "salesforce.key").stat().st_mode & 0o777 == 0o600
    code, out, err = await command("check", "--offline", config=folder / "config.toml")
    assert code == 0, out + err
    before = {path: path.read_bytes() for path in folder.iterdir()}
    code, _, err = await command("init", str(folder))
    assert code == 1
    assert "config.toml" in err
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


async def test_the_shipped_example_passes_the_offline_check(tmp_path):
    config = tmp_path / "config.toml"
    shutil.copy(EXAMPLE, config)
    code, out, err = await command("check", "--offline", "--json", config=config)
    assert code == 0, out + err
    lines = json.loads(out)
    assert lines
    assert all(set(line) == {"ok", "kind", "what", "remedy", "code"} for line in lines)


async def test_a_broken_configuration_names_every_place_and_no_traceback(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        EXAMPLE.read_text()
        .replace('poll_interval = "3s"', 'poll_intervall = "3s"')
        .replace('mode = "live"', "mode = 1")
    )
    for words in (
        ["check", "--offline"],
        ["run"],
        ["status"],
        ["log"],
        ["links", "list"],
        ["failed", "list"],
    ):
        code, out, err = await command(*words, config=config)
        assert code == 2, words
        assert "pagerduty.poll_intervall" in err
        assert "daemon.mode" in err
        assert "Traceback" not in out + err


@pytest.mark.parametrize(
    "words", [["nonsense"], ["run", "--nonsense"], ["log", "--since", "yesterday-ish"]]
)
async def test_bad_usage_is_2(words, tmp_path):
    config = tmp_path / "config.toml"
    shutil.copy(EXAMPLE, config)
    code, out, err = await command(*words, PAGERFORCE_CONFIG=str(config))
    assert code == 2
    assert "Traceback" not in out + err


async def test_without_a_database_the_reading_commands_say_so(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(EXAMPLE.read_text().replace("/var/lib/pagerforce", str(tmp_path / "none")))
    for words in (["status"], ["log"], ["links", "list"], ["failed", "list"]):
        code, _, err = await command(*words, config=config)
        assert code == 1, words
        assert "has the daemon run" in err


async def test_help_and_version():
    code, out, _ = await command("--help")
    assert code == 0
    for word in ("run", "init", "check", "status", "log", "links", "failed", "sandbox", "demo"):
        assert word in out
    code, out, _ = await command("--version")
    assert code == 0
    assert out.startswith("pagerforce ")
