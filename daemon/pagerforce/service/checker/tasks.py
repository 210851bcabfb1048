"""The work of a checker: reads and checks rules, tries them on recorded events. Pure, except files.

It imports no clients, so that a checker starts quickly and cannot reach a remote side.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pagerforce.config.files import RulesText
from pagerforce.config.load import Loaded, load_config
from pagerforce.config.offline import doubt_lines
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json, parse_instant
from pagerforce.pipeline.simulate import Bounds, Recorded, Report, simulate
from pagerforce.rules.evaluate import RuleBook
from pagerforce.rules.needs import fields_needed
from pagerforce.service.applied import without_rules
from pagerforce.service.catalog import CATALOG
from pagerforce.service.checker import bounds
from pagerforce.store.codec import to_event, to_incident
from pagerforce.store.event_text import expand


def load(job: Mapping[str, Any]) -> Loaded:
    """Returns the configuration with the rules to try; raises ``ConfigError``."""
    texts = [RulesText(label, content) for label, content in job["texts"]]
    return load_config(Path(job["config"]), catalog=CATALOG, environ=job["environ"], rules=texts)


def show_loaded(loaded: Loaded) -> dict[str, Json]:
    """Returns what the daemon needs to know besides the rules."""
    doubts = doubt_lines(loaded)
    return {
        "rules": len(loaded.rules),
        "settings": settings_digest(loaded),
        "files": [str(path) for path in loaded.files],
        "include": list(loaded.config.include),
        "rulesets": [plain_toml(item) for item in loaded.config.rulesets],
        "maps": {name: dict(table) for name, table in loaded.config.maps.items()},
        "doubts": [
            [line.what, line.remedy[: bounds.LONGEST_TEXT]]
            for line in doubts[: bounds.MOST_PROBLEMS]
        ],
        "are_doubts_ok": all(line.ok for line in doubts),
        "needs": {name: sorted(found) for name, found in fields_needed(loaded.rules).items()},
    }


def plain_toml(value: object) -> Json:
    """Returns TOML as JSON: times as text."""
    if isinstance(value, Mapping):
        return {str(key): plain_toml(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_toml(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def settings_digest(loaded: Loaded) -> str:
    """Returns a digest of the settings that take effect only with a restart, for comparison."""
    return hashlib.sha256(_canonical(without_rules(loaded)).encode()).hexdigest()


def _canonical(value: object) -> str:
    """Returns the same text for equal settings in any process, unlike pydantic's own forms."""
    if isinstance(value, BaseModel):
        return _canonical({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, Mapping):
        return (
            "{"
            + ",".join(sorted(f"{key!r}:{_canonical(item)}" for key, item in value.items()))
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(_canonical(item) for item in value) + "]"
    if isinstance(value, set | frozenset):
        return _canonical(sorted(map(_canonical, value)))
    return repr(value)


def show_problems(error: ConfigError) -> list[list[str]]:
    """Returns the problems, up to a limit."""
    shown = [
        [item.where[: bounds.LONGEST_TEXT], item.what[: bounds.LONGEST_TEXT]]
        for item in error.problems[: bounds.MOST_PROBLEMS]
    ]
    more = len(error.problems) - len(shown)
    return shown + (
        [["", f"{more} more problems are not listed: correct these first"]] if more else []
    )


def try_rules(
    lines: Iterable[bytes],
    tried: RuleBook,
    in_force: RuleBook | None,
    *,
    since: datetime | None,
    shows_values: bool,
    is_over: Callable[[], bool],
) -> Iterator[Report]:
    """Tries rules on events, newest first, until the events end or the time is over."""
    count = max(1, len(tried.rules))
    limits = Bounds(
        bounds.REPORT_BYTES,
        max(3, min(bounds.TRIED, bounds.TRIED_OF_ALL // count)),
        bounds.DIFFERENCES,
        shows_values,
    )
    wanted = itertools.takewhile(lambda _: not is_over(), _iter_recorded(lines, since))
    return simulate(wanted, tried, in_force, limits)


def _iter_recorded(lines: Iterable[bytes], since: datetime | None) -> Iterator[Recorded]:
    """Yields the events that met rules: no echoes, and no operators' changes."""
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            number = entry.get("line", number)  # noqa: PLW2901 - the line in the operator's file
            if entry.get("recorded") is None and entry.get("event") == "operator":
                continue
            found = _recorded(entry["recorded"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = "is not a line of `pagerforce log --json`; export the events again"
            raise ConfigError([Problem(f"events: line {number}", what)]) from error
        if not entry.get("echo_of") and (since is None or found.event.at >= since):
            yield found


def _recorded(recorded: Mapping[str, Any]) -> Recorded:
    context = recorded["context"]
    incident = context.get("incident")
    return Recorded(
        to_event(expand(recorded["event"])),
        parse_instant(recorded["seen_at"]),
        frozenset(context.get("linked", ())),
        context.get("records", {}),
        to_incident(incident) if incident else None,
    )


def show_report(report: Report) -> dict[str, Json]:
    """Returns a report as ``simulate --json`` prints it.

    For each rule, the last few tried events are shown with their conditions' values; ``tried_more``
    counts the others.
    """
    return {
        "events": report.events,
        "rules": [
            {
                "ruleset": ruleset,
                "rule": rule,
                "fired": tally.fired,
                "actions": dict(sorted(tally.actions.items())),
                "tried": tally.events[::-1],
                "tried_more": tally.more,
            }
            for (ruleset, rule), tally in report.rules.items()
        ],
        "gained": report.gained.oldest_first,
        "gained_more": report.gained.count - report.gained.listed,
        "lost": report.lost.oldest_first,
        "lost_more": report.lost.count - report.lost.listed,
    }
