"""TOML texts are measured before they are parsed: in linear time, and no valid one is refused."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.config.bounds import DEEPEST, MOST_PARTS, check_bounds
from setup.staged import REPOSITORY


@pytest.mark.parametrize(
    "text",
    [
        (REPOSITORY / "config.toml.example").read_text(),
        "a." * (MOST_PARTS - 1) + "a = 1",
        "a = " + "[" * DEEPEST + "]" * DEEPEST,
        'a = "' + ".x" * 1000 + "[" * 1000 + '"',
        "a = '''" + ".x" * 1000 + "[" * 1000 + "\n'' '''",
        'a = """' + ".x" * 1000 + '\\"""' + "[" * 1000 + '\n"" """',
        "# " + ".x" * 1000 + "[" * 1000,
        'a = "unterminated\n' + "[" * 1000,
        "",
    ],
)
def test_what_is_within_bounds_is_the_parsers(text):
    assert check_bounds(text) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x = 1\n" + "a." * MOST_PARTS + "a = 1", "parts"),
        ('"a" . ' * MOST_PARTS + "a = 1", "parts"),
        ("[" + "a." * MOST_PARTS + "a]", "parts"),
        ("a = { " + "b." * MOST_PARTS + "b = 1 }", "parts"),
        ("a = " + "[" * 50, "nested"),
        ("a = " + "{a=[" * 50, "nested"),
        ("a = " + "1" * 2000, "characters"),
        ("a = [" + "1," * 300_000 + "]", "values"),
        ("[[a]]\n" * 150_000, "values"),
    ],
)
def test_what_is_too_much_is_named_with_its_line(text, what):
    line, found = check_bounds(text)
    assert what in found
    assert 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize(
    "part", ['"""', "'''", '"', "'", '"""a"""', "\\", '"\\', "''", '""', "a.", "[", "#"]
)
def test_measuring_takes_no_more_than_a_moment(part):
    text = "a = " + part * (1_000_000 // len(part))
    began = time.process_time()
    check_bounds(text)
    assert time.process_time() - began < 3


@given(st.text(alphabet="ab.=[]{}\"'#\n\\ ,1", max_size=60))
def test_nothing_small_is_refused_that_the_parser_accepts(text):
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert check_bounds(text) is None
