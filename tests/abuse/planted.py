"""Things planted in the place of a file, and a state folder of another user on which root works."""

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

OWNER = pwd.getpwnam("nobody")
SECRET = b"root:$6$only-root-may-read-this\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="works on the files of two users")

KINDS = (
    "symbolic link",
    "link to nothing",
    "hard link",
    "FIFO",
    "folder",
    "socket",
    "device",
    "foreign owner",
)


class Victim:
    """A file of root's to which a planted name leads, and a path of root's where nothing exists."""

    def __init__(self, folder: Path) -> None:
        self.path, self.absent = folder / "shadow", folder / "absent"
        self.path.write_bytes(SECRET)
        self.path.chmod(0o640)
        self._before = self._look()

    def _look(self) -> tuple[bytes, int, int, int]:
        found = self.path.stat()
        return self.path.read_bytes(), found.st_mode, found.st_uid, found.st_gid

    def assert_unharmed(self, what: object = "") -> None:
        assert self._look() == self._before, what
        assert not self.absent.exists(), what


def plant(kind: str, path: Path, victim: Victim) -> None:
    """Plants it in the place of a file; the existing file is kept if only its owner changes."""
    if kind == "foreign owner":
        if not path.exists():
            path.write_bytes(b"")
        os.chown(path, 0, 0)
        path.chmod(0o600)
        return
    path.unlink(missing_ok=True)
    if kind == "hard link":
        os.link(victim.path, path)
        return
    makers: dict[str, Callable[[], object]] = {
        "symbolic link": lambda: path.symlink_to(victim.path),
        "link to nothing": lambda: path.symlink_to(victim.absent),
        "FIFO": lambda: os.mkfifo(path, 0o666),
        "folder": path.mkdir,
        "socket": lambda: _bind(path),
        # /dev/zero never ends
        "device": lambda: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    }
    makers[kind]()
    os.chown(path, OWNER.pw_uid, OWNER.pw_gid, follow_symlinks=False)


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def give(folder: Path) -> None:
    """Gives a folder and everything in it to the owner."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OWNER.pw_uid, OWNER.pw_gid, follow_symlinks=False)


def clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class Root:
    """Runs the command line as root."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *words: str, cwd: str = "/") -> tuple[int | str, str, str]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"words": words, "cwd": cwd}) + "\n")
        self._process.stdin.flush()
        code, out, err = json.loads(self._process.stdout.readline())
        assert "Traceback" not in err, err
        return code, out, err


def start_root(environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("root_commands.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "400", **(environ or {})},
        cwd="/",
    )


def reachable_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that every user may enter; pytest's own is closed to them."""
    return tempfile.TemporaryDirectory(prefix="pagerforce-abuse-")
