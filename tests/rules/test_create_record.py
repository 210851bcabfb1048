"""``salesforce.create_record`` and ``salesforce.add_comment``: each success, each way to fail."""

import pytest

from rig import HISTORY, INCIDENT, JANE, P
from rules.kit import PAGE, REMEDYFORCE, SHORT, WINDOW, Case, conclude, is_, rule, staged, table

CATEGORY = f"{P}FKCategory__c"
EVENT_ID = f"{P}Event_ID__c"
TRIGGERED = [is_("event.type", "equals", "trigger")]
KEYED = {"name": WINDOW, "external_id_field": "Window_Key__c"}
INBOUND = {
    "name": "database",
    "object": WINDOW,
    "field": "Severity__c",
    "value": "Critical",
    "service": "PDBA001",
}


def make(obj=None, **fields):
    action = {"do": "salesforce.create_record", "fields": fields}
    return action if obj is None else action | {"object": obj}


def incident(**fields):
    return make(**{f"{P}{name}__c": value for name, value in fields.items()})


def window(**fields):
    return make(WINDOW, **fields)


def comes_from(name, **wanted):
    """The one row of an object has these values."""

    def check(rig, incident_id):
        (row,) = rig.sf.rows(name)
        for field, value in wanted.items():
            assert row[field] == value

    return check


def is_of_category(name):
    def check(rig, incident_id):
        (row,) = rig.sf.rows(INCIDENT)
        assert row[CATEGORY] == rig.id_of("Category", name)
        assert row[EVENT_ID] == f"pd:{incident_id}"

    return check


def no_network_category(rig):
    category = rig.id_of("Category", "Database")
    rig.sf.update(f"{P}Category__c", category, {"PagerDuty_Service_ID__c": None})


def two_categories(rig):
    rig.sf.insert(f"{P}Category__c", {"Name": "Twin", "PagerDuty_Service_ID__c": "PDBA001"})


def no_creates(rig):
    rig.sf.access.deny(INCIDENT, "create")


def there_already(rig, incident_id):
    values = {"Name": "made by hand", "Window_Key__c": f"pd:{incident_id}"}
    rig.sf.insert(WINDOW, values)


def adopted(rig, incident_id):
    (row,) = rig.sf.rows(WINDOW)
    assert row["Name"] == "made by hand", "an existing value is never overwritten"


STATUS = {"lookup": {"Name": "NEW"}}
CASES = table(
    Case("as little as can be", incident(shortDescription="{{ incident.title }}"), "delivered", "made", comes_from(INCIDENT, **{SHORT: "Replication lag"})),
    Case("the category of the service", incident(FKStatus=STATUS), "delivered", after=is_of_category("Database")),
    Case("own category before the service's", incident(FKCategory={"lookup": {"Name": "Printing"}}), "delivered", after=is_of_category("Printing")),
    Case("lookup by a template", incident(FKUrgency={"lookup": {"Name": "{{ 'HI' }}GH"}}), "delivered"),
    Case("every type", window(Name="n", Regions__c="EMEA;APAC", Notes__c="a\nb", Active__c=False, Amount__c=1.5, Due__c="2026-05-04", Starts__c="2026-05-04T12:00:00Z"),
         "delivered", "made", comes_from(WINDOW, Regions__c="EMEA;APAC", Active__c=False, Amount__c=1.5, Notes__c="a\nb")),
    Case("an empty value is left out", window(Name="n", Severity__c="", Notes__c="{{ incident.resolve_reason }}"), "delivered", after=comes_from(WINDOW, Notes__c=None)),
    Case("the value of the mapping", window(Name="n"), "delivered", after=comes_from(WINDOW, Severity__c="Critical")),
    Case("own value before the mapping's", window(Name="n", Severity__c="Minor"), "delivered", after=comes_from(WINDOW, Severity__c="Minor")),
    Case("a text too long is cut", window(Name="{{ incident.title }} " + "x" * 80, Notes__c="é" * 4001), "delivered", "Name cut to 80 characters; Notes__c cut to 4000 characters"),
    Case("a mapped value", window(Name="{{ 'P1' | translate('priority') }}"), "delivered", after=comes_from(WINDOW, Name="1")),

    Case("no such status", incident(FKStatus={"lookup": {"Name": "NO SUCH"}}), "dead_letter", "no row of BMCServiceDesk__Status__c has Name = 'NO SUCH'"),
    Case("several such statuses", incident(FKStatus={"lookup": {f"{P}state__c": True}}), "dead_letter", "5 or more rows"),
    Case("a lookup by no field", incident(FKStatus={"lookup": {"Colour__c": "red"}}), "dead_letter", "has no such fields: Colour__c"),
    Case("a status that is not for incidents", incident(FKStatus={"lookup": {"Name": "PENDING (OLD)"}}), "dead_letter", "Select an active status"),
    Case("a rule of the package", incident(shortDescription="x"), "dead_letter", "Please enter a category", before=no_network_category),
    Case("two categories of the service", incident(shortDescription="x"), "dead_letter", "category for PagerDuty service PDBA001", before=two_categories),
    Case("a required field", make("Contact", FirstName="Jane"), "dead_letter", "Required fields are missing: [LastName]"),
    Case("a formula", window(Account_Name__c="x"), "dead_letter", "Account_Name__c can't be set on a new record"),
    Case("not of the picklist", window(Severity__c="Huge"), "dead_letter", "use a value of the picklist"),
    Case("no number", window(Amount__c="many"), "dead_letter", "Amount__c is of type double"),
    Case("no date", window(Due__c="tomorrow"), "dead_letter", "Due__c is of type date"),
    Case("a list", window(Name="{{ nonsense }}"), "dead_letter", "nonsense"),
    Case("unmapped", window(Name="{{ 'P7' | translate('strict') }}"), "dead_letter", "P7"),
    Case("undefined in a lookup", incident(FKStatus={"lookup": {"Name": "{{ nonsense }}"}}), "dead_letter", "nonsense"),
    Case("no right to create", incident(shortDescription="x"), "dead_letter", "INSUFFICIENT_ACCESS", before=no_creates),
    Case("there by its key", window(Name="n"), "delivered", "found by its external id", adopted, meanwhile=there_already),
)  # fmt: skip


