"""Documents and the texts of the code have none of the words to avoid of ``docs/style.md``."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "docs" / "style.md"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "monitoring/*.md")
    for path in ROOT.glob(pattern)
    if path != STYLE
)
# Their comments are prose too, and so are the alerts' annotations; their values are not words.
COMMENTED = [
    "config.toml.example",
    "monitoring/alerts.yml",
    "monitoring/alertmanager.yml",
    "monitoring/prometheus.yml",
    "monitoring/rules.yml",
    "systemd/notify-reload.conf",
    "systemd/pagerforce.service",
    "systemd/pagerforce@.service",
    "Makefile",
]
# Not prose of the page: blocks, tables made from the code, code, addresses of links.
SKIPPED = re.compile(
    r"^```.*?^```|<!-- (?:\w+: .*?<!-- end|bench:\w+ -->.*?<!-- bench:\w+ end) -->"
    r"|`[^`\n]*`|\]\([^)\s]*\)",
    re.DOTALL | re.MULTILINE,
)
BELIEF = re.compile(r"^\| `(?:pagerduty|salesforce)\.[\w-]+` \|.*$", re.MULTILINE)
PACKAGES = sorted({path.parent for path in (ROOT / "daemon" / "pagerforce").rglob("*.py")})
# In the texts of the code: code in backticks, names of facts and beliefs, values filled in.
NAMES = re.compile(r"``?[^`\n]*``?|\b[a-z]+(?:-[a-z]+){2,}\b|\{[^{}\n]*\}")
# What a released version said stays as it was.
RELEASED = re.compile(r"^## \[?\d.*", re.DOTALL | re.MULTILINE)


def banned():
    """Every word or phrase of the page's table."""
    part = STYLE.read_text("utf-8").partition("## Words to avoid")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .+ \|$", part, re.MULTILINE)[1:]
    return [word.strip() for row in rows for word in row.split(",")]


def hidden(found):
    """Blanks for what is skipped, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", found.group())


def prose(name):
    text = (ROOT / name).read_text("utf-8")
    if name in COMMENTED:
        return text
    for pattern in (BELIEF, SKIPPED):
        text = pattern.sub(hidden, text)
    return RELEASED.sub(hidden, text) if name == "CHANGELOG.md" else text


def offences(text):
    """(line number, word) of each banned word; a phrase may go over the end of a line."""
    words = "|".join(re.escape(word).replace(r"\ ", r"\s+(?:#\s+)?") for word in banned())
    for found in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE):
        yield text.count("\n", 0, found.start()) + 1, " ".join(found.group().split())


def test_the_list_is_read_and_finds_a_word_over_the_end_of_a_line():
    assert len(banned()) > 30
    assert list(offences("It is Mended,\nand goes\non; recommended")) == [
        (1, "Mended"),
        (2, "goes on"),
    ]


@pytest.mark.parametrize("name", [*PAGES, *COMMENTED])
def test_no_document_has_a_word_to_avoid(name):
    found = [f"{name}:{line}: {word}" for line, word in offences(prose(name))]
    assert found == [], "see the table of docs/style.md for what to write"


def texts(path):
    """The comments, docstrings and strings of a module, each at its line."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    for token in tokens:
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], NAMES.sub(hidden, token.string)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_no_text_of_the_code_has_a_word_to_avoid(package):
    found = [
        f"{path.relative_to(ROOT)}:{first + line - 1}: {word}"
        for path in sorted(package.glob("*.py"))
        for first, text in texts(path)
        for line, word in offences(text)
    ]
    assert found == [], "see the table of docs/style.md for what to write"
