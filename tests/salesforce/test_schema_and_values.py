from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerforce.errors import MalformedError, RefusedError
from pagerforce.model.ids import parse_record_id
from pagerforce.model.ports import Flaw
from pagerforce.salesforce.decode import RecordShape, decode
from pagerforce.salesforce.lookup import LookupResolver, to_literal
from pagerforce.salesforce.schema import FieldInfo
from pagerforce.salesforce.values import from_row, is_same_value, to_payload
from salesforce.kit import CATEGORY, INCIDENT, SHORT, STATUS, sandboxed, scripted

TEXT = FieldInfo("T__c", "string", length=10)
WHOLE = FieldInfo("N__c", "int")
NUMBER = FieldInfo("D__c", "double")
DAY = FieldInfo("Day__c", "date")
MOMENT = FieldInfo("At__c", "datetime")
CLOCK = FieldInfo("At__c", "time")
FLAG = FieldInfo("B__c", "boolean")
LINK = FieldInfo("R__c", "reference", reference_to=("User",))


@pytest.mark.parametrize(
    ("field", "given", "sent"),
    [
        (TEXT, "x", "x"),
        (TEXT, "", None),
        (TEXT, None, None),
        (TEXT, True, "true"),
        (TEXT, 5, "5"),
        (WHOLE, "7", 7),
        (WHOLE, 7.0, 7),
        (WHOLE, " -3 ", -3),
        (WHOLE, "12345678901234567890", 12345678901234567890),
        (NUMBER, "2.50", 2.5),
        (NUMBER, "3", 3),
        (DAY, "2026-01-02", "2026-01-02"),
        (DAY, "2026-01-02T23:30:00-02:00", "2026-01-03"),
        (MOMENT, "2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
        (MOMENT, "2026-01-02", "2026-01-02T00:00:00Z"),
        (CLOCK, "09:30", "09:30:00.000Z"),
        (CLOCK, "09:30:15.5", "09:30:15.500Z"),
        (CLOCK, "09:30:00.000Z", "09:30:00.000Z"),
        (FLAG, "TRUE", True),
        (FLAG, "no", False),
        (FLAG, "", False),
        (FLAG, 1, True),
        (LINK, "005000000000001", parse_record_id("005000000000001")),
        (LINK, "005000000000001AAA", "005000000000001AAA"),
    ],
)
def test_values_become_what_the_field_stores(field, given, sent):
    payload = to_payload(field, given)
    assert payload == sent
    assert type(payload) is type(sent)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        (TEXT, "far too long for it"),
        (WHOLE, "seven"),
        (WHOLE, "7.5"),
        (WHOLE, True),
        (NUMBER, "nan"),
        (NUMBER, "1e999"),
        (DAY, "tomorrow"),
        (MOMENT, "12:00"),
        (CLOCK, "25:00"),
        (CLOCK, "09:30:00+02:00"),
        (FLAG, "perhaps"),
        (LINK, "Jane Doe"),
    ],
)
def test_values_that_do_not_suit_are_refused_without_being_quoted(field, given):
    with pytest.raises(RefusedError, match=field.name) as caught:
        to_payload(field, given)
    assert str(given) not in str(caught.value).removeprefix(field.name)


@given(st.sampled_from([TEXT, WHOLE, NUMBER, DAY, MOMENT, FLAG, LINK]), st.text(max_size=10))
def test_what_was_sent_once_is_sent_the_same_again(field, text):
    try:
        payload = to_payload(field, text)
    except RefusedError:
        return
    assert to_payload(field, payload) == payload
    assert is_same_value(field, payload, to_payload(field, payload))


def test_sameness_is_that_of_salesforce():
    assert is_same_value(TEXT, "a\r\nb ", "a\nb")
    assert not is_same_value(TEXT, "A", "a")
    assert is_same_value(TEXT, None, " ")
    assert is_same_value(NUMBER, 3, 3.0)
    assert is_same_value(FLAG, None, right=False)
    assert not is_same_value(FLAG, left=True, right=False)
    assert is_same_value(LINK, "005000000000001", "005000000000001AAA")
    assert not is_same_value(LINK, "005000000000001AAA", "005000000000002AAA")


