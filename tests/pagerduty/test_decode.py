"""Lenient decoding of rows as real accounts send them, and of errors."""

import json

import pytest

from pagerforce.model.incident import IncidentStatus, Person, Ref
from pagerforce.pagerduty.decode import decode_incident, decode_log_entry, decode_rows
from pagerforce.pagerduty.refusals import ErrorBody, parse_error_body

ENTRY = {"id": "R1", "type": "trigger_log_entry", "created_at": "2026-11-24T12:00:00Z"}


def entry(**more):
    return decode_log_entry({**ENTRY, **more})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("acknowledge_log_entry", "acknowledge"),
        ("acknowledgement_log_entry", "acknowledge"),
        ("unacknowledge_log_entry", "unacknowledge"),
        ("annotate_log_entry_reference", "annotate"),
        ("resolve", "resolve"),
        ("responder_request_log_entry", "responder_request"),
    ],
)
def test_types_lose_their_suffix(name, kind):
    assert entry(type=name).type == kind


def test_times_are_read_with_their_zone():
    assert entry(created_at="2026-11-24T07:00:00-05:00").at == entry().at


def test_a_note_is_in_the_channel_and_a_resolution_in_the_entry():
    channel = {"type": "note", "summary": " look\nhere "}
    assert entry(type="annotate_log_entry", channel=channel).note == " look\nhere "
    assert entry(type="annotate_log_entry", note="bare", channel=None).note == "bare"
    assert entry(type="resolve_log_entry", note="fixed", channel={"summary": "x"}).note == "fixed"
    assert entry(channel={"type": "api", "summary": "not a note"}).note is None


@pytest.mark.parametrize(
    ("more", "priority", "had"),
    [
        ({"channel": {"new_priority": {"name": "P1"}}}, Ref("", "P1"), True),
        ({"channel": {"new_priority": {"id": "PX", "summary": "P1"}}}, Ref("PX", "P1"), True),
        ({"channel": {"new_priority": None, "old_priority": {"name": "P1"}}}, None, True),
        ({"summary": 'Priority changed from "P2" to "P1"'}, Ref("", "P1"), True),
        ({"summary": "Priority changed"}, None, False),
    ],
)
def test_a_priority_change(more, priority, had):
    found = entry(type="priority_change_log_entry", **more)
    assert (found.priority, found.had_priority) == (priority, had)


@pytest.mark.parametrize(
    ("summary", "urgency"),
    [
        ("Urgency changed from low to high", "high"),
        ("Set to low urgency by Jane", "low"),
        ("High urgency", "high"),
        ("Changed urgency", None),
        ("high or low", None),
        (None, None),
    ],
)
def test_the_new_urgency_is_read_from_the_summary(summary, urgency):
    assert entry(type="urgency_change_log_entry", summary=summary).urgency == urgency
    assert entry(summary=summary).urgency is None


def test_assignees_are_distinguished_from_none():
    user = {"id": "PJANE01", "type": "user_reference", "summary": "Jane"}
    assert entry(assignees=[user, None, {}]).assignees == (Person("PJANE01", "Jane"),)
    assert entry(assignees=[]).assignees == ()
    assert entry(assignees=None).assignees is None


def test_a_reference_says_nothing_about_the_incidents_state():
    bare = {"id": "Q1", "type": "incident_reference", "summary": "[#1] Disk"}
    assert (entry(incident=bare).incident_id, entry(incident=bare).current) == ("Q1", None)
    full = {**bare, "status": "acknowledged"}
    assert entry(incident=full).current.status is IncidentStatus.ACKNOWLEDGED


def test_an_incident_with_nothing_known_except_its_id():
    nulls = dict.fromkeys(
        (
            *("incident_number", "title", "status", "service", "assignments", "priority"),
            *("resolve_reason", "conference_bridge", "custom_fields", "created_at"),
        )
    )
    found = decode_incident({"id": "Q1", **nulls})
    assert (found.id, found.title, found.status, found.assignees) == ("Q1", None, None, ())


def test_an_incident_with_every_field_malformed_is_still_read():
    askew = {
        "id": "Q1",
        "incident_number": "7",
        "summary": "[#7] Disk full",
        "status": "simmering",
        "created_at": "yesterday",
        "assignments": [None, {"assignee": None}, "x"],
        "priority": "P1",
        "custom_fields": [{"name": "a", "value": [1, {"b": None}]}, {"value": 2}, 3],
        "service": {"id": 5},
    }
    found = decode_incident(askew)
    assert (found.title, found.number, found.status, found.created_at) == (
        "Disk full",
        None,
        None,
        None,
    )
    assert (found.priority, found.service, found.assignees) == (None, None, ())
    assert found.custom_fields == {"a": [1, {"b": None}]}


def test_rows_that_are_no_objects_are_flaws():
    rows, flaws = decode_rows([ENTRY, 7, None, {"id": "R2"}], decode_log_entry, "log entry")
    assert [row.id for row in rows] == ["R1"]
    assert [flaw.where for flaw in flaws] == ["log entry", "log entry", "log entry R2"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"code": 2002, "message": "m", "errors": ["a", "b"]}}, ("2002", "m; a; b")),
        ({"error": {"code": 2002, "message": "m", "errors": "a"}}, ("2002", "m; a")),
        ({"error": {"code": 2002, "message": "m"}}, ("2002", "m")),
        ({"error": {"message": None, "errors": {"a": "b"}}}, ("", "a: b")),
        ({"error": {"code": 2001, "errors": {"a": ["b", "c"], "d": 5}}}, ("2001", "a: b; a: c")),
        ({"error": {"errors": [{"a": {"b": "c"}}, None, "d"]}}, ("", "a.b: c; d")),
        ({"error": {"message": "m", "errors": ["x"] * 100}}, ("", "; ".join(["m", *["x"] * 20]))),
        ({"error": "account-level access token"}, ("", "account-level access token")),
        ({"error": None}, ("", "")),
        (["error"], ("", "")),
    ],
)
def test_error_bodies_of_every_form(body, said):
    assert parse_error_body(json.dumps(body).encode()) == ErrorBody(*said)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_error_bodies_that_are_not_json(body):
    assert parse_error_body(body) == ErrorBody("", "")


def test_an_incident_distinguishes_its_first_trigger_from_later_ones():
    incident = {"id": "P1", "status": "triggered", "first_trigger_log_entry": {"id": "R1"}}
    assert entry(incident=incident).is_first is True
    assert entry(incident=incident, id="R2").is_first is False
    assert entry(incident=incident, type="annotate_log_entry").is_first is None
    assert entry(incident={"id": "P1", "status": "triggered"}).is_first is None
