"""The pages of facts about the vendors, who cites them, and that nothing depends on a file outside."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from pagerforce.model.beliefs import BELIEFS, Certainty
from pagerforce.model.ids import Side

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS, PAGES = ROOT / "daemon" / "pagerforce", ROOT / "tests", ROOT / "docs" / "vendors"
FOLDERS = ("daemon", "tests", "bench", "docs", "monitoring", "packaging", "systemd", ".ci")
KINDS = {".py", ".md", ".toml", ".sh", ".yml", ".json", ".sql", ".example", ".service", ".lock", ""}

ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`((?:pagerduty|salesforce)\.[A-Za-z]+(?:-[A-Za-z]+)+)`")
TOPICS = re.compile(r"docs/vendors/(\w+)\.md((?:(?:, | and )?#[a-z-]+)*)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
CLIMB = re.compile(r"__file__\)(?:\.resolve\(\))?\.parents\[(\d)\]")
OUTSIDE = {
    "a page of notes that is not here": r"\bfacts[/]|\bcontract\.md|(?<![\w/-])(?:pagerduty|salesforce)\.md\b",
    "a section of such a page": r"\bfacts?,? sections? \d|\bcontract (?:section|promise)|\bthe contract\b",
    "a folder that is not here": r"/work[/]|\bshared[/]",
}


@dataclass(frozen=True)
class Fact:
    name: str
    says: str
    sure: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


def quoted(cell):
    return tuple(re.findall(r"`([^`]+)`", cell))


@cache
def facts():
    return tuple(
        Fact(name, says, sure, quoted(modules), quoted(tests))
        for side in Side
        for name, says, sure, modules, tests in ROW.findall(page(side))
    )


@cache
def page(side):
    return (PAGES / f"{side}.md").read_text("utf-8")


@cache
def texts():
    files = [file for file in ROOT.iterdir() if file.is_file()]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*")
    return {
        file.relative_to(ROOT): file.read_text("utf-8")
        for file in sorted(files)
        if file.is_file() and file.suffix in KINDS and file.name != ".git"
    }


def module_of(path):
    parts = path.relative_to("daemon/pagerforce").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def is_module(name):
    place = PACKAGE.joinpath(*name.split("."))
    return place.is_dir() or any(place.with_suffix(end).is_file() for end in (".py", ".toml"))


@pytest.mark.parametrize("fact", facts(), ids=lambda fact: fact.name)
def test_a_fact_has_a_name_some_words_a_certainty_and_who_depends_on_it(fact):
    assert re.fullmatch(NAME, f"`{fact.name}`"), "code could not cite it"
    assert f"`{fact.name}`" in page(fact.name.partition(".")[0])
    assert 1 <= len(re.findall(r"[.!](?= [A-Z`]|$)", fact.says)) <= 3
    assert Certainty(fact.sure)
    assert [name for name in fact.modules if not is_module(name)] == []
    assert [name for name in fact.tests if not (TESTS / name).is_file()] == []
    assert fact.modules
    assert fact.tests


def test_each_fact_has_one_home():
    homes = Counter([*(fact.name for fact in facts()), *BELIEFS])
    assert [name for name, count in homes.items() if count > 1] == []
    for name, item in BELIEFS.items():
        assert page(item.side).count(f"`{name}`") == 1, name


def test_what_is_cited_is_a_fact():
    known = {fact.name for fact in facts()} | set(BELIEFS)
    cited = {(path, name) for path, text in texts().items() for name in NAME.findall(text)}
    assert len(cited) > len(known)
    assert {(str(path), name) for path, name in cited if name not in known} == set()


def test_who_cites_a_fact_is_named_in_its_row():
    rows = {fact.name: fact.modules for fact in facts()}
    for path, text in texts().items():
        if path.parts[:2] == ("daemon", "pagerforce"):
            for name in rows.keys() & set(NAME.findall(text)):
                assert module_of(path) in rows[name], f"{path} depends on {name}"


def test_the_topics_that_are_cited_exist():
    count = 0
    for path, text in texts().items():
        for side, anchors in TOPICS.findall(text):
            headings = re.findall(r"^## (.+)$", page(side), re.MULTILINE)
            known = {heading.lower().replace(" ", "-") for heading in headings}
            assert set(re.findall(r"#([a-z-]+)", anchors)) <= known, path
            count += 1
    assert count > len(Side)


@pytest.mark.parametrize("pattern", OUTSIDE.values(), ids=OUTSIDE)
def test_nothing_cites_what_is_not_here(pattern):
    found = [
        f"{path}: {match[0]}"
        for path, text in texts().items()
        if path.name != "LICENSE"
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    assert found == []


def test_links_between_pages_lead_to_files_that_exist():
    for path, text in texts().items():
        if path.suffix == ".md":
            for target in LINK.findall(text):
                if "://" not in target and not target.startswith("mailto:"):
                    place = ((ROOT / path).resolve().parent / target).resolve()
                    assert place.is_relative_to(ROOT), f"{path}: {target}"
                    assert place.exists(), f"{path}: {target}"


def test_no_program_climbs_out_of_the_repository():
    for path, text in texts().items():
        if path.suffix == ".py":
            assert all(int(steps) < len(path.parts) for steps in CLIMB.findall(text)), path
