"""The units as checked by systemd itself, and what must agree between them and the daemon."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pagerforce.config.secret import API_KEY_CREDENTIAL, PRIVATE_KEY_CREDENTIAL
from pagerforce.config.starter import API_KEY_NAME, KEY_NAME
from setup.staged import REPOSITORY

UNITS = ["pagerforce.service", "pagerforce@.service"]
MOST_EXPOSED = 1.5

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def unit_text(name: str) -> str:
    return (REPOSITORY / "systemd" / name).read_text("utf-8")


def settings(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit_text(name).splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@needs_analyze
@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_no_complaint_about_the_unit(name, tmp_path):
    program = tmp_path / "pagerforce"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / name.replace("@.", "@emea.")
    unit.write_text(unit_text(name).replace("/opt/pagerforce/bin/pagerforce", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_analyze
@pytest.mark.parametrize("name", UNITS)
def test_the_unit_exposes_little(name):
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            str(REPOSITORY / "systemd" / name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level .*: (\d+\.\d+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED, done.stdout


def test_both_units_differ_in_the_instance_only():
    plain, template = (settings(name) for name in UNITS)
    for key in ("ConfigurationDirectory", "StateDirectory", "RuntimeDirectory"):
        assert plain.pop(key) == ["pagerforce"]
        assert template.pop(key) == ["pagerforce/%i"]
    (places,) = template.pop("NoExecPaths")
    assert plain.pop("NoExecPaths") == [places.replace("/%i", "")]
    assert plain.pop("RuntimeDirectoryPreserve") == ["yes"]
    texts = str(plain), str(template)
    assert (
        texts[1].replace("/etc/pagerforce/%i/", "/etc/pagerforce/").replace(" (%i)", "") == texts[0]
    )


@pytest.mark.parametrize("name", UNITS)
def test_a_wrong_configuration_is_not_tried_again_and_everything_else_for_ever(name):
    found = settings(name)
    assert found["Restart"] == ["always"]
    assert found["RestartPreventExitStatus"] == ["2"]
    assert found["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize("name", UNITS)
def test_the_credentials_are_those_that_the_daemon_reads(name):
    found = {Path(one).name: one.partition(":")[0] for one in settings(name)["LoadCredential"]}
    assert found == {API_KEY_NAME: API_KEY_CREDENTIAL, KEY_NAME: PRIVATE_KEY_CREDENTIAL}
