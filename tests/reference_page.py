"""Pages of the reference with tables made from the code: compared with it, and regenerated."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
Tables = Mapping[str, Callable[[], str]]


def table(header: str, rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; ``header``: its first line."""
    rule = "|---" * (header.count("|") - 1) + "|"
    return "\n".join([header, rule, *(f"| {' | '.join(cells)} |" for cells in rows)])


def words(texts: Iterable[str]) -> str:
    """Texts as they are in the code."""
    return ", ".join(f"`{text}`" for text in texts)


def check_page(name: str, tables: Tables) -> None:
    """The page shows each table as it would be generated now."""
    text = (REFERENCE / name).read_text("utf-8")
    for title, make in tables.items():
        assert _block(text, title).group(1).strip() == make(), f"run python {sys.argv[0]}"


def write_page(name: str, tables: Tables) -> None:
    """Regenerates the tables of a page."""
    page = REFERENCE / name
    text = page.read_text("utf-8")
    for title, make in tables.items():
        start, end = _block(text, title).span(1)
        text = f"{text[:start]}{make()}\n{text[end:]}"
    page.write_text(text, "utf-8")


def _block(text: str, title: str) -> re.Match[str]:
    found = re.search(rf"<!-- {title}: [^>]*-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found, title
    return found
