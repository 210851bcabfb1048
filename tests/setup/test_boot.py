"""The installed units under a real systemd: start, ready, reload, watchdog, restart, instances, stop."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pagerforce.sandbox.pagerduty import ACCOUNT_KEY
from setup.booted import Machine, boot, why_not
from setup.test_units import settings

SANDBOX = """
[Unit]
Description=both APIs
[Service]
ExecStart=/opt/pagerforce/bin/pagerforce sandbox --dir /srv/sandbox --tls --pagerduty-port 8480 --salesforce-port 8481
"""
# A restart and a watchdog in test time; everything else is as shipped.
HASTE = "[Service]\nRestartSec=100ms\nWatchdogSec=3s\n"
BAD_RULE = '[[rulesets]]\nname = "broken"\n[[rulesets.rules]]\nname = "no object"\n'
READY = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:{}/-/ready', timeout=5).status)"
)


@pytest.fixture(scope="module")
def machine(destdir, tmp_path_factory):
    reason = why_not()
    if reason:
        pytest.skip(f"no separate systemd: {reason}")
    staged = tmp_path_factory.mktemp("host") / "staged"
    shutil.copytree(
        destdir,
        staged,
        symlinks=True,
        ignore=lambda folder, _: ["opt"] if Path(folder) == destdir else [],
    )
    # copying the program itself would take longer than all tests: it is only read
    (staged / "opt").symlink_to(destdir / "opt")
    _configure(staged, destdir)
    with boot(tmp_path_factory.mktemp("root"), staged) as booted:
        if isinstance(booted, str):
            pytest.skip(f"no separate systemd: {booted}")
        yield booted


def _configure(staged: Path, destdir: Path) -> None:
    """Two connections, set up by ``init`` as an operator would, and the sandbox for both."""
    sandbox = staged / "srv/sandbox"
    sandbox.mkdir(parents=True)
    _init(staged, destdir, "etc/pagerforce")
    shutil.copy(staged / "etc/pagerforce/salesforce.key", sandbox / "salesforce.key")
    _init(
        staged,
        destdir,
        "etc/pagerforce/emea",
        "--instance",
        "emea",
        "--metrics-listen",
        "127.0.0.1:9480",
    )
    shutil.copy(sandbox / "salesforce.key", staged / "etc/pagerforce/emea/salesforce.key")
    units = staged / "etc/systemd/system"
    (units / "sandbox.service").write_text(SANDBOX)
    for unit in ("pagerforce.service", "pagerforce@.service"):
        (units / f"{unit}.d").mkdir()
        (units / f"{unit}.d" / "haste.conf").write_text(HASTE)


def _init(staged: Path, destdir: Path, folder: str, *words: str) -> None:
    place = staged / folder
    values = (
        "--from-email", "integration@example.com", "--login-url", "https://localhost:8481",
        "--org-id", "00D000000000001EAA", "--consumer-key", "sandbox-consumer-key",
        "--username", "integration@example.com",
    )  # fmt: skip
    python = destdir / "opt/pagerforce/bin/python"
    subprocess.run(
        [python, "-m", "pagerforce", "init", place, *values, *words],
        check=True,
        capture_output=True,
    )
    config = place / "config.toml"
    text = config.read_text()
    for old, new in (
        ("https://api.pagerduty.com", "https://localhost:8480"),
        ('mode = "shadow"', 'mode = "live"\nca_file = "/srv/sandbox/ca.crt"'),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    key = place / "pagerduty-api-key"
    key.write_text(ACCOUNT_KEY)
    key.chmod(0o600)


def start(machine: Machine, unit: str) -> int:
    machine.ok("systemctl", "start", "sandbox")
    # The configuration names the certificate that the sandbox creates.
    machine.until(lambda: "run the daemon" in machine.journal("sandbox"), "the sandbox serves")
    machine.run("systemctl", "reset-failed", unit)
    machine.ok("systemctl", "start", "--no-block", unit)
    machine.until(lambda: machine.show(unit, "ActiveState") == "active", f"{unit} is ready")
    return int(machine.show(unit, "MainPID"))


def status_of(machine: Machine, pid: int, name: str) -> str:
    lines = machine.ok("cat", f"/proc/{pid}/status").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def test_it_is_ready_once_both_sides_were_read_under_its_own_user_and_full_hardening(machine):
    pid = start(machine, "pagerforce")
    assert machine.show("pagerforce", "StatusText").startswith(("in step", "both sides are read"))
    uid = machine.ok("id", "-u", "pagerforce")
    assert status_of(machine, pid, "Uid").split() == [uid] * 4
    assert int(status_of(machine, pid, "CapBnd"), 16) == 0
    assert status_of(machine, pid, "NoNewPrivs") == "1"
    assert status_of(machine, pid, "Seccomp") == "2"
    assert machine.ok("stat", "-c", "%U %a", "/var/lib/pagerforce") == "pagerforce 700"
    assert (
        machine.ok("stat", "-c", "%U %a", "/var/lib/pagerforce/pagerforce.db") == "pagerforce 600"
    )
    assert machine.ok("stat", "-c", "%U %a", "/run/pagerforce") == "pagerforce 755"
    assert machine.ok("python3", "-c", READY.format(9479)) == "200"
    log = machine.journal("pagerforce")
    assert "Traceback" not in log
    assert "error" not in log.lower().replace("errors", ""), log


BIND = """
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -c "import socket; socket.socket(type=socket.SOCK_{kind}).bind(('127.0.0.1', 0))"
SocketBindDeny={deny}
SocketBindAllow={allow}
"""


@pytest.mark.parametrize(("unit", "instance"), [("pagerforce", ""), ("pagerforce@emea", "/emea")])
def test_it_can_not_run_what_it_may_write(machine, unit, instance):
    pid = start(machine, unit)
    mounts = [
        line.split()[4:6] for line in machine.ok("cat", f"/proc/{pid}/mountinfo").splitlines()
    ]
    writable = {
        place: options.split(",") for place, options in mounts if "ro" not in options.split(",")
    }
    assert {f"/var/lib/pagerforce{instance}", f"/run/pagerforce{instance}", "/tmp"} <= set(writable)
    for place, options in writable.items():
        if not place.startswith(("/proc", "/sys", "/dev/")):
            assert "noexec" in options, place


def test_it_listens_on_tcp_only(machine):
    """The kernel enforces it for units with these settings; the service's own port is tried above."""
    found = settings("pagerforce.service")
    (deny,), (allow,) = found["SocketBindDeny"], found["SocketBindAllow"]
    for kind in ("STREAM", "DGRAM"):
        text = BIND.format(kind=kind, deny=deny, allow=allow)
        machine.write(f"/etc/systemd/system/bind-{kind}.service", text)
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemctl", "start", "bind-STREAM")
    if machine.run("systemctl", "start", "bind-DGRAM").returncode == 0:
        pytest.skip("this kernel or systemd has no BPF to enforce it for units")
    assert "Operation not permitted" in machine.journal("bind-DGRAM")


