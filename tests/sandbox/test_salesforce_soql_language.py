"""SOQL as a language: parsing of any text, literals, patterns, and the two lengths of an Id."""

from datetime import UTC, datetime, timedelta
from string import printable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pagerforce.sandbox.salesforce import ApiError
from pagerforce.sandbox.salesforce.ids import canonical_id, make_id, with_suffix
from pagerforce.sandbox.salesforce.soql_ast import (
    AllOf,
    AnyOf,
    Compare,
    Comparison,
    Not,
    Select,
    Text,
)
from pagerforce.sandbox.salesforce.soql_conditions import like_pattern
from pagerforce.sandbox.salesforce.soql_lexer import read_text, tokenize
from pagerforce.sandbox.salesforce.soql_parser import parse_soql

patient = settings(deadline=None)  # a busy machine is no failure


def test_tree_of_a_condition():
    where = parse_soql("SELECT Id FROM Case WHERE NOT (a = 'x' OR b != 'y') AND c.d LIKE '%'").where
    assert isinstance(where, AllOf)
    negation, like = where.conditions
    assert isinstance(negation, Not)
    assert isinstance(negation.condition, AnyOf)
    assert isinstance(like, Compare)
    assert (like.path.steps, like.operator) == (("c", "d"), Comparison.LIKE)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


@patient
@given(st.text())
@example("O'Hara \\ \n \\' ")
def test_any_text_survives_quoting(text: str):
    (token, _end) = tokenize(quoted(text))
    assert read_text(token).value == text


@patient
@given(st.text())
def test_like_with_escaped_wildcards_fits_the_text_itself(text: str):
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    assert like_pattern(escaped).fullmatch(text) is not None
    assert like_pattern("%").fullmatch(text) is not None


@patient
@given(st.text(alphabet="ab%_\\", max_size=8), st.text(alphabet="ab%_\\", max_size=8))
def test_equal_patterns_fit_only_equal_texts(left: str, right: str):
    escaped = left.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    assert (like_pattern(escaped).fullmatch(right) is not None) == (left == right)


def read_or_code(text: str) -> Select | str:
    try:
        return parse_soql(text)
    except ApiError as error:
        return error.code


_GRAMMAR = """
SELECT FROM WHERE AND OR NOT IN Id Case ( ) , = 'x' LIKE ORDER BY LIMIT 1 null TODAY COUNT :
INCLUDES FIELDS
"""
_WORDS = st.sampled_from(_GRAMMAR.split())


@patient
@given(st.lists(_WORDS, max_size=20).map(" ".join) | st.text(alphabet=printable, max_size=60))
@example("SELECT Id FROM Case WHERE " + "NOT " * 5000 + "Id = null")
@example("SELECT Id FROM Case WHERE " + "(" * 5000)
@example("SELECT COUNT(")
@example("SELECT FIELDS(")
def test_any_text_is_read_or_refused(text: str):
    codes = {"MALFORMED_QUERY", "NUMBER_OUTSIDE_VALID_RANGE"}
    outcome = read_or_code(text)
    assert outcome in codes or isinstance(outcome, Select)


@patient
@given(st.integers(min_value=0, max_value=59), st.integers(min_value=0, max_value=14))
def test_instants_are_the_same_in_any_offset(second: int, hours: int):
    moment = datetime(2026, 11, 24, 12, 0, second, tzinfo=UTC)
    local = moment + timedelta(hours=hours)
    where = parse_soql(
        f"SELECT Id FROM Case WHERE CreatedDate = {local:%Y-%m-%dT%H:%M:%S}+{hours:02}:00"
    ).where
    assert isinstance(where, Compare)
    assert where.literal == moment


def test_text_literal_keeps_its_pattern_apart():
    where = parse_soql(r"SELECT Id FROM Case WHERE Subject LIKE 'a\%b\\%'").where
    assert isinstance(where, Compare)
    assert where.literal == Text("a%b\\%", r"a\%b\\%")


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("a0C000000000001", "a0C000000000001EAA"),
        ("00D000000000001", "00D000000000001EAA"),
        ("005000000000001", "005000000000001AAA"),
        ("001D000000IqhSL", "001D000000IqhSLIAZ"),
    ],
)
def test_checksum_of_ids(short: str, full: str):
    assert with_suffix(short) == full
    assert canonical_id(short) == canonical_id(full) == full
    assert canonical_id(short + "ZZZ") is None


@patient
@given(st.integers(min_value=0, max_value=62**12 - 1))
def test_every_serial_has_an_id_of_its_own(serial: int):
    row_id = make_id("a0R", serial)
    assert canonical_id(row_id) == row_id
    assert len(row_id) == 18