def test_rows_are_flat_and_canonical():
    shape = RecordShape(
        "Case",
        {
            "Id": "id",
            "At__c": "datetime",
            "Owner.Name": "string",
            "Account.Owner.Name": "string",
            "Unread__c": "string",
            "Looks__c": "string",
            "Odd.At__c": None,
        },
    )
    row = {
        "attributes": {"type": "Case", "url": "/x"},
        "Id": "500000000000001",
        "At__c": "2026-01-02T03:04:05.000+0000",
        "Owner": {"attributes": {}, "Name": "Jane"},
        "Account": None,
        "Looks__c": "2026-01-02T03:04:05.000+0000",
        "Odd": {"At__c": "2026-01-02T03:04:05.000+0000"},
        "SystemModstamp": "2026-01-02T03:04:06.000+0000",
    }
    (record,) = decode((row,), shape).records
    assert record.fields == {
        "Id": parse_record_id("500000000000001"),
        "At__c": "2026-01-02T03:04:05Z",
        "Owner.Name": "Jane",
        "Account.Owner.Name": None,
        "Looks__c": "2026-01-02T03:04:05.000+0000",  # a text that looks like a time stays a text
        "Odd.At__c": "2026-01-02T03:04:05Z",
    }
    assert record.stamp == record.modified_at == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


def test_a_single_bad_field_is_left_out_and_reported_without_its_value():
    shape = RecordShape("Case", {"At__c": "datetime", "T__c": "string"})
    row = {
        "Id": "500000000000001AAA",
        "SystemModstamp": "2026-01-02T03:04:06Z",
        "At__c": "private",
        "T__c": {"street": "private"},
    }
    decoded = decode((row,), shape)
    assert decoded.records[0].fields == {}
    assert decoded.flaws == (
        Flaw("Case 500000000000001AAA", "At__c: does not have the form of its type"),
        Flaw("Case 500000000000001AAA", "T__c: is not a single value"),
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
keys = st.sampled_from(["Id", "SystemModstamp", "Owner", "At__c", "CreatedBy", "CreatedById"])


@given(st.lists(st.dictionaries(keys, anything)))
def test_no_row_is_too_malformed_to_continue(rows):
    shape = RecordShape("Case", {"Owner.Name": "string", "At__c": "datetime"})
    decoded = decode(tuple(rows), shape)
    assert len(decoded.records) + len(decoded.flaws) >= len(rows)


@given(st.sampled_from(["string", "datetime", "reference", None]), st.text())
def test_reading_a_value_fails_in_one_way_only(kind, text):
    try:
        value = from_row(text, kind)
    except ValueError:
        return
    assert isinstance(value, str)


async def test_describes_are_asked_for_once_and_again_when_old():
    async with sandboxed() as box:
        for _ in range(3):
            await box.line.schema.describe("Case")
        assert box.line.client.usage.calls_made == 1
        box.line.schema.forget("Case")
        await box.line.schema.describe("Case")
        box.clock.advance(7199)
        await box.line.schema.describe("Case")
        assert box.line.client.usage.calls_made == 2
        box.clock.advance(2)
        await box.line.schema.describe("Case")
        # The session has ended too in the meantime, which costs another call.
        assert box.line.client.usage.calls_made == 4


async def test_configured_fields_are_checked_with_advice():
    async with sandboxed() as box:
        problems = await box.line.schema.check_fields(
            INCIDENT,
            [
                SHORT,
                "BMCServiceDesk__FKCategory__r.Name",
                "Owner.Name",
                "bmcservicedesk__state__c",
                "No_such__c",
                "BMCServiceDesk__FKCategory__r.No_such__c",
                "Nobody__r.Name",
            ],
        )
        found = {problem.where.partition(".")[2]: problem.what for problem in problems}
        assert set(found) == {
            "bmcservicedesk__state__c",
            "No_such__c",
            "BMCServiceDesk__FKCategory__r.No_such__c",
            "Nobody__r.Name",
        }
        assert "BMCServiceDesk__state__c" in found["bmcservicedesk__state__c"]
        (unknown,) = await box.line.schema.check_fields("No_Such__c", ["Name"])
        assert "does not show this object" in unknown.what


async def test_a_hidden_field_is_a_problem():
    async with sandboxed() as box:
        box.world.access.hidden.add((INCIDENT, SHORT))
        (problem,) = await box.line.schema.check_fields(INCIDENT, [SHORT])
        assert "field-level security" in problem.what


async def test_formulas_that_change_by_themselves_are_recognised():
    async with sandboxed() as box:
        moving = await box.poller.time_driven_fields(INCIDENT)
        assert "BMCServiceDesk__TimeSpentInCurrentStatus__c" in moving
        assert SHORT not in moving
    async with scripted() as (org, line):
        fields = [
            {"name": "Age__c", "type": "double", "calculatedFormula": "NOW() - CreatedDate"},
            {"name": "SystemModstamp", "type": "datetime", "filterable": False},
            {"name": "Where__c", "type": "location"},
            {"name": None},
            "nonsense",
        ]
        org.say(200, {"fields": fields})
        info = await line.schema.describe("X__c")
        assert info.time_driven == {"Age__c"}
        assert info.stamp_field is None
        problems = await line.schema.check_fields("X__c", ["Where__c", "Age__c"])
        assert [p.where for p in problems] == ["X__c.Where__c", "X__c"]
        org.say(200, {"fields": None})
        with pytest.raises(MalformedError):
            await line.schema.describe("Y__c")


def resolver(box):
    return LookupResolver(box.line.client, box.line.schema, box.clock)


async def test_a_lookup_finds_the_one_row_without_regard_to_case():
    async with sandboxed() as box:
        lookups = resolver(box)
        wanted = box.world.find_id("BMCServiceDesk__Status__c", Name="CLOSED")
        state = "BMCServiceDesk__state__c"
        values = {"Name": "closed", state: "false"}
        assert await lookups.resolve(INCIDENT, STATUS, values) == wanted
        before = box.line.client.usage.calls_made
        assert await lookups.resolve(INCIDENT, STATUS, dict(values)) == wanted
        assert box.line.client.usage.calls_made == before
        box.clock.advance(601)
        await lookups.resolve(INCIDENT, STATUS, values)
        assert box.line.client.usage.calls_made == before + 1


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        (STATUS, {"Name": "NO SUCH"}, "no row of BMCServiceDesk__Status__c has Name = 'NO SUCH'"),
        (STATUS, {"BMCServiceDesk__state__c": True}, "5 or more rows"),
        (STATUS, {"Colour__c": "red"}, "no such fields"),
        (SHORT, {"Name": "x"}, "not a reference"),
        ("No_such__c", {"Name": "x"}, "not a reference"),
        (STATUS, {"Name": "x' OR Name != '"}, "no row"),
    ],
)
async def test_a_lookup_that_is_not_unique_is_a_clear_error(field, values, words):
    async with sandboxed() as box:
        with pytest.raises(RefusedError, match=words) as caught:
            await resolver(box).resolve(INCIDENT, field, values)
        assert f"{INCIDENT}.{field}" in str(caught.value)


