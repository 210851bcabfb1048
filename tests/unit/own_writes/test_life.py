"""The effect of an attempt's verdict on its expectations: the whole table."""

from datetime import UTC, datetime

import pytest

from pagerforce.model.expectation import (
    CommentExpected,
    EntryExpected,
    FieldsExpected,
    PageExpected,
    RecordExpected,
    RecordGiven,
)
from pagerforce.model.ids import RecordId
from pagerforce.model.verdict import (
    Delivered,
    FieldsWritten,
    HaltSide,
    Rejected,
    RetryLater,
    Skipped,
    Unknown,
)
from pagerforce.own_writes.life import fate_of

SEEN_AS_ENTRIES = {PageExpected, EntryExpected}
KNOWN_OTHERWISE = {RecordExpected, RecordGiven, CommentExpected, FieldsExpected}
EVERY = SEEN_AS_ENTRIES | KNOWN_OTHERWISE
NOT_READ_BACK = FieldsWritten(
    "X__c", RecordId("a01"), {"Name": "a"}, datetime(2026, 3, 2, tzinfo=UTC), is_followed=False
)


@pytest.mark.parametrize(
    ("verdict", "is_uncertain", "dropped", "is_disowned"),
    [
        (Delivered(), False, KNOWN_OTHERWISE, False),
        (Delivered(), True, KNOWN_OTHERWISE, False),
        (Delivered(effects=(NOT_READ_BACK,)), False, set(), False),
        (Delivered(effects=(NOT_READ_BACK,)), True, set(), False),
        (Skipped("x"), False, EVERY, True),
        (Skipped("x"), True, {FieldsExpected}, False),
        (RetryLater("x"), False, EVERY, True),
        (RetryLater("x"), True, set(), False),
        (HaltSide("x"), False, EVERY, True),
        (HaltSide("x"), True, set(), False),
        (Rejected("x"), False, EVERY, True),
        (Rejected("x"), True, set(), False),
        (Unknown("x"), False, set(), False),
        (Unknown("x"), True, set(), False),
    ],
)
def test_the_fate_of_what_was_expected(verdict, is_uncertain, dropped, is_disowned):
    fate = fate_of(verdict, is_uncertain=is_uncertain)
    assert (fate.dropped, fate.is_disowned) == (dropped, is_disowned)
