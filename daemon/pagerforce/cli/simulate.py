"""``pagerforce simulate``: what rules would do about recorded events; writes nothing."""

import json as json_text
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pagerforce.cli.console import (
    ConfigOption,
    JsonOption,
    out,
    print_json,
    read_state,
    reporting,
)
from pagerforce.cli.log import parse_since, read_entries
from pagerforce.config.load import find_config, load_config
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import parse_instant
from pagerforce.pipeline.simulate import Recorded, Report, simulate
from pagerforce.rules.evaluate import RuleBook
from pagerforce.service.wiring import CATALOG
from pagerforce.store.codec import parse_event, parse_incident


def simulate_rules(
    *,
    config: ConfigOption = None,
    json: JsonOption = False,
    rules: Annotated[
        list[Path] | None,
        typer.Option(help="Rules to try instead of those in force; may be repeated."),
    ] = None,
    since: Annotated[str, typer.Option(help="Only events since then, an RFC 3339 time.")] = "",
    events: Annotated[
        Path | None,
        typer.Option(help="JSON lines of `pagerforce log --json`, instead of the journal."),
    ] = None,
) -> None:
    """Shows per rule how often it would fire and what it would do, and what differs."""
    start = parse_since(since)
    with reporting():
        path = find_config(config, os.environ)
        in_force = load_config(path, catalog=CATALOG, environ=os.environ)
        tried = load_config(path, catalog=CATALOG, environ=os.environ, rules=tuple(rules or ()))
        if events is not None:
            entries = _read_lines(events)
        else:
            entries = read_state(in_force.config, partial(read_entries, start))
        report = simulate(
            _recorded(entries, start),
            RuleBook(tried.rules, tried.config.maps),
            RuleBook(in_force.rules, in_force.config.maps),
            [(rule.ruleset, rule.name) for rule in tried.rules],
        )
    if json:
        print_json(_to_json(report))
    else:
        _print(report)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigError([Problem(str(path), f"cannot be read: {reason}")]) from error
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json_text.loads(line)
            entry["recorded"]["event"]["id"]
        except (ValueError, KeyError, TypeError) as error:
            what = "is no line of `pagerforce log --json`; export the events again"
            raise ConfigError([Problem(f"{path}: line {number}", what)]) from error
        entries.append(entry)
    return entries


def _recorded(entries: Iterable[Mapping[str, Any]], since: datetime | None) -> Iterable[Recorded]:
    """The events that met rules: without our own echoes."""
    for entry in entries:
        recorded = entry["recorded"]
        context = recorded["context"]
        event = parse_event(recorded["event"])
        if entry.get("echo_of") or (since is not None and event.at < since):
            continue
        incident = context.get("incident")
        yield Recorded(
            event,
            parse_instant(recorded["seen_at"]),
            frozenset(context.get("linked", ())),
            context.get("records", {}),
            parse_incident(incident) if incident else None,
        )


def _to_json(report: Report) -> dict[str, object]:
    return {
        "events": report.events,
        "rules": [
            {
                "ruleset": ruleset,
                "rule": rule,
                "fired": tally.fired,
                "actions": dict(sorted(tally.actions.items())),
                "tried": tally.events,
            }
            for (ruleset, rule), tally in report.rules.items()
        ],
        "gained": report.gained,
        "lost": report.lost,
    }


def _print(report: Report) -> None:
    out.print(f"{report.events} recorded events", markup=False)
    for (ruleset, rule), tally in report.rules.items():
        parts = ", ".join(f"{count} x {do}" for do, count in sorted(tally.actions.items()))
        out.print(f"  {ruleset} / {rule}: fires {tally.fired} times", markup=False)
        if parts:
            out.print(f"    {parts}", markup=False)
    for sign, label, found in (("+", "more", report.gained), ("-", "less", report.lost)):
        out.print(f"{len(found)} actions {label} than with the rules in force", markup=False)
        for item in found:
            subject = item["incident"] or item["record"]
            place = f"{item['ruleset']} / {item['rule']}"
            out.print(
                f"  {sign} {item['action']} for {item['type']} of {subject} ({place})", markup=False
            )
