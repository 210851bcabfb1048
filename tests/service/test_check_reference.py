"""docs/reference/check.md holds every line that ``check`` can say, word for word.

``PYTHONPATH=tests python tests/service/test_check_reference.py`` writes the two tables anew.
"""

import re
from pathlib import Path

from pagerforce.salesforce.login_table import DEFAULT_REMEDY, LOGIN_TABLE
from pagerforce.service.check import ADVICE
from reference_page import check_page, table, words, write_page

PAGE = "check.md"
PLACE = re.compile(r"\{(\w+)(?:![rs])?\}")


def shown(text):
    return PLACE.sub(r"*\1*", text).replace("|", "\\|")


def lines_table():
    rows = [
        (f"`{advice.code}`", advice.kind.value.upper(), shown(advice.what), shown(advice.remedy))
        for advice in ADVICE
    ]
    return table("| code | | about | what to know or to do |", rows)


def logins_table():
    rows = [(words(row.texts), row.advice) for row in LOGIN_TABLE]
    made = table("| the answer contains | what to do |", rows)
    return f"{made}\n| anything else | {DEFAULT_REMEDY} |"


TABLES = {"lines": lines_table, "logins": logins_table}


def test_the_page_holds_every_line_and_login_remedy():
    check_page(PAGE, TABLES)


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
    write_page(PAGE, TABLES)
