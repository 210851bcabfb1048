"""``simulate``: what rules would do about recorded events, without writing anything."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import anyio
import anyio.from_thread

from pagerforce.config.files import RulesText
from pagerforce.config.load import Loaded, load_config
from pagerforce.errors import ConfigError, Problem
from pagerforce.model.value import Json, parse_instant
from pagerforce.pipeline.simulate import Recorded, Report, simulate
from pagerforce.rules.evaluate import RuleBook
from pagerforce.service.control.desk import Desk, Request
from pagerforce.service.wiring import CATALOG
from pagerforce.store.codec import parse_event, parse_incident
from pagerforce.store.journal import Filter, last_seq, read_log

_PAGE = 500
_TRIED = 200  # events shown per rule with each condition's values


class RulesFile(Request):
    """A rules file as its owner sent it."""

    name: str
    content: str


class SimulateRequest(Request):
    """``rules``: to try, instead of those in force. ``events``: instead of the journal's."""

    rules: tuple[RulesFile, ...] = ()
    since: str | None = None
    events: tuple[Mapping[str, Any], ...] | None = None


async def simulate_rules(desk: Desk, request: SimulateRequest) -> Json:
    """Per rule how often it fires and what it does; what that differs from the rules in force.

    Raises:
        ConfigError: the rules to try are wrong.
    """
    in_force = await desk.loaded()
    tried = load_tried(desk, request.rules) if request.rules else in_force
    since = None if request.since is None else parse_instant(request.since.upper())
    report = await try_rules(desk, tried, in_force, since=since, entries=request.events)
    return show_report(report)


def load_tried(desk: Desk, files: Sequence[RulesFile]) -> Loaded:
    """The configuration with these rules instead; raises ``ConfigError``."""
    texts = tuple(RulesText(item.name, item.content) for item in files)
    return load_config(desk.home.config, catalog=CATALOG, environ=desk.home.environ, rules=texts)


async def try_rules(
    desk: Desk,
    tried: Loaded,
    in_force: Loaded,
    *,
    since: datetime | None,
    entries: Sequence[Mapping[str, Any]] | None = None,
) -> Report:
    """Tries rules on the journal (or on these entries), on a thread of its own.

    The journal is read page by page while the rules are tried: it may be larger than the memory.
    """

    async def read_page(after: int) -> tuple[list[dict[str, Any]], int]:
        async with desk.read() as tx:
            page = await read_log(tx, Filter(since=since, after_seq=after, limit=_PAGE))
            return page, await last_seq(tx)

    def iter_journal() -> Iterator[Mapping[str, Any]]:
        after = first = 0
        while True:
            page, last = anyio.from_thread.run(read_page, after)
            if not page:
                return
            first = first or page[0]["seq"]
            share = (page[0]["seq"] - first) / (last - first + 1)
            anyio.from_thread.run(desk.tell, "trying the rules on recorded events", share)
            yield from page
            after = page[-1]["seq"]

    def run() -> Report:
        source = iter_journal() if entries is None else entries
        return simulate(
            iter_recorded(_while_wanted(source), since),
            RuleBook(tried.rules, tried.config.maps),
            RuleBook(in_force.rules, in_force.config.maps),
            [(rule.ruleset, rule.name) for rule in tried.rules],
        )

    return await anyio.to_thread.run_sync(partial(run))


def _while_wanted(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Ends the thread soon after whoever asked has gone."""
    for number, entry in enumerate(entries):
        if number % _PAGE == 0:
            anyio.from_thread.check_cancelled()
        yield entry


def iter_recorded(
    entries: Iterable[Mapping[str, Any]], since: datetime | None
) -> Iterator[Recorded]:
    """The events that met rules: without our own echoes, and without what operators did."""
    for number, entry in enumerate(entries, start=1):
        recorded = entry.get("recorded")
        if recorded is None and entry.get("event") == "operator":
            continue
        try:
            found = _recorded(recorded, entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = "is no line of `pagerforce log --json`; export the events again"
            raise ConfigError([Problem(f"event {number}", what)]) from error
        if not entry.get("echo_of") and (since is None or found.event.at >= since):
            yield found


def _recorded(recorded: Any, entry: Mapping[str, Any]) -> Recorded:  # noqa: ANN401, ARG001 (JSON)
    context = recorded["context"]
    incident = context.get("incident")
    return Recorded(
        parse_event(recorded["event"]),
        parse_instant(recorded["seen_at"]),
        frozenset(context.get("linked", ())),
        context.get("records", {}),
        parse_incident(incident) if incident else None,
    )


def show_report(report: Report) -> dict[str, Json]:
    """A report as ``simulate --json`` prints it.

    Of each rule's tried events the last few are shown with their conditions' values; ``tried_more``
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
                "tried": list(tally.events)[-_TRIED:],
                "tried_more": max(0, len(tally.events) - _TRIED),
            }
            for (ruleset, rule), tally in report.rules.items()
        ],
        "gained": report.gained,
        "lost": report.lost,
    }