async def test_a_polymorphic_reference_is_searched_where_the_fields_are():
    async with sandboxed() as box:
        lookups = resolver(box)
        queue = box.world.find_id("Group", Name="Service Desk")
        jane = box.world.user_id("jane.doe@example.com")
        assert await lookups.resolve(INCIDENT, "OwnerId", {"Name": "Service Desk"}) == queue
        user = {"Username": "jane.doe@example.com"}
        assert await lookups.resolve(INCIDENT, "OwnerId", user) == jane


def test_dates_are_compared_as_dates():
    assert to_literal(DAY, "2026-01-02").isoformat() == "2026-01-02"
    assert to_literal(MOMENT, "2026-01-02T03:04:05Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_mappings_come_resolved_and_cached():
    async with sandboxed() as box:
        (mapping,) = await box.mappings.resolve()
        printing = box.world.find_id("BMCServiceDesk__Category__c", Name="Printing")
        assert (mapping.field, mapping.value, mapping.service) == (CATEGORY, printing, "PPRT001")
        before = box.line.client.usage.calls_made
        await box.mappings.resolve()
        assert box.line.client.usage.calls_made == before
        box.clock.advance(601)
        box.world.delete("BMCServiceDesk__Category__c", printing)
        assert await box.mappings.resolve() == [], "one broken mapping must not stop the others"
        (configured,) = box.config.service_mappings
        with pytest.raises(RefusedError, match='service mapping "Printing"'):
            await box.mappings.resolve_one(configured)
