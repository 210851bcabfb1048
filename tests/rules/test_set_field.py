"""``salesforce.set_field``: every type of field, and every reason why a field stays as it is."""

from datetime import UTC, date, datetime

import pytest

from pagerforce.errors import ConfigError
from rig import INCIDENT, JANE, RAJ, P
from rules.kit import PAGE, REMEDYFORCE, SHORT, WINDOW, Case, conclude, is_, rule, staged, table

ANYTHING = {"name": WINDOW}
GO = [is_("record.Name", "changed_to", "go")]
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FULL = {
    "Name": "before",
    "Severity__c": "Minor",
    "Regions__c": "EMEA",
    "External_Ref__c": "old",
    "Notes__c": "old",
    "Active__c": True,
    "Amount__c": 1,
    "Due__c": "2026-01-01",
    "Starts__c": "2026-01-01T00:00:00Z",
}


def put(field, value):
    return {"do": "salesforce.set_field", "field": field, "value": value}


def find(field, **values):
    return {"do": "salesforce.set_field", "field": field, "lookup": values}


def holds(field, value):
    def check(rig, record_id):
        assert rig.sf.row(WINDOW, record_id)[field] == value

    return check


def is_account(name):
    def check(rig, record_id):
        account_id = rig.sf.row(WINDOW, record_id)["Account__c"]
        assert rig.sf.row("Account", account_id)["Name"] == name

    return check


def is_cut(field, length):
    def check(rig, record_id):
        value = rig.sf.row(WINDOW, record_id)[field]
        assert len(value) + value.count("🙂") == length
        assert value.endswith("…")

    return check


def accounts(rig, record_id):
    for name, number in (("Acme", "1"), ("Twin", "2"), ("Twin", "3")):
        rig.sf.insert("Account", {"Name": name, "AccountNumber": number})


def same_severity(rig, record_id):
    rig.sf.update(WINDOW, record_id, {"Severity__c": "Major"})


def by_hand(rig, record_id):
    rig.advance(5)
    rig.sf.update(WINDOW, record_id, {"Severity__c": "Critical"})


def deleted(rig, record_id):
    rig.sf.delete(WINDOW, record_id)


def purged(rig, record_id):
    deleted(rig, record_id)
    rig.sf.purge(WINDOW, record_id)


def no_edits(rig, record_id):
    rig.sf.access.deny(WINDOW, "edit")


def unshared(rig, record_id):
    rig.sf.access.unshared.add(record_id)


def own_rule(rig, record_id):
    rig.sf.add_rule(WINDOW, lambda draft, tx: "Not during the freeze." if draft.values["Severity__c"] == "Critical" else None)  # fmt: skip


