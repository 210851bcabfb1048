"""The Remedyforce package's rules and derivations, and Case.

Facts: docs/vendors/salesforce.md#remedyforce and #case.
"""

from datetime import UTC, datetime

import pytest

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.salesforce import ApiError, SalesforceWorld, seeded_world
from pagerforce.sandbox.salesforce.triggers import CLOSED_MESSAGE, STATUS_MESSAGE
from sandbox_salesforce import (
    HISTORY,
    INCIDENT,
    JANE_ID,
    NETWORK,
    START,
    new_incident,
    new_note,
    status_id,
)

P = "BMCServiceDesk__"
STATUS = f"{P}FKStatus__c"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def world(clock: ManualClock) -> SalesforceWorld:
    return seeded_world(clock)


def level(world: SalesforceWorld, kind: str, name: str) -> str:
    return world.find_id(f"{P}{kind}__c", Name=name)


def refused(caught: pytest.ExceptionInfo[ApiError]) -> tuple[str, str]:
    return caught.value.code, caught.value.message


def close(world: SalesforceWorld, incident: str) -> None:
    world.update(INCIDENT, incident, {STATUS: status_id(world, "CLOSED")}, by="sam.lee@example.com")


def test_new_incident_gets_its_defaults(world: SalesforceWorld):
    row = world.row(INCIDENT, new_incident(world, incidentDescription="d" * 300))
    assert row[f"{P}Status_ID__c"] == "NEW"
    assert row[f"{P}shortDescription__c"] == "d" * 255
    assert row[f"{P}FKOpenBy__c"] == row["CreatedById"] == row["OwnerId"] == JANE_ID
    assert row[f"{P}openDateTime__c"] == START
    assert (row[f"{P}Type__c"], row[f"{P}Launch_console__c"]) == ("Incident", "IN00000001")


def test_closed_status_derives_state_date_and_person(world: SalesforceWorld, clock: ManualClock):
    incident = new_incident(world)
    clock.advance(60)
    close(world, incident)
    row = world.row(INCIDENT, incident)
    assert row[f"{P}state__c"] is False
    assert row[f"{P}closeDateTime__c"] == row[f"{P}StatusChangeDate__c"] == clock.now()
    assert row[f"{P}FKClosedBy__c"] == world.user_id("sam.lee@example.com")
    assert row[f"{P}Closed_By__c"] == "Sam Lee"


@pytest.mark.parametrize(
    "fields",
    [
        {f"{P}shortDescription__c": "x"},
        {f"{P}Feedback__c": "good", f"{P}shortDescription__c": "x"},
        {},
    ],
)
def test_closed_incident_is_not_edited(world: SalesforceWorld, fields: dict[str, object]):
    incident = new_incident(world)
    close(world, incident)
    with pytest.raises(ApiError) as caught:
        world.update(INCIDENT, incident, fields)
    assert refused(caught) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", CLOSED_MESSAGE)


def test_closing_a_closed_incident_again_is_refused(world: SalesforceWorld):
    incident = new_incident(world)
    close(world, incident)
    with pytest.raises(ApiError, match="closed"):
        close(world, incident)


def test_closed_incident_takes_feedback(world: SalesforceWorld):
    incident = new_incident(world)
    close(world, incident)
    world.update(INCIDENT, incident, {f"{P}Feedback__c": "thanks"})
    assert world.row(INCIDENT, incident)[f"{P}Feedback__c"] == "thanks"


def test_closed_incident_is_edited_when_reopened_in_the_same_update(world: SalesforceWorld):
    incident = new_incident(world)
    close(world, incident)
    opened = {STATUS: status_id(world, "ASSIGNED"), f"{P}shortDescription__c": "again"}
    world.update(INCIDENT, incident, opened)
    row = world.row(INCIDENT, incident)
    assert row[f"{P}state__c"] is True
    assert row[f"{P}closeDateTime__c"] is None
    assert row[f"{P}FKClosedBy__c"] is None
    assert row[f"{P}shortDescription__c"] == "again"


def test_resolved_incident_is_still_open(world: SalesforceWorld):
    incident = new_incident(world)
    world.update(INCIDENT, incident, {STATUS: status_id(world, "RESOLVED")})
    world.update(INCIDENT, incident, {f"{P}shortDescription__c": "more"})
    assert world.row(INCIDENT, incident)[f"{P}state__c"] is True


