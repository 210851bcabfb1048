"""The real process with its real loops: calls raise in it, other incidents are created, and it survives."""

import signal
from pathlib import Path

import anyio
import pytest

from process import open_stage, until

PROGRAM = Path(__file__).with_name("raising_daemon.py")

# Always raises for the failing item, or for a moment in a loop's own step.
ABOUT_GUILTY = (
    "CreateIncident.expectations",
    "CreateIncident.deliver",
    "attempts.begin_attempt",
    "outbox.settle",
    "outbox.enqueue",
    "settle.store_effects",
    "tasks.build_task",
    "Judge.rule",
)
FOR_GOOD = (
    "links.count_links",
    "outbox.depth",
    "Gauges.refresh",
    "Refresher._refresh",
    "Certificates._login_ends",
    "Metrics.count_action",
    "Metrics.count_event",
    "Metrics.count_internal_error",
    "PagerDutyReader.budget",
    "PagerDutyReader.may_poll",
    "retention.prune_journal",
)
FOR_A_MOMENT = (
    "Deliverer._start_jobs",
    "Deliverer._turn",
    "PollLoop._turn",
    "PollLoop._poll",
    "heads.find_heads",
    "outbox.recover",
)


def pages_of(stage):
    return [item["title"].rpartition(": ")[2] for item in stage.desk.pagerduty.incidents()]


def open_record(stage, text):
    world, p = stage.desk.salesforce, "BMCServiceDesk__"
    values = {
        f"{p}shortDescription__c": text,
        f"{p}FKCategory__c": world.find_id(f"{p}Category__c", Name="Network"),
        f"{p}FKPriority__c": world.find_id(f"{p}Priority__c", Name="1"),
        f"{p}FKStatus__c": world.find_id(f"{p}Status__c", Name="NEW"),
    }
    world.insert(f"{p}Incident__c", values, by="raj.patel@example.com")


@pytest.fixture
async def raising(tmp_path):
    """A running daemon, and the file that names what raises in it."""
    file = tmp_path / "raising.txt"
    file.write_text("")
    async with open_stage(tmp_path) as stage:
        program = (str(PROGRAM), str(file))
        async with stage.daemon(program=program) as running:
            await running.ready()
            yield stage, running, file


async def served(stage, running, text):
    open_record(stage, text)
    await until(lambda: text in pages_of(stage) or running.process.returncode is not None, text, 40)
    assert running.process.returncode is None, running.log.read_text()[-3000:]


async def test_calls_that_raise_end_neither_the_process_nor_other_pages(raising):
    stage, running, file = raising
    for name in ABOUT_GUILTY:
        file.write_text(f"{name} guilty {name}")
        open_record(stage, f"guilty {name}")
        await served(stage, running, f"beside {name}")
    for name in FOR_GOOD:
        file.write_text(name)
        await served(stage, running, f"in spite of {name}")
    for name in FOR_A_MOMENT:
        file.write_text(name)
        await anyio.sleep(0.7)
        file.write_text("")
        await served(stage, running, f"after {name}")
    # Incidents whose calls always raised at first are created once they are tried again.
    wanted = [f"guilty {name}" for name in ABOUT_GUILTY]
    await until(lambda: set(wanted) <= set(pages_of(stage)), "the guilty pages", 90)
    pages = pages_of(stage)
    assert [text for text in pages if pages.count(text) > 1] == []
    assert (await running.sample("internal_errors_total", part="action")) > 0
    log = running.log.read_text()
    assert "Traceback" not in log
    assert "text of a customer" not in log
    assert await running.stop() < 10


async def test_a_reload_that_raises_keeps_the_rules_in_force(raising):
    stage, running, file = raising
    file.write_text("applied.load_in_force")
    running.process.send_signal(signal.SIGHUP)
    with anyio.fail_after(20):
        while not await running.sample("internal_errors_total", part="reload"):
            await anyio.sleep(0.1)
    await served(stage, running, "after a reload")
    file.write_text("")
    running.process.send_signal(signal.SIGHUP)
    await until(lambda: '"reloaded"' in running.log.read_text(), "a reload", 20)
