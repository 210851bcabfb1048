"""``pagerforce status``: how the sources, the outbox and the links stand."""

import math
from datetime import UTC, datetime
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from pagerforce import __version__
from pagerforce.cli.console import (
    ConfigOption,
    JsonOption,
    out,
    print_json,
    read_config,
    read_state,
    reporting,
)
from pagerforce.config.schema import Config
from pagerforce.model.ids import Side
from pagerforce.model.link import LinkState
from pagerforce.model.value import format_instant
from pagerforce.store import cursors, links, outbox
from pagerforce.store.database import Transaction
from pagerforce.store.migrate import known_schema

_ASK_SECONDS = 2.0


def status(*, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Shows the present state; exits 0 whatever it is."""
    with reporting():
        settings = read_config(config)
        found = read_state(settings, _state)
    gauges = _gauges(settings)
    answer = {
        "version": __version__,
        "schema": known_schema(),
        "ready": gauges.get(("pagerforce_ready", "")) == 1.0,
        "mode": settings.daemon.mode,
        "sources": {side.value: _source(side, found, gauges) for side in Side},
        "outbox": found["outbox"],
        "dead_letters": found["dead_letters"],
        "links": found["links"],
        "api": {
            side.value: {"remaining": _finite(gauges, "pagerforce_api_budget_remaining", side)}
            for side in Side
        },
    }
    if json:
        print_json(answer)
    else:
        _print(answer)


async def _state(tx: Transaction) -> dict[str, Any]:
    depth = await outbox.depth(tx)
    total, _ = await links.count_links(tx)
    paused = [link for link in await links.read_links(tx) if link.state is LinkState.PAUSED]
    positions = await cursors.read_cursors(tx)
    now = datetime.now(UTC)
    age = (now - depth.oldest_at).total_seconds() if depth.oldest_at else 0.0
    return {
        "cursors": {feed: format_instant(item.stamp) for feed, item in positions.items()},
        "outbox": {
            "depth": depth.waiting,
            "oldest_seconds": max(0.0, age),
            "estimate_seconds": await outbox.estimate_seconds(tx, now),
        },
        "dead_letters": depth.dead_letters,
        "links": {"total": total, "paused": sorted({link.incident_id for link in paused})},
    }


def _source(
    side: Side, found: dict[str, Any], gauges: dict[tuple[str, str], float]
) -> dict[str, Any]:
    mine = {
        feed: stamp
        for feed, stamp in found["cursors"].items()
        if (feed == cursors.PAGERDUTY) == (side is Side.PAGERDUTY)
    }
    up = gauges.get(("pagerforce_source_up", side.value))
    return {
        "up": None if up is None else up == 1.0,
        "lag_seconds": _finite(gauges, "pagerforce_cursor_lag_seconds", side),
        "cursors": mine,
    }


def _finite(gauges: dict[tuple[str, str], float], name: str, side: Side) -> float | None:
    value = gauges.get((name, side.value))
    return None if value is None or math.isnan(value) else value


def _gauges(settings: Config) -> dict[tuple[str, str], float]:
    """What the running daemon shows on its metrics address; nothing where it does not answer."""
    if settings.metrics.address is None:
        return {}
    host, port = settings.metrics.address
    try:
        with httpx.Client(trust_env=False, timeout=_ASK_SECONDS) as client:
            text = client.get(f"http://{host}:{port}/metrics").raise_for_status().text
    except httpx.HTTPError:
        return {}
    return {
        (
            sample.name,
            sample.labels.get("source") or sample.labels.get("system") or "",
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _print(answer: dict[str, Any]) -> None:
    ready = "ready" if answer["ready"] else "not ready, or not running"
    out.print(f"pagerforce {answer['version']}, mode {answer['mode']}, {ready}", markup=False)
    for name, source in answer["sources"].items():
        word = {True: "up", False: "down", None: "unknown"}[source["up"]]
        lag = "" if source["lag_seconds"] is None else f", {source['lag_seconds']:.0f} s behind"
        out.print(f"  {name}: {word}{lag}", markup=False)
        for feed, stamp in source["cursors"].items():
            out.print(f"    {feed} read to {stamp}", markup=False)
    box = answer["outbox"]
    left = box["estimate_seconds"]
    out.print(
        f"  outbox: {box['depth']} waiting, oldest {box['oldest_seconds']:.0f} s"
        + (f", about {left:.0f} s left at the present pace" if box["depth"] and left else ""),
        markup=False,
    )
    out.print(f"  dead letters: {answer['dead_letters']}", markup=False)
    paused = ", ".join(answer["links"]["paused"]) or "none"
    out.print(f"  links: {answer['links']['total']}, paused: {paused}", markup=False)
