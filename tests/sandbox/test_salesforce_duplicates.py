"""Duplicate rules, and the request headers that change what the API does.

Fact: `salesforce.duplicate-rule-header`.
"""

import pytest

from pagerforce.sandbox.salesforce.automation import DuplicateRule
from sandbox_salesforce import BASE, Org

CASES = f"{BASE}/sobjects/Case"
HEADER = "Sforce-Duplicate-Rule-Header"


async def test_alerting_rule_refuses_unless_the_caller_saves_anyway(org: Org):
    first = org.world.insert("Case", {"Subject": "Link down"})
    rule = {"object": "Case", "fields": ["Subject"], "name": "Same_subject"}
    turned = await org.http.post("/__sandbox__/knobs", json={"duplicate_rule": rule})
    assert turned.status_code == 204, turned.text
    answer = await org.http.post(CASES, json={"Subject": "LINK down"})
    assert answer.status_code == 400
    (error,) = answer.json()
    assert error["errorCode"] == "DUPLICATES_DETECTED"
    detail = error["duplicateResut"]
    assert (detail["allowSave"], detail["duplicateRule"]) == (True, "Same_subject")
    (match,) = detail["matchResults"]
    assert (match["size"], match["success"]) == (1, True)
    assert [item["record"]["Id"] for item in match["matchRecords"]] == [first]
    for value in ("allowSave=false", "includeRecordDetails=true"):
        answer = await org.http.post(CASES, json={"Subject": "Link down"}, headers={HEADER: value})
        assert answer.status_code == 400
    for value in ("allowSave=true", "includeRecordDetails=false; allowSave=true"):
        answer = await org.http.post(CASES, json={"Subject": "Link down"}, headers={HEADER: value})
        assert answer.status_code == 201, answer.text
    assert (await org.http.post(CASES, json={"Subject": "other"})).status_code == 201


async def test_blocking_rule_refuses_whatever_the_caller_says(org: Org):
    org.world.insert("Case", {"Subject": "x", "Origin": "Web"})
    org.world.automation.duplicates.append(
        DuplicateRule("Case", ("Subject", "Origin"), blocks=True)
    )
    sent = {"Subject": "x", "Origin": "Web"}
    answer = await org.http.post(CASES, json=sent, headers={HEADER: "allowSave=true"})
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, "DUPLICATES_DETECTED")
    assert error["duplicateResut"]["allowSave"] is False
    answer = await org.http.post(CASES, json={**sent, "Origin": "Email"})
    assert answer.status_code == 201


async def test_rule_applies_to_new_live_rows(org: Org):
    gone = org.world.insert("Case", {"Subject": "x"})
    org.world.delete("Case", gone)
    org.world.automation.duplicates.append(DuplicateRule("Case", ("Subject",)))
    made = await org.http.post(CASES, json={"Subject": "x"})
    assert made.status_code == 201
    answer = await org.http.patch(f"{CASES}/{made.json()['id']}", json={"Subject": "x"})
    assert answer.status_code == 204
    assert (await org.http.post(CASES, json={})).status_code == 201
    assert (await org.http.post(CASES, json={})).status_code == 201


async def test_collections_and_composites_apply_it_too(org: Org):
    org.world.insert("Case", {"Subject": "x"})
    org.world.automation.duplicates.append(DuplicateRule("Case", ("Subject",)))
    records = [{"attributes": {"type": "Case"}, "Subject": "x"}]
    rows = await org.http.post(f"{BASE}/composite/sobjects", json={"records": records})
    (error,) = rows.json()[0]["errors"]
    assert error["statusCode"] == "DUPLICATES_DETECTED"
    assert error["duplicateResut"]["allowSave"] is True
    part = {"method": "POST", "url": CASES, "referenceId": "a", "body": {"Subject": "x"}}
    part["httpHeaders"] = {HEADER: "allowSave=true"}
    outer = await org.http.post(f"{BASE}/composite", json={"compositeRequest": [part]})
    assert outer.json()["compositeResponse"][0]["httpStatusCode"] == 201


async def test_people_read_the_alert_and_save(org: Org):
    org.world.automation.duplicates.append(DuplicateRule("Case", ("Subject",)))
    for _ in range(2):
        org.world.insert("Case", {"Subject": "x"})
    assert len(org.world.rows("Case")) == 2


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Sforce-Call-Options", "client=pager", "pager"),
        ("Sforce-Call-Options", "client=pager, defaultNamespace=acme", "client="),
        (HEADER, "allowSave=true", "allowSave"),
        (HEADER, "allowSave=TRUE; runAsCurrentUser=false", "allowSave=yes"),
        ("Sforce-Auto-Assign", "FALSE", "no"),
        ("Sforce-Auto-Assign", "01Q000000000001AAA", "005000000000001AAA"),
        ("Sforce-Query-Options", "batchSize=500", "batchSize=many"),
        ("Sforce-Mru", "updateMru=false", "false"),
    ],
)
async def test_header_is_checked_and_remembered(org: Org, name: str, good: str, bad: str):
    answer = await org.http.get(f"{BASE}/query?q=SELECT+Id+FROM+Case", headers={name: good})
    assert answer.status_code == 200, answer.text
    answer = await org.http.get(f"{BASE}/limits", headers={name: bad})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_HEADER")
    await org.http.get(f"{BASE}/limits")
    assert org.world.headers.sent(name) == [good, bad, None]
    assert org.world.headers.sent(name, method="GET", path="query") == [good]
    shown = (await org.http.get("/__sandbox__/headers")).json()["calls"]
    assert [call["headers"].get(name.lower()) for call in shown] == [good, bad, None]


async def test_part_of_a_composite_has_headers_of_its_own(org: Org):
    part = {"method": "POST", "url": CASES, "referenceId": "a", "body": {}}
    part["httpHeaders"] = {"Sforce-Auto-Assign": "FALSE"}
    await org.http.post(f"{BASE}/composite", json={"compositeRequest": [part]})
    assert org.world.headers.sent("Sforce-Auto-Assign", path="sobjects/Case") == ["FALSE"]
    assert org.world.headers.sent("Sforce-Auto-Assign", path="composite") == [None]