def test_keys_are_roots_alone_but_the_service_gets_them(machine):
    start(machine, "pagerforce")
    for name in ("pagerduty-api-key", "salesforce.key"):
        assert machine.ok("stat", "-c", "%U %a", f"/etc/pagerforce/{name}") == "root 600"
    environment = machine.ok("cat", f"/proc/{machine.show('pagerforce', 'MainPID')}/environ")
    assert ACCOUNT_KEY not in environment
    assert "CREDENTIALS_DIRECTORY=" in environment


def test_commands_of_an_administrator_work_beside_it(machine):
    start(machine, "pagerforce")
    status = json.loads(machine.ok("pagerforce", "status", "--json"))
    assert status["mode"] == "live"


@pytest.mark.parametrize(("groups", "expected"), [("pagerforce-auditor", 0), ("nogroup", 3)])
def test_the_control_socket_is_open_to_all_and_knows_the_caller(machine, groups, expected):
    start(machine, "pagerforce")
    stranger = ("setpriv", "--reuid=4711", "--regid=4711", f"--groups={groups}")
    done = machine.run(*stranger, "pagerforce", "status", "--json")
    assert done.returncode == expected, done.stdout + done.stderr


def test_a_reload_loads_new_rules_and_a_bad_file_changes_nothing(machine):
    pid = start(machine, "pagerforce")
    machine.ok("mkdir", "-p", "/etc/pagerforce/rules.d")
    machine.write("/etc/pagerforce/rules.d/bad.toml", BAD_RULE)
    machine.ok("systemctl", "reload", "pagerforce")
    machine.until(lambda: "reload_refused" in machine.journal("pagerforce"), "the refusal")
    machine.ok("rm", "/etc/pagerforce/rules.d/bad.toml")
    machine.ok("systemctl", "reload", "pagerforce")
    machine.until(lambda: "reloaded" in machine.journal("pagerforce"), "the new rules")
    machine.until(lambda: machine.show("pagerforce", "ActiveState") == "active", "active again")
    assert int(machine.show("pagerforce", "MainPID")) == pid


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
def test_a_killed_or_hanging_daemon_is_started_again(machine, signal):
    """STOP: no loop beats, so the watchdog gets no notification."""
    pid = start(machine, "pagerforce")
    machine.ok("kill", f"-{signal}", str(pid))
    machine.until(lambda: machine.show("pagerforce", "MainPID") not in {str(pid), "0"}, "another")
    machine.until(lambda: machine.show("pagerforce", "ActiveState") == "active", "ready again")


def test_a_wrong_configuration_ends_it_for_good_and_says_why(machine):
    machine.ok("systemctl", "stop", "pagerforce")
    machine.ok("mkdir", "-p", "/etc/pagerforce/rules.d")
    machine.write("/etc/pagerforce/rules.d/bad.toml", BAD_RULE)
    try:
        machine.run("systemctl", "start", "pagerforce")
        machine.until(lambda: machine.show("pagerforce", "ActiveState") == "failed", "failed")
        assert machine.show("pagerforce", "ExecMainStatus") == "2"
        assert "rules.d/bad.toml: rulesets[0].rules[0]" in machine.journal("pagerforce")
    finally:
        machine.ok("rm", "/etc/pagerforce/rules.d/bad.toml")


def test_an_instance_runs_beside_it_and_keeps_its_folders_when_that_one_stops(machine):
    start(machine, "pagerforce")
    start(machine, "pagerforce@emea")
    machine.ok("systemctl", "stop", "pagerforce")
    assert machine.show("pagerforce", "Result") == "success"
    assert machine.show("pagerforce@emea", "ActiveState") == "active"
    assert machine.ok("stat", "-c", "%U %a", "/run/pagerforce/emea") == "pagerforce 755"
    assert machine.ok("stat", "-c", "%U %a", "/var/lib/pagerforce/emea") == "pagerforce 700"
    assert machine.ok("python3", "-c", READY.format(9480)) == "200"
    machine.ok("systemctl", "stop", "pagerforce@emea")
    assert machine.show("pagerforce@emea", "Result") == "success"
    assert "pagerforce.db" in machine.ok("ls", "/var/lib/pagerforce/emea")
