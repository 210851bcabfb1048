"""``pagerforce simulate``: shows what rules would do about recorded events; writes nothing."""

import json as json_text
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pagerforce.cli.console import ConfigOption, JsonOption, out, print_json, reporting
from pagerforce.cli.desk import ask
from pagerforce.cli.log import check_since
from pagerforce.config.bounds import LARGEST_RULES_BYTES
from pagerforce.config.regular import NotRegularError, TooLargeError, read_regular
from pagerforce.errors import ConfigError, Problem
from pagerforce.service.checker.bounds import LARGEST_EVENTS_BYTES


def simulate_rules(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    rules: Annotated[
        list[Path] | None,
        typer.Option(help="Rules to try instead of those in force; may be repeated."),
    ] = None,
    since: Annotated[str, typer.Option(help="Only events since this RFC 3339 time.")] = "",
    events: Annotated[
        Path | None,
        typer.Option(help="JSON lines of `pagerforce log --json`, instead of the journal."),
    ] = None,
) -> None:
    """Shows how often each rule would fire, its actions, and the difference to the rules in force.

    Example: pagerforce simulate --rules new-rules.toml --since 2026-01-02T00:00:00Z
    """
    check_since(since)
    with reporting():
        values = {
            "rules": [{"name": str(path), "content": read_text(path)} for path in rules or ()],
            "since": since or None,
            "has_events": events is not None,
        }
        lines = None if events is None else _read_lines(events)
        report = ask(config, "simulate", values, is_watched=not json, lines=lines)
    if json:
        print_json(report)
    else:
        print_report(report)


def read_text(path: Path, most: int = LARGEST_RULES_BYTES) -> str:
    """Reads a regular file of limited size; raises ``ConfigError``."""
    try:
        return read_regular(path, most).decode("utf-8-sig")
    except (NotRegularError, TooLargeError) as error:
        raise ConfigError([Problem(str(path), str(error))]) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigError([Problem(str(path), f"cannot be read: {reason}")]) from error


def _read_lines(path: Path) -> list[bytes]:
    """Returns a file's events as the daemon expects them: only the needed keys, newest first."""
    entries = []
    for number, line in enumerate(read_text(path, LARGEST_EVENTS_BYTES).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json_text.loads(line)
            if entry.get("event") != "operator":
                entry["recorded"]["event"]["id"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = "is not a line of `pagerforce log --json`; export the events again"
            raise ConfigError([Problem(f"{path}: line {number}", what)]) from error
        kept = {key: entry.get(key) for key in ("event", "echo_of", "recorded")}
        entries.append(json_text.dumps(kept | {"line": number}).encode() + b"\n")
    return entries[::-1]


def print_report(report: Mapping[str, Any]) -> None:
    """Prints a report for people."""
    out.line(f"{report['events']} recorded events")
    if report["is_cut"]:
        words = "there was no time to try more: these are the newest; --since selects fewer"
        out.line(words)
    for rule in report["rules"]:
        parts = ", ".join(f"{count} x {do}" for do, count in sorted(rule["actions"].items()))
        times = "once" if rule["fired"] == 1 else f"{rule['fired']} times"
        out.line(f"  {rule['ruleset']} / {rule['rule']}: fires {times}")
        if parts:
            out.line(f"    {parts}")
    _print_differences("+", "more", report["gained"], report["gained_more"])
    _print_differences("-", "less", report["lost"], report["lost_more"])


def _print_differences(
    sign: str, label: str, found: Sequence[Mapping[str, Any]], more: int
) -> None:
    count = len(found) + more
    out.line(f"{count} actions {label} than with the rules in force")
    if more:
        out.line(f"  ... {more} not shown")
    for item in found:
        subject = item["incident"] or item["record"]
        place = f"{item['ruleset']} / {item['rule']}"
        out.line(f"  {sign} {item['action']} for {item['type']} of {subject} ({place})")
