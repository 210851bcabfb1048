"""Text for people has no control characters; text for programs keeps its value."""

import json
import re
import tomllib
import unicodedata

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.model.display import json_text, shown, toml_text

ODD = "\x00\x07\x1b\t\n\r\x7f\x80\x85\x9b\u061c\u200b\u200e\u202e\u2028\u2029\u2066\ufeff\ud800\udfff\\\"'"
TEXTS = st.text(st.one_of(st.characters(codec=None), st.sampled_from(ODD)))
KEPT_TEXTS = TEXTS.map(lambda text: re.sub("[\ud800-\udfff]", "", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


def obeyed(character):
    """By Unicode's own classes, not by the list under test."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(
        character
    ) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B"}


@given(TEXTS)
def test_a_shown_text_is_one_line_without_control_characters(text):
    found = shown(text)
    assert not any(map(obeyed, found))
    assert not set("\u061c\u200e\u200f") & set(found)
    assert len(found.splitlines()) <= 1
    found.encode()
    assert shown(found) == found


@given(TEXTS)
def test_what_is_plain_stays_as_it_is(text):
    found = shown(text)
    for character in text:
        if character.isprintable():
            assert character in found
    if text.isprintable():
        assert found == text


@given(VALUES)
def test_json_keeps_the_value_and_is_one_plain_line(value):
    text = json_text(value)
    assert json.loads(text) == value
    assert not any(map(obeyed, text))
    assert len(text.splitlines()) == 1
    text.encode()


@given(st.dictionaries(KEPT_TEXTS, KEPT_TEXTS | st.lists(KEPT_TEXTS)))
def test_toml_keeps_the_value(value):
    text = toml_text(tomli_w.dumps(value))
    assert tomllib.loads(text) == value
    assert not any(obeyed(character) for character in text if character != "\n")


def test_every_character_that_is_named_is_shown():
    ranges = ((0, 0x20), (0x7F, 0xA0), (0x200E, 0x2010), (0x2028, 0x202F), (0x2066, 0x206A))
    for code in [0x061C, *(code for first, end in ranges for code in range(first, end))]:
        assert shown(f"a{chr(code)}b").isascii(), hex(code)
    assert shown("a\nb\tc\x1bd\u202ee\ud800") == r"a\nb\tc\x1bd\u202ee\ud800"
    assert shown(r"C:\new \d+ Müller 日本 👩‍💻 نص") == r"C:\new \d+ Müller 日本 👩‍💻 نص"
