"""Fields by type: their describe, the values they accept, and how they are returned."""

import pytest

from sandbox_salesforce import (
    BASE,
    CATEGORY,
    EVENT,
    INCIDENT,
    NETWORK,
    ROWS,
    SHORT,
    Org,
    create,
    error_of,
)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD"),
        ({"BMCServiceDesk__Status_ID__c": "NEW"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"CreatedDate": "2020-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({SHORT: "x" * 256}, "STRING_TOO_LONG"),
        ({"BMCServiceDesk__FKPriority__c": "a0P000000000099EAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"BMCServiceDesk__FKPriority__c": NETWORK}, "MALFORMED_ID"),
        ({"BMCServiceDesk__FKPriority__c": "high"}, "MALFORMED_ID"),
        ({"BMCServiceDesk__FKPriority__c": "a0P000000000001AAA"}, "MALFORMED_ID"),
        ({"BMCServiceDesk__Client_Type__c": "Robot"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"BMCServiceDesk__state__c": "maybe"}, "JSON_PARSER_ERROR"),
        ({"BMCServiceDesk__dueDateTime__c": "soon"}, "JSON_PARSER_ERROR"),
        ({"BMCServiceDesk__TotalWorkTime__c": "many"}, "JSON_PARSER_ERROR"),
        ({SHORT: 5}, "JSON_PARSER_ERROR"),
    ],
)
async def test_bad_value_is_refused(org: Org, fields: dict[str, object], code: str):
    answer = await org.http.post(ROWS, json={CATEGORY: NETWORK, **fields})
    assert error_of(answer) == (400, code)
    assert org.world.rows(INCIDENT) == []


async def test_required_field_is_named(org: Org):
    answer = await org.http.post(f"{BASE}/sobjects/CaseComment", json={"CommentBody": "x"})
    assert answer.json() == [
        {
            "message": "Required fields are missing: [ParentId]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["ParentId"],
        }
    ]


async def test_empty_text_is_stored_as_null_and_field_names_take_any_spelling(org: Org):
    row_id = await create(org, **{SHORT.upper(): ""})
    assert org.world.row(INCIDENT, row_id)[SHORT] is None


async def test_describe_names_types_targets_and_keys(org: Org):
    described = (await org.http.get(f"{ROWS}/describe")).json()
    assert described["keyPrefix"] == "a0R"
    assert described["replicateable"] is True
    fields = {field["name"]: field for field in described["fields"]}
    assert fields[EVENT]["externalId"] is True
    assert fields["OwnerId"]["referenceTo"] == ["User", "Group"]
    assert fields["OwnerId"]["relationshipName"] == "Owner"
    assert fields[CATEGORY]["relationshipName"] == "BMCServiceDesk__FKCategory__r"
    assert fields["BMCServiceDesk__incidentDescription__c"]["filterable"] is False
    assert fields["BMCServiceDesk__Status_ID__c"]["calculated"] is True
    assert fields["BMCServiceDesk__Status_ID__c"]["updateable"] is False
    assert fields["Name"]["autoNumber"] is True
    picklist = fields["BMCServiceDesk__Client_Type__c"]
    assert [v["value"] for v in picklist["picklistValues"]] == ["User", "Contact", "Lead"]
    children = {child["relationshipName"] for child in described["childRelationships"]}
    assert "BMCServiceDesk__Incident_Histories__r" in children


async def test_describe_is_answered_304_until_something_changes(org: Org):
    since = {"If-Modified-Since": "Tue, 24 Nov 2026 12:00:06 GMT"}
    assert (await org.http.get(f"{ROWS}/describe", headers=since)).status_code == 304
    org.world.access.hidden.add((INCIDENT, EVENT))
    assert (await org.http.get(f"{ROWS}/describe", headers=since)).status_code == 200


async def test_global_describe_lists_the_objects(org: Org):
    listed = (await org.http.get(f"{BASE}/sobjects")).json()["sobjects"]
    assert {INCIDENT, "Case", "User", "Change_Window__c"} <= {item["name"] for item in listed}


SAMPLER = f"{BASE}/sobjects/Field_Sampler__c"


@pytest.mark.parametrize(
    ("field", "given", "answered"),
    [
        ("Clock__c", "13:14:15.000Z", "13:14:15.000Z"),
        ("Clock__c", "13:14", "13:14:00.000Z"),
        ("Clock__c", "", None),
        ("Money__c", 1999.99, 1999.99),
        ("Money__c", "12.345", 12.35),
        ("Money__c", -0.005, -0.01),
        ("Percent__c", 12.5, 12.5),
        ("Long__c", 9_007_199_254_740_993, 9_007_199_254_740_993),
        ("Int__c", "7", 7),
        ("Phone__c", "+49 30 1", "+49 30 1"),
        ("Regions__c", "emea;APAC", "EMEA;APAC"),
        ("Day__c", "2026-01-02", "2026-01-02"),
        ("Moment__c", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05.000+0000"),
    ],
)
async def test_a_value_is_answered_as_its_type_is(org: Org, field: str, given: object, answered):
    made = await org.http.post(SAMPLER, json={field: given})
    assert made.status_code == 201, made.text
    row = (await org.http.get(f"{SAMPLER}/{made.json()['id']}?fields={field}")).json()
    assert row[field] == answered
    assert type(row[field]) is type(answered)


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        ("Clock__c", "25:00", "JSON_PARSER_ERROR"),
        ("Clock__c", "noon", "JSON_PARSER_ERROR"),
        ("Clock__c", 9, "JSON_PARSER_ERROR"),
        ("Money__c", "12 EUR", "JSON_PARSER_ERROR"),
        ("Percent__c", True, "JSON_PARSER_ERROR"),
        ("Long__c", 1.5, "JSON_PARSER_ERROR"),
        ("Long__c", True, "JSON_PARSER_ERROR"),
        ("Phone__c", "1" * 41, "STRING_TOO_LONG"),
        ("Phone__c", 1, "JSON_PARSER_ERROR"),
    ],
)
async def test_a_value_that_is_not_of_the_type(org: Org, field: str, given: object, code: str):
    assert error_of(await org.http.post(SAMPLER, json={field: given})) == (400, code)


async def test_describe_names_every_type_of_the_sampler(org: Org):
    fields = (await org.http.get(f"{SAMPLER}/describe")).json()["fields"]
    types = {field["type"] for field in fields}
    assert types >= {"id", "string", "textarea", "boolean", "int", "long", "double", "currency"}
    assert types >= {"percent", "date", "datetime", "time", "picklist", "multipicklist"}
    assert types >= {"combobox", "reference", "email", "phone", "url", "encryptedstring"}
    assert next(one for one in fields if one["name"] == "Money__c")["scale"] == 2


async def test_times_and_money_in_where(org: Org):
    for name, clock, money in (("early", "08:00", 5), ("late", "17:30:00.500Z", 9.5)):
        await org.http.post(SAMPLER, json={"Name": name, "Clock__c": clock, "Money__c": money})
    for where, wanted in (
        ("Clock__c > 12:00:00.000Z", ["late"]),
        ("Clock__c = 08:00:00Z", ["early"]),
        ("Money__c <= 5", ["early"]),
    ):
        rows = (await org.query(f"SELECT Name FROM Field_Sampler__c WHERE {where}")).json()
        assert [row["Name"] for row in rows["records"]] == wanted
    for where in ("Clock__c = '08:00'", "Clock__c > 25:00:00Z", "Encrypted__c = 'x'"):
        answer = await org.query(f"SELECT Name FROM Field_Sampler__c WHERE {where}")
        assert answer.status_code == 400