RETRY = "pagerforce failed retry"
PICK = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
CASES = table(
    Case("text", put("External_Ref__c", "{{ record.Name }} ü🙂"), "delivered", "wrote External_Ref__c", holds("External_Ref__c", "go ü🙂")),
    Case("text of a number", put("External_Ref__c", 7), "delivered", after=holds("External_Ref__c", "7")),
    Case("text of a boolean", put("External_Ref__c", True), "delivered", after=holds("External_Ref__c", "true")),
    Case("text cleared", put("External_Ref__c", ""), "delivered", after=holds("External_Ref__c", None)),
    Case("long text", put("Notes__c", "a\n\nb"), "delivered", after=holds("Notes__c", "a\n\nb")),
    Case("long text cleared", put("Notes__c", ""), "delivered", after=holds("Notes__c", None)),
    Case("picklist", put("Severity__c", "Major"), "delivered", after=holds("Severity__c", "Major")),
    Case("picklist cleared", put("Severity__c", ""), "delivered", after=holds("Severity__c", None)),
    Case("multi-picklist", put("Regions__c", "APAC;AMER"), "delivered", after=holds("Regions__c", "APAC;AMER")),
    Case("boolean", put("Active__c", False), "delivered", after=holds("Active__c", False)),
    Case("boolean of a text", put("Active__c", "{{ 'no' }}"), "delivered", after=holds("Active__c", False)),
    Case("boolean cleared", put("Active__c", ""), "delivered", after=holds("Active__c", False)),
    Case("number", put("Amount__c", 2.5), "delivered", after=holds("Amount__c", 2.5)),
    Case("number of a text", put("Amount__c", "{{ 6 * 7 }}"), "delivered", after=holds("Amount__c", 42)),
    Case("number cleared", put("Amount__c", ""), "delivered", after=holds("Amount__c", None)),
    Case("zero is a value", put("Amount__c", 0), "delivered", after=holds("Amount__c", 0)),
    Case("date", put("Due__c", "2026-05-04"), "delivered", after=holds("Due__c", date(2026, 5, 4))),
    Case("date as TOML has it", put("Due__c", date(2026, 5, 4)), "delivered", after=holds("Due__c", date(2026, 5, 4))),
    Case("date of a time", put("Due__c", "2026-05-04T23:30:00-02:00"), "delivered", after=holds("Due__c", date(2026, 5, 5))),
    Case("date cleared", put("Due__c", ""), "delivered", after=holds("Due__c", None)),
    Case("date and time", put("Starts__c", "2026-05-04T14:00:00+02:00"), "delivered", after=holds("Starts__c", NOON)),
    Case("date and time as TOML has it", put("Starts__c", NOON), "delivered", after=holds("Starts__c", NOON)),
    Case("date and time cleared", put("Starts__c", ""), "delivered", after=holds("Starts__c", None)),
    Case("reference by lookup", find("Account__c", Name="ACME"), "delivered", after=is_account("Acme"), before=accounts),
    Case("reference by two fields", find("Account__c", Name="Twin", AccountNumber="3"), "delivered", after=is_account("Twin"), before=accounts),
    Case("reference by a template", find("Account__c", Name="{{ 'A' }}cme"), "delivered", after=is_account("Acme"), before=accounts),
    Case("reference by Id", put("Account__c", "001000000000001AAA"), "delivered", after=is_account("Example Corp")),
    Case("reference by 15 characters", put("Account__c", "001000000000001"), "delivered", after=is_account("Example Corp")),

    Case("text too long is cut", put("External_Ref__c", "x" * 81), "delivered", "External_Ref__c cut to 80 characters", holds("External_Ref__c", "x" * 79 + "…")),
    Case("what just fits is whole", put("External_Ref__c", "x" * 80), "delivered", after=holds("External_Ref__c", "x" * 80)),
    Case("emoji count twice", put("External_Ref__c", "🙂" * 50 + "x"), "delivered", "cut", is_cut("External_Ref__c", 79)),
    Case("long text too long is cut", put("Notes__c", "é" * 4001), "delivered", "Notes__c cut to 4000 characters", is_cut("Notes__c", 4000)),
    Case("a picklist value is not cut", put("Severity__c", "x" * 256), "dead_letter", "Severity__c takes 255 characters and the text has 256"),

    Case("what stands there", put("Severity__c", "Major"), "skipped", "already", before=same_severity),
    Case("a newer edit by a person", put("Severity__c", "Major"), "skipped", "", holds("Severity__c", "Critical"), meanwhile=by_hand),
    Case("not of the picklist", put("Severity__c", "Huge"), "dead_letter", PICK),
    Case("not of the multi-picklist", put("Regions__c", "EMEA;MOON"), "dead_letter", PICK),
    Case("a formula", put("Account_Name__c", "x"), "dead_letter", "Account_Name__c can't be written (a formula, or read-only for the integration user)"),
    Case("a system field", put("CreatedDate", NOON), "dead_letter", "CreatedDate can't be written"),
    Case("no number", put("Amount__c", "many"), "dead_letter", "Amount__c is of type double"),
    Case("no boolean", put("Active__c", "perhaps"), "dead_letter", "Active__c is of type boolean"),
    Case("no date", put("Due__c", "tomorrow"), "dead_letter", "Due__c is of type date"),
    Case("no time", put("Starts__c", "soon"), "dead_letter", "Starts__c is of type datetime"),
    Case("no Id", put("Account__c", "Acme"), "dead_letter", "use a lookup to find the Id"),
    Case("an Id of nothing", put("Account__c", "001000000000009AAA"), "dead_letter", "the Id does not name a suitable record"),
    Case("an Id of something else", put("Account__c", "005000000000002AAA"), "dead_letter", "id value of incorrect type"),
    Case("a lookup that finds nothing", find("Account__c", Name="Nobody"), "dead_letter", "no row of Account has Name = 'Nobody'"),
    Case("a lookup that finds two", find("Account__c", Name="Twin"), "dead_letter", "2 rows of Account have Name = 'Twin'", before=accounts),
    Case("a lookup by no field", find("Account__c", Colour__c="red"), "dead_letter", "Account has no such fields: Colour__c"),
    Case("a lookup for no reference", find("Notes__c", Name="Acme"), "dead_letter", "Notes__c is not a reference field"),
    Case("a rule of the org", put("Severity__c", "Critical"), "dead_letter", "Not during the freeze.", before=own_rule),
    Case("no right to edit", put("Severity__c", "Major"), "dead_letter", "give the integration user edit access to the record", before=no_edits),
    Case("deleted meanwhile", put("Severity__c", "Major"), "skipped", "is deleted", meanwhile=deleted),
    Case("purged meanwhile", put("Severity__c", "Major"), "dead_letter", "is gone or hidden from the integration user", meanwhile=purged),
    Case("hidden meanwhile", put("Severity__c", "Major"), "dead_letter", "is gone or hidden from the integration user", meanwhile=unshared),
    Case("undefined", put("Notes__c", "{{ nonsense }}"), "dead_letter", "nonsense"),
    Case("unmapped", put("Notes__c", "{{ 'P7' | translate('strict') }}"), "dead_letter", "P7"),
    Case("undefined in a lookup", find("Account__c", Name="{{ nonsense }}"), "dead_letter", "nonsense"),
)  # fmt: skip


