"""Text that strangers write to manipulate what an operator reads, and checks of the output."""

import json
import re

FORGED = "PFORGED0000001  a0R000000000666EAA  active"
EVIL = (
    "pre\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1m\x00\x08\x0b\x0c\x7f\x85\x90"
    "\u061c\u200e\u200f\u202a\u202egnp.exe\u202c\u2066\u2069\u2028\u2029\u200b\ufeff"
    f"[bold red]loud :warning: \ttab\r\n{FORGED}\r{FORGED}"
)
# PagerDuty and Salesforce do not store these; a file name and an argument may have them.
UNKEPT = "\x00"
KEPT = EVIL.replace(UNKEPT, "")
BYTES = KEPT.encode() + b"\xff\xed\xa0\x80\xc0"  # as it may be in a file name

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
FOR_PEOPLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")
FOR_PROGRAMS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_people(text, about):
    """The text has no control characters, and no line of it starts with data."""
    found = FOR_PEOPLE.search(text)
    assert found is None, (about, hex(ord(found.group())), text[max(0, found.start() - 90) :][:180])
    forged = [line for line in text.split("\n") if line.lstrip().startswith("PFORGED")]
    assert not forged, (about, text)
    assert "\ttab" not in text, (about, "a tab of the data")


def check_json(text, about):
    """Every line is JSON of printable characters."""
    found = FOR_PROGRAMS.search(text)
    assert found is None, (about, hex(ord(found.group())), text[max(0, found.start() - 90) :][:180])
    for line in text.split("\n"):
        try:
            json.loads(line or "0")
        except ValueError as error:
            raise AssertionError((about, "a line is not JSON", line[:500])) from error


def in_toml(text):
    """The text as a basic TOML string."""
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)  # fmt: skip
