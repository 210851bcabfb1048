"""docs/reference/check.md holds every line that ``check`` can say, word for word.

``python tests/service/test_check_reference.py`` writes the two tables anew.
"""

import re
import sys
from pathlib import Path

from pagerforce.salesforce.login_table import DEFAULT_REMEDY, LOGIN_TABLE
from pagerforce.service.check import ADVICE

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "check.md"
PLACE = re.compile(r"\{(\w+)(?:![rs])?\}")


def lines_table():
    rows = ["| code | | about | what to know or to do |", "|---|---|---|---|"]
    for advice in ADVICE:
        what, remedy = (
            PLACE.sub(r"*\1*", text).replace("|", "\\|") for text in (advice.what, advice.remedy)
        )
        rows.append(f"| `{advice.code}` | {advice.kind.value.upper()} | {what} | {remedy} |")
    return "\n".join(rows)


def logins_table():
    rows = ["| the answer speaks of | what to do |", "|---|---|"]
    for row in LOGIN_TABLE:
        parts = ", ".join(f"`{text}`" for text in row.texts)
        rows.append(f"| {parts} | {row.advice} |")
    return "\n".join([*rows, f"| anything else | {DEFAULT_REMEDY} |"])


TABLES = {"lines": lines_table, "logins": logins_table}


def block(text, name):
    found = re.search(rf"<!-- {name}: [^>]*-->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found, name
    return found


def test_the_page_holds_every_line_and_login_remedy():
    text = PAGE.read_text("utf-8")
    for name, table in TABLES.items():
        assert block(text, name).group(1).strip() == table(), f"run python {sys.argv[0]}"


def test_codes_are_unique_and_every_line_can_be_filled_in():
    assert len({advice.code for advice in ADVICE}) == len(ADVICE)
    for advice in ADVICE:
        names = {*PLACE.findall(advice.what), *PLACE.findall(advice.remedy)}
        line = advice.line(**dict.fromkeys(names, "x"))
        assert "{" not in line.what + line.remedy
        assert line.remedy


def test_every_line_is_provoked_by_a_test():
    tests = Path(__file__).parents[1]
    mine = Path(__file__).name
    text = "".join(
        path.read_text("utf-8") for path in tests.rglob("test_*.py") if path.name != mine
    )
    assert [advice.code for advice in ADVICE if f'"{advice.code}"' not in text] == []


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    for title, make in TABLES.items():
        start, end = block(page, title).span(1)
        page = f"{page[:start]}{make()}\n{page[end:]}"
    PAGE.write_text(page, "utf-8")