@pytest.mark.parametrize(**CASES)
async def test_a_field_of_the_record_itself(folder, case):
    tried = rule("try", "salesforce", GO, case.action, obj=WINDOW)
    async with staged(folder, tried, objects=[ANYTHING]) as (rig, daemon):
        record_id = rig.sf.insert(WINDOW, FULL, by=RAJ)
        case.before(rig, record_id)
        await daemon.step(2)
        rig.sf.update(WINDOW, record_id, {"Name": "go"}, by=RAJ)
        done = await conclude(rig, daemon, case, record_id)
        if case.outcome == "dead_letter" and case.name not in (
            "undefined",
            "unmapped",
            "undefined in a lookup",
        ):
            assert RETRY in done["reason"] or "remove the link" in done["reason"]
        before = len(await daemon.log())
        await daemon.step(2)
        news = (await daemon.log())[before:]
        assert [x["event"] for x in news if x["echo_of"] is None] in (
            [],
            ["delete"],
            ["update"] * (case.meanwhile is by_hand),
        )


def locked(rig, record_id, incident_id):
    rig.set_status(record_id, "CLOSED")


def state_of(field, value):
    def check(rig, record_id, incident_id):
        assert rig.record(record_id)[f"{P}{field}__c"] == value

    return check


def is_owned_by(email):
    def check(rig, record_id, incident_id):
        assert rig.sf.row("User", rig.record(record_id)["OwnerId"])["Email"] == email

    return check


def is_in_state(name):
    def check(rig, record_id, incident_id):
        assert rig.status_of(record_id) == name

    return check


def record_deleted(rig, record_id, incident_id):
    rig.sf.delete(INCIDENT, record_id)


STATUS = f"{P}FKStatus__c"
LINKED = table(
    Case("status", find(STATUS, Name="IN PROGRESS"), "delivered", after=is_in_state("IN PROGRESS")),
    Case("owner by the actor's e-mail", find("OwnerId", Email="{{ event.actor.email }}"), "delivered", after=is_owned_by("jane.doe@example.com")),
    Case("impact through the map", find(f"{P}FKImpact__c", Name="{{ 'HIGH' }}"), "delivered"),
    Case("title of the incident, cut", put(SHORT, "{{ incident.title }} " + "x" * 255), "delivered", f"{SHORT} cut to 255 characters"),
    Case("phone type", put(f"{P}contactType__c", "Phone"), "delivered", after=state_of("contactType", "Phone")),
    Case("unknown status", find(STATUS, Name="NO SUCH"), "dead_letter", "no row of BMCServiceDesk__Status__c has Name = 'NO SUCH'"),
    Case("status that is not for incidents", find(STATUS, Name="CHANGE REVIEW"), "dead_letter", "Select an active status"),
    Case("ambiguous status", find(STATUS, **{f"{P}state__c": True}), "dead_letter", "5 or more rows"),
    Case("a closed record", put(SHORT, "x"), "dead_letter", "This incident is closed. Reopen the incident to modify it.", before=locked),
    Case("a closed record is opened again", find(STATUS, Name="ASSIGNED"), "delivered", after=is_in_state("ASSIGNED"), before=locked),
    Case("a deleted record", put(SHORT, "x"), "skipped", "nothing linked", before=record_deleted),
    Case("a record deleted meanwhile", put(SHORT, "x"), "skipped", "is deleted", meanwhile=record_deleted),
    Case("a formula", put(f"{P}Status_ID__c", "x"), "dead_letter", "can't be written"),
)  # fmt: skip


@pytest.mark.parametrize(**LINKED)
async def test_a_field_of_the_linked_record(folder, case):
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


async def test_nothing_is_linked(folder):
    case = Case("", put(SHORT, "x"), "skipped", "nothing linked")
    occasion = [is_("event.type", "equals", "acknowledge")]
    async with staged(folder, rule("try", "pagerduty", occasion, case.action)) as (rig, daemon):
        rig.open_record()
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)
        await conclude(rig, daemon, case)


async def test_a_required_field_is_not_cleared(folder):
    case = Case(
        "", put("LastName", ""), "dead_letter", "give the missing field a value in the rule"
    )
    occasion = [is_("record.FirstName", "changed_to", "go")]
    tried = rule("try", "salesforce", occasion, case.action, obj="Contact")
    async with staged(folder, tried, objects=[{"name": "Contact"}]) as (rig, daemon):
        contact_id = rig.sf.insert("Contact", {"LastName": "Doe"})
        await daemon.step(1)
        rig.sf.update("Contact", contact_id, {"FirstName": "go"})
        await conclude(rig, daemon, case, contact_id)


