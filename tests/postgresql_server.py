"""A PostgreSQL server of the tests: an ordinary user's, in a folder of its own, on a socket only.

The programs come from the distribution (``apt install postgresql``). ``POSTGRESQL_BIN`` names their
folder where they are not found.
"""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_PLACES = "usr/lib/postgresql/*/bin", "usr/pgsql-*/bin"
_SETTINGS = (
    "shared_buffers=32MB",
    "max_connections=40",
    "autovacuum_naptime=5s",
)


@cache
def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl of the newest version; None: not installed."""
    named = os.environ.get("POSTGRESQL_BIN")
    found = [Path(named)] if named else []
    for place in _PLACES:
        found += sorted(Path("/").glob(place), key=lambda path: _version(path.parent.name))
    return next((path for path in reversed(found) if (path / "initdb").exists()), None)


def _version(name: str) -> int:
    digits = "".join(char for char in name if char.isdigit())
    return int(digits or 0)


class Server:
    """A running server with one superuser, ``tester``."""

    def __init__(self, programs: Path, folder: Path, settings: Iterable[str]) -> None:
        self._programs = programs
        self._settings = ("listen_addresses=", *settings)
        self.folder = folder
        self.data = folder / "data"

    def url(self, database: str = "postgres") -> str:
        """The URI of a database."""
        return f"postgresql://tester@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """Runs a program of the server as its user."""
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=_user(),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr or done.stdout}")

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs one statement as the superuser; its rows."""
        import psycopg  # noqa: PLC0415 - optional

        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = " ".join(f'-c "{setting}"' for setting in self._settings)
        options += f' -k "{self.folder}"'
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops it: ``immediate`` as a power cut would, ``fast`` with its connections ended."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def create_server(parent: Path | None = None, settings: Iterable[str] = _SETTINGS) -> Server:
    """A new server; stopped and removed when this process ends.

    Args:
        parent: the folder for its own; None: in memory where there is such a file system, so that a
            commit waits for no disk.
        settings: besides the distribution's own; it listens on a socket only.
    """
    programs = find_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed: see CONTRIBUTING.md")
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="pagerforce-postgresql-", dir=parent or memory))
    if user := _user():
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    server = Server(programs, folder, settings)
    atexit.register(_remove, server)
    server.run(
        "initdb", "-D", str(server.data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"
    )
    server.start()
    return server


def _remove(server: Server) -> None:
    with suppress(RuntimeError, subprocess.SubprocessError):  # it may not run any more
        server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@cache
def shared_server() -> Server:
    """The server of this test run."""
    return create_server()
