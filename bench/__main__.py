"""Runs the benchmarks and writes one table: ``python -m bench [--smoke] [--only NAME] [--write]``.

A full run takes minutes and compares with targets; no figure is too slow to pass. ``--smoke``
runs the same code at tiny sizes, and fails only if a benchmark does not work any more.
"""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import alternatives, bursts, catchup, engines, idle, ingest, latency, resident, rules
from bench.size import FULL, SMOKE, Size
from bench.table import Figure, Section, put_on_page, to_json, to_markdown

_TOP = Path(__file__).parents[1]
_PAGE = _TOP / "docs" / "benchmarks.md"
_RESULTS = _TOP / "bench" / "results.json"

Measure = Callable[[Size, Path], Iterator[Figure]]

BENCHMARKS: dict[str, tuple[str, Measure]] = {
    "idle": ("What nothing costs", idle.measure),
    "bursts": ("What a burst costs in API calls", bursts.measure),
    "rules": ("How fast rules are chosen", rules.measure),
    "latency": ("From a change to its effect", latency.measure),
    "ingest": ("Ingest", ingest.measure),
    "resident": ("Memory, start and idleness", resident.measure),
    "catchup": ("Catching up after an outage", catchup.measure),
    "engines": ("PostgreSQL beside SQLite", engines.measure),
    "alternatives": ("Beside the alternatives", alternatives.measure),
}


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes; only whether it works")
    parser.add_argument("--only", action="append", choices=tuple(BENCHMARKS), help="this one")
    parser.add_argument("--write", action="store_true", help=f"into {_PAGE.relative_to(_TOP)}")
    options = parser.parse_args()
    began = time.monotonic()
    size = SMOKE if options.smoke else FULL
    for name in options.only or BENCHMARKS:
        section_began = time.monotonic()
        section = run(name, size)
        say(f"  {name} took {time.monotonic() - section_began:.0f} s")
        if options.write:
            write(section)
    say(f"took {time.monotonic() - began:.0f} s")


def write(section: Section) -> None:
    """Puts a section on the page and among the results; it replaces the previous measurement."""
    page = put_on_page(_PAGE.read_text("utf-8"), section.name, to_markdown(section, machine()))
    _PAGE.write_text(page, "utf-8")
    earlier = _RESULTS.read_text("utf-8") if _RESULTS.exists() else ""
    _RESULTS.write_text(to_json([section], machine(), earlier), "utf-8")


def run(name: str, size: Size) -> Section:
    """Runs one benchmark; prints each row as soon as it exists."""
    title, measure = BENCHMARKS[name]
    section = Section(name, title)
    say(f"{title}:")
    with tempfile.TemporaryDirectory(prefix="pagerforce-bench-") as folder:
        for figure in measure(size, Path(folder)):
            section.figures.append(figure)
            say("  " + " | ".join(cell for cell in figure.cells() if cell))
    return section


def machine() -> str:
    """The machine of the figures."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version};"
        f" {time.strftime('%Y-%m-%d', time.gmtime())}."
    )


def say(text: str) -> None:
    """Prints a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