@pytest.mark.parametrize(**CASES)
async def test_a_record_for_an_incident(folder, case):
    objects = [REMEDYFORCE, KEYED, {"name": "Contact"}]
    tried = rule("try", "pagerduty", TRIGGERED, case.action)
    async with staged(folder, tried, objects=objects, mappings=[INBOUND]) as (rig, daemon):
        case.before(rig)
        incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        done = await conclude(rig, daemon, case, incident_id)
        links = await daemon.links()
        assert links == (
            [(incident_id, done["record"], "active")] if case.outcome == "delivered" else []
        )
        await daemon.step(2)
        assert all(
            entry["echo_of"]
            for entry in await daemon.log()
            if entry["event"] == "create" and case.meanwhile is not there_already
        )


async def test_a_record_without_a_key_of_its_own(folder):
    case = Case("", window(Name="n"), "delivered", "made", comes_from(WINDOW, Name="n"))
    tried = rule("try", "pagerduty", TRIGGERED, case.action, obj=WINDOW)
    async with staged(folder, tried, objects=[{"name": WINDOW}]) as (rig, daemon):
        incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await conclude(rig, daemon, case, incident_id)


async def test_once_per_incident_and_object(folder):
    always = rule("try", "pagerduty", [], incident(shortDescription="x"))
    async with staged(folder, always) as (rig, daemon):
        incident_id = rig.pd.trigger("PDBA001", "Replication lag")["id"]
        await daemon.step(1)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.pd.set_priority(incident_id, "P1", by=JANE)
        await daemon.step(3)
        assert len(rig.sf.rows(INCIDENT)) == 1
        reasons = {
            item["reason"] for item in await daemon.actions() if item["outcome"] == "skipped"
        }
        assert len(reasons) == 1
        assert "already linked to record" in reasons.pop()


async def test_from_a_record_for_another_object(folder):
    go = [is_(f"record.{SHORT}", "changed_to", "go")]
    case = Case("", window(Name="for {{ record.Name }}"), "delivered", "made")
    objects = [REMEDYFORCE, KEYED]
    async with staged(
        folder, PAGE, rule("try", "salesforce", go, case.action), objects=objects
    ) as (rig, daemon):
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case)
        (row,) = rig.sf.rows(WINDOW)
        assert row["Name"] == "for 00000001"
        assert (incident_id, row["Id"], "active") in await daemon.links()


