"""The log's events and keys are a closed list, and the journal gets their priorities."""

import ast
import io
import json
import logging
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest
import structlog

import pagerforce
from pagerforce.observe.log import COMMON_KEYS, EVENTS, get_log, setup_log

SOURCE = Path(pagerforce.__file__).parent
DOC = Path(__file__).parents[2] / "docs" / "reference" / "log-events.md"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def constants(node):
    """The possible words of an argument: a constant, or one of two."""
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else {None}


def is_log_method(node):
    return (
        isinstance(node, ast.Attribute)
        and node.attr in LEVELS
        and isinstance(node.value, ast.Name)
        and node.value.id == "_LOG"
    )


def logged():
    """Event -> keys and levels, of every log call in the code."""
    keys, levels = defaultdict(set), defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        # ``level = _LOG.warning if ... else _LOG.info`` and then ``level("action", ...)``
        aliases = {
            target.id: {x.attr for x in ast.walk(node.value) if is_log_method(x)}
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and any(map(is_log_method, ast.walk(node.value)))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if is_log_method(node.func):
                methods = {node.func.attr}
            elif isinstance(node.func, ast.Name) and node.func.id in aliases:
                methods = aliases[node.func.id]
            else:
                continue
            place = f"{path.name}:{node.lineno}"
            words = constants(node.args[0]) if node.args else {None}
            assert None not in words, f"{place}: the event is not a constant"
            assert all(keyword.arg for keyword in node.keywords), f"{place}: keys are not visible"
            assert len(node.args) == 1, f"{place}: data belongs in keys"
            for word in words:
                keys[word] |= {keyword.arg for keyword in node.keywords}
                levels[word] |= methods
    return keys, levels


def documented():
    """Event -> levels and keys, of each row of the page's table."""
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| (.*?) \|", DOC.read_text(), re.MULTILINE)
    return {
        name: (set(words.split(", ")), set(re.findall(r"`(\w+)`", keys)))
        for name, words, keys in rows
    }


def test_the_list_is_closed():
    keys, _ = logged()
    assert keys.keys() == EVENTS.keys()
    for event, found in keys.items():
        assert found == EVENTS[event], event


def test_the_page_describes_exactly_these():
    _, levels = logged()
    assert documented() == {event: (levels[event], set(keys)) for event, keys in EVENTS.items()}


def test_no_key_names_bodies_texts_or_secrets():
    telling = {"body", "text", "title", "note", "comment", "token", "secret", "password", "key"}
    for event, keys in EVENTS.items():
        assert not keys & (telling | COMMON_KEYS), event


@pytest.fixture
def log(tmp_path):
    """Configures the log on a file that may look like the journal; returns what was written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = (tmp_path / "log").open("w")

    def set_up(form="auto", *, is_journal=True):
        root.handlers.clear()  # pytest's own handlers, which would block pagerforce's
        found = os.fstat(stream.fileno())
        name = f"{found.st_dev}:{found.st_ino if is_journal else found.st_ino + 1}"
        setup_log("debug", form, stream, environ={"JOURNAL_STREAM": name})

        def lines():
            stream.flush()
            return (tmp_path / "log").read_text().splitlines()

        return lines

    yield set_up
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    stream.close()


def test_under_systemd_each_line_has_its_priority(log):
    lines = log()
    said = get_log("test")
    for method in ("debug", "info", "warning", "error"):
        getattr(said, method)("ready")
    logging.getLogger("library").warning("one\ntwo")
    found = lines()
    assert [line[:3] for line in found] == ["<7>", "<6>", "<4>", "<3>", "<4>"]
    assert found[4] == r"<4>WARNING library one\ntwo", "a line break would be another entry"
    assert [json.loads(line[3:])["event"] for line in found[:4]] == ["ready"] * 4


def test_a_format_that_was_chosen_gets_the_priority_too(log):
    lines = log("console")
    get_log("test").error("ready")
    (line,) = lines()
    assert line.startswith("<3>")
    assert "ready" in line


def test_a_variable_that_was_only_inherited_changes_nothing(log):
    lines = log(is_journal=False)
    get_log("test").info("ready")
    (line,) = lines()
    assert json.loads(line)["event"] == "ready"


def test_a_stream_without_a_file_is_not_the_journal():
    stream = io.StringIO()
    setup_log("info", "auto", stream, environ={"JOURNAL_STREAM": "1:2"})
    get_log("test").info("ready")
    structlog.reset_defaults()
    assert json.loads(stream.getvalue())["level"] == "info"
