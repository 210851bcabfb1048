"""Broken configurations on the command line: exit code 2, the place, the remedy, no traceback.

The tables are ``unit.config.test_broken`` (settings, objects, mappings) and ``broken_rules``.
"""

import pytest

from badinput.broken_rules import BROKEN_RULES, DOUBTED_RULES
from inprocess import invoke
from unit.config.config_catalog import write
from unit.config.test_broken import BROKEN

CORPUS = [*BROKEN, *BROKEN_RULES]
SECRETS = ("u+abcDEFghiJKLmnoPQRs", "hunter2", "abcDEFghiJKLmnoPQRst")


def test_the_corpus_is_large_and_names_each_case_once():
    assert len(CORPUS) >= 150
    assert len({text for text, _, _ in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(("text", "place", "words"), CORPUS)
def test_it_is_refused_by_its_place_with_the_remedy(tmp_path, text, place, words):
    code, out, err = invoke("check", "--offline", config=write(tmp_path, text))
    assert code == 2, out + err
    assert out == ""
    first, *problems = err.splitlines()
    assert first == "1 problem in the configuration:"
    (problem,) = problems
    assert problem.startswith(f"  config.toml: {place}: ")
    assert words in problem
    assert not any(secret in err for secret in SECRETS)
    assert "Traceback" not in err


@pytest.mark.parametrize(("text", "place", "words"), DOUBTED_RULES)
def test_a_rule_that_must_fail_is_reported_before_it_fires(tmp_path, text, place, words):
    code, out, err = invoke("check", "--offline", config=write(tmp_path, text))
    assert code == 1, out + err
    (todo,) = [line for line in out.splitlines() if line.startswith("TODO")]
    assert f"config.toml: {place}: " in todo
    assert words in todo


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--offline"],
        ["check"],
        ["check", "--offline", "--json"],
        ["run"],
        ["run", "--shadow"],
        ["status"],
        ["status", "--json"],
        ["log"],
        ["links", "list"],
        ["failed", "list"],
        ["simulate"],
    ],
)
def test_every_command_that_reads_it_refuses_it_alike(tmp_path, words):
    config = write(tmp_path, '[daemon]\nmode = "dry"\n[delivery]\nconcurrency = 0')
    code, out, err = invoke(*words, config=config)
    assert code == 2
    assert out == ""
    assert "2 problems in the configuration:" in err
    assert "config.toml: daemon.mode: " in err
    assert "config.toml: delivery.concurrency: " in err
    assert "Traceback" not in err
