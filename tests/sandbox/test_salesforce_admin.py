"""Changes that administrators and the platform make to an org while a client works in it.

Facts: docs/vendors/salesforce.md.
"""

from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from pagerforce.sandbox.salesforce import admin, make_app
from pagerforce.sandbox.server import serve
from sandbox_salesforce import BASE, JANE_ID, START, Org, new_incident

CASES = f"{BASE}/sobjects/Case"
WINDOWS = f"{BASE}/sobjects/Change_Window__c"


async def turn(org: Org, **knobs: object) -> None:
    answer = await org.http.post("/__sandbox__/knobs", json=knobs)
    assert answer.status_code == 204, answer.text


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    (error,) = answer.json()
    return answer.status_code, error["errorCode"], error["message"]


# Polymorphic owners ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["Name", "Type", "FirstName", "Alias", "Email", "Title", "IsActive"]
)
async def test_owner_shows_the_fields_of_name(org: Org, field: str):
    org.world.insert("Case", {"OwnerId": JANE_ID})
    (row,) = await org.records(f"SELECT Owner.{field} FROM Case")
    assert set(row["Owner"]) == {"attributes", field}


@pytest.mark.parametrize(
    "clause",
    [
        "SELECT Owner.Department FROM Case",
        "SELECT Id FROM Case WHERE Owner.Username = 'x'",
        "SELECT Id FROM Case ORDER BY Owner.Department",
    ],
)
async def test_owner_that_may_be_a_queue_has_no_other_field(org: Org, clause: str):
    """Describe names both targets, and both are there with all their fields."""
    fields = (await org.http.get(f"{CASES}/describe")).json()["fields"]
    (owner,) = (item for item in fields if item["name"] == "OwnerId")
    assert (owner["referenceTo"], owner["relationshipName"]) == (["User", "Group"], "Owner")
    status, code, message = error_of(await org.query(clause))
    assert (status, code) == (400, "INVALID_FIELD")
    assert "on entity 'Name'" in message


async def test_owner_that_is_a_user_has_every_field(org: Org):
    assert (await org.query("SELECT Owner.Department FROM Account")).status_code == 200


async def test_nothing_is_behind_the_owner_of_many_kinds(org: Org):
    status, code, message = error_of(await org.query("SELECT Owner.CreatedBy.Name FROM Case"))
    assert (status, code) == (400, "INVALID_FIELD")
    assert "Didn't understand relationship 'CreatedBy'" in message


# A field that is deleted and restored --------------------------------------------------------


async def test_deleted_field_is_nowhere_and_comes_back_with_its_values(org: Org):
    row_id = org.world.insert("Change_Window__c", {"Notes__c": "kept", "Name": "x"})
    await turn(org, delete_field=["Change_Window__c", "Notes__c"])
    status, code, message = error_of(await org.query("SELECT Id, Notes__c FROM Change_Window__c"))
    assert (status, code) == (400, "INVALID_FIELD")
    assert "No such column 'Notes__c' on entity 'Change_Window__c'" in message
    fields = (await org.http.get(f"{WINDOWS}/describe")).json()["fields"]
    assert "Notes__c" not in {item["name"] for item in fields}
    assert "Notes__c" not in (await org.http.get(f"{WINDOWS}/{row_id}")).json()
    for answer in (
        await org.http.post(WINDOWS, json={"Notes__c": "x"}),
        await org.http.patch(f"{WINDOWS}/{row_id}", json={"Notes__c": "x"}),
    ):
        assert error_of(answer)[:2] == (400, "INVALID_FIELD")
    assert (await org.query("SELECT Id, Name FROM Change_Window__c")).status_code == 200
    assert (await org.http.patch(f"{WINDOWS}/{row_id}", json={"Name": "y"})).status_code == 204
    await turn(org, restore_field=["Change_Window__c", "Notes__c"])
    (row,) = await org.records("SELECT Notes__c FROM Change_Window__c")
    assert row["Notes__c"] == "kept"