TYPED = table(
    Case("email", put("Email", "a@example.com"), "delivered", after=lambda rig, i: _holds(rig, "Contact", i, "Email", "a@example.com"), more={"obj": "Contact"}),
    Case("no email", put("Email", "nowhere"), "dead_letter", "INVALID_EMAIL_ADDRESS", more={"obj": "Contact"}),
    Case("an email is not cut", put("Email", "x" * 80 + "@example.com"), "dead_letter", "Email takes 80 characters", more={"obj": "Contact"}),
    Case("url", put("Website", "https://example.com"), "delivered", after=lambda rig, i: _holds(rig, "Account", i, "Website", "https://example.com"), more={"obj": "Account"}),
    Case("a url is not cut", put("Website", "https://" + "x" * 255), "dead_letter", "Website takes 255 characters", more={"obj": "Account"}),
    Case("int", put("NumberOfEmployees", "{{ 6 * 7 }}"), "delivered", after=lambda rig, i: _holds(rig, "Account", i, "NumberOfEmployees", 42), more={"obj": "Account"}),
    Case("no int", put("NumberOfEmployees", 1.5), "dead_letter", "NumberOfEmployees is of type int", more={"obj": "Account"}),
)  # fmt: skip


def _holds(rig, name, record_id, field, value):
    assert rig.sf.row(name, record_id)[field] == value


@pytest.mark.parametrize(**TYPED)
async def test_types_that_other_objects_have(folder, case):
    name = case.more["obj"]
    start, field = (
        ({"LastName": "Doe"}, "LastName") if name == "Contact" else ({"Name": "n"}, "Name")
    )
    tried = rule(
        "try", "salesforce", [is_(f"record.{field}", "changed_to", "go")], case.action, obj=name
    )
    async with staged(folder, tried, objects=[{"name": name}]) as (rig, daemon):
        record_id = rig.sf.insert(name, start)
        await daemon.step(1)
        rig.sf.update(name, record_id, {field: "go"})
        await conclude(rig, daemon, case, record_id)


async def test_the_key_of_a_record_is_never_cut(folder):
    """Two keys that begin alike would become one record."""
    case = Case(
        "", put("Window_Key__c", "k" * 81), "dead_letter", "Window_Key__c takes 80 characters"
    )
    tried = rule("try", "salesforce", GO, case.action, obj=WINDOW)
    keyed = ANYTHING | {"external_id_field": "Window_Key__c"}
    async with staged(folder, tried, objects=[keyed]) as (rig, daemon):
        record_id = rig.sf.insert(WINDOW, FULL)
        await daemon.step(1)
        rig.sf.update(WINDOW, record_id, {"Name": "go"})
        await conclude(rig, daemon, case, record_id)


async def test_one_refused_field_does_not_keep_the_others_back(folder):
    actions = [
        put("Severity__c", "Huge"),
        put("Notes__c", "x" * 5000),
        put("Amount__c", 5),
        put("Amount__c", 6),
    ]
    tried = rule("try", "salesforce", GO, *actions, obj=WINDOW)
    async with staged(folder, tried, objects=[ANYTHING]) as (rig, daemon):
        record_id = rig.sf.insert(WINDOW, FULL)
        await daemon.step(1)
        rig.sf.update(WINDOW, record_id, {"Name": "go"})
        await daemon.step(2)
        row = rig.sf.row(WINDOW, record_id)
        assert (row["Severity__c"], row["Amount__c"], len(row["Notes__c"])) == ("Minor", 6, 4000)
        outcomes = [item["outcome"] for item in await daemon.actions()]
        assert outcomes == ["dead_letter", "delivered", "skipped", "delivered"]
        cut = (await daemon.actions())[1]
        assert "Notes__c cut to 4000 characters" in cut["reason"]


@pytest.mark.parametrize("field", ["No_such__c", "Account__r.No_such__c"])
async def test_a_field_that_is_not_there_stops_the_start(folder, field):
    tried = rule(
        "try", "salesforce", [is_(f"record.{field}", "is_empty")], put("Notes__c", "x"), obj=WINDOW
    )
    with pytest.raises(ConfigError, match="No_such__c: no such"):
        async with staged(folder, tried, objects=[ANYTHING, REMEDYFORCE]):
            pass
    tried = rule("try", "salesforce", GO, put("No_such__c", "x"), obj=WINDOW)
    with pytest.raises(ConfigError, match="No_such__c: no such"):
        async with staged(folder, tried, objects=[ANYTHING]):
            pass
