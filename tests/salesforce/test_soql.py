from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.errors import RefusedError
from pagerforce.salesforce.soql import (
    Select,
    chunked,
    configured,
    equals,
    is_after,
    is_in,
    is_path,
    literal,
    quote,
)

STAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def unquote(text: str) -> str:
    """Reads a literal by the grammar, and fails if it would end early."""
    assert text[0] == "'"
    assert text[-1] == "'"
    letters, read = iter(text[1:-1]), []
    for letter in letters:
        assert letter != "'", "the literal ends before its end"
        if letter == "\\":
            follower = next(letters)
            read.append(ESCAPED.get(follower, follower))
        else:
            read.append(letter)
    return "".join(read)


@given(st.text())
def test_any_text_survives_quoting_and_never_ends_its_literal(text):
    assert unquote(quote(text)) == text


@given(st.text(alphabet="'\\\"\n\r\t\b\f nrtbf"))
def test_escapes_hold_for_the_letters_that_have_a_meaning(text):
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (2.5, "2.5"),
        (STAMP, "2026-01-02T03:04:05Z"),
        (date(2026, 1, 2), "2026-01-02"),
        ("O'Brien", "'O\\'Brien'"),
    ],
)
def test_literals_are_written_by_their_type(value, written):
    assert literal(value) == written


def test_the_keyset_continues_within_one_second():
    assert is_after("SystemModstamp", STAMP, "a0A000000000001AAA") == (
        "(SystemModstamp > 2026-01-02T03:04:05Z OR"
        " (SystemModstamp = 2026-01-02T03:04:05Z AND Id > 'a0A000000000001AAA'))"
    )


def test_a_configured_filter_with_or_stays_one_condition():
    select = Select(
        "Case",
        ("Id", "Owner.Name"),
        (equals("IsClosed", value=False), *configured(" A__c = 1 OR B__c = 2 ")),
        order_by=("SystemModstamp", "Id"),
        limit=10,
    )
    assert select.text() == (
        "SELECT Id, Owner.Name FROM Case WHERE IsClosed = false AND (A__c = 1 OR B__c = 2)"
        " ORDER BY SystemModstamp ASC, Id ASC LIMIT 10"
    )


@pytest.mark.parametrize(
    "name", ["", "a b", "Id FROM User", "x'", "a..b", "1a", "a.b.c.d.e.f.g", "x\n"]
)
def test_an_invalid_name_gets_into_no_query(name):
    assert not is_path(name)
    with pytest.raises(RefusedError):
        Select("Case", (name,)).text()
    with pytest.raises(RefusedError):
        equals(name, 1)


def test_a_statement_longer_than_salesforce_accepts_fails_clearly():
    select = Select("Case", tuple(f"Field_number_{n}__c" for n in range(7000)))
    with pytest.raises(RefusedError, match="name fewer fields"):
        select.text()


@given(st.lists(st.text(alphabet="abc", min_size=1), max_size=400), st.integers(1, 160))
def test_chunks_hold_everything_once_and_keep_to_their_size(ids, size):
    chunks = list(chunked(ids, size))
    assert [item for chunk in chunks for item in chunk] == ids
    assert all(1 <= len(chunk) <= size for chunk in chunks)


def test_a_full_chunk_of_ids_fits_into_a_where_clause():
    (chunk,) = chunked(["a0A000000000001AAA"] * 150)
    assert len(is_in("Id", chunk)) < 4000
