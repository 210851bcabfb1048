"""The shipped presets, in both directions, and one incident with linked records of two objects."""

from rig import INCIDENT, JANE, RAJ, P
from rules.kit import REMEDYFORCE, SHORT, is_, rule, staged

CASE = {"preset": "case"}
CLOSE = [is_("event.type", "equals", "resolve")]


def page(obj, when):
    title = (
        "{{ record.Name }}" if obj == INCIDENT else "{{ record.CaseNumber }}: {{ record.Subject }}"
    )
    return rule(
        f"page {obj}",
        "salesforce",
        [when],
        {"do": "pagerduty.create_incident", "title": title, "service": "PNET001"},
        obj=obj,
    )


CASE_RULES = (
    page("Case", is_("record.Priority", "equals", "High")),
    rule(
        "taken",
        "pagerduty",
        [is_("event.type", "equals", "acknowledge")],
        {"do": "salesforce.set_field", "field": "Status", "value": "Working"},
        {"do": "salesforce.set_field", "field": "OwnerId", "lookup": {"Email": "{{ event.actor.email }}"}},
        obj="Case",
    ),
    rule("done", "pagerduty", CLOSE, {"do": "salesforce.set_field", "field": "Status", "value": "Closed"}, obj="Case"),
    rule("closed", "salesforce", [is_("record.IsClosed", "changed_to", True)], {"do": "pagerduty.resolve"}, obj="Case"),
)  # fmt: skip


def open_case(rig, **values):
    return rig.sf.insert("Case", {"Subject": "Cannot log in", "Priority": "High"} | values, by=RAJ)


def comments(rig, case_id):
    return [row["CommentBody"] for row in rig.sf.rows("CaseComment") if row["ParentId"] == case_id]


def say(rig, case_id, text):
    rig.sf.insert("CaseComment", {"ParentId": case_id, "CommentBody": text}, by=RAJ)


async def test_a_case_from_page_to_close(folder):
    async with staged(folder, *CASE_RULES, objects=[CASE]) as (rig, daemon):
        case_id = open_case(rig)
        await daemon.step(2)
        (incident,) = rig.incidents()
        number = rig.sf.row("Case", case_id)["CaseNumber"]
        assert incident["title"] == f"{number}: Cannot log in"
        rig.pd.acknowledge(incident["id"], by=JANE)
        await daemon.step(2)
        row = rig.sf.row("Case", case_id)
        assert (row["Status"], row["OwnerId"]) == (
            "Working",
            rig.sf.user_id("jane.doe@example.com"),
        )
        say(rig, case_id, "The customer\nconfirms 🙂")
        rig.pd.annotate(incident["id"], "Restarted the gateway", by=JANE)
        await daemon.step(4)
        assert comments(rig, case_id) == [
            "The customer\nconfirms 🙂",
            "[PagerDuty - Jane Doe] Restarted the gateway",
        ]
        assert rig.notes_of(incident["id"]) == [
            "Restarted the gateway",
            "[Raj Patel] The customer\nconfirms 🙂",
        ]
        assert [row["IsPublished"] for row in rig.sf.rows("CaseComment")] == [False, False]
        rig.pd.resolve(incident["id"], by=JANE)
        await daemon.step(4)
        assert rig.sf.row("Case", case_id)["IsClosed"] is True
        assert await daemon.dead_letters() == []
        assert "pagerduty.resolve delivered" not in await daemon.outcomes(), (
            "no echo of pagerforce's own close"
        )


async def test_closing_the_case_resolves(folder):
    async with staged(folder, *CASE_RULES, objects=[CASE]) as (rig, daemon):
        case_id = open_case(rig)
        await daemon.step(2)
        rig.sf.update("Case", case_id, {"Status": "Closed"}, by=RAJ)
        await daemon.step(3)
        assert [item["status"] for item in rig.incidents()] == ["resolved"]


async def test_a_note_longer_than_a_case_comment_is_written_in_numbered_parts(folder):
    text = "".join(f"line {number:04} äöü\n" for number in range(600)) + "end"
    whole = f"[PagerDuty - Jane Doe] {text}"
    assert 2 * 4000 < len(whole) < 3 * 4000
    async with staged(folder, *CASE_RULES, objects=[CASE]) as (rig, daemon):
        case_id = open_case(rig)
        await daemon.step(2)
        (incident,) = rig.incidents()
        rig.pd.annotate(incident["id"], text, by=JANE)
        await daemon.step(6)
        parts = comments(rig, case_id)
        assert [part[:6] for part in parts] == ["(1/3) ", "(2/3) ", "(3/3) "]
        assert all(len(part) <= 4000 for part in parts)
        assert "".join(part[6:] for part in parts) == whole
        assert rig.notes_of(incident["id"]) == [text], "no part is copied back as a note"


