"""A log entry is the same whether its row is decoded by type or leniently, and so are its flaws."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from pagerforce.errors import MalformedError
from pagerforce.pagerduty.decode import decode_log_entry, decode_rows, odd_values
from pagerforce.pagerduty.log_page import LogReader
from pagerforce.wire.answer import parse_json

JO = {"id": "PJ", "type": "user_reference", "summary": "Jo", "email": "jo@example.com"}
ROW = {
    "id": "R1",
    "type": "acknowledge_log_entry",
    "created_at": "2026-03-02T08:00:00Z",
    "agent": {**JO, "name": "Jo B"},
    "channel": {"type": "website", "summary": "said", "note": "fixed"},
    "note": "text",
    "assignees": [JO, {"id": "PS", "type": "user", "name": "Sam"}],
    "service": {"id": "PSV", "type": "service_reference", "summary": "Mail"},
    "summary": 'Priority changed from "P2" to "P1"',
    "message": "all is well",
    "subject": "news",
    "incident": {
        "id": "PI",
        "incident_number": 7,
        "title": "Disk full",
        "status": "acknowledged",
        "urgency": "high",
        "created_at": "2026-03-02T07:59:00Z",
        "service": {"id": "PSV", "summary": "Mail"},
        "assignments": [{"at": "2026-03-02T07:59:00Z", "assignee": JO}],
        "first_trigger_log_entry": {"id": "R1"},
        "custom_fields": [{"name": "team", "value": "db"}],
    },
}
PATHS = [
    *((name,) for name in ROW),
    *(("agent", name) for name in ROW["agent"]),
    *(("channel", name) for name in ROW["channel"]),
    *(("service", name) for name in ROW["service"]),
    *(("assignees", 0, name) for name in JO),
    ("assignees", 1),
    *(("incident", name) for name in ROW["incident"]),
    ("incident", "first_trigger_log_entry", "id"),
    ("incident", "custom_fields", 0, "value"),
]
TYPES = [
    "trigger", "annotate", "resolve", "priority_change", "urgency_change", "status_update",
    "acknowledgement", "assign", " ",
]  # fmt: skip
TEXTS = ["", " ", "PX", "no id!", "\ud800", "é" * 1025, "x" * 70_000, "x" * 140_000, "high", "R1"]
VALUES = [
    None, True, 0, -1, 7, 1.5, 2**63, 2**70, [], {}, [None], [JO], [JO] * 251, {"id": 3}, {"id": "PQ"},
]  # fmt: skip
DEEP = "[" * 30 + "]" * 30
ABSENT = object()

types = st.builds("{}{}".format, st.sampled_from(TYPES), st.sampled_from(["_log_entry", ""]))
values = st.sampled_from([*TEXTS, *VALUES, json.loads(DEEP), ABSENT]) | types
changes = st.lists(st.tuples(st.sampled_from(PATHS), values), max_size=3)


def changed(row, path, value):
    at = row
    for step in path[:-1]:
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            return  # an earlier change removed it
    if isinstance(at, dict) and value is ABSENT:
        at.pop(path[-1], None)
    elif isinstance(at, dict) or (isinstance(at, list) and path[-1] in range(len(at))):
        at[path[-1]] = None if value is ABSENT else deepcopy(value)


@given(types, changes, changes)
def test_both_ways_give_the_same(kind, first, second):
    reader = LogReader()
    row = deepcopy(ROW) | {"type": kind}
    for step in (first, second):  # the second row may repeat the incident
        for path, value in step:
            changed(row, path, value)
        text = json.dumps(row).encode()
        expected = decode_rows((parse_json(text),), decode_log_entry, "log entry", odd_values)
        assert reader.decode([Raw(text)]) == expected


def test_a_usual_row_is_decoded_by_type():
    raw = Raw(json.dumps(ROW).encode())
    assert LogReader().decode_usual(raw) == decode_log_entry(ROW)


@given(values)
def test_a_row_of_any_form_is_reported(value):
    text = json.dumps(None if value is ABSENT else value).encode()
    entries, flaws = LogReader().decode([Raw(text)])
    assert not entries
    assert flaws


@pytest.mark.parametrize(
    "text", [b'{"id": "R1", "note": "\xff"}', b'{"id": "\\q"}', b'{"note": NaN}']
)
def test_a_row_that_is_not_json_makes_its_answer_malformed(text):
    with pytest.raises(MalformedError):
        LogReader().decode([Raw(text)])
