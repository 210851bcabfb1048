"""Each wait of a loop has a deadline, or the watchdog ends the process and logs where it hung.

The real process under a notification socket, with a hang in it (``hang_points.py``). The minute is
shortened there; ``test_the_minute`` compares the real figures.
"""

import signal
import socket
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest

from abuse import hang_points
from abuse.hang_points import ENDED_AFTER, SILENT_AFTER
from abuse.hanging import PAGERDUTY_URL, Patient, hanging
from pagerforce.model import durations
from pagerforce.store import database
from process import until
from setup.test_units import UNITS, settings

# What hangs: the loop that must be named, and the place that the log must show.
HANGS = {
    "poll": ("pagerduty", "poll.py"),
    "refresh": ("refresh", "refresh.py"),
    "transaction": ("refresh", "gauges.py"),
    "describe": ("salesforce", "schema.py"),
    "statement": ("", "database.py"),
    "event loop": ("event loop", "gauges.py"),
    "busy loop": ("event loop", "gauges.py"),
    "reload": ("reload", "daemon.py"),
    "stubborn handler": ("delivery", "deliver.py"),
    "log": ("", ""),
}


async def all_of(*scenarios) -> None:
    """Runs them concurrently: they mostly wait."""
    limit = anyio.CapacityLimiter(6)

    async def one(scenario) -> None:
        async with limit:
            await scenario()

    async with anyio.create_task_group() as group:
        for scenario in scenarios:
            group.start_soon(one, scenario)


async def hang_to_the_end(folder: Path, point: str) -> None:
    """Lets it hang and checks how the process ends."""
    loop, place = HANGS[point]
    async with hanging(folder, point) as patient:
        await patient.running.ready(90)
        await until(lambda: len(patient.manager.fed()) >= 2, "systemd's watchdog is fed")
        patient.arm()
        patient.page()
        if point == "reload":
            patient.running.process.send_signal(signal.SIGHUP)
        began = time.monotonic()
        if point == "poll":
            await until_unhealthy(patient)
        assert await patient.ended() == 1, point
        ended = time.monotonic()
        patient.manager.hear()
        assert ended - began > SILENT_AFTER, point
        assert ended - patient.manager.fed()[-1] > (ENDED_AFTER - SILENT_AFTER) / 2, point
        if point == "log":
            return
        lines = [line for line in patient.log().splitlines() if '"stalled"' in line]
        assert any(f'"loop": "{loop}' in line and place in line for line in lines), (point, lines)
        assert "Core switch" not in patient.log()


async def until_unhealthy(patient: Patient) -> None:
    with anyio.fail_after(60):
        while (answer := await patient.running.get("/-/healthy")) is None or answer.is_success:
            assert patient.running.process.returncode is None
            await anyio.sleep(0.1)
    assert (answer.status_code, answer.text) == (503, "no heartbeat: pagerduty\n")
    # The watchdog looks once a second.
    await until(lambda: '"no_heartbeat"' in patient.log(), "a line in the log")


async def test_whatever_hangs_for_a_minute_ends_the_process(tmp_path):
    await all_of(
        *(partial(hang_to_the_end, tmp_path / str(n), point) for n, point in enumerate(HANGS))
    )


async def goes_on(patient: Patient) -> None:
    """It works for longer than the limit of a hang, and systemd keeps getting notifications."""
    await anyio.sleep(ENDED_AFTER + 3)
    assert patient.running.process.returncode is None, patient.log()
    assert '"stalled"' not in patient.log()
    assert '"no_heartbeat"' not in patient.log()
    patient.manager.hear()
    assert time.monotonic() - patient.manager.fed()[-1] < SILENT_AFTER


async def stops(patient: Patient) -> int:
    assert await patient.running.stop() < 10
    return patient.running.process.returncode or 0


async def only_pagerduty_fails(patient: Patient) -> None:
    patient.arm()
    await until(lambda: '"poll_failed"' in patient.log(), "a failed poll", 90)
    await goes_on(patient)
    before = await last_success(patient, "salesforce")
    with anyio.fail_after(60):
        while not await last_success(patient, "salesforce") > before:
            await anyio.sleep(0.2)
    assert await stops(patient) == 0


def last_success(patient: Patient, side: str):
    return patient.running.sample("last_success_timestamp_seconds", source=side)


async def names_are_not_resolved(folder: Path) -> None:
    edits = {PAGERDUTY_URL: lambda url: url.replace("127.0.0.1", "localhost")}
    async with hanging(folder, "dns", edits=edits) as patient:
        await only_pagerduty_fails(patient)


