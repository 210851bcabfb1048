"""The sandbox's SOQL: grammar, types, and what queries find. Facts: docs/vendors/salesforce.md#soql."""

import pytest

from pagerforce.sandbox.clock import ManualClock
from pagerforce.sandbox.salesforce import ApiError, SalesforceWorld, seeded_world
from sandbox_salesforce import (
    BASE,
    HISTORY,
    INCIDENT,
    JANE_ID,
    NETWORK,
    START,
    Org,
    new_incident,
    new_note,
    status_id,
)

WINDOW = "Change_Window__c"


@pytest.fixture
def world() -> SalesforceWorld:
    return seeded_world(ManualClock(START))


@pytest.fixture
def windows(world: SalesforceWorld) -> SalesforceWorld:
    rows = (
        {"Name": "Alpha", "Amount__c": 1, "Due__c": "2026-11-23", "Regions__c": "EMEA;APAC"},
        {"Name": "beta", "Amount__c": 2.5, "Due__c": "2026-11-24", "Active__c": False},
        {"Name": "50%_off", "Amount__c": -3, "Due__c": "2026-11-30", "Regions__c": "AMER"},
        {"Name": "O'Hara \\ Söhne"},
    )
    for row in rows:
        world.insert(WINDOW, row)
    return world


def names(world: SalesforceWorld, tail: str) -> list[object]:
    return [row["Name"] for row in world.query(f"SELECT Name FROM {WINDOW} {tail}")]


