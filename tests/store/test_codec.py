"""Values stored as JSON text, and what is read back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pagerforce.model.incident import Incident, Person, Ref
from pagerforce.store.codec import (
    Encoder,
    from_text,
    parse_incident,
    parse_record,
    to_event,
    to_incident,
    to_text,
)

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STAMP = "2026-03-02T08:00:00Z"


def test_what_is_none_is_left_out_and_the_rest_comes_back():
    incident = Incident(
        "Q1",
        title="Kältemaschine 🧊",
        created_at=AT,
        updated_at=AT + timedelta(microseconds=1500),
        service=Ref("P1"),
        assignees=(Person("U1", "Sam"),),
        custom_fields={"a": [1, None], "b": {"c": False}},
    )
    text = to_text(incident)
    assert '"2026-03-02T08:00:00Z"' in text
    assert "number" not in text
    assert "Kältemaschine 🧊" in text
    assert parse_incident(text) == incident


@pytest.mark.parametrize(
    "value",
    [2**70, -(2**70), {"a": frozenset({"y", "x"})}, [1.5, True, None, ""], "\u2028", {}],
)
def test_the_text_is_the_json_of_the_value(value):
    plain = {"a": ["x", "y"]} if isinstance(value, dict) and value else value
    assert json.loads(to_text(value)) == plain


def test_incidents_that_events_share_are_each_written_as_they_are():
    first, second = Incident("Q1", title="one"), Incident("Q2", title="two")
    encoder = Encoder()
    for pair in ([first, second], [second, first], [first, first]):
        assert encoder.to_text(pair) == to_text(pair)


def test_an_instant_of_another_zone_stays_the_same_instant():
    text = to_text([AT.astimezone(timezone(timedelta(hours=2)))])
    assert datetime.fromisoformat(from_text(text)[0]) == AT


def test_what_has_no_form_in_json_is_an_internal_error():
    with pytest.raises(TypeError, match="object has no form in JSON"):
        to_text({"a": object()})


@pytest.mark.parametrize(
    "moment", ["2026-03-02T08:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", 7]
)
def test_a_stored_value_with_an_unusable_instant_is_refused(moment):
    """A comparison with it, or arithmetic, would raise later and stop a poll."""
    incident = {"id": "PINC001", "updated_at": moment}
    record = {"object": "Case", "id": "500000000000001AAA", "fields": {}, "stamp": STAMP}
    record |= {"created_at": STAMP, "modified_at": moment}
    event = {"id": "e", "source": "pagerduty", "type": "update", "at": STAMP, "incident": incident}
    for read, data in (
        (parse_incident, json.dumps(incident)),
        (parse_record, json.dumps(record)),
        (parse_record, json.dumps(record | {"modified_at": STAMP, "changed_at": {"A": moment}})),
        (to_incident, incident),
        (to_event, event),
        (to_event, {**event, "incident": None, "at": moment}),
    ):
        with pytest.raises(ValueError, match=r"instant|datetime"):
            read(data)


def test_a_stored_number_of_more_than_64_bits_is_read_as_it_is():
    record = {"object": "Case", "id": "500000000000001AAA", "fields": {"N": 10**25}}
    record |= dict.fromkeys(("stamp", "created_at", "modified_at"), STAMP)
    assert parse_record(json.dumps(record)).fields == {"N": 10**25}
