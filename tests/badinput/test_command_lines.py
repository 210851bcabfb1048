"""Invalid command lines: exit code 2, what is wrong, and no traceback."""

import shutil
import subprocess
import sys

import pytest

from inprocess import invoke
from setup.staged import REPOSITORY
from unit.config.config_catalog import write

WRONG = [
    (["nonsense"], "No such command 'nonsense'"),
    (["rum"], "No such command 'rum'"),
    (["--nonsense"], "No such option"),
    (["-x"], "No such option"),
    (["run", "--nonsense"], "No such option"),
    (["run", "surplus"], "unexpected extra argument"),
    (["run", "--config"], "requires an argument"),
    (["run", "--shadow=maybe"], "does not take a value"),
    (["check", "--offlin"], "--offline"),
    (["check", "a.toml"], "unexpected extra argument"),
    (["status", "--jsn"], "--json"),
    (["log", "--since", "yesterday-ish"], "RFC 3339"),
    (["log", "--since", "2026-02-31T00:00:00Z"], "RFC 3339"),
    (["log", "--since"], "requires an argument"),
    (["log", "--incident"], "requires an argument"),
    (["links", "nonsense"], "No such command"),
    (["links", "list", "surplus"], "unexpected extra argument"),
    (["failed", "nonsense"], "No such command"),
    (["simulate", "--since", "soon"], "RFC 3339"),
    (["init", "a", "b"], "unexpected extra argument"),
    (["init", "--region", "mars"], "'us'"),
    (["sandbox", "--pagerduty-port", "many"], "valid integer"),
    (["demo", "surplus"], "unexpected extra argument"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_bad_usage_is_distinguished(words, told):
    code, out, err = invoke(*words, PAGERFORCE_CONFIG=str(REPOSITORY / "config.toml.example"))
    assert code == 2, out + err
    assert out == ""
    assert told.lower() in " ".join(err.replace("│", " ").split()).lower()
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [[], ["links"], ["failed"]])
def test_a_command_that_is_cut_short_shows_what_there_is(words):
    code, out, err = invoke(*words)
    assert code == 2
    assert "Usage: pagerforce" in out + err
    assert "Commands" in out + err


@pytest.mark.parametrize(
    ("name", "told"),
    [("none.toml", "does not exist"), (".", "is a folder"), ("", "is a folder")],
)
@pytest.mark.parametrize("words", [["status"], ["log"], ["check"], ["simulate"], ["run"]])
def test_a_configuration_that_is_not_there_is_named(tmp_path, words, name, told):
    code, out, err = invoke(*words, "--config", str(tmp_path / name))
    assert code == 2, out + err
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"\xff", "is not UTF-8"),
        (b"[[rulesets]]\nname = 5\n", "rulesets[0].name"),
        (b"nonsense", "is not valid TOML"),
    ],
)
def test_rules_to_try_out_are_checked_like_a_configuration(tmp_path, content, told):
    rules = tmp_path / "rules.toml"
    if content is not None:
        rules.write_bytes(content)
    code, out, err = invoke("simulate", "--rules", str(rules), config=write(tmp_path))
    assert code == 2, out + err
    assert "rules.toml" in err
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "word", ["\x00", "\ud800", "☃" * 1000, "-" * 1000, "$(id)", "[bold]x[/bold]", "%s%n"]
)
def test_odd_text_is_no_reason_for_a_traceback(tmp_path, word):
    for words in (["log", "--incident", word], ["log", "--since", word], ["links", word], [word]):
        if "\x00" in word and words[0] == word:
            continue  # no process can be started with these
        code, out, err = invoke(
            *words,
            config=write(tmp_path, f'[daemon]\nstate_dir = "{tmp_path}/none"\ncontrol_socket = ""'),
        )
        assert code in {1, 2}, (words, out, err)
        assert "Traceback" not in err


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path):
    """``pagerforce log | head``: the pipe is closed before everything is written."""
    script = f"{sys.executable} -m pagerforce --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1, 141}


def test_markup_in_a_users_words_is_shown_as_it_is(tmp_path):
    code, _, err = invoke("check", "--config", str(tmp_path / "[bold]x[" / "c.toml"))
    assert code == 2
    assert "[bold]x[" in err
