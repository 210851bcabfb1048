"""Several calls in one: composite, batch and collections. Facts: docs/vendors/salesforce.md#rest."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from sandbox_salesforce import BASE, HISTORY, INCIDENT, NETWORK, Org, new_incident

ROWS = f"{BASE}/sobjects/{INCIDENT}"
CATEGORY = "BMCServiceDesk__FKCategory__c"
SHORT = "BMCServiceDesk__shortDescription__c"
WINDOW = "Change_Window__c"


async def send(org: Org, parts: list[dict[str, object]], **more: object) -> list[dict]:
    answer = await org.http.post(f"{BASE}/composite", json={"compositeRequest": parts, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["compositeResponse"]


def post(reference: str, body: dict[str, object], name: str = INCIDENT) -> dict[str, object]:
    return {
        "method": "POST",
        "url": f"{BASE}/sobjects/{name}",
        "referenceId": reference,
        "body": body,
    }


def get(reference: str, url: str) -> dict[str, object]:
    return {"method": "GET", "url": url, "referenceId": reference}


async def test_later_parts_use_what_earlier_ones_gave(org: Org):
    notes = org.world.find_id("BMCServiceDesk__Action__c", Name="Notes")
    note = {
        "BMCServiceDesk__FKIncident__c": "@{inc.id}",
        "BMCServiceDesk__FKAction__c": notes,
        "BMCServiceDesk__note__c": "made with @{inc.id}",
    }
    soql = "SELECT Id, Name FROM BMCServiceDesk__Incident__c WHERE Id = '@{inc.id}'"
    parts = [
        post("inc", {CATEGORY: NETWORK}),
        post("note", note, HISTORY),
        get("found", f"{BASE}/query?q={soql.replace(' ', '+')}"),
        get("again", f"{ROWS}/@{{found.records[0].Id}}?fields=Name"),
    ]
    made, noted, found, again = await send(org, parts, allOrNone=True)
    assert (made["httpStatusCode"], noted["httpStatusCode"]) == (201, 201)
    assert made["httpHeaders"]["Location"] == f"{ROWS}/{made['body']['id']}"
    assert found["body"]["records"][0]["Id"] == made["body"]["id"]
    assert again["body"]["Name"] == "00000001"
    row = org.world.row(HISTORY, noted["body"]["id"])
    assert row["BMCServiceDesk__note__c"] == f"made with {made['body']['id']}"


async def test_all_or_none_rolls_everything_back(org: Org):
    parts = [
        post("one", {CATEGORY: NETWORK}),
        post("bad", {"Nope__c": 1}),
        post("three", {CATEGORY: NETWORK}),
    ]
    one, bad, three = await send(org, parts, allOrNone=True)
    assert bad["body"][0]["errorCode"] == "INVALID_FIELD"
    for halted in (one, three):
        assert halted["httpStatusCode"] == 400
        assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.world.rows(INCIDENT) == []


async def test_without_all_or_none_only_dependents_of_a_failure_are_halted(org: Org):
    parts = [
        post("bad", {"Nope__c": 1}),
        post("leans", {"BMCServiceDesk__FKIncident__c": "@{bad.id}", CATEGORY: NETWORK}),
        post("fine", {CATEGORY: NETWORK}),
    ]
    bad, leans, fine = await send(org, parts)
    assert [p["httpStatusCode"] for p in (bad, leans, fine)] == [400, 400, 201]
    assert leans["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert [row["Id"] for row in org.world.rows(INCIDENT)] == [fine["body"]["id"]]


async def test_whole_series_is_one_api_call_and_a_batch_is_not(org: Org):
    parts = [get(f"q{n}", f"{BASE}/query?q=SELECT+Id+FROM+Case") for n in range(5)]
    await send(org, parts)
    assert org.world.quota.used(org.clock.now()) == 1
    requests = [{"method": "GET", "url": "v62.0/limits"} for _ in range(3)]
    await org.http.post(f"{BASE}/composite/batch", json={"batchRequests": requests})
    assert org.world.quota.used(org.clock.now()) == 4


@pytest.mark.parametrize(
    "parts",
    [
        [get(f"r{n}", f"{BASE}/limits") for n in range(26)],
        [get(f"r{n}", f"{BASE}/query?q=SELECT+Id+FROM+Case") for n in range(6)],
        [get("same", f"{BASE}/limits"), get("same", f"{BASE}/limits")],
        [{"method": "GET", "url": f"{BASE}/limits"}],
        "nonsense",
    ],
)
async def test_series_that_breaks_the_rules_is_refused_whole(org: Org, parts: object):
    answer = await org.http.post(f"{BASE}/composite", json={"compositeRequest": parts})
    assert answer.status_code == 400
    assert isinstance(answer.json(), list)


async def test_part_with_a_strange_url_fails_alone(org: Org):
    parts = [
        get("away", "/services/apexrest/x"),
        get("nested", f"{BASE}/composite"),
        get("ok", f"{BASE}/limits"),
    ]
    away, nested, ok = await send(org, parts)
    assert [p["httpStatusCode"] for p in (away, nested, ok)] == [404, 400, 200]


async def test_part_has_headers_of_its_own(org: Org):
    row_id = new_incident(org.world)
    org.clock.advance(10)
    part = {
        "method": "PATCH",
        "url": f"{ROWS}/{row_id}",
        "referenceId": "guarded",
        "body": {SHORT: "x"},
        "httpHeaders": {"If-Unmodified-Since": "Tue, 24 Nov 2026 12:00:00 GMT"},
    }
    (guarded,) = await send(org, [part])
    assert guarded["httpStatusCode"] == 412
    assert org.world.row(INCIDENT, row_id)[SHORT] is None


async def test_batch_parts_commit_on_their_own(org: Org):
    requests = [
        {"method": "POST", "url": f"v62.0/sobjects/{INCIDENT}", "richInput": {CATEGORY: NETWORK}},
        {"method": "POST", "url": f"v62.0/sobjects/{INCIDENT}", "richInput": {"Nope__c": 1}},
        {"method": "GET", "url": "v62.0/limits"},
    ]
    body = {"batchRequests": requests}
    answer = (await org.http.post(f"{BASE}/composite/batch", json=body)).json()
    assert answer["hasErrors"] is True
    assert [r["statusCode"] for r in answer["results"]] == [201, 400, 200]
    halting = {**body, "haltOnError": True}
    answer = (await org.http.post(f"{BASE}/composite/batch", json=halting)).json()
    assert [r["statusCode"] for r in answer["results"]] == [201, 400, 412]
    assert len(org.world.rows(INCIDENT)) == 2


def record(**fields: object) -> dict[str, object]:
    return {"attributes": {"type": WINDOW}, **fields}


async def test_collection_writes_what_it_can_and_names_what_it_cannot(org: Org):
    url = f"{BASE}/composite/sobjects"
    records = [record(Name="a"), record(Severity__c="Awful"), record(Name="c")]
    answer = await org.http.post(url, json={"records": records})
    assert answer.status_code == 200
    first, second, third = answer.json()
    assert (first["success"], second["success"], third["success"]) == (True, False, True)
    assert "id" not in second
    (error,) = second["errors"]
    assert error["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert error["fields"] == ["Severity__c"]
    assert [row["Name"] for row in org.world.rows(WINDOW)] == ["a", "c"]


async def test_collection_all_or_none_writes_nothing_when_one_is_refused(org: Org):
    records = [record(Name="a"), record(Nope__c=1)]
    body = {"records": records, "allOrNone": True}
    first, second = (await org.http.post(f"{BASE}/composite/sobjects", json=body)).json()
    assert first["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert second["errors"][0]["statusCode"] == "INVALID_FIELD"
    assert org.world.rows(WINDOW) == []


async def test_collection_updates_deletes_reads_and_upserts(org: Org):
    url = f"{BASE}/composite/sobjects"
    one, two = (org.world.insert(WINDOW, {"Name": name}) for name in ("one", "two"))
    updates = [record(id=one, Name="uno"), record(id="nope", Name="x")]
    good, bad = (await org.http.patch(url, json={"records": updates})).json()
    assert (good["id"], bad["errors"][0]["statusCode"]) == (one, "MALFORMED_ID")
    params = {"ids": f"{one},{two},a1W000000000099EAA", "fields": "Name"}
    read = (await org.http.get(f"{url}/{WINDOW}", params=params)).json()
    assert [item and item["Name"] for item in read] == ["uno", "two", None]
    keyed = [record(Window_Key__c="k1", Name="made")]
    path = f"{url}/{WINDOW}/Window_Key__c"
    (made,) = (await org.http.patch(path, json={"records": keyed})).json()
    (met,) = (await org.http.patch(path, json={"records": keyed})).json()
    assert (made["created"], met["created"]) == (True, False)
    assert made["id"] == met["id"]
    gone = (await org.http.delete(url, params={"ids": f"{one},{one}"})).json()
    assert [item["success"] for item in gone] == [True, False]
    assert gone[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


async def test_collection_takes_two_hundred_rows(org: Org):
    url = f"{BASE}/composite/sobjects"
    many = [record(Name=str(n)) for n in range(201)]
    assert (await org.http.post(url, json={"records": many})).status_code == 400
    answer = await org.http.post(url, json={"records": many[:200]})
    assert all(item["success"] for item in answer.json())
    assert len(org.world.rows(WINDOW)) == 200


async def test_a_fault_of_a_write_ends_the_request_that_carries_it(org: Org):
    row_id = new_incident(org.world)
    patch = {
        "method": "PATCH",
        "url": f"{ROWS}/{row_id}",
        "referenceId": "write",
        "body": {SHORT: "written"},
    }
    org.faults.add(Fault(FaultKind.ERROR_AFTER, method="PATCH", path=row_id, status=500))
    reading = [get("read", f"{ROWS}/{row_id}?fields=Name")]
    await send(org, reading)  # a read of the row is no write to it
    whole = {"compositeRequest": [patch, *reading]}
    assert (await org.http.post(f"{BASE}/composite", json=whole)).status_code == 500
    assert org.world.row(INCIDENT, row_id)[SHORT] == "written"
    assert org.faults.armed() == ()


async def test_something_can_happen_before_a_write_within_a_composite_request(org: Org):
    row_id = new_incident(org.world)
    asked = []

    async def note(method: str, path: str) -> None:
        asked.append((method, path))

    org.faults.on_request = note
    body = {SHORT: "x"}
    write = {"method": "PATCH", "url": f"{ROWS}/{row_id}", "referenceId": "a", "body": body}
    await send(org, [write, get("b", f"{ROWS}/{row_id}?fields=Name")])
    assert asked == [("POST", f"{BASE}/composite"), ("PATCH", f"{ROWS}/{row_id}")]