async def test_deleted_relationship_takes_its_paths_along(org: Org):
    await turn(org, delete_field=["Change_Window__c", "Account__c"])
    answer = await org.query("SELECT Account__r.Name FROM Change_Window__c")
    assert error_of(answer)[:2] == (400, "INVALID_FIELD")


async def test_describe_that_was_kept_is_stale_after_a_deletion_and_after_a_restore(org: Org):
    def since(seconds: float) -> dict[str, str]:
        return {
            "If-Modified-Since": format_datetime(START + timedelta(seconds=seconds), usegmt=True)
        }

    path = f"{WINDOWS}/describe"
    assert (await org.http.get(path, headers=since(5))).status_code == 304
    org.clock.advance(10)
    await turn(org, delete_field=["Change_Window__c", "Notes__c"])
    assert (await org.http.get(path, headers=since(5))).status_code == 200
    assert (await org.http.get(path, headers=since(11))).status_code == 304
    org.clock.advance(10)
    await turn(org, restore_field=["Change_Window__c", "Notes__c"])
    assert (await org.http.get(path, headers=since(11))).status_code == 200


# An instance that moves -----------------------------------------------------------------------


def other_name(org: Org) -> str:
    """The same socket under another name."""
    return org.url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("old", "status", "text"),
    [
        ("redirect", 301, ""),
        ("gone", 404, "URL No Longer Exists"),
        ("not_reset", 400, "URL_NOT_RESET"),
    ],
)
async def test_old_instance_answers_by_its_knob_and_the_new_one_serves(org: Org, old, status, text):
    await turn(org, move_instance={"url": other_name(org), "old": old})
    answer = await org.http.get(f"{BASE}/query?q=SELECT+Id+FROM+Case")
    assert (answer.status_code, text in answer.text) == (status, True)
    if old == "redirect":
        assert answer.headers["location"] == f"{other_name(org)}{BASE}/query?q=SELECT+Id+FROM+Case"
    answer = await org.http.get(f"{other_name(org)}{BASE}/query?q=SELECT+Id+FROM+Case")
    assert answer.status_code == 200


async def test_old_instance_may_end_the_connection(org: Org):
    admin.move_instance(org.world, other_name(org), old="drop")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await org.http.get(f"{BASE}/limits")


async def test_old_instance_may_be_switched_off_while_the_login_host_is_there(org: Org):
    """Served twice: the second address is refused once its server has ended."""
    async with serve(make_app(org.world)) as instance:
        admin.move_instance(org.world, instance)
        assert (await org.http.get(f"{instance}{BASE}/limits")).status_code == 200
    with pytest.raises(httpx.ConnectError):
        await org.http.get(f"{instance}{BASE}/limits")


# Merges ---------------------------------------------------------------------------------------


async def deleted_ids(org: Org) -> list[str]:
    start, end = (org.clock.now() + timedelta(minutes=minutes) for minutes in (-5, 1))
    params = {"start": start.isoformat(), "end": end.isoformat()}
    answer = await org.http.get(f"{CASES}/deleted", params=params)
    return [item["id"] for item in answer.json()["deletedRecords"]]


async def test_merged_record_is_deleted_and_names_its_master(org: Org):
    winner, loser = (org.world.insert("Case", {"Subject": text}) for text in "wl")
    comment = org.world.insert("CaseComment", {"ParentId": loser, "CommentBody": "x"})
    org.clock.advance(60)
    await turn(org, merge=["Case", winner, loser])
    soql = "SELECT Id, IsDeleted, MasterRecordId, SystemModstamp FROM Case ORDER BY Id"
    assert [row["Id"] for row in await org.records(soql)] == [winner]
    rows = (await org.query(soql, all_rows=True)).json()["records"]
    assert [(row["IsDeleted"], row["MasterRecordId"]) for row in rows] == [
        (False, None),
        (True, winner),
    ]
    assert rows[0]["SystemModstamp"] == "2026-11-24T12:00:05.000+0000"
    assert rows[1]["SystemModstamp"] == "2026-11-24T12:01:05.000+0000"
    assert await deleted_ids(org) == [loser]
    (child,) = await org.records("SELECT Id, ParentId FROM CaseComment")
    assert (child["Id"], child["ParentId"]) == (comment, winner)


