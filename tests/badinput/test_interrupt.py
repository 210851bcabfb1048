"""Ctrl-C: quiet, immediate, with the exit code that shells use for it; the daemon stops cleanly."""

import os
import signal
import socket
import subprocess
import sys

import anyio
import httpx
import pytest

from pagerforce.sandbox.running import free_port
from process import command, open_stage, until
from unit.config.config_catalog import write

_INTERRUPTIBLE = "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, [sys.executable, '-m', 'pagerforce', *sys.argv[1:]])"


class Started:
    """A command that runs until it is interrupted."""

    def __init__(self, *words: str, **environ: str) -> None:
        # a test runner in the background may ignore SIGINT, and children inherit that
        self.process = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )

    def interrupt(self) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def start():
    """Starts commands; none survives the test, however it ends."""
    running: list[Started] = []

    def begin(*words: str, **environ: str) -> Started:
        running.append(Started(*words, **environ))
        return running[-1]

    yield begin
    for one in running:
        one.process.kill()
        one.process.communicate()


async def test_a_log_that_is_followed_through_a_pipe_ends_quietly(tmp_path, start):
    async with open_stage(tmp_path) as stage:
        async with stage.daemon() as running:
            await running.ready(60)
            stage.desk.salesforce.insert(
                "BMCServiceDesk__Incident__c", {"BMCServiceDesk__contactType__c": "Event"}
            )
            follower = start("log", "--follow", "--json", "--config", str(stage.desk.config))
            with anyio.fail_after(60):
                first = await anyio.to_thread.run_sync(follower.process.stdout.readline)
            assert '"event": "create"' in first
            code, _, err = await anyio.to_thread.run_sync(follower.interrupt)
        assert code == 0, err  # it was asked to end, like `tail -f` in a terminal
        assert "Traceback" not in err


def test_an_interrupt_that_was_handled_does_not_decide_the_exit_code():
    """Ctrl-C while a module creates its dataclasses: `log --follow` still ends with 0."""
    interrupted = """
import pagerforce.cli.app
from pagerforce.__main__ import main
def follow():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        pass
pagerforce.cli.app.main = follow
main()
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_control_socket_ignores_certificate_settings_of_the_environment(tmp_path, start):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        config = write(tmp_path, f'[daemon]\ncontrol_socket = "{path}"')
        started = start("status", "--config", str(config), SSL_CERT_FILE="/nonexistent")
        listener.settimeout(60)
        for _ in range(2):  # whether a daemon listens, then the question: neither is answered
            connection, _ = listener.accept()
            connection.close()
        _, err = started.process.communicate(timeout=60)
    assert started.process.returncode == 1
    assert "try again" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("seconds", [0.0, 0.15, 0.4])
def test_it_is_quiet_also_while_the_program_is_still_loading(tmp_path, seconds, start):
    started = start("check", "--config", str(tmp_path / "none.toml"))
    try:
        started.process.wait(seconds)
    except subprocess.TimeoutExpired:
        code, _, err = started.interrupt()
    else:
        code, err = 2, started.process.communicate()[1]
    # before pagerforce's first line the interpreter itself answers: by the signal, or in its own words
    assert code in {130, -signal.SIGINT, 2, 1}
    assert "pagerforce/" not in err.replace(str(tmp_path), "")


async def test_the_daemon_and_the_sandbox_stop_in_order(tmp_path, start):
    sandbox = start(
        "sandbox", "--dir", str(tmp_path), "--pagerduty-port", "0", "--salesforce-port", "0"
    )
    await until((tmp_path / "config.toml").exists, "the sandbox", 60)
    config, address = tmp_path / "config.toml", f"127.0.0.1:{free_port()}"
    config.write_text(config.read_text().replace("127.0.0.1:9479", address))
    daemon = start("run", "--config", str(config))
    await until(lambda: _is_ready(address), "the daemon", 60)
    code, out, err = await anyio.to_thread.run_sync(daemon.interrupt)
    assert code == 0, err
    assert "Traceback" not in out + err
    code, out, err = await anyio.to_thread.run_sync(sandbox.interrupt)
    assert code == 0, err
    assert "Traceback" not in out + err


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


async def test_a_version_that_is_asked_for_needs_no_configuration():
    code, out, _ = await command("--version", PAGERFORCE_CONFIG="/nonexistent")
    assert code == 0
    assert "(schema " in out