def test_note_on_a_closed_incident_is_refused(world: SalesforceWorld):
    incident = new_incident(world)
    close(world, incident)
    with pytest.raises(ApiError) as caught:
        new_note(world, incident, "too late")
    assert refused(caught) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", CLOSED_MESSAGE)
    assert world.rows(HISTORY) == []


def test_note_needs_an_action_and_a_proper_duration(world: SalesforceWorld):
    incident = new_incident(world)
    with pytest.raises(ApiError, match="Please enter Action"):
        world.insert(HISTORY, {f"{P}FKIncident__c": incident})
    with pytest.raises(ApiError, match="hh:mm"):
        new_note(world, incident, "x", BMCServiceDesk__duration__c="90 min")


def test_note_carries_action_person_and_incident(world: SalesforceWorld):
    note = world.row(HISTORY, new_note(world, new_incident(world), "text"))
    assert note[f"{P}actionId__c"] == "Notes"
    assert note[f"{P}userId__c"] == "jane.doe@example.com"
    assert note[f"{P}incidentId__c"] == "00000001"
    assert note["Name"] == note["Id"][:15]


def test_note_stays_with_its_incident(world: SalesforceWorld):
    note = new_note(world, new_incident(world), "text")
    with pytest.raises(ApiError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        world.update(HISTORY, note, {f"{P}FKIncident__c": new_incident(world)})


@pytest.mark.parametrize("name", ["CHANGE REVIEW", "PENDING (OLD)"])
def test_status_must_be_active_and_apply_to_incidents(world: SalesforceWorld, name: str):
    incident = new_incident(world)
    with pytest.raises(ApiError) as caught:
        world.update(INCIDENT, incident, {STATUS: status_id(world, name)})
    assert refused(caught) == ("FIELD_FILTER_VALIDATION_EXCEPTION", STATUS_MESSAGE)
    assert caught.value.fields == (STATUS,)


def test_incident_must_be_classified_unless_its_source_is_given(world: SalesforceWorld):
    with pytest.raises(ApiError, match="category, template or request definition"):
        world.insert(INCIDENT, {})
    assert world.insert(INCIDENT, {f"{P}contactType__c": "Event"})
    with pytest.raises(ApiError, match="category, template or request definition"):
        world.update(INCIDENT, new_incident(world), {f"{P}FKCategory__c": None})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({f"{P}dueDateTime__c": "2026-11-24T11:00:00Z"}, "due date"),
        ({f"{P}outageTo__c": "2026-11-24T13:00:00Z"}, "outage"),
        (
            {
                f"{P}outageFrom__c": "2026-11-24T13:00:00Z",
                f"{P}outageTo__c": "2026-11-24T13:00:00Z",
            },
            "outage",
        ),
        ({f"{P}followUp__c": True}, "follow-up"),
    ],
)
def test_times_must_make_sense(world: SalesforceWorld, fields: dict[str, object], message: str):
    with pytest.raises(ApiError, match=message):
        world.update(INCIDENT, new_incident(world), fields)


def test_request_definition_does_not_change(world: SalesforceWorld):
    laptop = world.find_id(f"{P}SRM_RequestDefinition__c", Name="New laptop")
    phone = world.insert(f"{P}SRM_RequestDefinition__c", {"Name": "New phone"})
    request = new_incident(world, FKRequestDefinition=laptop)
    assert world.row(INCIDENT, request)[f"{P}Type__c"] == "Service Request"
    with pytest.raises(ApiError, match="request definition"):
        world.update(INCIDENT, request, {f"{P}FKRequestDefinition__c": phone})


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [
        ("HIGH", "HIGH", "1"),
        ("HIGH", "MEDIUM", "2"),
        ("MEDIUM", "HIGH", "2"),
        ("HIGH", "LOW", "3"),
        ("MEDIUM", "MEDIUM", "3"),
        ("LOW", "MEDIUM", "4"),
        ("LOW", "LOW", "5"),
    ],
)
def test_impact_and_urgency_give_the_priority(
    world: SalesforceWorld, impact: str, urgency: str, priority: str
):
    incident = new_incident(
        world, FKImpact=level(world, "Impact", impact), FKUrgency=level(world, "Urgency", urgency)
    )
    assert world.row(INCIDENT, incident)[f"{P}Priority_ID__c"] == priority


