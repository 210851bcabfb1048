"""Help and completion: every command and option has a description, and the shell knows them."""

import re
import shutil
import subprocess

import pytest
import typer

from inprocess import invoke
from pagerforce.cli.app import app

ROOT = typer.main.get_command(app)


def commands(command=ROOT, path=()):
    """Every command with its words, groups included."""
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*path, name))


ALL = [
    pytest.param(path, command, id=" ".join(path) or "pagerforce") for path, command in commands()
]


def complete(*words: str) -> list[str]:
    """What a shell gets as completions after these words, the last one unfinished."""
    _, out, _ = invoke(
        _PAGERFORCE_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(("pagerforce", *words)),
        COMP_CWORD=str(len(words)),
    )
    return out.split()


@pytest.mark.parametrize(("path", "command"), ALL)
def test_every_command_and_every_option_says_what_it_is(path, command):
    assert command.help, "the command"
    for param in command.params:
        assert getattr(param, "help", None), f"{' '.join(path)} {param.name}"


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_names_every_option_whatever_the_width(path, command):
    code, out, err = invoke(*path, "--help")
    assert code == 0, err
    shown = re.sub(r"\s+", " ", out)
    for param in command.params:
        for option in param.opts if param.param_type_name == "option" else ():
            assert option in shown, option
    code, out, err = invoke(*path, "--help", COLUMNS="40", TERM="dumb")
    assert code == 0, err
    assert "Traceback" not in out + err


def test_the_shell_completes_commands_their_commands_and_options():
    assert set(complete("")) == set(ROOT.commands)
    assert complete("che") == ["check"]
    assert "list" in complete("links", "")
    assert "--offline" in complete("check", "--off")


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", "complete -o default -F _pagerforce_completion pagerforce"),
        ("zsh", "#compdef pagerforce"),
        ("fish", "complete --command pagerforce"),
    ],
)
def test_the_scripts_for_the_shells_are_pagerforces_own(shell, words):
    _, out, _ = invoke(_PAGERFORCE_COMPLETE=f"source_{shell}")
    assert words in out


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_accepts_the_script():
    _, script, _ = invoke(_PAGERFORCE_COMPLETE="source_bash")
    done = subprocess.run(
        ["bash", "-ec", f"{script}\ncomplete -p pagerforce"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_pagerforce_completion" in done.stdout
