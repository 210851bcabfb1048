"""Generates ``pagerforce.json``, the dashboard: one screen, both sides, the queue, the budget, the rules.

``python monitoring/grafana/dashboard.py`` writes the file again; a test compares it with this code. No
host is named in it: data source and instances are chosen at the top of the dashboard.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).with_name("pagerforce.json")
_HERE = 'instance=~"$instance"'
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_STAT_WIDTH, _STAT_HEIGHT, _WIDTH, _HEIGHT = 3, 3, 6, 7


@dataclass(frozen=True, slots=True)
class Ask:
    """A query and the name of its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One number. ``steps``: value and colour, the first from minus infinity on."""

    title: str
    ask: Ask
    unit: str
    steps: Sequence[tuple[float | None, str]]
    words: Sequence[tuple[str, str]] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Lines over time. ``is_stacked``: amounts that add up. ``floor``: where the axis begins."""

    title: str
    asks: Sequence[Ask]
    unit: str
    about: str
    is_stacked: bool = False
    floor: float | None = 0


_BAD_ABOVE_0 = ((None, "green"), (1.0, "red"))
_UP = ((None, "red"), (1.0, "green"))
_UP_WORDS = (("0", "down"), ("1", "up"))

FACTS = (
    Fact(
        "PagerDuty",
        Ask(f'min(pagerforce_source_up{{{_HERE},source="pagerduty"}})'),
        "none",
        _UP,
        _UP_WORDS,
        "Whether PagerDuty is being read.",
    ),
    Fact(
        "Salesforce",
        Ask(f'min(pagerforce_source_up{{{_HERE},source="salesforce"}})'),
        "none",
        _UP,
        _UP_WORDS,
        "Whether Salesforce is being read.",
    ),
    Fact(
        "Within 30 s, last hour",
        Ask(f"min(source:pagerforce_sync_within_30s:ratio_rate1h{{{_HERE}}})"),
        "percentunit",
        ((None, "red"), (0.9, "orange"), (0.99, "green")),
        about="Share of changes that reached the other side within 30 s; the worse side.",
    ),
    Fact(
        "Actions waiting",
        Ask(f"sum(pagerforce_outbox_depth{{{_HERE}}})"),
        "none",
        ((None, "green"), (100.0, "orange")),
        about="Decided and not yet confirmed.",
    ),
    Fact(
        "Oldest waiting",
        Ask(f"max(pagerforce_outbox_oldest_seconds{{{_HERE}}})"),
        "s",
        ((None, "green"), (120.0, "orange"), (1200.0, "red")),
        about="Red: the alert PagerforceQueueStuck is near.",
    ),
    Fact(
        "Dead letters",
        Ask(f"sum(pagerforce_dead_letters{{{_HERE}}})"),
        "none",
        _BAD_ABOVE_0,
        about="Actions that need an operator: pagerforce failed list",
    ),
    Fact(
        "Links paused",
        Ask(f"sum(pagerforce_links_paused{{{_HERE}}})"),
        "none",
        _BAD_ABOVE_0,
        about="Stopped because rules seem to run in a circle.",
    ),
    Fact(
        "Certificate ends in",
        Ask(f"min(pagerforce_certificate_expiry_timestamp_seconds{{{_HERE}}} - time())"),
        "dtdurations",
        ((None, "red"), (7 * 86400.0, "orange"), (30 * 86400.0, "green")),
        about="The first certificate to end, of those that are known.",
    ),
)

