"""A row of the table of benchmarks, and the table as Markdown and as JSON. Pure."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

BEGIN, END = "<!-- bench:{} -->", "<!-- bench:{} end -->"
"""The marks around a section on the page."""


class Better(StrEnum):
    """Which side of the target is better for a figure."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True, slots=True)
class Bound:
    """What limits a figure, measured in the same run and in the same unit."""

    what: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """Of all runs."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row.

    Attributes:
        what: what was measured, with its size.
        values: one per run, in ``unit``.
        reach: the target; None: the row has none.
        note: what a reader must know to interpret it.
    """

    what: str
    unit: str
    values: Sequence[float]
    reach: float | None = None
    better: Better = Better.AT_MOST
    bound: Bound | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """Of all runs."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.reach is None:
            return None
        if self.better is Better.AT_MOST:
            return self.median <= self.reach
        return self.median >= self.reach

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its bound."""
        if self.bound is None or not self.bound.median:
            return None
        return self.median / self.bound.median

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        reach = "" if self.reach is None else f"{self.better.value} {show(self.reach)} {self.unit}"
        low, high = min(self.values), max(self.values)
        spread = f"{show(low)} to {show(high)}" if len(self.values) > 1 else "one run"
        bound = "" if self.bound is None else f"{self.bound.what}: {show(self.bound.median)}"
        ratio = "" if self.ratio is None else f"{show(self.ratio)} ×"
        met = {None: "", True: "met", False: "**missed**"}[self.is_met]
        return (
            self.what,
            reach,
            f"{show(self.median)} {self.unit}",
            f"{spread} ({len(self.values)})" if len(self.values) > 1 else spread,
            bound,
            ratio,
            met,
            self.note,
        )


@dataclass(slots=True)
class Section:
    """The rows that one benchmark printed, with the command to repeat it."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    text: str = ""


_HEAD = ("what", "reach", "median", "spread (runs)", "bound, same run", "ratio", "", "remarks")


def show(value: float) -> str:
    """A number with three significant digits, or all of them if it is whole and large."""
    if abs(value) >= 100 or value == int(value):
        return f"{round(value):,}"
    return f"{value:.3g}"


def to_markdown(section: Section, machine: str) -> str:
    """A section as a table, under its title."""
    lines = [f"### {section.title}", "", f"`make bench ONLY={section.name}`: {machine}", ""]
    if section.figures:
        lines.append(_row(_HEAD))
        lines.append(_row(["---"] * len(_HEAD)))
        lines += [_row(figure.cells()) for figure in section.figures]
        lines.append("")
    if section.text:
        lines += [section.text, ""]
    return "\n".join(lines)


def to_json(sections: Sequence[Section], machine: str, earlier: str) -> str:
    """The same for programs; ``earlier``: the current content, whose other sections are kept."""
    shown = json.loads(earlier) if earlier else {}
    for section in sections:
        figures = [
            asdict(x) | {"median": x.median, "ratio": x.ratio, "met": x.is_met}
            for x in section.figures
        ]
        shown[section.name] = {"title": section.title, "machine": machine, "figures": figures}
    return json.dumps(shown, indent=1, ensure_ascii=False) + "\n"


def put_on_page(page: str, name: str, text: str) -> str:
    """The page with everything between the two marks of a section replaced.

    Raises:
        ValueError: the marks are missing.
    """
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in page or end not in page:
        raise ValueError(f"the page has no {begin} ... {end}")
    head, rest = page.split(begin, 1)
    return f"{head}{begin}\n{text.strip()}\n{end}{rest.split(end, 1)[1]}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
