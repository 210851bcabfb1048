"""How an org's own automation changes what is sent: flows, rich text, limits.

Facts: docs/vendors/salesforce.md#values.
"""

import pytest

from sandbox_salesforce import BASE, JANE_ID, Org, new_incident

WINDOWS = f"{BASE}/sobjects/Change_Window__c"
CASES = f"{BASE}/sobjects/Case"
COMMENTS = f"{BASE}/sobjects/CaseComment"


async def turn(org: Org, **knobs: object) -> None:
    answer = await org.http.post("/__sandbox__/knobs", json=knobs)
    assert answer.status_code == 204, answer.text


async def create(org: Org, path: str, **fields: object) -> str:
    answer = await org.http.post(path, json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def shown(org: Org, path: str, row_id: str, field: str) -> object:
    return (await org.http.get(f"{path}/{row_id}")).json()[field]


async def flow(org: Org, object_name: str, kind: str, field: str, **more: object) -> None:
    await turn(org, flow={"kind": kind, "object": object_name, "field": field, **more})


REWRITES = [
    # object, kind, field, the flow's value, sent, stored
    ("Case", "prefix", "Subject", "[PD] ", "Link down", "[PD] Link down"),
    ("Case", "prefix", "Subject", "[PD] ", "[PD] Link down", "[PD] Link down"),
    ("Case", "prefix", "Subject", "[PD] ", "x" * 255, "[PD] " + "x" * 250),
    ("Case", "raise", "Priority", ["High", "Medium", "Low"], "Low", "Medium"),
    ("Case", "raise", "Priority", ["High", "Medium", "Low"], "High", "High"),
    ("Case", "upper", "PagerDuty_Key__c", None, "pd:q1ab", "PD:Q1AB"),
    ("Case", "trim", "Subject", None, "  Link down \n", "Link down"),
    ("Case", "trim", "Subject", None, "\u00a0Link\u00a0", "\u00a0Link\u00a0"),
    ("Case", "trim", "*", None, "   ", None),
    ("Change_Window__c", "crlf", "Notes__c", None, "one\ntwo", "one\r\ntwo"),
    ("Change_Window__c", "round", "Amount__c", 1, 237.65, 237.7),
    (
        "Change_Window__c",
        "day",
        "Starts__c",
        None,
        "2026-11-24T13:14:15Z",
        "2026-11-24T00:00:00.000+0000",
    ),
    ("Change_Window__c", "order", "Regions__c", None, "AMER;EMEA;AMER", "EMEA;AMER"),
    ("Case", "set", "OwnerId", "jane.doe@example.com", "005000000000003AAA", JANE_ID),
]


@pytest.mark.parametrize(("object_name", "kind", "field", "value", "sent", "stored"), REWRITES)
async def test_flow_rewrites_on_insert_and_on_update(
    org: Org, object_name, kind, field, value, sent, stored
):
    path = f"{BASE}/sobjects/{object_name}"
    sent_to = "Subject" if field == "*" else field
    before = await create(org, path)
    await flow(org, object_name, kind, field, value=value)
    made = await create(org, path, **{sent_to: sent})
    assert await shown(org, path, made, sent_to) == stored
    if field == "PagerDuty_Key__c":
        await org.http.delete(f"{path}/{made}")
    answer = await org.http.patch(f"{path}/{before}", json={sent_to: sent})
    assert answer.status_code == 204, answer.text
    assert await shown(org, path, before, sent_to) == stored


async def test_flow_is_the_callers_own_write(org: Org):
    """It runs in the same transaction: the row was last changed by the sender, once."""
    await flow(org, "Case", "prefix", "Subject", value="! ")
    row_id = await create(org, CASES, Subject="x")
    row = (await org.http.get(f"{CASES}/{row_id}")).json()
    assert row["LastModifiedById"] == row["CreatedById"]
    assert row["CreatedDate"] == row["SystemModstamp"]


async def test_flow_on_insert_leaves_updates_alone_and_the_other_way_round(org: Org):
    await flow(org, "Case", "prefix", "Subject", value="new: ", on="insert")
    await flow(org, "Case", "upper", "Subject", on="update")
    row_id = await create(org, CASES, Subject="x")
    assert await shown(org, CASES, row_id, "Subject") == "new: x"
    await org.http.patch(f"{CASES}/{row_id}", json={"Subject": "y"})
    assert await shown(org, CASES, row_id, "Subject") == "Y"


async def test_flow_does_not_touch_what_a_write_leaves_as_it_is(org: Org):
    row_id = await create(org, CASES, Subject="x", Priority="Low")
    await flow(org, "Case", "raise", "Priority", value=["High", "Medium", "Low"])
    await org.http.patch(f"{CASES}/{row_id}", json={"Subject": "y", "Priority": "Low"})
    assert await shown(org, CASES, row_id, "Priority") == "Low"


async def test_default_owner_goes_to_rows_that_name_none(org: Org):
    await flow(org, "Case", "default", "OwnerId", value="Service Desk", on="insert")
    queue = org.world.find_id("Group", Name="Service Desk")
    assert await shown(org, CASES, await create(org, CASES), "OwnerId") == queue
    own = await create(org, CASES, OwnerId=JANE_ID)
    assert await shown(org, CASES, own, "OwnerId") == JANE_ID


async def test_flow_raises_a_lookup_by_the_names_of_its_rows(org: Org):
    ranks = ["1", "2", "3", "4", "5"]
    await flow(
        org, "BMCServiceDesk__Incident__c", "raise", "BMCServiceDesk__FKPriority__c", value=ranks
    )
    low = org.world.find_id("BMCServiceDesk__Priority__c", Name="4")
    row_id = new_incident(org.world, FKPriority=low)
    (row,) = await org.records(
        f"SELECT BMCServiceDesk__FKPriority__r.Name FROM BMCServiceDesk__Incident__c WHERE Id = '{row_id}'"
    )
    assert row["BMCServiceDesk__FKPriority__r"]["Name"] == "3"


@pytest.mark.parametrize(
    ("knob", "sent", "stored"),
    [
        ({}, "a & b < c > d \"e\" 'f'", "a &amp; b &lt; c &gt; d &quot;e&quot; &#39;f&#39;"),
        ({}, "one\r\ntwo\nthree", "one<br>two<br>three"),
        ({"breaks": "blank"}, "one\ntwo", "one two"),
        ({"breaks": "kept"}, "one\ntwo", "one\ntwo"),
        ({"wraps": True}, "one\ntwo", "<p>one<br>two</p>"),
        ({"wraps": True}, "<p>one</p>", "<p>one</p>"),
        ({}, "<b>a</b> &amp; b<br/>c <unknown>", "<b>a</b> &amp; b<br/>c &lt;unknown&gt;"),
    ],
)
async def test_rich_text_comes_back_as_markup(org: Org, knob, sent, stored):
    await turn(org, rich_text={"object": "Change_Window__c", "field": "Notes__c", **knob})
    row_id = await create(org, WINDOWS, Notes__c=sent)
    assert await shown(org, WINDOWS, row_id, "Notes__c") == stored
    fields = (await org.http.get(f"{WINDOWS}/describe")).json()["fields"]
    (notes,) = (item for item in fields if item["name"] == "Notes__c")
    assert (notes["htmlFormatted"], notes["extraTypeInfo"]) == (True, "richtextarea")


async def test_rich_text_is_measured_encoded(org: Org):
    await turn(org, rich_text={"object": "Change_Window__c", "field": "Notes__c"})
    await create(org, WINDOWS, Notes__c="&" * 800)
    answer = await org.http.post(WINDOWS, json={"Notes__c": "&" * 801})
    assert answer.json()[0]["errorCode"] == "STRING_TOO_LONG"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 4000, True),
        ("x" * 4001, False),
        ("漢" * 1333, True),
        ("漢" * 1334, False),
        ("\U0001f6a8" * 1000, True),
        ("\U0001f6a8" * 1001, False),
        ("&" * 800, True),
        ("&" * 801, False),
        ("'" * 801, False),
    ],
)
async def test_comment_is_measured_in_bytes(org: Org, text: str, fits: bool):
    case = await create(org, CASES)
    await turn(org, byte_limit=["CaseComment", "CommentBody", 4000])
    answer = await org.http.post(COMMENTS, json={"ParentId": case, "CommentBody": text})
    assert answer.status_code == (201 if fits else 400)
    if not fits:
        assert answer.json() == [
            {
                "message": f"CommentBody: data value too large: {text} (max length=4000)",
                "errorCode": "STRING_TOO_LONG",
                "fields": ["CommentBody"],
            }
        ]


