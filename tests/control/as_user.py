"""Runs commands of the command line as another user: ``as_user.py USER``; root must start it if USER is
another user.

Standard input: a JSON list of commands, each a list of words. Standard output: a JSON list of
``[exit code, standard output, standard error]``. The modules of the commands are imported before the rights
are dropped: the interpreter and the libraries may be in a folder that the user can't enter.
"""

import contextlib
import encodings.idna
import encodings.utf_8_sig  # noqa: F401
import io
import json
import os
import pwd
import sys

import httpcore._backends.sync
import httpcore._sync.connection
import httpcore._sync.connection_pool
import httpcore._sync.http11  # noqa: F401
import rich.table  # noqa: F401
import typer.rich_utils  # noqa: F401

from pagerforce.__main__ import main
from pagerforce.config.presets import preset_names
from pagerforce.store.sqlite.migrate import migrations


def run(words):
    sys.argv = ["pagerforce", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return [code, out.getvalue(), err.getvalue()]


def become(user, entry):
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = "/"


if __name__ == "__main__":
    user, commands = sys.argv[1], json.load(sys.stdin)
    migrations()
    preset_names()
    run(["links", "list", "--config", "/nonexistent.toml"])  # modules that are imported on demand
    entry = pwd.getpwnam(user)
    if entry.pw_uid != os.geteuid():
        become(user, entry)
    json.dump([run(words) for words in commands], sys.stdout)
