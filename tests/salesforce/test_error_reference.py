"""docs/reference/salesforce-errors.md shows the tables of error meanings as they are.

``python tests/salesforce/test_error_reference.py`` writes its two tables anew.
"""

import re
import sys
from pathlib import Path

from pagerforce.salesforce.advice import DEFAULT_ADVICE, RETRY
from pagerforce.salesforce.error_table import TABLE
from pagerforce.salesforce.login_table import DEFAULT_REMEDY, LOGIN_TABLE
from pagerforce.salesforce.meaning import Meaning

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "salesforce-errors.md"
MANY = 60


def words(texts):
    return ", ".join(f"`{text}`" for text in texts)


def advice(row):
    default = DEFAULT_ADVICE if row.meaning is Meaning.REFUSED else ""
    return (row.advice or default).removesuffix(f"; {RETRY}")


def api_table():
    rows = ["| code | in the message | meaning | what to do | source |", "|---|---|---|---|---|"]
    for row in TABLE:
        codes = words(sorted(row.codes))
        if len(row.codes) > MANY:
            codes = f"{len(row.codes)} others of the vendor's list"
        cells = (codes, words(row.texts), row.meaning.value, advice(row), row.source)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def login_table():
    rows = ["| what is said | meaning | what to do | source |", "|---|---|---|---|"]
    rows += [
        f"| {words(row.texts)} | {row.meaning.value} | {row.advice} | {row.source} |"
        for row in LOGIN_TABLE
    ]
    return "\n".join([*rows, f"| anything else | account | {DEFAULT_REMEDY} | |"])


TABLES = {"api": api_table, "login": login_table}


def block(text, name):
    found = re.search(rf"<!-- {name}: [^>]*-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found, name
    return found


def test_the_page_shows_the_tables():
    text = PAGE.read_text("utf-8")
    for name, table in TABLES.items():
        assert block(text, name).group(1).strip() == table(), f"run python {sys.argv[0]}"


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    for title, make in TABLES.items():
        start, end = block(page, title).span(1)
        page = f"{page[:start]}{make()}\n{page[end:]}"
    PAGE.write_text(page, "utf-8")