GRAPHS = (
    Graph(
        "Behind the source",
        (Ask(f"pagerforce_cursor_lag_seconds{{{_HERE}}}", "{{source}}"),),
        "s",
        "How far the last complete poll lies behind the present.",
    ),
    Graph(
        "Change there to confirmed here",
        (
            Ask(f"source:pagerforce_sync_latency_seconds:p50_5m{{{_HERE}}}", "{{source}} p50"),
            Ask(f"source:pagerforce_sync_latency_seconds:p95_5m{{{_HERE}}}", "{{source}} p95"),
            Ask(f"source:pagerforce_sync_latency_seconds:p99_5m{{{_HERE}}}", "{{source}} p99"),
        ),
        "s",
        "Latency of deliveries of the last 5 minutes, by the side where the change was made.",
    ),
    Graph(
        "Waiting actions",
        (
            Ask(f"sum(pagerforce_outbox_depth{{{_HERE}}})", "waiting"),
            Ask(f"sum(pagerforce_dead_letters{{{_HERE}}})", "dead letters"),
            Ask(f"sum(pagerforce_links_paused{{{_HERE}}})", "links paused"),
        ),
        "none",
        "The queue, and what stays behind in it.",
    ),
    Graph(
        "Duration of a poll",
        (
            Ask(
                f"rate(pagerforce_poll_duration_seconds_sum{{{_HERE}}}[$__rate_interval]) / "
                f"(rate(pagerforce_poll_duration_seconds_count{{{_HERE}}}[$__rate_interval]) > 0)",
                "{{source}}",
            ),
            Ask(f"pagerforce_poll_present_interval_seconds{{{_HERE}}}", "{{source}} polled every"),
        ),
        "s",
        "Mean time of good polls, and the present wait between two: longer than configured where the "
        "budget of calls demands it.",
    ),
    Graph(
        "Changes seen",
        (
            Ask(
                "sum by (source, type) "
                f"(increase(pagerforce_events_total{{{_HERE}}}[$__rate_interval])) > 0",
                "{{source}} {{type}}",
            ),
        ),
        "none",
        "Events by type, before any folding.",
        is_stacked=True,
    ),
    Graph(
        "Actions delivered",
        (
            Ask(
                "sum by (action) (increase(pagerforce_actions_total"
                f'{{{_HERE},outcome="delivered"}}[$__rate_interval])) > 0',
                "{{action}}",
            ),
        ),
        "none",
        "What was written to the other side.",
        is_stacked=True,
    ),
    Graph(
        "Actions not delivered",
        (
            Ask(
                "sum by (outcome) (increase(pagerforce_actions_total"
                f'{{{_HERE},outcome!="delivered"}}[$__rate_interval]))',
                "{{outcome}}",
            ),
            Ask(
                f"increase(pagerforce_conflicts_total{{{_HERE}}}[$__rate_interval])",
                "both sides changed it: {{winner}} stands",
            ),
        ),
        "none",
        "Skipped is often right; retried costs time; a dead letter needs an operator.",
        is_stacked=True,
    ),
    Graph(
        "Requests",
        (
            Ask(f"system:pagerforce_api_requests:rate5m{{{_HERE}}}", "{{system}}"),
            Ask(
                f"system:pagerforce_api_failures:ratio_rate5m{{{_HERE}}}",
                "{{system}} failing share",
            ),
        ),
        "none",
        "Requests a second, and the share of them that failed.",
    ),
    Graph(
        "Salesforce calls a day",
        (
            Ask(
                f'system:pagerforce_api_calls_forecast:day{{{_HERE},system="salesforce"}}',
                "forecast",
            ),
            Ask(f"pagerforce_api_calls_last_day{{{_HERE}}}", "last 24 hours"),
            Ask(f"pagerforce_api_daily_budget{{{_HERE}}}", "own share"),
        ),
        "short",
        "The forecast goes by the pace of the last hour.",
    ),
    Graph(
        "Calls left",
        (Ask(f"pagerforce_api_budget_remaining{{{_HERE}}}", "{{system}}"),),
        "short",
        "Salesforce: of the org's day. PagerDuty: of the key's minute.",
    ),
    Graph(
        "Clock skew",
        (Ask(f"pagerforce_clock_skew_seconds{{{_HERE}}}", "{{source}}"),),
        "s",
        "How far the remote clock is ahead of the host's.",
        floor=None,
    ),
)

MATCHES = Ask(
    "sort_desc(sum by (ruleset, rule) "
    f"(increase(pagerforce_rule_matches_total{{{_HERE}}}[$__range])))",
    "{{rule}}",
)


def build() -> dashboard.Dashboard:
    """The whole dashboard."""
    board = (
        dashboard.Dashboard("pagerforce")
        .uid("pagerforce")
        .description("PagerDuty and Salesforce in step: both sides, the queue, budgets and rules.")
        .tags(["pagerforce", "pagerduty", "salesforce"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .with_variable(
            dashboard.QueryVariable("instance")
            .label("Instance")
            .query("label_values(pagerforce_build_info, instance)")
            .datasource(_SOURCE)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(include_all=True)
            .multi(multi=True)
        )
    )
    for number, fact in enumerate(FACTS):
        at = models.GridPos(h=_STAT_HEIGHT, w=_STAT_WIDTH, x=number * _STAT_WIDTH, y=0)
        board.with_panel(_fact_panel(fact).grid_pos(at))
    panels = [_graph_panel(graph) for graph in GRAPHS]
    panels.insert(7, _matches_panel())
    for number, panel in enumerate(panels):
        row, column = divmod(number, 4)
        at = models.GridPos(h=_HEIGHT, w=_WIDTH, x=column * _WIDTH, y=_STAT_HEIGHT + row * _HEIGHT)
        board.with_panel(panel.grid_pos(at))
    return board


def _query(ask: Ask, number: int, *, is_instant: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(ask.expr).ref_id(chr(ord("A") + number)).datasource(_SOURCE)
    if ask.legend:
        query.legend_format(ask.legend)
    return query.instant() if is_instant else query.range()


def _thresholds(steps: Sequence[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value, color) for value, color in steps])
    )


def _fact_panel(fact: Fact) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(fact.title)
        .description(fact.about)
        .datasource(_SOURCE)
        .unit(fact.unit)
        .thresholds(_thresholds(fact.steps))
        .color_mode(shapes.BigValueColorMode.BACKGROUND)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("none")
        .with_target(_query(fact.ask, 0, is_instant=True))
    )
    if fact.words:
        words = {
            value: models.ValueMappingResult(text=text, index=place)
            for place, (value, text) in enumerate(fact.words)
        }
        panel.mappings([models.ValueMap(options=words)])
    return panel


def _graph_panel(graph: Graph) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(graph.title)
        .description(graph.about)
        .datasource(_SOURCE)
        .unit(graph.unit)
        .line_width(1)
        .fill_opacity(40 if graph.is_stacked else 10)
        .legend(
            common.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
        )
    )
    if graph.floor is not None:
        panel.min(graph.floor)
    if graph.is_stacked:
        panel.draw_style(shapes.GraphDrawStyle.BARS)
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    for number, ask in enumerate(graph.asks):
        panel.with_target(_query(ask, number))
    return panel


def _matches_panel() -> bargauge.Panel:
    return (
        bargauge.Panel()
        .title("Rules that matched")
        .description("Events each rule matched within the time shown.")
        .datasource(_SOURCE)
        .unit("none")
        .decimals(0)
        .min(0)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(MATCHES, 0, is_instant=True))
    )


def text_of(board: dashboard.Dashboard) -> str:
    """The dashboard as the text of the file."""
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text_of(build()), "utf-8")
    sys.stdout.write(f"{TARGET}\n")
