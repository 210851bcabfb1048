"""How changes become visible: stamps, late commits, updated, deleted.

Facts: docs/vendors/salesforce.md#cursor.
"""

from datetime import datetime, timedelta

import pytest

from pagerforce.sandbox.salesforce import ApiError
from sandbox_salesforce import (
    BASE,
    HISTORY,
    INCIDENT,
    Org,
    new_incident,
    new_note,
)

SHORT = "BMCServiceDesk__shortDescription__c"


async def changes(org: Org, kind: str, start: datetime, end: datetime, name: str = INCIDENT):
    params = {"start": start.isoformat(), "end": end.isoformat()}
    return await org.http.get(f"{BASE}/sobjects/{name}/{kind}", params=params)


async def ids(org: Org) -> list[object]:
    return [row["Id"] for row in await org.records(f"SELECT Id FROM {INCIDENT}")]


async def test_late_row_keeps_its_stamp_and_shows_after_newer_ones(org: Org):
    org.world.begin_late(30)
    late = new_incident(org.world)
    org.clock.advance(10)
    newer = new_incident(org.world)
    assert await ids(org) == [newer]
    assert (await org.http.get(f"{BASE}/sobjects/{INCIDENT}/{late}")).status_code == 404
    org.clock.advance(20)
    assert await ids(org) == [late, newer]
    rows = await org.records(f"SELECT Id FROM {INCIDENT} ORDER BY SystemModstamp, Id")
    assert [row["Id"] for row in rows] == [late, newer]
    assert (
        org.world.row(INCIDENT, late)["SystemModstamp"]
        < org.world.row(INCIDENT, newer)["SystemModstamp"]
    )


async def test_late_update_shows_the_old_values_and_holds_the_lock(org: Org):
    row_id = new_incident(org.world, shortDescription="old")
    org.world.begin_late(30)
    org.world.update(INCIDENT, row_id, {SHORT: "new"})
    path = f"{BASE}/sobjects/{INCIDENT}/{row_id}"
    assert (await org.http.get(path)).json()[SHORT] == "old"
    refused = await org.http.patch(path, json={SHORT: "mine"})
    assert refused.json()[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"
    with pytest.raises(ApiError, match="UNABLE_TO_LOCK_ROW"):
        new_note(org.world, row_id, "locks its incident")
    org.world.commit_late()
    assert (await org.http.get(path)).json()[SHORT] == "new"
    assert (await org.http.patch(path, json={SHORT: "mine"})).status_code == 204


async def test_key_of_a_row_in_an_open_transaction_is_taken(org: Org):
    org.world.begin_late(30)
    new_incident(org.world, Event_ID="pd:1")
    path = f"{BASE}/sobjects/{INCIDENT}/BMCServiceDesk__Event_ID__c/pd:1"
    body = {"BMCServiceDesk__FKCategory__c": "a0C000000000001EAA"}
    answer = await org.http.patch(path, json=body)
    assert answer.json()[0]["errorCode"] == "DUPLICATE_VALUE"


async def test_open_transaction_lowers_latest_date_covered(org: Org):
    start = org.clock.now() - timedelta(minutes=5)
    org.clock.advance(300)
    answer = await changes(org, "updated", start, org.clock.now())
    assert answer.json()["latestDateCovered"] == "2026-11-24T12:05:00.000+0000"
    org.world.begin_late(600)
    late = new_incident(org.world)
    org.clock.advance(300)
    for kind in ("updated", "deleted"):
        answer = await changes(org, kind, start, org.clock.now())
        assert answer.json()["latestDateCovered"] == "2026-11-24T12:05:00.000+0000"
    org.clock.advance(300)
    answer = (await changes(org, "updated", start, org.clock.now())).json()
    assert answer == {"ids": [late], "latestDateCovered": "2026-11-24T12:15:00.000+0000"}


async def test_updated_zeroes_seconds_and_includes_both_bounds(org: Org):
    org.clock.advance(55)
    at_minute = new_incident(org.world)
    org.clock.advance(20)
    after = new_incident(org.world)
    now = org.clock.now()
    first = await changes(org, "updated", now - timedelta(minutes=1), now)
    assert first.json()["ids"] == [at_minute]
    org.clock.advance(60)
    second = await changes(org, "updated", now, org.clock.now())
    assert second.json()["ids"] == [at_minute, after]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("updated", timedelta(0), timedelta(0)),
        ("updated", timedelta(hours=1), timedelta(0)),
        ("updated", timedelta(days=-31), timedelta(0)),
        ("deleted", timedelta(days=-16), timedelta(0)),
        ("deleted", timedelta(seconds=-20), timedelta(0)),
    ],
)
async def test_span_that_cannot_be(org: Org, kind: str, start: timedelta, end: timedelta):
    now = org.clock.now()
    answer = await changes(org, kind, now + start, now + end)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


async def test_span_that_is_no_date(org: Org):
    path = f"{BASE}/sobjects/{INCIDENT}/updated"
    answer = await org.http.get(path, params={"start": "yesterday", "end": "now"})
    assert answer.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