async def the_proxy_is_deaf(folder: Path, port: int) -> None:
    proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
    edits = {PAGERDUTY_URL: "https://pagerduty.invalid"}
    async with hanging(folder, "nothing", edits=edits, **proxy) as patient:
        await only_pagerduty_fails(patient)


async def the_handshake_does_not_end(folder: Path, port: int) -> None:
    edits = {PAGERDUTY_URL: f"https://127.0.0.1:{port}"}
    async with hanging(folder, "nothing", edits=edits) as patient:
        await only_pagerduty_fails(patient)


@pytest.fixture
def deaf():
    """A listener whose connections are never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        yield listener.getsockname()[1]


async def test_a_remote_side_that_hangs_keeps_nobody_else(tmp_path, deaf):
    await all_of(
        partial(names_are_not_resolved, tmp_path / "dns"),
        partial(the_proxy_is_deaf, tmp_path / "proxy", deaf),
        partial(the_handshake_does_not_end, tmp_path / "tls", deaf),
    )


async def an_action_hangs(folder: Path, point: str, outcome: str) -> None:
    """It is retried, whatever it waits for, and other incidents are created."""
    edits = {"[delivery]": "[delivery]\nconcurrency = 2"}
    async with hanging(folder, point, edits=edits) as patient:
        await patient.running.ready(90)
        patient.arm()
        patient.page(hang_points.HANGING_TITLE)
        await until(lambda: f'"outcome": "{outcome}"' in patient.log(), "an outcome", 90)
        patient.page()
        await until(lambda: len(patient.stage.desk.pagerduty.incidents()) == 1, "a page", 90)
        await goes_on(patient)
        assert await stops(patient) == 0


async def a_statement_takes_too_long(folder: Path) -> None:
    async with hanging(folder, "query") as patient:
        await patient.running.ready(90)
        patient.arm()
        await until(lambda: '"storage_unavailable"' in patient.log(), "a report", 90)
        patient.page()
        await until(lambda: len(patient.stage.desk.pagerduty.incidents()) == 1, "a page", 90)
        assert '"stalled"' not in patient.log()
        assert await stops(patient) == 0


async def test_what_can_be_stopped_is_stopped_and_the_rest_keeps_running(tmp_path):
    await all_of(
        partial(an_action_hangs, tmp_path / "handler", "handler", "unknown"),
        partial(an_action_hangs, tmp_path / "expectations", "expectations", "retrylater"),
        partial(a_statement_takes_too_long, tmp_path / "query"),
    )


async def it_stops_while_something_hangs(folder: Path, point: str) -> None:
    async with hanging(folder, point) as patient:
        await patient.running.ready(90)
        patient.arm()
        # A hang blocks the metrics, or the whole event loop.
        with anyio.fail_after(60):
            while '"storage_unavailable"' not in patient.log():
                if point == "event loop" and await patient.running.get("/-/healthy") is None:
                    break
                await anyio.sleep(0.1)
        assert await stops(patient) == 1
        assert '"stalled"' in patient.log()
        assert "Core switch" not in patient.log()


async def it_was_stopped_for_long(folder: Path) -> None:
    async with hanging(folder, "nothing") as patient:
        await patient.running.ready(90)
        patient.running.process.send_signal(signal.SIGSTOP)
        await anyio.sleep(ENDED_AFTER + 3)
        fed = len(patient.manager.fed())
        patient.running.process.send_signal(signal.SIGCONT)
        await until(lambda: len(patient.manager.fed()) > fed + 1, "systemd's watchdog is fed", 30)
        assert '"stalled"' not in patient.log()
        assert await stops(patient) == 0


async def test_it_stops_in_time_whatever_hangs_and_a_pause_is_no_hang(tmp_path):
    await all_of(
        partial(it_stops_while_something_hangs, tmp_path / "statement", "statement"),
        partial(it_stops_while_something_hangs, tmp_path / "event loop", "event loop"),
        partial(it_was_stopped_for_long, tmp_path / "stopped"),
    )


@pytest.mark.parametrize("unit", UNITS)
def test_the_minute(unit):
    """Each wait ends before the loop counts as silent, and that long before the process is ended."""
    call, step = durations.CALL_DEADLINE, durations.STEP_DEADLINE
    waits = (database.LONGEST_WAIT_SECONDS, database.LONGEST_STATEMENT_SECONDS)
    assert call < step < durations.SILENT_AFTER < durations.HUNG_AFTER == timedelta(minutes=1)
    assert max(waits) < durations.SILENT_AFTER.total_seconds()
    assert settings(unit)["WatchdogSec"] == ["60s"]
