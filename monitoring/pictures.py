"""Draws the dashboard like Grafana, with the answers of a real Prometheus.

It reads the shipped ``pagerforce.json``, so that a picture can't show what the dashboard does not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

DASHBOARD = Path(__file__).parent / "grafana" / "pagerforce.json"
_COLUMNS, _ROWS = 24, 24
_INCHES = (15.0, 9.4)
_DPI = 100
_PALETTE = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0")
_COLORS = {"green": "#37872d", "orange": "#c15c17", "red": "#c4162a"}
_GROUND, _PANEL, _INK = "#111217", "#181b1f", "#ccccdc"
_LONGEST_LEGEND = 9
_STEP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """The time to show, Unix seconds, and the Prometheus with its data."""

    url: str
    start: float
    end: float

    def expand(self, expr: str) -> str:
        """A query with the values that Grafana would insert for its variables."""
        seconds = max(1, math.ceil(self.end - self.start))
        for name, value in (
            ("$__rate_interval", "10s"),
            ("$__range", f"{seconds}s"),
            ("$instance", ".+"),
        ):
            expr = expr.replace(name, value)
        return expr

    def latest(self, expr: str) -> list[dict[str, Any]]:
        """Series with ``metric`` and ``value`` at the end of the span."""
        return self._ask("query", query=self.expand(expr), time=str(self.end))

    def series(self, expr: str) -> list[dict[str, Any]]:
        """Series with ``metric`` and ``values`` over the span."""
        bounds = {"start": str(self.start), "end": str(self.end)}
        return self._ask("query_range", query=self.expand(expr), step=str(_STEP_SECONDS), **bounds)

    def _ask(self, path: str, **params: str) -> list[dict[str, Any]]:
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.get(f"{self.url}/api/v1/{path}", params=params)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return found


def draw(span: Span, target: Path) -> None:
    """Writes the picture as a PNG of few colours."""
    board = json.loads(DASHBOARD.read_text("utf-8"))
    with mpl.rc_context({"font.size": 7, "text.color": _INK, "axes.labelcolor": _INK}):
        figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor=_GROUND)
        for panel in board["panels"]:
            axes = figure.add_axes(_place(panel["gridPos"], panel["type"]))
            axes.set_facecolor(_PANEL)
            axes.set_title(panel["title"], loc="left", color=_INK, fontsize=8)
            _DRAWERS[panel["type"]](axes, panel, span)
        figure.savefig(target, facecolor=_GROUND)
    with Image.open(target) as image:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=48).save(target, optimize=True)


def _place(at: Mapping[str, int], kind: str) -> tuple[float, float, float, float]:
    """The panel's place in the figure, with room for its title and legend."""
    left, top = at["x"] / _COLUMNS, 1 - at["y"] / _ROWS
    width, height = at["w"] / _COLUMNS, at["h"] / _ROWS
    if kind == "stat":
        return left + 0.006, top - height + 0.008, width - 0.012, height - 0.04
    below, beside = (0.075, 0.026) if kind == "timeseries" else (0.02, 0.1)
    return left + beside, top - height + below, width - beside - 0.008, height - below - 0.03


def _draw_stat(axes: Axes, panel: Mapping[str, Any], span: Span) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    found = span.latest(panel["targets"][0]["expr"])
    value = float(found[0]["value"][1]) if found else math.nan
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_facecolor(_color_of(value, defaults["thresholds"]["steps"]))
    words = {
        key: option["text"]
        for mapping in defaults.get("mappings", ())
        for key, option in mapping["options"].items()
    }
    text = words.get(f"{value:g}", _in_words(value, defaults["unit"]))
    axes.text(0.5, 0.45, text, ha="center", va="center", fontsize=15, color="white")


def _color_of(value: float, steps: Sequence[Mapping[str, Any]]) -> str:
    if math.isnan(value):
        return _PANEL
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return _COLORS[reached[-1]["color"]]


def _in_words(value: float, unit: str) -> str:
    if math.isnan(value):
        return "none"
    match unit:
        case "percentunit":
            return f"{value:.1%}"
        case "s":
            return f"{value:.0f} s"
        case "dtdurations":
            return f"{value / 86400:.0f} days"
        case _:
            return f"{value:g}"


def _draw_lines(axes: Axes, panel: Mapping[str, Any], span: Span) -> None:
    lines = [
        (_name_of(line["metric"], target.get("legendFormat", "")), _points(line["values"]))
        for target in panel["targets"]
        for line in span.series(target["expr"])
    ]
    custom = panel["fieldConfig"]["defaults"]["custom"]
    is_stacked = custom.get("stacking", {}).get("mode") == "normal"
    total: dict[float, float] = {}
    for number, (name, points) in enumerate(lines):
        color = _PALETTE[number % len(_PALETTE)]
        label = name if number < _LONGEST_LEGEND else None
        times = [datetime.fromtimestamp(at, UTC) for at, _ in points]
        values = [value for _, value in points]
        if is_stacked:
            bottom = [total.get(at, 0.0) for at, _ in points]
            total |= {at: total.get(at, 0.0) + value for at, value in points}
            axes.bar(
                times, values, width=_STEP_SECONDS / 86400, bottom=bottom, color=color, label=label
            )
        else:
            axes.plot(times, values, color=color, linewidth=1, label=label)
    _finish(axes, panel, span, has_lines=bool(lines))


def _finish(axes: Axes, panel: Mapping[str, Any], span: Span, *, has_lines: bool) -> None:
    axes.set_xlim(*(datetime.fromtimestamp(at, UTC) for at in (span.start, span.end)))
    if panel["fieldConfig"]["defaults"].get("min") == 0:
        axes.set_ylim(bottom=0)
    axes.grid(color="#2c3036", linewidth=0.5)
    axes.tick_params(colors=_INK, labelsize=6)
    axes.xaxis.set_major_locator(mpl.dates.AutoDateLocator(maxticks=5))
    axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("%H:%M:%S"))
    if has_lines:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(-0.05, -0.12),
            ncols=3,
            fontsize=5.5,
            frameon=False,
            labelcolor=_INK,
            columnspacing=0.8,
            handlelength=1,
        )


def _draw_bars(axes: Axes, panel: Mapping[str, Any], span: Span) -> None:
    (target,) = panel["targets"]
    found = span.latest(target["expr"])
    names = [_name_of(item["metric"], target["legendFormat"]) for item in found]
    axes.barh(names[::-1], [float(item["value"][1]) for item in found][::-1], color=_PALETTE[0])
    axes.tick_params(colors=_INK, labelsize=6)
    for number, item in enumerate(reversed(found)):
        axes.text(0, number, f" {float(item['value'][1]):.0f}", va="center", color="white")


def _points(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """The points of a line, with a gap where nothing was recorded."""
    points: list[tuple[float, float]] = []
    for at, value in values:
        if points and at - points[-1][0] > 1.5 * _STEP_SECONDS:
            points.append((points[-1][0] + _STEP_SECONDS, math.nan))
        points.append((at, float(value)))
    return points


def _name_of(labels: Mapping[str, str], legend: str) -> str:
    for key, value in labels.items():
        legend = legend.replace(f"{{{{{key}}}}}", value)
    return legend


_DRAWERS = {"stat": _draw_stat, "timeseries": _draw_lines, "bargauge": _draw_bars}