async def test_a_note_that_just_fits_is_one_comment(folder):
    head = "[PagerDuty - Jane Doe] "
    async with staged(folder, *CASE_RULES, objects=[CASE]) as (rig, daemon):
        case_id = open_case(rig)
        await daemon.step(2)
        (incident,) = rig.incidents()
        for extra in (0, 1):
            rig.pd.annotate(incident["id"], "x" * (4000 - len(head) + extra), by=JANE)
        await daemon.step(4)
        lengths = [len(text) for text in comments(rig, case_id)]
        assert lengths[0] == 4000
        assert len(lengths) == 3


async def test_a_comment_of_4000_characters_becomes_one_note(folder):
    async with staged(folder, *CASE_RULES, objects=[CASE]) as (rig, daemon):
        case_id = open_case(rig)
        await daemon.step(2)
        say(rig, case_id, "ü" * 4000)
        await daemon.step(3)
        (incident,) = rig.incidents()
        assert rig.notes_of(incident["id"]) == ["[Raj Patel] " + "ü" * 4000]
        assert comments(rig, case_id) == ["ü" * 4000]


BOTH = (
    rule(
        "incident",
        "pagerduty",
        [is_("event.type", "equals", "trigger")],
        {"do": "salesforce.create_record", "fields": {SHORT: "{{ incident.title }}"}},
    ),
    rule(
        "case",
        "pagerduty",
        [is_("event.type", "equals", "trigger"), is_("linked", "equals", value=False)],
        {"do": "salesforce.create_record", "fields": {"Subject": "{{ incident.title }}", "Origin": "Web"}},
        obj="Case",
    ),
    rule("close incident", "pagerduty", CLOSE, {"do": "salesforce.set_field", "field": f"{P}FKStatus__c", "lookup": {"Name": "CLOSED"}}),
    rule("close case", "pagerduty", CLOSE, {"do": "salesforce.set_field", "field": "Status", "value": "Closed"}, obj="Case"),
)  # fmt: skip


async def test_one_incident_with_records_of_two_objects(folder):
    async with staged(folder, *BOTH, objects=[REMEDYFORCE, CASE]) as (rig, daemon):
        incident_id = rig.pd.trigger("PNET001", "Core switch down")["id"]
        await daemon.step(3)
        (record,), (case,) = rig.sf.rows(INCIDENT), rig.sf.rows("Case")
        assert (record[SHORT], case["Subject"]) == ("Core switch down", "Core switch down")
        assert record[f"{P}FKCategory__c"] == rig.id_of("Category", "Network")
        assert sorted(await daemon.links()) == sorted(
            [(incident_id, record["Id"], "active"), (incident_id, case["Id"], "active")]
        )
        rig.pd.annotate(incident_id, "on it", by=JANE)
        say(rig, case["Id"], "from the case")
        await daemon.step(5)
        ours = "[PagerDuty - Jane Doe] on it"
        assert ours in rig.comments_of(record["Id"])
        assert ours in comments(rig, case["Id"])
        assert rig.notes_of(incident_id).count("[Raj Patel] from the case") == 1
        rig.pd.resolve(incident_id, by=JANE)
        await daemon.step(4)
        assert rig.status_of(record["Id"]) == "CLOSED"
        assert rig.sf.row("Case", case["Id"])["IsClosed"] is True
        assert len(rig.incidents()) == 1
        assert await daemon.dead_letters() == []


async def test_a_record_that_is_deleted_leaves_the_other_linked(folder):
    async with staged(folder, *BOTH, objects=[REMEDYFORCE, CASE]) as (rig, daemon):
        rig.pd.trigger("PNET001", "Core switch down")
        await daemon.step(3)
        (record,), (case,) = rig.sf.rows(INCIDENT), rig.sf.rows("Case")
        rig.sf.delete(INCIDENT, record["Id"], by=RAJ)
        await daemon.step(2)
        states = {record_id: state for _, record_id, state in await daemon.links()}
        assert states == {record["Id"]: "inactive", case["Id"]: "active"}
        rig.pd.resolve(rig.incidents()[0]["id"], by=JANE)
        await daemon.step(3)
        assert rig.sf.row("Case", case["Id"])["IsClosed"] is True
        assert await daemon.dead_letters() == []


async def test_keys_given_beside_a_preset_take_precedence(folder):
    loud = CASE | {
        "external_id_field": "PagerDuty_Key__c",
        "comments": {
            "comment_template": "{{ comment.author }}: {{ comment.body }}",
            "fields": {"IsPublished": True},
        },
    }
    async with staged(folder, BOTH[1], objects=[loud]) as (rig, daemon):
        incident_id = rig.pd.trigger("PNET001", "Core switch down")["id"]
        await daemon.step(3)
        (case,) = rig.sf.rows("Case")
        assert case["PagerDuty_Key__c"] == f"pd:{incident_id}"
        rig.pd.annotate(incident_id, "on it", by=JANE)
        await daemon.step(2)
        (row,) = rig.sf.rows("CaseComment")
        assert (row["CommentBody"], row["IsPublished"]) == ("Jane Doe: on it", True)
