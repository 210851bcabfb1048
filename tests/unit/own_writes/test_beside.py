"""The assignment that PagerDuty makes beside an acknowledgement, by the service or by its user."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from pagerforce.model.expectation import EntryExpected
from pagerforce.model.ids import IncidentId
from pagerforce.model.incident import LogEntry, Person
from pagerforce.own_writes.matching import find_entry

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
US = Person("POURS")
ENTRY = LogEntry(
    "a", "assign", AT, IncidentId("PONE"), agent=US, agent_type="user", assignees=(US,)
)
BESIDE = EntryExpected("assign", IncidentId("PONE"), "POURS", assignee="POURS", is_beside=True)


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({"agent": Person("PSERVICE"), "agent_type": "service", "channel": "auto"}, True),
        ({"is_with_acknowledge": True}, True),
        ({}, False),
        ({"is_with_acknowledge": True, "assignees": (Person("PJANE"),)}, False),
    ],
)
def test_only_the_service_or_the_same_second_makes_it_own(changes, is_ours):
    assert (find_entry(replace(ENTRY, **changes), [BESIDE]) == 0) is is_ours


def test_an_own_reassignment_needs_no_acknowledgement():
    assert find_entry(ENTRY, [replace(BESIDE, is_beside=False)]) == 0
