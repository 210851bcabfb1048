"""The two pages for people on the metrics address: the status page and the runbook.

Plain HTML without scripts, readable on a phone; it contains no customers' text.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib import resources
from itertools import pairwise

from msgspec import Struct
from prometheus_client import CollectorRegistry

from pagerforce import __version__
from pagerforce.model.display import shown
from pagerforce.model.ids import Side

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
}

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:auto;padding:1rem;"
    "color-scheme:light dark}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;"
    "text-align:left;vertical-align:top}pre{overflow-x:auto;border:1px solid;padding:.5rem}"
)
_LINKS = (
    ("/metrics", "metrics, for Prometheus"),
    ("/-/healthy", "healthy while every loop beats"),
    ("/-/ready", "ready once both sides were read to the end"),
    ("/runbook", "runbook: what each alert means and how to fix it"),
)


class Condition(Struct, frozen=True):
    """The data of the front page. ``silent``: loops without a beat; ``unready``: not ready yet."""

    registry: CollectorRegistry
    silent: list[str]
    unready: list[str]


def front_page(condition: Condition) -> str:
    """Renders name, version, state of both sides and of the queue, and links."""
    samples = _Samples(condition.registry)
    rows = [*_summary(condition, samples), *_sides(samples), *_queue(samples)]
    table = "".join(f"<tr><th>{_cell(k)}</th><td>{_cell(v)}</td></tr>" for k, v in rows)
    links = "".join(f'<li><a href="{path}">{path}</a> {what}</li>' for path, what in _LINKS)
    return _page(
        "pagerforce",
        f"<h1>pagerforce {escape(__version__)}</h1>"
        "<p>Synchronises PagerDuty incidents and Salesforce records.</p>"
        f"<table>{table}</table><ul>{links}</ul>"
        "<p>On the host, <code>pagerforce status</code> shows more.</p>",
    )


def _cell(text: str) -> str:
    return escape(shown(text))


class _Samples:
    """The gauges, collected once: the registry walks all series for every single request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._values = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in registry.collect()
            if family.type == "gauge"
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        return self._values.get((f"pagerforce_{name}", *sorted(labels.items())))


def _summary(condition: Condition, samples: _Samples) -> Iterator[tuple[str, str]]:
    silent, unready = ", ".join(condition.silent), ", ".join(condition.unready)
    yield "health", f"no heartbeat: {silent}" if silent else "every loop beats"
    yield "ready", f"no, waiting for: {unready}" if unready else "yes"
    is_shadow = samples.get("shadow")
    yield "mode", "shadow: nothing is written" if is_shadow else "live"


def _sides(samples: _Samples) -> Iterator[tuple[str, str]]:
    for side, name in ((Side.PAGERDUTY, "PagerDuty"), (Side.SALESFORCE, "Salesforce")):
        up = samples.get("source_up", source=side.value)
        lag = samples.get("cursor_lag_seconds", source=side.value)
        last = samples.get("last_success_timestamp_seconds", source=side.value)
        if not last or lag is None or math.isnan(lag):
            yield name, "not read yet"
            continue
        at = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        yield name, f"{'up' if up else 'down'}, read {lag:.0f} s ago, at {at}"


def _queue(samples: _Samples) -> Iterator[tuple[str, str]]:
    for name, label in (
        ("outbox_depth", "actions waiting"),
        ("dead_letters", "dead letters"),
        ("links", "links"),
        ("links_paused", "links paused"),
    ):
        yield label, f"{samples.get(name) or 0:.0f}"


@cache
def runbook_page() -> str:
    """Renders ``docs/runbook.md`` of this version, with an anchor at each heading."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 (most daemons never show this page)

    text = (resources.files("pagerforce.service") / "runbook.md").read_text("utf-8")
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor_of(inline.content))
    return _page("pagerforce runbook", reader.renderer.render(tokens, reader.options, {}))


def anchor_of(heading: str) -> str:
    """Returns the anchor of a heading, as the usual Markdown hosts form it."""
    words = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return words.replace(" ", "-")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )
