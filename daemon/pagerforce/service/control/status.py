"""``status``: shows the state of the sources, the outbox and the links."""

import math
from datetime import datetime

from pagerforce import __version__
from pagerforce.config.load import Loaded
from pagerforce.config.offline import metrics_lines
from pagerforce.model.ids import Side
from pagerforce.model.ports import Position
from pagerforce.model.value import Json, format_instant
from pagerforce.pipeline.poll import PollLoop
from pagerforce.service.control.desk import Desk, Request, Running
from pagerforce.store import cursors, links, outbox
from pagerforce.store.database import Transaction
from pagerforce.store.unreadable import survey


class StatusRequest(Request):
    """Asks for the state."""


async def status(desk: Desk, _: StatusRequest) -> Json:
    """Returns the state, in stable keys; ``remarks``, ``not_read`` and ``stream`` are optional.

    ``not_read``: ``[{object, field (None: all of it), reason, since, rules: [[ruleset, rule]] that
    are switched off}]``.
    """
    async with desk.read() as tx:
        depth = await outbox.depth(tx)
        total, _paused = await links.count_links(tx)
        paused = await links.read_paused(tx)
        positions = await cursors.read_cursors(tx)
        schema = await tx.schema()
        estimate = await outbox.estimate_seconds(tx, desk.home.clock.now())
        await survey(tx)
        unreadable = _unreadable(tx, desk.home.running)
    loaded = await desk.loaded()
    now = desk.home.clock.now()
    age = (now - depth.oldest_at).total_seconds() if depth.oldest_at else 0.0
    running = desk.home.running
    remarks: list[Json] = [f"{x.what}: {x.remedy}" for x in metrics_lines(loaded.config)]
    answer: dict[str, Json] = {
        "version": __version__,
        "schema": schema,
        "ready": running is not None and not running.unready(),
        "mode": _mode(loaded, running),
        "sources": {side.value: _source(side, positions, running, now) for side in Side},
        "outbox": {
            "depth": depth.waiting,
            "oldest_seconds": max(0.0, age),
            "estimate_seconds": estimate,
            "unreadable": unreadable,
        },
        "dead_letters": depth.dead_letters,
        "links": {"total": total, "paused": sorted({link.incident_id for link in paused})},
        "api": {side.value: _budget(side, running) for side in Side},
    }
    not_read = _not_read(running)
    if not_read:
        answer["not_read"] = not_read
    stream = _stream(loaded, running)
    if stream is not None:
        answer["stream"] = stream
    return answer | {"remarks": remarks} if remarks else answer


def _stream(loaded: Loaded, running: Running | None) -> Json:
    """How the stream of change events stands; None if none is configured."""
    stream = None if running is None else running.parts.stream
    if stream is None:
        is_wanted = running is None and loaded.config.salesforce.stream != "off"
        return {"up": None, "reason": ""} if is_wanted else None
    state = stream.state
    return {
        "up": state.is_up,
        "reason": state.reason,
        "since": None if state.since is None else format_instant(state.since),
        "covered": sorted(state.covered),
        "not_covered": {
            name: state.refused.get(name, state.reason)
            for name in stream.feeds()
            if name not in state.covered
        },
        "events": state.events,
        "missed": stream.health.missed,
        "last_event_at": (
            None if state.last_event_at is None else format_instant(state.last_event_at)
        ),
    }


def _not_read(running: Running | None) -> list[Json]:
    """Returns what Salesforce refuses: fields, with the rules that are off, and objects."""
    if running is None:
        return []
    parts = running.parts
    not_read, off = parts.salesforce_poller.not_read, parts.rules.judge.off
    found: list[Json] = [
        {
            "object": name,
            "field": path,
            "reason": item.why,
            "since": format_instant(item.since),
            "rules": [list(rule) for rule, why in off.items() if f"record.{path} " in why],
        }
        for name, columns in not_read.columns.items()
        for path, item in columns.items()
    ]
    found += [
        {
            "object": name,
            "field": None,
            "reason": item.why,
            "since": format_instant(item.since),
            "rules": [],
        }
        for name, item in not_read.halted.items()
    ]
    return found


def _unreadable(tx: Transaction, running: Running | None) -> dict[str, Json]:
    """Returns the number of unreadable stored rows of each table, as far as known."""
    keys = dict(tx.unreadable.keys())
    if running is not None:
        for table, met in running.parts.database.unreadable.keys().items():
            keys[table] = keys.get(table, frozenset()) | met
    return {table: len(found) for table, found in sorted(keys.items()) if found}


def _mode(loaded: Loaded, running: Running | None) -> str:
    if running is not None and running.parts.rules.settings.is_shadow:
        return "shadow"
    return loaded.config.daemon.mode


def _loop(side: Side, running: Running) -> PollLoop:
    parts = running.parts
    return parts.pagerduty if side is Side.PAGERDUTY else parts.salesforce


def _source(
    side: Side, positions: dict[str, Position], running: Running | None, now: datetime
) -> Json:
    mine: dict[str, Json] = {
        feed: format_instant(position.stamp)
        for feed, position in positions.items()
        if (feed == cursors.PAGERDUTY) == (side is Side.PAGERDUTY) and ":" not in feed
    }
    if running is None:
        return {"up": None, "current": False, "lag_seconds": None, "problem": "", "cursors": mine}
    state = _loop(side, running).state
    last = state.last_success_at
    return {
        "up": state.is_up,
        "current": state.is_current,
        "lag_seconds": None if last is None else max(0.0, (now - last).total_seconds()),
        "problem": state.problem,
        "failures": state.failures,
        "last_success_at": None if last is None else format_instant(last),
        "interval_seconds": state.interval_seconds,
        "stretched": state.is_stretched,
        "halted_until": running.halted().get(side.value),
        "cursors": mine,
    }


def _budget(side: Side, running: Running | None) -> Json:
    """Returns what is left of each side's calls, and the forecast at the present pace."""
    if running is None:
        return {"remaining": None}
    parts, loop = running.parts, _loop(side, running)
    budget = loop.budget()
    answer: dict[str, Json] = {
        "remaining": budget.remaining,
        "per": "minute" if side is Side.PAGERDUTY else "day",
        "spent": budget.spent,
        "share": budget.allowed,
        "forecast": loop.forecast(),
    }
    if side is Side.SALESFORCE:
        org = parts.salesforce_side.client.usage.org
        answer["org"] = {"used": org.used, "allowed": org.allowed} if org else None
        return answer
    name = "pagerforce_api_budget_remaining"
    left = parts.metrics.registry.get_sample_value(name, {"system": side.value})
    return answer | {"key": {"remaining": None if left is None or math.isnan(left) else left}}
