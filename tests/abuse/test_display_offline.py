"""Hostile text without a daemon: arguments, files, locales, terminals, the demo, internal errors."""

import os
import re
import subprocess
import sys

import anyio
import pytest
from typer.main import get_command

from abuse.hostile import BYTES, EVIL, FOR_PEOPLE, KEPT, UNKEPT, check_people, in_toml
from cli.test_commands_page import walk
from cli.test_progress import on_terminal
from inprocess import invoke
from pagerforce.cli.app import app
from process import command
from setup.staged import REPOSITORY


def all_commands():
    return {name for name, _ in walk(get_command(app))}


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_usage_errors_and_file_names_are_quoted_as_text(name, tmp_path):
    words = name.split()
    config = tmp_path / EVIL.replace(UNKEPT, "").replace("/", "")
    config.write_text(
        f'[daemon]\n"{in_toml(KEPT)}" = "{in_toml(KEPT)}"\nmode = "{in_toml(KEPT)}"\n'
    )
    code, out, err = invoke(*words, "--help")
    assert code == 0
    check_people(out + err, "help")
    for arguments in (
        [*words, f"--{EVIL}"],
        [*words, *[EVIL] * 9],
        [*words, "--config"],
        [EVIL],
        [words[0], EVIL],
        [*words, "x", "y", "--config", str(config)],
        [*words, "--config", str(config)],
        [*words, "--config", str(config / "none")],
    ):
        if name in {"demo", "sandbox"} and arguments[-2:] != ["--config"] and len(arguments) == len(words) + 2:  # fmt: skip
            continue  # they ignore it and start
        if name == "init" and "--config" in arguments:
            continue
        code, out, err = invoke(*arguments)
        assert code != 0, arguments
        check_people(out + err, arguments)
        assert "Traceback" not in err, (arguments, err)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", [b"check", b"--config", BYTES]),
        ("utf-8", [b"links", BYTES]),
        ("ascii", [b"init", b"\xe2\x98\x83" + BYTES]),
        ("iso-8859-1", [b"check", b"--config", b"\xe2\x98\x83" + BYTES]),
    ],
)
def test_the_bytes_of_an_argument_are_shown_whatever_the_locale(tmp_path, encoding, words):
    """Bytes that are not UTF-8 and streams that can't encode all of UTF-8: shown, never a traceback."""
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"pagerforce", *words],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        timeout=60,
    )
    text = (done.stdout + done.stderr).decode(encoding)
    check_people(text, (encoding, words))
    assert "Traceback" not in text, text
    assert r"\x1b[31m" in text
    assert r"\udcff" in text


def test_on_a_terminal_too_and_with_pagerforces_own_colours(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(f'[daemon]\n"{in_toml(KEPT)}" = 1\n')
    _, shown = on_terminal("check", "--offline", "--config", str(config), code="")
    assert FOR_PEOPLE.search(shown.replace("\r\n", "\n")) is None
    assert r"\x1b[31m" in shown
    table = f"""
from pagerforce.cli.console import out, print_table
print_table([{{"id": {KEPT!r}, "reason": {KEPT!r}}}], ("id", "reason"), "none")
out.line({KEPT!r}, mark="OK", style="green")
"""
    _, shown = on_terminal(code=table, columns="400")
    ours = shown.replace("\r\n", "\n").replace("\x1b[32mOK \x1b[0m", "").replace("\x1b[1m", "")
    assert FOR_PEOPLE.search(ours.replace("\x1b[0m", "")) is None, ours
    assert ":warning:" in shown


def test_the_bar_draws_its_label_as_text():
    bar = f"""
from pagerforce.cli.progress import Bar
with Bar("x", is_wanted=True) as bar:
    bar._appear()
    bar.show({KEPT!r})
    bar._progress.refresh()
"""
    _, shown = on_terminal(code=bar, columns="600")
    assert r"\x1b]0;owned\x07\x1b[2J" in shown
    assert not re.search("\x1b\\]|\x1b\\[2J|[\x07\x7f-\x9f\u202a-\u202e\u2028\u2029]", shown)


def test_a_pipe_gets_no_colours_whatever_the_environment_wants(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    code = """
from pagerforce.cli.console import out, print_table
out.line("fine", mark="OK", style="green")
out.rule("heading")
print_table([{"id": "1"}], ("id",), "none")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    check_people(done.stdout.decode(), "forced")


async def test_the_sandbox_and_the_demo_show_their_folder_as_text(tmp_path):
    folder = tmp_path / KEPT.replace("/", "")
    ports = ("--pagerduty-port", "0", "--salesforce-port", "0")
    process = await anyio.open_process(
        [sys.executable, "-m", "pagerforce", "sandbox", "--dir", str(folder), *ports]
    )
    text = b""
    try:
        with anyio.fail_after(60):
            async for chunk in process.stdout:
                text += chunk
                if b"Ctrl-C" in text:
                    break
    finally:
        process.terminate()
        await process.wait()
    check_people(text.decode(), "sandbox")
    assert rb"\x1b[31m" in text
    code, out, err = await command("demo", "--rules", str(folder / "none"), "--dir", str(tmp_path))
    assert code == 1
    check_people(out + err, "demo")
    assert r"\x1b[31m" in err
    assert "Traceback" not in err


def test_the_demo_prints_through_the_same_function():
    story = f"""
import anyio
from pagerforce.cli.display import out
from pagerforce.sandbox.story import Story
async def play():
    story = Story(out)
    story.chapter({KEPT!r})
    story.deed({KEPT!r}, {KEPT!r})
    story.fact({KEPT!r}, None)
    out.line(story.verdict())
anyio.run(play)
"""
    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, check=True, timeout=60
    )
    check_people(done.stdout.decode(), "demo")


def test_an_internal_error_is_reported_with_its_text_shown(monkeypatch):
    def broken(*_):
        raise RuntimeError(KEPT) from KeyError(KEPT)

    monkeypatch.setattr("pagerforce.cli.status.ask", broken)
    code, _, err = invoke("status", "--config", str(REPOSITORY / "config.toml.example"))
    assert code == 1
    assert "RuntimeError" in err
    check_people(err, "traceback")
