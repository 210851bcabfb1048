"""Hostile text in the daemon's log, in the status for systemd, on the page and in the metrics."""

import json
import logging
import os
import socket

import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from abuse.hostile import (
    EVIL,
    check_people,
)
from pagerforce.observe.log import get_log, setup_log
from pagerforce.observe.metrics import Metrics
from pagerforce.service.catalog import SPECS
from pagerforce.service.control.answer import line_of, progress_line
from pagerforce.service.pages import Condition, front_page
from pagerforce.service.systemd import Notifier


@pytest.fixture
def logged(tmp_path):
    """Configures logging and returns what was written."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = (tmp_path / "log").open("w", encoding="utf-8")

    def set_up(form, *, is_journal):
        root.handlers.clear()
        found = os.fstat(stream.fileno())
        name = f"{found.st_dev}:{found.st_ino}" if is_journal else ""
        setup_log("debug", form, stream, environ={"JOURNAL_STREAM": name})

        def text():
            stream.flush()
            return (tmp_path / "log").read_bytes().decode()

        return text

    yield set_up
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    stream.close()


class Hostile:
    def __repr__(self):
        return EVIL


@pytest.mark.parametrize("is_journal", [True, False])
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_value_in_the_log_makes_no_second_line(logged, form, is_journal):
    text = logged(form, is_journal=is_journal)
    log = get_log("test")
    bad = f"x\n<3>ready {EVIL}\ud800"
    log.error("refused", user=bad, command=[bad, {bad: bad}], uid=ValueError(bad))
    log.error("refused", user="\x1b[2J", command=Hostile(), uid=True)
    lines = text().rstrip("\n").split("\n")
    assert len(lines) == 2
    assert "x1b[2J" in lines[1] or "u001b[2J" in lines[1]
    check_people(text(), form)
    if form == "json":
        first = json.loads(lines[0].removeprefix("<3>"))
        assert first["user"] == bad, "the parsed value is the logged value"


@pytest.mark.parametrize("is_journal", [True, False])
def test_what_a_library_says_makes_no_second_line(logged, is_journal):
    text = logged("json", is_journal=is_journal)
    library = logging.getLogger("library")
    library.warning("%s", f"one\n<3>two {EVIL}")
    (line,) = text().rstrip("\n").split("\n")
    error = ValueError(f"one\n<3>two {EVIL}")
    library.error("it failed", exc_info=(ValueError, error, None))
    check_people(text(), "library")
    assert sum("two" in item for item in text().split("\n")) == 2
    assert line.startswith("<4>WARNING" if is_journal else "WARNING")


def test_an_answer_on_the_control_socket_is_one_line_whatever_is_in_it():
    for line in (line_of("result", [EVIL + "\ud800"]), progress_line(EVIL + "\ud800", 0.5)):
        (only,) = line.decode("ascii").splitlines()
        assert EVIL + "\ud800" in (
            json.loads(only).get("progress"),
            *json.loads(only).get("result", ()),
        )


def test_a_status_for_systemd_is_one_assignment(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).send(
            "READY=1", f"STATUS=waiting for {EVIL}\nMAINPID=1"
        )
        text = receiver.recv(65_536).decode()
    assert [line.partition("=")[0] for line in text.split("\n")] == ["READY", "STATUS"]
    check_people(text, "STATUS")


def test_the_page_and_the_metrics_carry_names_as_text():
    metrics = Metrics("1", [SPECS["pagerduty.add_note"]])
    metrics.declare_rules([(EVIL, EVIL)])
    metrics.count_match(EVIL, EVIL)
    page = front_page(Condition(metrics.registry, [f"<b>{EVIL}"], [EVIL]))
    check_people(page, "page")
    assert "<b>" not in page
    text = generate_latest(metrics.registry).decode()
    check_people(text, "metrics")
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "pagerforce_rule_matches_total"
    ]
    assert [sample.value for sample in samples] == [1.0]
