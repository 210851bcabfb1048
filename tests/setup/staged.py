"""The program installed for the whole system into a DESTDIR: once for all tests that need it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_IN_A_HOME = ("/home/", "/root/")


def find_python() -> str:
    """An interpreter that the service could use too; ``""`` if this machine has none."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        look = "import os, sys, venv, ensurepip; print(os.path.realpath(sys.base_prefix), *sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", look], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            home, major, minor = done.stdout.rsplit(maxsplit=2)
            if not f"{home}/".startswith(_IN_A_HOME) and (int(major), int(minor)) >= (3, 11):
                return candidate
    return ""


def make(target: str, destdir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a make target with a DESTDIR."""
    return subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DESTDIR": str(destdir), "PYTHON": find_python(), **variables},
    )


def staged(tmp_path_factory) -> Path:
    """The folder; the first test process creates it, the others wait for it."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    destdir = shared / "staged"
    with (shared / "staged.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not destdir.exists():
            done = make("install", destdir)
            assert done.returncode == 0, done.stdout + done.stderr
    return destdir
