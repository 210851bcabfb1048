"""Values stored as JSON text, and what is read back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pagerforce.model.incident import Incident, Person, Ref
from pagerforce.store.codec import Encoder, from_text, parse_incident, to_text

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


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