async def test_loser_comes_back_alone_and_names_nobody(org: Org):
    winner, loser = (org.world.insert("Case", {"Subject": text}) for text in "wl")
    org.world.insert("CaseComment", {"ParentId": loser, "CommentBody": "x"})
    await turn(org, merge=["Case", winner, loser])
    await turn(org, undelete=["Case", loser])
    rows = await org.records("SELECT Id, MasterRecordId FROM Case ORDER BY Id")
    assert [(row["Id"], row["MasterRecordId"]) for row in rows] == [(winner, None), (loser, None)]
    (child,) = await org.records("SELECT ParentId FROM CaseComment")
    assert child["ParentId"] == winner
    assert await deleted_ids(org) == []


async def test_emptied_bin_takes_the_pointer_along(org: Org):
    winner, loser = (org.world.insert("Case", {}) for _ in range(2))
    await turn(org, merge=["Case", winner, loser])
    org.world.purge("Case", loser)
    rows = (await org.query("SELECT Id FROM Case", all_rows=True)).json()["records"]
    assert [row["Id"] for row in rows] == [winner]
    assert await deleted_ids(org) == [loser]


@pytest.mark.parametrize(
    ("name", "field"), [("Contact", "LastName"), ("Lead", "LastName"), ("Account", "Name")]
)
async def test_people_and_accounts_merge_too(org: Org, name: str, field: str):
    winner, loser = (org.world.insert(name, {field: text}) for text in ("w", "l"))
    await turn(org, merge=[name, winner, loser])
    soql = f"SELECT Id FROM {name} WHERE IsDeleted = true AND MasterRecordId != null"
    rows = (await org.query(soql, all_rows=True)).json()["records"]
    assert [row["Id"] for row in rows] == [loser]


# Parents --------------------------------------------------------------------------------------


async def test_parent_changes_and_the_childs_stamp_stays(org: Org):
    account = org.world.find_id("Account", Name="Example Corp")
    case = org.world.insert("Case", {"AccountId": account})
    soql = f"SELECT Account.Phone, Account.SystemModstamp, SystemModstamp FROM Case WHERE Id = '{case}'"
    (before,) = await org.records(soql)
    org.clock.advance(60)
    await turn(org, roll_up=["Account", account, {"Phone": "555"}])
    (after,) = await org.records(soql)
    assert (before["Account"]["Phone"], after["Account"]["Phone"]) == (None, "555")
    assert after["SystemModstamp"] == before["SystemModstamp"]
    assert after["Account"]["SystemModstamp"] == "2026-11-24T12:01:05.000+0000"
    row = org.world.row("Account", account)
    assert row["LastModifiedDate"] < row["SystemModstamp"]


async def test_roll_up_counts_children_on_the_parent(org: Org):
    account = org.world.find_id("Account", Name="Example Corp")
    roll_up = {"child": "Case", "lookup": "AccountId", "field": "NumberOfEmployees"}
    await turn(org, count_children=roll_up)
    org.clock.advance(60)
    cases = [org.world.insert("Case", {"AccountId": account}) for _ in range(2)]
    row = org.world.row("Account", account)
    assert (row["NumberOfEmployees"], type(row["NumberOfEmployees"])) == (2, int)
    assert row["LastModifiedDate"] < row["SystemModstamp"] == org.world.now()
    org.world.delete("Case", cases[0])
    assert org.world.row("Account", account)["NumberOfEmployees"] == 1


async def test_roll_up_of_a_closed_incident_is_no_edit_and_meets_no_rule(org: Org):
    incident = new_incident(org.world)
    closed = org.world.find_id("BMCServiceDesk__Status__c", Name="CLOSED")
    org.world.update(
        "BMCServiceDesk__Incident__c", incident, {"BMCServiceDesk__FKStatus__c": closed}
    )
    admin.roll_up(
        org.world,
        "BMCServiceDesk__Incident__c",
        incident,
        {"BMCServiceDesk__queueName__c": "Night"},
    )
    row = org.world.row("BMCServiceDesk__Incident__c", incident)
    assert row["BMCServiceDesk__queueName__c"] == "Night"
