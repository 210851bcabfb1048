"""``pagerforce log``: the events, the rules that were evaluated, and the actions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
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
    reporting,
)
from pagerforce.cli.desk import ask
from pagerforce.errors import ForbiddenError, PagerforceError
from pagerforce.model.value import parse_instant
from pagerforce.own_writes.whose import CONSEQUENCE

_FOLLOW_SECONDS = 1.0
_LEVELS = ("error", "warning", "info", "debug")


def log(  # noqa: PLR0913 (one parameter per option)
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new entries.")
    ] = False,
    incident: Annotated[str, typer.Option(help="Only entries of this incident.")] = "",
    record: Annotated[str, typer.Option(help="Only entries of this record.")] = "",
    level: Annotated[
        str,
        typer.Option(
            help="Only entries of this level and more severe ones: error (a dead letter), warning "
            "(tried again, refused), info (a rule matched, something was done), debug (everything; "
            "the default)."
        ),
    ] = "",
    since: Annotated[str, typer.Option(help="Only entries since this RFC 3339 time.")] = "",
    audit: Annotated[
        bool, typer.Option("--audit", help="Instead show what operators did and were refused.")
    ] = False,
) -> None:
    """Shows the journal, oldest first; with --json one entry per line.

    Example: pagerforce log --incident PABC123 --level warning
    """
    if level and level not in _LEVELS:
        err.line(f"--level: {level!r} is not one of {', '.join(_LEVELS)}")
        leave(USAGE)
    check_since(since)
    values = {
        "incident": incident or None,
        "record": record or None,
        "level": level or "debug",
        "since": since or None,
        "audit": audit,
    }
    with reporting():
        try:
            for entry in _entries(config, values, follow=follow):
                _show(entry, json=json)
        except KeyboardInterrupt:
            if not follow:
                raise


def _show(entry: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(entry)
    else:
        _print(entry)


def check_since(text: str) -> None:
    """Ends with a message if a time on the command line is invalid; ``""`` means no time."""
    if not text:
        return
    try:
        parse_instant(text.upper())
    except ValueError:
        err.line(f"--since: {text!r} is not an RFC 3339 time, e.g. 2026-01-02T03:04:05Z")
        leave(USAGE)


def _entries(
    config: Path | None, values: Mapping[str, object], *, follow: bool
) -> Iterator[Mapping[str, Any]]:
    """Yields every entry, with ``follow`` also new ones; waits for a daemon that restarts."""
    after, has_begun = 0, False
    while True:
        try:
            page = ask(config, "log", {**values, "after": after})
        except PagerforceError as error:
            if not (follow and has_begun) or isinstance(error, ForbiddenError):
                raise
            page = {"entries": [], "after": after, "more": False}
        has_begun = True
        yield from page["entries"]
        after = page["after"]
        if page["more"]:
            continue
        if not follow:
            return
        anyio.run(anyio.sleep, _FOLLOW_SECONDS)


def _why_unruled(echo_of: str | None) -> str:
    if echo_of is None:
        return ""
    is_consequence = echo_of == CONSEQUENCE
    return " (PagerDuty's part of an own write)" if is_consequence else f" (own write: {echo_of})"


def _print(entry: Mapping[str, Any]) -> None:
    if entry["event"] == "operator":
        _print_operator(entry)
        return
    subject = entry["incident"] or entry["record"] or ""
    echo = _why_unruled(entry["echo_of"])
    out.line(f"{entry['at'][:19]}Z {entry['source']} {entry['event']} {subject}{echo}")
    for rule in entry["rules"]:
        if rule["matched"]:
            out.line(f"    matched {rule['ruleset']} / {rule['rule']}")
        elif rule["reason"].startswith("internal error"):
            name = f"{rule['ruleset']} / {rule['rule']}".removesuffix(" / ")
            out.line(f"    {name}: {rule['reason']}")
    for action in entry["actions"]:
        reason = f": {action['reason']}" if action["reason"] else ""
        out.line(f"    {action['action_id']} {action['action']} {action['outcome']}{reason}")


def _print_operator(entry: Mapping[str, Any]) -> None:
    who = entry["operator"]
    subject = " ".join(part for part in (entry["incident"], entry["record"]) if part)
    given = ", ".join(f"{name} {value}" for name, value in entry["arguments"].items())
    words = " ".join(part for part in (entry["command"], subject, given) if part)
    reason = f": {entry['reason']}" if entry["reason"] else ""
    out.line(
        f"{entry['at'][:19]}Z {who['user']} (uid {who['uid']}) {entry['outcome']} {words}{reason}"
    )
