"""``init``: what it writes, asks, refuses, and says is left to be done."""

import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from inprocess import invoke

FILES = ["config.toml", "salesforce.crt", "salesforce.key"]
VALUES = {
    "--region": "eu",
    "--from-email": "pagerforce@example.net",
    "--login-url": "https://example.my.salesforce.com",
    "--org-id": "00D000000000062EAA",
    "--consumer-key": "3MVG9.a_consumer_key",
    "--username": "integration@example.net.uat",
}
OPTIONS = [word for pair in VALUES.items() for word in pair]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(folder: Path) -> dict:
    return tomllib.loads((folder / "config.toml").read_text("utf-8"))


_TAKE_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test runner in the background may ignore it
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "pagerforce", "init", *sys.argv[1:]])
"""


def at_a_terminal(answers: list[str], *words: str) -> tuple[int, str]:
    """Runs ``init`` at a terminal, each answer typed once its question is there and all is quiet."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *words], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, waiting = "", list(answers)
    try:
        for _ in range(240):
            if select.select([ours], [], [], 0.5)[0]:
                try:
                    shown += os.read(ours, 4096).decode()
                except OSError:  # the other end was closed
                    return process.wait(), shown
            elif waiting and shown.endswith(": "):
                # only now: Ctrl-C between a question and the reading of its answer is not seen
                os.write(ours, waiting.pop(0).encode())
        raise AssertionError(f"it waits for something else: {shown}")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_options_are_filled_in_and_pass_the_offline_check(tmp_path):
    code, out, err = invoke("init", str(tmp_path), "--yes", *OPTIONS)
    assert code == 0, err
    config = read(tmp_path)
    assert config["pagerduty"]["api_url"] == "https://api.eu.pagerduty.com"
    assert config["pagerduty"]["from_email"] == VALUES["--from-email"]
    for key in ("login_url", "org_id", "consumer_key", "username"):
        assert config["salesforce"][key] == VALUES["--" + key.replace("_", "-")]
    assert config["daemon"]["mode"] == "shadow"
    assert "is filled in" in out
    assert "FILL IN: " not in (tmp_path / "config.toml").read_text().split("[[objects]]")[0]
    code, out, err = invoke("check", "--offline", config=tmp_path / "config.toml")
    assert code == 0, out + err


def test_what_no_option_gives_is_named_and_marked(tmp_path):
    code, out, _ = invoke("init", str(tmp_path), "--username", VALUES["--username"])
    assert code == 0
    left = ["pagerduty.from_email", "salesforce.login_url", "salesforce.org_id"]
    for key in [*left, "salesforce.consumer_key"]:
        assert f"\n  {key}\n" in out
    assert "\n  salesforce.username\n" not in out
    marked = (tmp_path / "config.toml").read_text().count("FILL IN: ")
    assert marked == len(left) + 1 + 1  # the consumer key, and the service mappings


def test_the_steps_name_the_files_and_the_menus(tmp_path):
    _, out, _ = invoke("init", str(tmp_path))
    for words in (
        "API Access Keys > Create New API Key",
        "External Client App Manager > New External Client App",
        "Enable JWT Bearer Flow",
        "Admin approved users are pre-authorized",
        "Connected App",
        str(tmp_path / "salesforce.crt"),
        str(tmp_path / "pagerduty-api-key"),
        f"pagerforce check --config {tmp_path / 'config.toml'}",
    ):
        assert words in out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--from-email", "Jane Doe", "e-mail"),
        ("--login-url", "http://acme.my.salesforce.com", "https://"),
        ("--login-url", "acme", "https://"),
        ("--org-id", "00D12", "15 or 18"),
        ("--consumer-key", "a key", "blanks"),
        ("--username", "admin", "e-mail"),
        ("--metrics-listen", "9479", "host:port"),
        ("--instance", "../x", "letters"),
        ("--region", "mars", "'us'"),
    ],
)
def test_a_value_that_cannot_be_right_writes_nothing(tmp_path, option, value, words):
    folder = tmp_path / "new"
    code, out, err = invoke("init", str(folder), option, value)
    assert code == 2
    assert option in err
    assert words in err
    assert "Traceback" not in out + err
    assert not folder.exists()


