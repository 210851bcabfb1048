"""``pagerforce log``: each event, the rules it met, what was done about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import anyio
import typer

from pagerforce.cli.console import (
    USAGE,
    ConfigOption,
    JsonOption,
    err,
    leave,
    out,
    print_json,
    read_config,
    read_state,
    reporting,
)
from pagerforce.config.schema import Config
from pagerforce.model.value import parse_instant
from pagerforce.store.database import Transaction
from pagerforce.store.journal import Filter, read_log

_FOLLOW_SECONDS = 1.0


def log(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    incident: Annotated[str, typer.Option(help="Only of this incident.")] = "",
    record: Annotated[str, typer.Option(help="Only of this record.")] = "",
    since: Annotated[str, typer.Option(help="Only since then, an RFC 3339 time.")] = "",
) -> None:
    """Shows the journal, oldest first; with --json one entry per line."""
    wanted = Filter(incident=incident or None, record=record or None, since=parse_since(since))
    with reporting():
        settings = read_config(config)
        while True:
            wanted = _show(settings, wanted, json=json)
            if not follow:
                return
            anyio.run(anyio.sleep, _FOLLOW_SECONDS)


def parse_since(text: str) -> datetime | None:
    """A time given on the command line; ``""``: none. Ends with a message where it is no time."""
    if not text:
        return None
    try:
        return parse_instant(text.upper())
    except ValueError:
        err.print(f"--since: {text!r} is no RFC 3339 time, e.g. 2026-01-02T03:04:05Z", markup=False)
        leave(USAGE)


def _show(settings: Config, wanted: Filter, *, json: bool) -> Filter:
    """Prints everything there is after the filter's place; returns the filter to go on with."""
    while True:
        entries = read_state(settings, partial(_read, wanted))
        for entry in entries:
            seq = entry.pop("seq")
            wanted = replace(wanted, after_seq=seq)
            if json:
                print_json(entry)
            else:
                _print(entry)
        if len(entries) < wanted.limit:
            return wanted


async def read_entries(since: datetime | None, tx: Transaction) -> list[dict[str, Any]]:
    """Every entry of the journal since then, oldest first."""
    found: list[dict[str, Any]] = []
    wanted = Filter(since=since)
    while True:
        entries = await read_log(tx, wanted)
        found += entries
        if len(entries) < wanted.limit:
            return found
        wanted = replace(wanted, after_seq=entries[-1]["seq"])


async def _read(wanted: Filter, tx: Transaction) -> list[dict[str, Any]]:
    return await read_log(tx, wanted)


def _print(entry: Mapping[str, Any]) -> None:
    subject = entry["incident"] or entry["record"] or ""
    echo = f" (our own: {entry['echo_of']})" if entry["echo_of"] else ""
    out.print(
        f"{entry['at'][:19]}Z {entry['source']} {entry['event']} {subject}{echo}", markup=False
    )
    for rule in entry["rules"]:
        if rule["matched"]:
            out.print(f"    matched {rule['ruleset']} / {rule['rule']}", markup=False)
    for action in entry["actions"]:
        reason = f": {action['reason']}" if action["reason"] else ""
        out.print(
            f"    {action['action_id']} {action['action']} {action['outcome']}{reason}",
            markup=False,
        )