def test_priority_can_be_written_directly(world: SalesforceWorld):
    incident = new_incident(world)
    world.update(INCIDENT, incident, {f"{P}FKPriority__c": level(world, "Priority", "4")})
    world.update(INCIDENT, incident, {f"{P}shortDescription__c": "x"})
    assert world.row(INCIDENT, incident)[f"{P}Priority_ID__c"] == "4"


def test_queue_name_is_a_copy_that_stays(world: SalesforceWorld):
    incident = new_incident(world)
    world.update(INCIDENT, incident, {"OwnerId": world.find_id("Group", Name="Service Desk")})
    assert world.row(INCIDENT, incident)[f"{P}Queue__c"] == "Service Desk"
    world.update(INCIDENT, incident, {"OwnerId": JANE_ID})
    row = world.row(INCIDENT, incident)
    assert (row[f"{P}queueName__c"], row[f"{P}Queue__c"]) == ("Service Desk", None)


def test_customers_own_rule(world: SalesforceWorld):
    def needs_resolution(draft, tx):
        del tx
        is_closing = draft.old(f"{P}state__c") is True and draft.values[f"{P}state__c"] is False
        missing = draft.values[f"{P}incidentResolution__c"] is None
        return "Resolution required." if is_closing and missing else None

    world.add_rule(INCIDENT, needs_resolution)
    incident = new_incident(world)
    with pytest.raises(ApiError, match="Resolution required"):
        close(world, incident)
    world.update(
        INCIDENT,
        incident,
        {STATUS: status_id(world, "CLOSED"), f"{P}incidentResolution__c": "rebooted"},
    )
    assert world.row(INCIDENT, incident)[f"{P}state__c"] is False


def test_case_closes_and_reopens(world: SalesforceWorld, clock: ManualClock):
    case = world.insert("Case", {"Subject": "x"})
    assert world.row("Case", case)["CaseNumber"] == "00000001"
    clock.advance(5)
    world.update("Case", case, {"Status": "Closed"})
    row = world.row("Case", case)
    assert (row["IsClosed"], row["ClosedDate"]) == (True, clock.now())
    world.update("Case", case, {"Status": "Working"})
    row = world.row("Case", case)
    assert (row["IsClosed"], row["ClosedDate"]) == (False, None)


def test_case_comment_has_a_limit_and_a_fixed_parent(world: SalesforceWorld):
    case = world.insert("Case", {"Subject": "x"})
    comment = world.insert("CaseComment", {"ParentId": case, "CommentBody": "y" * 4000})
    with pytest.raises(ApiError, match="STRING_TOO_LONG"):
        world.insert("CaseComment", {"ParentId": case, "CommentBody": "y" * 4001})
    with pytest.raises(ApiError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        world.update("CaseComment", comment, {"ParentId": case})


def test_task_follows_its_status(world: SalesforceWorld):
    task = world.insert(f"{P}Task__c", {f"{P}FKIncident__c": new_incident(world)})
    world.update(f"{P}Task__c", task, {STATUS: status_id(world, "CLOSED")})
    assert world.row(f"{P}Task__c", task)[f"{P}state__c"] is False


def test_stamps_are_whole_seconds_and_name_the_person():
    world = seeded_world(ManualClock(datetime(2026, 11, 24, 12, 0, 5, 999_999, tzinfo=UTC)))
    row = world.row(INCIDENT, new_incident(world))
    assert row["SystemModstamp"] == START
    assert row["LastModifiedById"] == JANE_ID


def test_seeds(world: SalesforceWorld):
    assert [u["Name"] for u in world.rows("User")] == [
        "Integration",
        "Jane Doe",
        "Sam Lee",
        "Raj Patel",
    ]
    categories = {c["Name"]: c["PagerDuty_Service_ID__c"] for c in world.rows(f"{P}Category__c")}
    assert categories == {"Network": "PNET001", "Database": "PDBA001", "Printing": None}
    assert world.row(f"{P}Category__c", NETWORK)["Name"] == "Network"
    assert world.find_id("Organization") == "00D000000000001EAA"
    assert [p["Name"] for p in world.rows(f"{P}Priority__c")] == list("12345")
    ids = [row["Id"] for item in world.schema.objects for row in world.rows(item)]
    assert len(ids) == len(set(ids))