def test_a_value_with_quotes_stays_one_value(tmp_path):
    code, _, err = invoke("init", str(tmp_path), "--consumer-key", "x\"\\'y")
    assert code == 0, err
    assert read(tmp_path)["salesforce"]["consumer_key"] == "x\"\\'y"


def test_a_second_init_changes_nothing_whatever_its_options(tmp_path):
    assert invoke("init", str(tmp_path))[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = invoke("init", str(tmp_path), "--yes", *OPTIONS)
    assert code == 1
    assert all(name in err for name in FILES)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_an_instance_gets_the_folders_that_its_unit_has(tmp_path):
    words = ("--instance", "emea", "--metrics-listen", "127.0.0.1:9480")
    code, out, err = invoke("init", str(tmp_path), *words)
    assert code == 0, err
    config = read(tmp_path)
    assert config["daemon"]["state_dir"] == "/var/lib/pagerforce/emea"
    assert config["daemon"]["control_socket"] == "/run/pagerforce/emea/control.sock"
    assert config["metrics"]["listen"] == "127.0.0.1:9480"
    assert "systemctl enable --now pagerforce@emea" in out


def test_at_a_terminal_it_asks_again_until_an_answer_can_be_right(tmp_path):
    answers = ["eu\n", "nonsense\n", "pagerforce@example.net\n", "\n", "\n", "\n", "\n"]
    code, shown = at_a_terminal(answers, str(tmp_path))
    assert code == 0, shown
    assert "must be an e-mail address" in shown
    config = read(tmp_path)
    assert config["pagerduty"]["api_url"] == "https://api.eu.pagerduty.com"
    assert config["pagerduty"]["from_email"] == "pagerforce@example.net"
    assert "salesforce.login_url" in shown.split("Still to fill in")[1]


def test_at_a_terminal_nothing_is_asked_of_who_said_yes_or_gave_all(tmp_path):
    code, shown = at_a_terminal([], str(tmp_path / "a"), "--yes")
    assert code == 0, shown
    code, shown = at_a_terminal([], str(tmp_path / "b"), *OPTIONS)
    assert code == 0, shown


def test_at_a_terminal_what_exists_is_refused_before_any_question(tmp_path):
    (tmp_path / "salesforce.crt").write_text("mine")
    code, shown = at_a_terminal([], str(tmp_path))
    assert code == 1
    assert "never overwritten" in shown
    assert names(tmp_path) == ["salesforce.crt"]


@pytest.mark.parametrize(("key", "expected"), [("\x03", 130), ("\x04", 1)])
def test_ctrl_c_and_ctrl_d_at_a_question_write_nothing(tmp_path, key, expected):
    code, shown = at_a_terminal(["us\n", key], str(tmp_path))
    assert code == expected, shown
    assert "Traceback" not in shown
    assert names(tmp_path) == []


def test_the_next_pair_stands_beside_the_old_and_is_another(tmp_path):
    assert invoke("init", str(tmp_path))[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = invoke("init", str(tmp_path), "--renew-certificate")
    assert code == 0, err
    assert names(tmp_path) == sorted([*FILES, "salesforce.next.crt", "salesforce.next.key"])
    assert all(path.read_bytes() == content for path, content in before.items())
    key = tmp_path / "salesforce.next.key"
    assert key.stat().st_mode & 0o777 == 0o600
    certificate = x509.load_pem_x509_certificate((tmp_path / "salesforce.next.crt").read_bytes())
    private = load_pem_private_key(key.read_bytes(), password=None)
    assert certificate.public_key() == private.public_key()
    assert key.read_bytes() != (tmp_path / "salesforce.key").read_bytes()
    assert f"mv {key} {tmp_path / 'salesforce.key'}" in out
    code, _, err = invoke("init", str(tmp_path), "--renew-certificate")
    assert code == 1
    assert "salesforce.next.key" in err


def test_there_is_nothing_to_renew_where_there_is_no_key(tmp_path):
    code, _, err = invoke("init", str(tmp_path), "--renew-certificate")
    assert code == 1
    assert "writes the first" in err
    assert names(tmp_path) == []
