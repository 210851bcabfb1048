"""The real program with one hang in it, which starts once a file exists. The product has no code for this.

``HANG=point HANG_FILE=path python -m abuse.hang_points run ...``. The minute of the watchdog is shortened for
all points alike, so that its effect shows within seconds.
"""

import importlib
import os
import socket
import threading
from datetime import timedelta
from pathlib import Path

import aiosqlite
import anyio

from pagerforce.__main__ import main as run

ENDED_AFTER = 9.0
SILENT_AFTER = 5.5
_CREATE = "pagerforce.pagerduty.actions.create_incident"
HANGING_TITLE = "It hangs"
_SHORTENED = {
    "pagerforce.service.watchdog": {
        "HUNG_AFTER": timedelta(seconds=ENDED_AFTER),
        "_ASLEEP_SECONDS": 4.0,
    },
    "pagerforce.service.health": {"SILENT_AFTER": timedelta(seconds=SILENT_AFTER)},
    "pagerforce.pipeline.patience": {"STEP_DEADLINE": timedelta(seconds=4.5)},
    "pagerforce.store.database": {"LONGEST_WAIT_SECONDS": 3.0, "LONGEST_STATEMENT_SECONDS": 4.0},
}


def is_armed() -> bool:
    return Path(os.environ["HANG_FILE"]).exists()


def block() -> None:
    """A blocking call that does not return, like one of a slow disk or of a library."""
    threading.Event().wait()


def spin() -> None:
    while True:
        pass


def scribble() -> None:
    """Writes more log than fits in a pipe that nobody reads."""
    os.write(2, b"x" * 1_000_000)


async def wait_for_ever() -> None:
    await anyio.Event().wait()


async def hold_out() -> None:
    """Waits for ever and ignores cancellation."""
    with anyio.CancelScope(shield=True):
        await anyio.Event().wait()


def _replace(module: str, path: str, make) -> None:
    """Replaces a function or method by ``make(original)``."""
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for step in owners:
        owner = getattr(owner, step)
    setattr(owner, name, make(getattr(owner, name)))


def _hangs_on_loop(hang, module="pagerforce.service.gauges", path="Gauges._polled"):
    """A plain function of the event loop's thread."""

    def make(original):
        def wrapped(*args, **options):
            if is_armed():
                hang()
            return original(*args, **options)

        return wrapped

    return lambda: _replace(module, path, make)


def _hangs(module, path, hang=wait_for_ever):
    """An asynchronous function."""

    def make(original):
        async def wrapped(*args, **options):
            if is_armed():
                await hang()
            return await original(*args, **options)

        return wrapped

    return lambda: _replace(module, path, make)


def _hangs_for_title(path):
    """The function that creates an incident hangs for the record with this title only."""

    def make(original):
        async def wrapped(self, task, args):
            if is_armed() and HANGING_TITLE in str(args.get("title")):
                await wait_for_ever()
            return await original(self, task, args)

        return wrapped

    return lambda: _replace(_CREATE, path, make)


def _statement():
    execute = aiosqlite.Connection._execute

    async def wrapped(self, fn, *args, **options):
        return await execute(self, *((block,) if is_armed() else (fn, *args)), **options)

    aiosqlite.Connection._execute = wrapped


def _query():
    """SQLite itself is busy with one statement for ever; the statement can be interrupted."""
    execute = aiosqlite.Connection.execute_fetchall
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    def wrapped(self, sql, values=()):
        if is_armed():
            Path(os.environ["HANG_FILE"]).unlink()
            return execute(self, endless)
        return execute(self, sql, values)

    aiosqlite.Connection.execute_fetchall = wrapped


def _dns():
    ask = socket.getaddrinfo

    def wrapped(host, *args, **options):
        if host in ("localhost", b"localhost") and is_armed():
            block()
        return ask(host, *args, **options)

    socket.getaddrinfo = wrapped


def _describe():
    _hangs("pagerforce.salesforce.client", "SalesforceClient.fetch_describe")()

    def make(original):
        return lambda self, since: not is_armed() and original(self, since)

    _replace("pagerforce.salesforce.schema", "SchemaCache._is_fresh", make)


_READER = ("pagerforce.pipeline.read_pagerduty", "PagerDutyReader.poll")
POINTS = {
    "nothing": lambda: None,
    "poll": _hangs(*_READER),
    "refresh": _hangs("pagerforce.service.gauges", "Gauges.refresh"),
    "transaction": _hangs("pagerforce.store.outbox", "depth"),
    "describe": _describe,
    "statement": _statement,
    "query": _query,
    "event loop": _hangs_on_loop(block),
    "busy loop": _hangs_on_loop(spin),
    "log": _hangs_on_loop(scribble),
    "reload": _hangs("pagerforce.service.daemon", "load_in_force"),
    "handler": _hangs_for_title("CreateIncident._attempt"),
    "expectations": _hangs_for_title("CreateIncident._expect"),
    "stubborn handler": _hangs(_CREATE, "CreateIncident._attempt", hold_out),
    "dns": _dns,
}


def main() -> None:
    for module, values in _SHORTENED.items():
        for name, value in values.items():
            setattr(importlib.import_module(module), name, value)
    POINTS[os.environ["HANG"]]()
    run()


if __name__ == "__main__":
    main()