async def test_without_a_knob_characters_are_counted(org: Org):
    case = await create(org, CASES)
    answer = await org.http.post(COMMENTS, json={"ParentId": case, "CommentBody": "漢" * 4000})
    assert answer.status_code == 201


async def test_all_of_it_is_turned_off_again(org: Org):
    await flow(org, "Case", "upper", "Subject")
    await turn(
        org,
        rich_text={"object": "Case", "field": "Description"},
        bad_field={"object": "Case", "field": "Origin"},
        refuse={"name": "row_lock", "count": None},
        delete_field=["Case", "Reason"],
    )
    await turn(org, clear_automation=True)
    sent = {"Subject": "x", "Description": "<", "Origin": "Web", "Reason": "Other"}
    row_id = await create(org, CASES, **sent)
    row = (await org.http.get(f"{CASES}/{row_id}")).json()
    assert {name: row[name] for name in sent} == sent


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"flow": {"kind": "shout", "object": "Case", "field": "Subject"}}, "kind must be one of"),
        ({"flow": {"kind": "upper", "object": "Nope", "field": "Subject"}}, "Nope"),
        ({"flow": {"kind": "upper", "object": "Case"}}, "the value needs"),
        ({"flow": {"kind": "prefix", "object": "Case", "field": "Subject"}}, "wrong type"),
        ({"flow": {"kind": "upper", "object": "Case", "field": "*"}}, "only trim and crlf"),
        (
            {"flow": {"kind": "upper", "object": "Case", "field": "Subject", "on": "delete"}},
            "on must be",
        ),
        ({"flow": {"kind": "upper", "object": "Case", "field": 5}}, "field has the wrong type"),
        (
            {"flow": {"kind": "upper", "object": "Case", "field": "Subject", "x": 1}},
            "unknown keys x",
        ),
        ({"flow": []}, "must be a JSON object"),
        ({"rich_text": {"object": "Case", "field": "Nope"}}, "no field Nope"),
        ({"rich_text": {"object": "Case", "field": "Subject", "breaks": "x"}}, "breaks must be"),
        ({"byte_limit": ["Case", "Subject"]}, "two texts and a third item"),
        ({"refuse": {"name": "login_rate_exceeded"}}, "no refusal 'login_rate_exceeded'"),
        ({"refuse": {"name": "row_lock", "operation": "sing"}}, "operation must be one of"),
        ({"refuse": {"name": "row_lock", "count": 0}}, "count must be at least 1"),
        ({"move_instance": {"url": "nowhere"}}, "must be a URL with a host"),
        ({"move_instance": {"url": "http://localhost", "old": "burnt"}}, "can answer by"),
        ({"delete_field": ["Case", "Nope"]}, "No such column 'Nope'"),
        ({"undelete": ["Case", "500000000000009AAA"]}, "UNDELETE_FAILED"),
    ],
)
async def test_impossible_knob_is_refused_with_its_reason(org: Org, knobs, complaint):
    answer = await org.http.post("/__sandbox__/knobs", json=knobs)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
