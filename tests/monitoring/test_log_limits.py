"""The log is bounded: each kind of line, all lines together, each value; omissions are reported."""

import io
import json
import logging
import os
from contextlib import suppress

import pytest
import structlog

from pagerforce.observe import limits
from pagerforce.observe.limits import LONGEST_TEXT, Limits
from pagerforce.observe.log import get_log, say_what_was_left_out, setup_log


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr("pagerforce.observe.log.Limits", lambda: Limits(found))
    return found


@pytest.fixture
def log(clock):
    """Configures the log on a stream; returns the lines written since the last call."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    setup_log("debug", "json", stream, environ={})

    def lines():
        found = stream.getvalue().splitlines()
        stream.seek(0)
        stream.truncate()
        return [json.loads(line) if line.startswith("{") else line for line in found]

    yield lines
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_repeated_line_is_bounded_and_omissions_are_reported(log, clock):
    said = get_log("test")
    for _ in range(100_000):
        said.warning("refused", uid=1, user="eve", command="status", folded=1)
    assert len(log()) == 30
    said.info("ready")
    assert [x["event"] for x in log()] == ["ready"], "other lines continue"
    clock.now = 60.0
    said.info("ready")
    told, after = log()
    assert (told["event"], told["what"], told["left_out"]) == ("log_limited", "refused", 99_970)
    assert after["event"] == "ready"
    said.warning("refused", uid=1, user="eve", command="status", folded=1)
    assert len(log()) == 1, "a new minute"


def test_own_work_of_a_busy_minute_is_all_there(log):
    for number in range(5000):
        get_log("deliver").info("action", action_id=f"a{number}", reason=None)
    assert len(log()) == 5000


def test_one_reason_does_not_hide_another_and_reasons_do_not_grow_for_ever(log):
    said = get_log("poll")
    for _ in range(1000):
        said.warning("poll_failed", source="pagerduty", reason="a", error="", failures=1)
    log()
    said.warning("poll_failed", source="pagerduty", reason="b", error="", failures=1)
    said.warning("poll_failed", source="salesforce", reason="a", error="", failures=1)
    said.error("side_halted", side="salesforce", reason="credentials")
    assert len(log()) == 3
    for number in range(50_000):
        said.warning("malformed", source="pagerduty", where=f"entry {number}", what="odd")
    assert len(log()) <= 4 * 120


def test_kinds_are_bounded():
    found = Limits(Clock())
    for number in range(10_000):
        found.admits(f"event {number}", number, 10, level=30, size=10)
        found.admits("one", number, 10, level=30, size=10)
    assert len(found._kinds) <= 1010
    assert len(found._per_event) <= 501


def test_all_bytes_together_are_bounded_and_errors_have_a_share_of_their_own():
    found = Limits(Clock())
    for event in range(100):
        for _ in range(120):
            found.admits(f"e{event}", None, 120, level=20, size=4000)
    assert found._bytes <= 6.5 * 1024 * 1024 + 100 * 2 * 4000
    admitted = [found.admits("error", None, 120, level=40, size=4000) for _ in range(100)]
    assert all(admitted)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 100_000,
        ["x" * 100_000] * 50,
        list(range(100_000)),
        {"a": "x" * 100_000},
        pytest.param(10**5000, id="digits"),
    ],
)
def test_a_line_is_no_longer_than_it_may_be(log, value):
    get_log("test").warning("no_heartbeat", loops=value)
    (line,) = log()
    assert len(json.dumps(line)) < 6000
    assert "more" in json.dumps(line)


def test_libraries_are_bounded_by_kind_and_length(log, clock):
    said = logging.getLogger("library")
    for number in range(10_000):
        said.warning("connection %d lost", number)
    said.error("other trouble")
    found = log()
    assert len(found) == 21
    said.error("that", exc_info=ValueError("x" * 100_000))
    assert len("\n".join(log())) < LONGEST_TEXT + 200
    clock.now = 61.0
    say_what_was_left_out()
    (told,) = log()
    assert (told["what"], told["left_out"]) == ("library library", 9980)


class Full(io.StringIO):
    full = True

    def write(self, text):
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_raises_nothing_and_says_so_later(clock):
    stream = Full()
    root = logging.getLogger()
    handlers = root.handlers[:]
    root.handlers.clear()
    try:
        setup_log("info", "json", stream, environ={})
        get_log("test").error("ready")
        logging.getLogger("library").error("trouble")
        stream.full = False
        clock.now = 61.0
        get_log("test").error("ready")
        told, _ = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert (told["event"], told["what"]) == ("log_limited", limits.NOT_WRITTEN)
        assert told["left_out"] == 2
        stream.close()
        get_log("test").error("ready")
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers


def test_a_pipe_that_nobody_reads_raises_nothing(clock):
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", buffering=1)
    root = logging.getLogger()
    handlers = root.handlers[:]
    root.handlers.clear()
    try:
        setup_log("info", "json", stream, environ={})
        for _ in range(100):
            get_log("test").error("ready")
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        with suppress(BrokenPipeError):
            stream.close()
