"""Files with wrong content or of a wrong kind: configuration, includes, keys, state."""

import os
import socket
from pathlib import Path

import pytest

from inprocess import invoke
from process import command
from unit.config.config_catalog import write

BAD_RULES = '[[rulesets]]\nnam = "R"\n'


def refused(config: Path, *words: str, code: int = 2, **environ: str) -> str:
    found, out, err = invoke(*(words or ("check", "--offline")), config=config, **environ)
    assert found == code, out + err
    assert "Traceback" not in out + err
    return err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "pagerduty: is required"),
        (b"\x00", "line 1, column 1"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)), "is not UTF-8"),
        (os.urandom(4096).replace(b"\xff", b"") + b"\xff", "is not UTF-8"),
        ("[daemon]".encode("utf-16"), "is not UTF-8"),
        (b"\xef\xbb\xbf[daemon\n", "is not valid TOML"),
        (b"daemon: {mode: live}\n", "is not valid TOML"),
        (b'{"daemon": {"mode": "live"}}', "is not valid TOML"),
        (b"[daemon]\nmode = live\n", "line 2"),
        (b"[daemon]\nmode = 'live'\nmode = 'live'\n", "line 3"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"# " + b"x" * (5 * 1024 * 1024), "is larger than"),
        (b"\r[daemon]\r", "is not valid TOML"),
    ],
)
def test_invalid_toml_is_named_with_its_line(tmp_path, content, words):
    config = tmp_path / "config.toml"
    config.write_bytes(content)
    assert words in refused(config)


def test_what_is_no_file_is_distinguished(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for name, words in (
        ("none.toml", "does not exist"),
        ("dangling", "does not exist"),
        (".", "is a folder"),
        ("pipe", "not a regular file"),
        ("socket", "not a regular file"),
        ("loop", "symbolic links"),
        ("x" * 300, "name too long"),
    ):
        assert words.lower() in refused(tmp_path / name).lower(), name
    assert "not a regular file" in refused(Path("/dev/null"))


def test_a_configuration_behind_a_link_is_read_and_its_folder_is_the_links(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "config.toml").symlink_to(write(real, 'include = ["rules.toml"]'))
    (tmp_path / "rules.toml").write_text(BAD_RULES)
    assert "rules.toml: rulesets[0].nam" in refused(tmp_path / "config.toml")


def test_the_variable_names_it_too_and_its_value_is_shown(tmp_path):
    code, _, err = invoke("check", "--offline", PAGERFORCE_CONFIG=str(tmp_path / "none.toml"))
    assert code == 2
    assert str(tmp_path / "none.toml") in err


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "not a pattern"),
        ("**x/\0", "not a pattern"),
        (".", "is a folder"),
    ],
)
def test_an_include_that_is_no_pattern(tmp_path, pattern, words):
    config = tmp_path / "config.toml"
    text = write(tmp_path).read_text()
    config.write_text(f'include = ["{pattern}"]\n'.replace("\0", "\\u0000") + text)
    assert words in refused(config)


def test_an_included_file_is_named_with_its_place(tmp_path):
    config = write(tmp_path, 'include = ["rules.d/*.toml"]')
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "a.toml").write_text(BAD_RULES)
    (tmp_path / "rules.d" / "b.toml").write_bytes(b"\xff")
    (tmp_path / "rules.d" / "c.toml").mkdir()
    (tmp_path / "rules.d" / "d.toml").write_text('include = ["../config.toml"]')
    (tmp_path / "rules.d" / "e.toml").write_text("[daemon]\nmode = 'live'")
    (tmp_path / "rules.d" / "f.toml").symlink_to("f.toml")
    err = refused(config)
    for words in (
        "rules.d/a.toml: rulesets[0].nam",
        "rules.d/b.toml: line 1",
        "rules.d/c.toml: is a folder",
        "rules.d/d.toml: include",
        "rules.d/e.toml: daemon",
        "rules.d/f.toml: can not be read",
    ):
        assert words in err


def test_a_main_file_that_its_own_pattern_finds_is_read_once(tmp_path):
    config = write(tmp_path, 'include = ["*.toml"]')
    code, out, err = invoke("check", "--offline", config=config)
    assert code == 0, err
    assert "1 file read" in out


@pytest.mark.parametrize("mode", [0o644, 0o640])
async def test_a_key_file_that_others_can_read_is_refused_with_the_command_that_fixes_it(
    tmp_path, mode
):
    key = tmp_path / "pd.key"
    key.write_text("u+abcDEFghiJKLmnoPQRs")
    key.chmod(mode)
    config = write(tmp_path, '[pagerduty]\napi_key_file = "pd.key"')
    for words, expected in ((["check", "--offline"], 1), (["run"], 2)):
        code, out, err = await command(*words, config=config)
        assert code == expected
        assert f"chmod 600 {key}" in out + err
        assert "abcDEF" not in out + err
        assert "Traceback" not in out + err


async def test_secrets_that_are_missing_are_both_named(tmp_path):
    code, out, err = await command("run", config=write(tmp_path))
    assert code == 2
    assert "Traceback" not in out + err
    assert "no PagerDuty API key" in err
    assert "no Salesforce private key" in err


@pytest.mark.parametrize("words", [["status"], ["log"], ["links", "list"], ["failed", "list"]])
@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (None, "has the daemon run"),
        (b"", ""),
        (b"not a database at all, " * 100, ""),
        (b"SQLite format 3\x00" + b"\xff" * 4096, ""),
    ],
)
def test_an_invalid_state_is_distinguished_from_a_program_error(tmp_path, words, content, hint):
    config = write(tmp_path, f'[daemon]\nstate_dir = "{tmp_path}/state"\ncontrol_socket = ""')
    if content is not None:
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "pagerforce.db").write_bytes(content)
    err = refused(config, *words, code=1)
    assert "pagerforce.db" in err
    assert hint in err


@pytest.mark.parametrize("state_dir", ["/dev/null/x", "/proc/none", "config.toml"])
async def test_a_state_folder_that_cannot_be_is_named(tmp_path, state_dir):
    config = _runnable(tmp_path, f'[daemon]\nstate_dir = "{state_dir}"\ncontrol_socket = ""')
    code, out, err = await command("run", config=config)
    assert code in {1, 2, 3}
    assert state_dir.removeprefix("config") in err
    assert "Traceback" not in out + err


async def test_a_metrics_address_in_use_is_named_with_what_to_do(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        config = _runnable(
            tmp_path,
            f'[daemon]\nstate_dir = "{tmp_path}/state"\ncontrol_socket = ""\n[metrics]\nlisten = "{address}"',
        )
        code, out, err = await command("run", config=config)
    assert code == 2
    assert address in err
    assert 'set listen = ""' in err
    assert "Traceback" not in out + err


def _runnable(folder: Path, text: str) -> Path:
    """A configuration that gets as far as its state: both keys exist."""
    code, _, err = invoke("init", str(folder / "keys"))
    assert code == 0, err
    (folder / "pd.key").write_text("u+abcDEFghiJKLmnoPQRs")
    (folder / "pd.key").chmod(0o600)
    return write(
        folder,
        f'{text}\n[pagerduty]\napi_key_file = "pd.key"\n[salesforce]\nprivate_key_file = "keys/salesforce.key"',
    )