def refusal(world: SalesforceWorld, query: str) -> str:
    with pytest.raises(ApiError) as caught:
        world.query(query)
    assert caught.value.status == 400
    return caught.value.code


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'ALPHA'", ["Alpha"]),
        ("Name != 'alpha'", ["beta", "50%_off", "O'Hara \\ Söhne"]),
        ("Name <> 'alpha' AND Amount__c > 0", ["beta"]),
        ("Name = 'O\\'Hara \\\\ Söhne'", ["O'Hara \\ Söhne"]),
        ("Name LIKE 'al%'", ["Alpha"]),
        ("Name LIKE '_eta'", ["beta"]),
        ("Name LIKE '50\\%\\_%'", ["50%_off"]),
        ("Name LIKE '%\\\\%'", ["O'Hara \\ Söhne"]),
        ("NOT Name LIKE '%a'", ["50%_off", "O'Hara \\ Söhne"]),
        ("NOT (Name LIKE '%a' OR Amount__c < 0)", ["O'Hara \\ Söhne"]),
        ("Name IN ('alpha', 'BETA', 'x')", ["Alpha", "beta"]),
        ("Name NOT IN ('alpha', 'beta')", ["50%_off", "O'Hara \\ Söhne"]),
        ("Name > 'alpha' AND Name <= 'beta'", ["beta"]),
        ("Amount__c = null", ["O'Hara \\ Söhne"]),
        ("Amount__c != NULL", ["Alpha", "beta", "50%_off"]),
        ("Amount__c >= 1", ["Alpha", "beta"]),
        ("Amount__c IN (2.5, -3)", ["beta", "50%_off"]),
        ("Active__c = false", ["beta"]),
        ("Active__c != FALSE AND Amount__c <= 1", ["Alpha", "50%_off"]),
        ("Due__c = 2026-11-24", ["beta"]),
        ("Due__c = TODAY", ["beta"]),
        ("Due__c < TODAY", ["Alpha"]),
        ("Due__c <= TODAY", ["Alpha", "beta"]),
        ("Due__c > TODAY", ["50%_off"]),
        ("Due__c = YESTERDAY", ["Alpha"]),
        ("Due__c = LAST_N_DAYS:1", ["Alpha", "beta"]),
        ("Due__c = NEXT_N_DAYS:6", ["50%_off"]),
        ("Due__c = THIS_WEEK", ["Alpha", "beta"]),
        ("Due__c = NEXT_WEEK", ["50%_off"]),
        ("Due__c = THIS_MONTH", ["Alpha", "beta", "50%_off"]),
        ("CreatedDate = TODAY AND Name = 'beta'", ["beta"]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate >= 2026-11-24T12:00:05Z AND Name = 'beta'", ["beta"]),
        ("CreatedDate > 2026-11-24T12:00:05.000Z", []),
        ("CreatedDate = 2026-11-24T13:00:05+01:00 AND Name = 'beta'", ["beta"]),
        ("Regions__c INCLUDES ('amer', 'EMEA;APAC')", ["Alpha", "50%_off"]),
        ("Regions__c INCLUDES ('EMEA;AMER')", []),
        ("Regions__c EXCLUDES ('AMER')", ["Alpha", "beta", "O'Hara \\ Söhne"]),
        ("(Name = 'beta' AND Amount__c > 0) OR (Amount__c < 0)", ["beta", "50%_off"]),
        ("Owner.Name = 'jane doe' AND Owner.Type = 'User' AND Amount__c = 1", ["Alpha"]),
        ("Change_Window__c.Name = 'beta'", ["beta"]),
    ],
)
def test_where(windows: SalesforceWorld, where: str, found: list[str]):
    assert names(windows, f"WHERE {where}") == found


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ("ORDER BY Amount__c", ["O'Hara \\ Söhne", "50%_off", "Alpha", "beta"]),
        ("ORDER BY Amount__c DESC NULLS LAST", ["beta", "Alpha", "50%_off", "O'Hara \\ Söhne"]),
        ("ORDER BY Name ASC LIMIT 2", ["50%_off", "Alpha"]),
        ("ORDER BY Name DESC LIMIT 1 OFFSET 1", ["beta"]),
        ("ORDER BY Active__c DESC, Name", ["50%_off", "Alpha", "O'Hara \\ Söhne", "beta"]),
        ("LIMIT 0", []),
    ],
)
def test_order_limit_offset(windows: SalesforceWorld, tail: str, found: list[str]):
    assert names(windows, tail) == found


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT",
        "SELECT Id",
        "SELECT FROM Case",
        "SELECT Id FROM",
        "SELECT Id FROM Case WHERE",
        "SELECT Id FROM Case WHERE Subject = 'a' AND Subject = 'b' OR Subject = 'c'",
        "SELECT Id FROM Case WHERE Subject = 'a' OR Subject = 'b' AND Subject = 'c'",
        "SELECT Id FROM Case WHERE Subject = 'open",
        "SELECT Id FROM Case WHERE Subject = 'bad \\q escape'",
        "SELECT Id FROM Case WHERE Subject == 'a'",
        'SELECT Id FROM Case WHERE Subject = "a"',
        "SELECT Id FROM Case WHERE (Subject = 'a'",
        "SELECT Id FROM Case WHERE Subject NOT LIKE 'a'",
        "SELECT Id FROM Case WHERE Subject IN ()",
        "SELECT Id FROM Case WHERE CreatedDate > 2026-13-01T00:00:00Z",
        "SELECT Id FROM Case WHERE CreatedDate = LAST_N_DAYS",
        "SELECT Id FROM Case WHERE CreatedDate = LAST_N_DAYS:999999999",
        "SELECT Id FROM Case LIMIT -1",
        "SELECT Id FROM Case ORDER BY",
        "SELECT Id FROM Case; DROP",
        "SELECT Id, Id FROM Case",
        "SELECT * FROM Case",
        "SELECT Id FROM Case GROUP BY Id",
        "SELECT COUNT(Id) FROM Case",
        "SELECT FIELDS(ALL) FROM Case",
        "SELECT FIELDS(CUSTOM) FROM Case LIMIT 201",
        "SELECT FIELDS(SOME) FROM Case LIMIT 2",
        "SELECT Id FROM Case WHERE " + "(" * 200 + "Subject = 'a'" + ")" * 200,
        "SELECT Id FROM Case WHERE Id IN (SELECT CaseNumber FROM Case)",
        "SELECT Id FROM Case WHERE Id IN (SELECT Id FROM Case WHERE Id IN (SELECT Id FROM Case))",
        "SELECT A.B.C.D.E.F.Name FROM Case",
    ],
)
def test_malformed_query(world: SalesforceWorld, query: str):
    assert refusal(world, query) == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Nope FROM Case", "INVALID_FIELD"),
        ("SELECT Owner.Nope FROM Case", "INVALID_FIELD"),
        ("SELECT Nope__r.Name FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Nope = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Case ORDER BY Nope", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE NOT Description LIKE '%x'", "INVALID_FIELD"),
        ("SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Subject = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Case WHERE Id LIKE '500%'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Case WHERE IsClosed > true", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Case WHERE Subject INCLUDES ('x')", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Nopes__r) FROM Case", "INVALID_TYPE"),
        ("SELECT Id FROM Case OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_query_with_unknown_names(world: SalesforceWorld, query: str, code: str):
    assert refusal(world, query) == code


def test_parents_nest_and_are_null_where_the_lookup_is_empty(world: SalesforceWorld):
    new_incident(world)
    (row,) = world.query(
        "SELECT Name, Owner.Name, BMCServiceDesk__FKCategory__r.PagerDuty_Service_ID__c, "
        "BMCServiceDesk__FKCategory__r.CreatedBy.Username, BMCServiceDesk__FKTemplate__r.Name "
        f"FROM {INCIDENT}"
    )
    assert row["Owner"]["Name"] == "Jane Doe"
    assert row["Owner"]["attributes"]["type"] == "Name"
    category = row["BMCServiceDesk__FKCategory__r"]
    assert category["PagerDuty_Service_ID__c"] == "PNET001"
    assert category["CreatedBy"]["Username"] == "integration@example.com"
    assert category["attributes"]["url"].endswith(
        f"/sobjects/BMCServiceDesk__Category__c/{NETWORK}"
    )
    assert row["BMCServiceDesk__FKTemplate__r"] is None


def test_owner_may_be_a_queue(world: SalesforceWorld):
    queue = world.find_id("Group", Name="Service Desk")
    row_id = new_incident(world)
    world.update(INCIDENT, row_id, {"OwnerId": queue})
    (row,) = world.query(
        f"SELECT Owner.Name, Owner.Type, BMCServiceDesk__Queue__c FROM {INCIDENT}"
        " WHERE Owner.Type = 'Queue'"
    )
    assert (row["Owner"]["Name"], row["Owner"]["Type"]) == ("Service Desk", "Queue")
    assert row["BMCServiceDesk__Queue__c"] == "Service Desk"
    assert (
        world.query(
            f"SELECT QueueId, Queue.Name FROM QueueSobject WHERE SobjectType = '{INCIDENT}'"
        )[0]["Queue"]["Name"]
        == "Service Desk"
    )


def test_child_rows_come_with_their_parent(world: SalesforceWorld):
    incident, other = new_incident(world), new_incident(world)
    for text in ("one", "two", "three"):
        new_note(world, incident, text)
    first, second = world.query(
        "SELECT Id, (SELECT Id, BMCServiceDesk__note__c FROM BMCServiceDesk__Incident_Histories__r "
        f"ORDER BY Name DESC LIMIT 2) FROM {INCIDENT} ORDER BY Name"
    )
    children = first["BMCServiceDesk__Incident_Histories__r"]
    assert (children["totalSize"], children["done"]) == (2, True)
    assert [c["BMCServiceDesk__note__c"] for c in children["records"]] == ["three", "two"]
    assert second["Id"] == other
    assert second["BMCServiceDesk__Incident_Histories__r"] is None


def test_semi_join_and_anti_join(world: SalesforceWorld):
    noted, silent = new_incident(world), new_incident(world)
    new_note(world, noted, "x")
    inner = f"(SELECT BMCServiceDesk__FKIncident__c FROM {HISTORY})"
    assert [r["Id"] for r in world.query(f"SELECT Id FROM {INCIDENT} WHERE Id IN {inner}")] == [
        noted
    ]
    assert [r["Id"] for r in world.query(f"SELECT Id FROM {INCIDENT} WHERE Id NOT IN {inner}")] == [
        silent
    ]


def test_ids_compare_exactly_but_fifteen_and_eighteen_are_the_same(world: SalesforceWorld):
    row_id = new_incident(world)
    for form in (row_id, row_id[:15]):
        assert len(world.query(f"SELECT Id FROM {INCIDENT} WHERE Id = '{form}'")) == 1
    swapped = f"A0R{row_id[3:15]}"
    assert world.query(f"SELECT Id FROM {INCIDENT} WHERE Id = '{swapped}'") == []


def test_keyset_page_over_equal_stamps_sees_every_row_once(world: SalesforceWorld):
    made = [new_incident(world) for _ in range(70)]
    seen, stamp, last = [], "2000-01-01T00:00:00Z", "000000000000000AAA"
    for _ in range(100):
        rows = world.query(
            f"SELECT Id, SystemModstamp FROM {INCIDENT} WHERE SystemModstamp > {stamp} "
            f"OR (SystemModstamp = {stamp} AND Id > '{last}') "
            "ORDER BY SystemModstamp ASC, Id ASC LIMIT 7"
        )
        if not rows:
            break
        seen += [row["Id"] for row in rows]
        stamp, last = rows[-1]["SystemModstamp"], rows[-1]["Id"]
    assert seen == made


@pytest.mark.parametrize("order", ["SystemModstamp, Id", "Id"])
@pytest.mark.parametrize(
    "where",
    [
        "SystemModstamp > {stamp}",
        "SystemModstamp >= {stamp} AND BMCServiceDesk__FKCategory__c != null",
        "SystemModstamp = {stamp}",
        "SystemModstamp < {stamp}",
        "SystemModstamp <= {stamp} AND SystemModstamp >= {stamp}",
        "NOT SystemModstamp > {stamp}",
        "SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}')",
        "SystemModstamp > {stamp} OR Id = '{first}'",
        "(SystemModstamp > {stamp} OR CreatedDate > {stamp}) AND Id > '{first}'",
        "Id > '{id}'",
        "Id >= '{short}' AND SystemModstamp >= {stamp}",
        "Id IN ('{first}', '{id}')",
    ],
)
def test_an_ordered_page_holds_what_the_whole_answer_begins_with(
    world: SalesforceWorld, where: str, order: str
):
    made = []
    for _ in range(12):
        world.clock.advance(0.75)
        made.append(new_incident(world))
    (middle,) = world.query(f"SELECT SystemModstamp FROM {INCIDENT} WHERE Id = '{made[6]}'")
    asked = where.format(
        stamp=middle["SystemModstamp"], id=made[6], short=made[6][:15], first=made[0]
    )
    query = f"SELECT Id FROM {INCIDENT} WHERE {asked} ORDER BY {order}"
    whole = [row["Id"] for row in world.query(query)]
    assert whole
    for limit in (1, 5, 100):
        assert [row["Id"] for row in world.query(f"{query} LIMIT {limit}")] == whole[:limit]


def test_formula_follows_a_rename_without_moving_the_stamp(world: SalesforceWorld):
    row_id = new_incident(world)
    before = world.row(INCIDENT, row_id)
    world.clock.advance(60)
    world.update("BMCServiceDesk__Category__c", NETWORK, {"Name": "Networks"})
    after = world.row(INCIDENT, row_id)
    assert after["BMCServiceDesk__Category_ID__c"] == "Networks"
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_fields_function(world: SalesforceWorld):
    world.insert(WINDOW, {"Name": "w"})
    (standard,) = world.query(f"SELECT FIELDS(STANDARD) FROM {WINDOW}")
    assert "SystemModstamp" in standard
    assert "Amount__c" not in standard
    (custom,) = world.query(f"SELECT FIELDS(CUSTOM) FROM {WINDOW} LIMIT 200")
    assert custom["Active__c"] is True
    assert "SystemModstamp" not in custom


async def test_count_gives_a_total_and_no_records(org: Org):
    for _ in range(3):
        new_incident(org.world)
    body = (await org.query(f"SELECT COUNT() FROM {INCIDENT} WHERE Name > '00000001'")).json()
    assert body == {"totalSize": 2, "done": True, "records": []}


async def test_long_result_comes_in_pages_of_one_snapshot(org: Org):
    for _ in range(450):
        org.world.insert(WINDOW, {"Name": "w"})
    headers = {"Sforce-Query-Options": "batchSize=200"}
    params = {"q": f"SELECT Id FROM {WINDOW}"}
    page = (await org.http.get(f"{BASE}/query", params=params, headers=headers)).json()
    org.world.insert(WINDOW, {"Name": "late"})
    sizes, ids = [len(page["records"])], {r["Id"] for r in page["records"]}
    while not page["done"]:
        assert page["totalSize"] == 450
        page = (await org.http.get(page["nextRecordsUrl"])).json()
        sizes.append(len(page["records"]))
        ids |= {r["Id"] for r in page["records"]}
    assert (sizes, len(ids)) == ([200, 200, 50], 450)
    assert "nextRecordsUrl" not in page


async def test_old_foreign_or_made_up_locator_is_refused(org: Org):
    org.world.knobs.batch_size = 1
    for _ in range(2):
        new_incident(org.world)
    next_url = (await org.query(f"SELECT Id FROM {INCIDENT}")).json()["nextRecordsUrl"]
    other = org.world.tokens.issue(JANE_ID, org.clock.now())
    foreign = await org.http.get(next_url, headers={"Authorization": f"Bearer {other}"})
    assert foreign.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    made_up = await org.http.get(f"{BASE}/query/01g000000000999AAA-1")
    assert made_up.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    for _ in range(10):
        await org.query(f"SELECT Id FROM {INCIDENT}")
    assert (await org.http.get(next_url)).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


async def test_query_all_shows_deleted_rows(org: Org):
    kept, gone = new_incident(org.world), new_incident(org.world)
    org.world.delete(INCIDENT, gone)
    soql = f"SELECT Id, IsDeleted FROM {INCIDENT}"
    assert [r["Id"] for r in await org.records(soql)] == [kept]
    everything = (await org.query(soql, all_rows=True)).json()["records"]
    assert {r["Id"]: r["IsDeleted"] for r in everything} == {kept: False, gone: True}


async def test_missing_query(org: Org):
    answer = await org.http.get(f"{BASE}/query")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")


def test_closed_status_is_seeded(world: SalesforceWorld):
    assert (
        world.row("BMCServiceDesk__Status__c", status_id(world, "CLOSED"))[
            "BMCServiceDesk__state__c"
        ]
        is False
    )
