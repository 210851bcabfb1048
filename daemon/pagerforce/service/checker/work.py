"""One job of a checker: reads and checks rules, then tries them on events if the job asks for that.

Input, one JSON object per line: the job, ``{version, seconds, config, environ, texts, is_loaded,
gives_rules, is_tried}``. To try rules, then: ``{in_force, maps, since, shows_values}``, that many
rules in force, one per line, and the events, newest first, to the end.

Output: ``{"loaded": ...}`` and one ``{"rule": ...}`` each, if asked for; ``{"report": ...}``; last
``{"done": true}``. ``{"problems": ...}`` or ``{"too_much": what}`` can replace any of these.
"""

import collections
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pagerforce import __version__
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import parse_instant
from pagerforce.rules.evaluate import RuleBook
from pagerforce.service.catalog import SPECS
from pagerforce.service.checker import bounds, tasks
from pagerforce.service.checker.plain import line_of_rule, rule_of
from pagerforce.service.checker.watch import TimeUp, Watch
from pagerforce.service.checker.words import say, say_rule


def work(source: BinaryIO, watch: Watch) -> None:
    """Does the job on the first line."""
    job = _read(source, bounds.JOB_BYTES)
    if job["version"] != __version__:
        say("too_much", "version")
        return
    watch.begin(job["seconds"])
    watch.give(bounds.CHECK_SECONDS)
    try:
        book = _load(job) if job["is_loaded"] else None
        if job["is_tried"]:
            _try(source, watch, book)
    except ConfigError as error:
        say("problems", tasks.show_problems(error))
        return
    say("done", value=True)


def _load(job: Mapping[str, Any]) -> RuleBook:
    loaded = tasks.load(job)
    say("loaded", tasks.show_loaded(loaded))
    if job["gives_rules"]:
        for rule in loaded.rules:
            say_rule(line_of_rule(rule))
    # Created also if nothing is tried: rules that can't be prepared must not be put in force.
    return RuleBook(loaded.rules, loaded.config.maps)


def _try(source: BinaryIO, watch: Watch, book: RuleBook | None) -> None:
    trial = _read(source, bounds.JOB_BYTES)
    known = [rule_of(_read(source, bounds.RULE_BYTES), SPECS) for _ in range(trial["in_force"])]
    in_force = RuleBook(known, trial["maps"])
    watch.give(bounds.TRY_SECONDS)
    is_cut = False

    def is_over() -> bool:
        nonlocal is_cut
        is_cut = watch.is_over()
        return is_cut

    found = tasks.try_rules(
        _iter_lines(source),
        book or in_force,
        in_force if book else None,
        since=parse_instant(trial["since"]) if trial["since"] else None,
        shows_values=trial["shows_values"],
        is_over=is_over,
    )
    report = next(found)  # each event is added to this one
    try:
        collections.deque(found, maxlen=0)
    except TimeUp:
        is_cut = True
    watch.stop()
    say("report", {**tasks.show_report(report), "is_cut": is_cut})


def _read(source: BinaryIO, most: int) -> dict[str, Any]:
    line = source.readline(most + 1)
    if len(line) > most or not line.endswith(b"\n"):
        raise EOFError("a line of the job is cut short or too long")
    found: dict[str, Any] = json.loads(line)
    return found


def _iter_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yields the events; skips empty lines."""
    while line := source.readline(bounds.EVENT_BYTES + 1):
        if len(line) > bounds.EVENT_BYTES:
            what = f"one event is larger than {bounds.EVENT_BYTES} bytes: remove it"
            raise ConfigError([Problem("events", what)])
        if not line.isspace():
            yield line