@pytest.mark.parametrize("obj", [None, WINDOW])
async def test_from_a_record_where_nothing_is_linked(folder, obj):
    go = [is_(f"record.{SHORT}", "changed_to", "go")]
    words = "the event is a record's own" if obj is None else "nothing linked"
    case = Case(
        "", make(obj, Name="n") if obj else incident(shortDescription="x"), "skipped", words
    )
    tried = rule("try", "salesforce", go, case.action)
    async with staged(folder, tried, objects=[REMEDYFORCE, KEYED]) as (rig, daemon):
        record_id = rig.open_record()
        await daemon.step(1)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case)


# Comments ------------------------------------------------------------------------------------


def say(text):
    return {"do": "salesforce.add_comment", "text": text}


def says(*texts):
    def check(rig, record_id, incident_id):
        assert rig.comments_of(record_id) == list(texts)

    return check


def says_all(rig, record_id, incident_id):
    first, second = rig.comments_of(record_id)
    assert (first[:6], second[:6]) == ("(1/2) ", "(2/2) ")
    assert first[6:] + second[6:] == "x" * 131_060 + " tail" * 3
    assert max(len(first), len(second)) <= 131_072


def closed(rig, record_id, incident_id):
    rig.set_status(record_id, "CLOSED")


def deleted(rig, record_id, incident_id):
    rig.sf.delete(INCIDENT, record_id)


def no_notes_action(rig, record_id, incident_id):
    rig.sf.delete(f"{P}Action__c", rig.id_of("Action", "Notes"))


def two_notes_actions(rig, record_id, incident_id):
    rig.sf.insert(f"{P}Action__c", {"Name": "Notes"})


def no_comments(rig, record_id, incident_id):
    rig.sf.access.deny(HISTORY, "create")


COMMENTS = table(
    Case("a comment", say("{{ event.actor.name }}:\n\tÜber 2 Zeilen 🙂"), "delivered", "1 created", says("Jane Doe:\n\tÜber 2 Zeilen 🙂")),
    Case("in parts", say("x" * 131_060 + " tail" * 3), "delivered", "2 created", says_all),
    Case("an empty comment", say("{{ incident.resolve_reason }}"), "dead_letter", "the text of the comment is empty"),
    Case("on a closed record", say("x"), "dead_letter", "This incident is closed", before=closed),
    Case("on a deleted record", say("x"), "skipped", "nothing linked", before=deleted),
    Case("on a record deleted meanwhile", say("x"), "dead_letter", "pagerforce failed retry", meanwhile=deleted),
    Case("the lookup of its fields finds nothing", say("x"), "dead_letter", "no row of BMCServiceDesk__Action__c", before=no_notes_action),
    Case("the lookup of its fields finds two", say("x"), "dead_letter", "2 rows of BMCServiceDesk__Action__c", before=two_notes_actions),
    Case("no right to comment", say("x"), "dead_letter", "INSUFFICIENT_ACCESS", before=no_comments),
    Case("undefined", say("{{ nonsense }}"), "dead_letter", "nonsense"),
    Case("unmapped", say("{{ 'P7' | translate('strict') }}"), "dead_letter", "P7"),
)  # fmt: skip


@pytest.mark.parametrize(**COMMENTS)
async def test_a_comment_on_the_linked_record(folder, case):
    occasion = [is_("event.type", "equals", "acknowledge")]
    async with staged(folder, PAGE, rule("try", "pagerduty", occasion, case.action)) as (
        rig,
        daemon,
    ):
        record_id, incident_id = await rig.paged(daemon)
        case.before(rig, record_id, incident_id)
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)
        await conclude(rig, daemon, case, record_id, incident_id)
        await daemon.step(3)
        assert rig.notes_of(incident_id) == [], "pagerforce's own comment is never copied back"


async def test_a_comment_where_none_are_configured(folder):
    case = Case("", say("x"), "dead_letter", "Change_Window__c has no [objects.comments]")
    go = [is_("record.Name", "changed_to", "go")]
    tried = rule("try", "salesforce", go, case.action, obj=WINDOW)
    async with staged(folder, tried, objects=[{"name": WINDOW}]) as (rig, daemon):
        record_id = rig.sf.insert(WINDOW, {"Name": "n"})
        await daemon.step(1)
        rig.sf.update(WINDOW, record_id, {"Name": "go"})
        await conclude(rig, daemon, case)


async def test_a_comment_where_nothing_is_linked(folder):
    case = Case("", say("x"), "skipped", "nothing linked")
    occasion = [is_("event.type", "equals", "acknowledge")]
    async with staged(folder, rule("try", "pagerduty", occasion, case.action)) as (rig, daemon):
        rig.open_record()
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)
        await conclude(rig, daemon, case)
