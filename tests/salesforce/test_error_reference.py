"""docs/reference/salesforce-errors.md shows the current tables of error meanings.

``PYTHONPATH=tests python tests/salesforce/test_error_reference.py`` regenerates its two tables.
"""

from pagerforce.salesforce.advice import DEFAULT_ADVICE, RETRY
from pagerforce.salesforce.error_table import TABLE
from pagerforce.salesforce.login_table import DEFAULT_REMEDY, LOGIN_TABLE
from pagerforce.salesforce.meaning import Meaning
from reference_page import check_page, table, words, write_page

PAGE = "salesforce-errors.md"
MANY = 60


def advice(row):
    default = DEFAULT_ADVICE if row.meaning is Meaning.REFUSED else ""
    return (row.advice or default).removesuffix(f"; {RETRY}")


def codes(row):
    if len(row.codes) > MANY:
        return f"{len(row.codes)} others of the vendor's list"
    return words(sorted(row.codes))


def api_table():
    rows = [
        (codes(row), words(row.texts), row.meaning.value, advice(row), row.source) for row in TABLE
    ]
    return table("| code | in the message | meaning | what to do | source |", rows)


def login_table():
    rows = [(words(row.texts), row.meaning.value, row.advice, row.source) for row in LOGIN_TABLE]
    made = table("| what is said | meaning | what to do | source |", rows)
    return f"{made}\n| anything else | account | {DEFAULT_REMEDY} | |"


TABLES = {"api": api_table, "login": login_table}


def test_the_page_shows_the_tables():
    check_page(PAGE, TABLES)


if __name__ == "__main__":
    write_page(PAGE, TABLES)
