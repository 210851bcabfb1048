"""Runs commands of the command line as root, each in a fork of one process that has everything imported.

Standard input: a JSON line per command, ``{"words": [...], "cwd": ...}``. Standard output: a JSON line per
answer, ``[exit code, standard output, standard error]``. A command that did not end in time is killed; its
exit code is ``"hangs"``.
"""

import contextlib
import json
import os
import select
import signal
import sys
import tempfile

import httpcore._sync.connection
import httpcore._sync.connection_pool
import httpcore._sync.http11  # noqa: F401
import rich.table  # noqa: F401
import typer.rich_utils  # noqa: F401

from pagerforce.__main__ import main

PATIENCE_SECONDS = float(os.environ.get("PATIENCE", "60"))


def run(words):
    sys.argv = ["pagerforce", *words]
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    return 0


def in_child(words, cwd, out, err):
    """Never returns."""
    code = 70
    try:
        os.setsid()
        os.chdir(cwd)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w")
        code = run(words)
    except BaseException:  # noqa: BLE001 (a traceback is an answer too)
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 70)


def ask(words, cwd):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            in_child(words, cwd, out.fileno(), err.fileno())
        code = wait(pid)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return [code, *texts]


def wait(pid):
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE_SECONDS)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(status) if ended else "hangs"


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        run(["--version"])
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(ask(asked["words"], asked["cwd"])) + "\n")
        sys.stdout.flush()