async def test_deleted_names_rows_with_their_details_and_those_gone_for_good(org: Org):
    binned, purged = new_incident(org.world), new_incident(org.world)
    note = new_note(org.world, binned, "goes too")
    org.clock.advance(60)
    org.world.delete(INCIDENT, binned)
    org.world.delete(INCIDENT, purged)
    org.world.purge(INCIDENT, purged)
    org.clock.advance(120)
    start = org.clock.now() - timedelta(minutes=10)
    body = (await changes(org, "deleted", start, org.clock.now())).json()
    deleted = {item["id"]: item["deletedDate"] for item in body["deletedRecords"]}
    assert deleted == dict.fromkeys((binned, purged), "2026-11-24T12:01:05.000+0000")
    assert body["earliestDateAvailable"] == "2026-11-09T12:03:05.000+0000"
    body = (await changes(org, "deleted", start, org.clock.now(), HISTORY)).json()
    assert [item["id"] for item in body["deletedRecords"]] == [note]
    everything = await org.query(f"SELECT Id FROM {INCIDENT}", all_rows=True)
    assert [row["Id"] for row in everything.json()["records"]] == [binned]


async def test_undelete_brings_back_the_row_with_what_went_with_it(org: Org):
    incident = new_incident(org.world)
    earlier = new_note(org.world, incident, "deleted before")
    note = new_note(org.world, incident, "deleted with it")
    org.world.delete(HISTORY, earlier)
    org.clock.advance(60)
    org.world.delete(INCIDENT, incident)
    stamp = org.world.row(INCIDENT, incident)["SystemModstamp"]
    org.clock.advance(60)
    org.world.undelete(INCIDENT, incident)
    assert [row["Id"] for row in org.world.rows(HISTORY)] == [note]
    assert org.world.row(INCIDENT, incident)["SystemModstamp"] > stamp
    with pytest.raises(ApiError, match="UNDELETE_FAILED"):
        org.world.undelete(INCIDENT, incident)


async def test_history_row_bumps_its_incident_and_sums_up(org: Org):
    incident = new_incident(org.world)
    before = org.world.row(INCIDENT, incident)
    org.clock.advance(60)
    note = new_note(org.world, incident, "x", BMCServiceDesk__duration__c="01:30")
    new_note(org.world, incident, "y", BMCServiceDesk__duration__c="00:15")
    after = org.world.row(INCIDENT, incident)
    assert after["BMCServiceDesk__Total_Duration__c"] == 105.0
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["LastModifiedDate"] == before["LastModifiedDate"]
    org.world.delete(HISTORY, note)
    assert org.world.row(INCIDENT, incident)["BMCServiceDesk__Total_Duration__c"] == 15.0


async def test_lookup_to_a_deleted_row_reads_as_empty_until_it_is_back(org: Org):
    window = org.world.insert(
        "Change_Window__c", {"Account__c": org.world.find_id("Account", Name="Example Corp")}
    )
    account = org.world.row("Change_Window__c", window)["Account__c"]
    org.world.delete("Account", account)
    row = org.world.row("Change_Window__c", window)
    assert (row["Account__c"], row["Account_Name__c"]) == (None, None)
    org.world.undelete("Account", account)
    assert org.world.row("Change_Window__c", window)["Account_Name__c"] == "Example Corp"


async def test_merge_deletes_the_loser_and_moves_its_children(org: Org):
    winner = org.world.insert("Case", {"Subject": "one"})
    loser = org.world.insert("Case", {"Subject": "two"})
    comment = org.world.insert("CaseComment", {"ParentId": loser, "CommentBody": "kept"})
    org.world.merge("Case", winner, loser)
    assert org.world.row("CaseComment", comment)["ParentId"] == winner
    found = await org.query("SELECT Id, IsDeleted, MasterRecordId FROM Case", all_rows=True)
    assert {row["Id"]: row["MasterRecordId"] for row in found.json()["records"]} == {
        winner: None,
        loser: winner,
    }
    with pytest.raises(ApiError, match="INVALID_TYPE"):
        org.world.merge(INCIDENT, winner, loser)


async def test_roll_up_counts_as_an_edit_by_knob(org: Org):
    incident = new_incident(org.world)
    org.world.knobs.rollup_is_edit = True
    org.clock.advance(60)
    new_note(org.world, incident, "x")
    assert org.world.row(INCIDENT, incident)["LastModifiedDate"] == org.clock.now()


async def test_merged_account_hands_over_what_pointed_to_it(org: Org):
    loser = org.world.insert("Account", {"Name": "Old"})
    incident = new_incident(org.world, FKAccount=loser)
    winner = org.world.find_id("Account", Name="Example Corp")
    org.world.merge("Account", winner, loser)
    row = org.world.row(INCIDENT, incident)
    assert row["BMCServiceDesk__Client_Account__c"] == "Example Corp"
