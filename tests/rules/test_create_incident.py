"""``pagerduty.create_incident``: the created incident, and every reason why there is none."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INCIDENT, JANE, P
from rules.kit import SHORT, Case, conclude, is_, rule, staged, table

CREATE = "pagerduty.create_incident"
CATEGORY = f"{P}FKCategory__c"
GO = [is_(f"record.{SHORT}", "changed_to", "go")]
MAPPING = {
    "name": "printing",
    "object": INCIDENT,
    "field": CATEGORY,
    "value": {"lookup": {"Name": "Printing"}},
    "service": "PDBA001",
}
LONG = "{{ record.Name }} " + "é" * 2000


def create(**args):
    return {"do": CREATE, "title": "{{ record.Name }} is down", "service": "PNET001"} | args


def bare(**args):
    """Without a service of its own."""
    return {"do": CREATE, "title": "t"} | args


def has(**wanted):
    """The one incident has these values; ``a__b`` is b of a."""

    def check(rig, record_id):
        (incident,) = rig.incidents()
        for path, value in wanted.items():
            found = incident
            for step in path.split("__"):
                found = found[step]
            assert found == value

    return check


def is_titled(rig, record_id):
    has(title=f"{rig.record(record_id)['Name']} is down", status="triggered")(rig, record_id)


def is_assigned(rig, record_id):
    (incident,) = rig.incidents()
    assert [one["assignee"]["id"] for one in incident["assignments"]] == [JANE]
    assert incident["status"] == "triggered", "an assignee who is not its creator is notified"


def has_body(rig, record_id):
    (incident,) = rig.pd.state.incidents.values()
    assert incident.body == "line 1\nline 2"


def is_cut(rig, record_id):
    (incident,) = rig.incidents()
    assert len(incident["title"]) == 1024
    assert incident["title"].endswith("é…")


def lacks_priorities(rig, record_id):
    rig.pd.plan.priorities = False


def nobody_on_call(rig, record_id):
    rig.pd.state.directory.policies["PEPDBA1"].levels.clear()


def in_category(name):
    return {"category": name}


CASES = table(
    Case("as little as can be", create(), "delivered", "created", is_titled),
    Case("service by id", create(), "delivered", after=has(service__id="PNET001")),
    Case("service by name", create(service="database"), "delivered", after=has(service__id="PDBA001")),
    Case("service from a template", create(service="{{ 'Data' }}base"), "delivered", after=has(service__id="PDBA001")),
    Case("urgency", create(urgency="low"), "delivered", after=has(urgency="low")),
    Case("priority by name", create(priority="p2"), "delivered", after=has(priority__id="PPRIO02")),
    Case("priority by id", create(priority="PPRIO03"), "delivered", after=has(priority__summary="P3")),
    Case("body", create(body="line 1\nline 2"), "delivered", after=has_body),
    Case("assignee by e-mail", create(assignees=["Jane.Doe@example.com"]), "delivered", after=is_assigned),
    Case("assignee by id", create(assignees=[JANE]), "delivered", after=is_assigned),
    Case("policy by name", create(escalation_policy="Database on call"), "delivered", after=has(escalation_policy__id="PEPDBA1")),
    Case("policy by id", create(escalation_policy="PEPDBA1"), "delivered", after=has(escalation_policy__id="PEPDBA1")),
    Case("service of the category", bare(), "delivered", after=has(service__id="PDBA001"), more=in_category("Database")),
    Case("service of the mapping", bare(), "delivered", after=has(service__id="PDBA001"), more=in_category("Printing")),
    Case("category before mapping", bare(), "delivered", after=has(service__id="PNET001"),
         more={"category": "Network", "mapping": MAPPING | {"value": {"lookup": {"Name": "Network"}}}}),
    Case("own service before category", create(), "delivered", after=has(service__id="PNET001"), more=in_category("Database")),
    Case("a title too long is cut", create(title=LONG), "delivered", "title cut to 1024 characters", is_cut),
    Case("mapped value", create(title="{{ 'P2' | translate('priority') }}"), "delivered", after=has(title="2")),

    Case("no such service", create(service="Nowhere"), "dead_letter", "PagerDuty has no service 'Nowhere'"),
    Case("no such service id", create(service="PNONE01"), "dead_letter", "PagerDuty has no service 'PNONE01'"),
    Case("no service anywhere", bare(), "dead_letter", "no service for this record: give the action a service",
         more={"category": "Printing", "mapping": None}),
    Case("an inbound mapping is no way out", bare(), "dead_letter", "add an outbound service mapping",
         more={"category": "Printing", "mapping": MAPPING | {"outbound": False}}),
    Case("no such priority", create(priority="P9"), "delivered", "without priority: PagerDuty has no priority 'P9'"),
    Case("no priorities in the plan", create(priority="P1"), "delivered", "without priority: priorities.list: HTTP 402", before=lacks_priorities),
    Case("no such e-mail", create(assignees=["nobody@example.com"]), "delivered", "without assignees: no PagerDuty user has the e-mail nobody@example.com"),
    Case("no such user id", create(assignees=["PNOBODY"]), "delivered", "without assignments (refused: code 1007)"),
    Case("two assignees", create(assignees=["jane.doe@example.com", "sam.lee@example.com"]), "delivered", "assigned to the first of 2 assignees"),
    Case("no such policy", create(escalation_policy="Nobody"), "delivered", "without escalation_policy: PagerDuty has no escalation policy 'Nobody'"),
    Case("nobody on call", create(escalation_policy="PEPDBA1"), "delivered", "without escalation_policy (refused: code 1015)", before=nobody_on_call),
    Case("an empty title", create(title="{{ record.BMCServiceDesk__note__c }}"), "delivered", "the title was empty"),
    Case("no such urgency", create(urgency="{{ 'medium' }}"), "delivered", "without urgency"),
)  # fmt: skip


@pytest.mark.parametrize(**CASES)
async def test_an_incident_for_a_record(folder, case):
    mapping = case.more.get("mapping", MAPPING)
    tried = rule("try", "salesforce", GO, case.action)
    async with staged(folder, tried, mappings=[mapping] if mapping else []) as (rig, daemon):
        record_id = rig.open_record(category=case.more.get("category", "Network"))
        case.before(rig, record_id)
        await daemon.step(1)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case, record_id)
        linked = [(item["id"], record_id, "active") for item in rig.incidents()]
        assert await daemon.links() == linked


def resolve(rig, record_id):
    rig.pd.resolve(rig.incidents()[0]["id"], by=JANE)


def count(wanted):
    def check(rig, record_id):
        assert len(rig.incidents()) == wanted

    return check


AGAIN = table(
    Case("any link, open", create(), "skipped", "already linked to incident", count(1)),
    Case("any link, resolved", create(), "skipped", "already linked to incident", count(1), before=resolve),
    Case("open link, open", create(unless_linked="open"), "skipped", "already linked to incident", count(1)),
    Case("open link, resolved", create(unless_linked="open"), "delivered", "created", count(2), before=resolve),
)  # fmt: skip


@pytest.mark.parametrize(**AGAIN)
async def test_an_incident_for_a_record_that_had_one(folder, case):
    tried = rule("try", "salesforce", GO, case.action)
    async with staged(folder, tried) as (rig, daemon):
        record_id = rig.open_record()
        await daemon.step(1)
        rig.change(record_id, shortDescription="go")
        await daemon.step(2)
        case.before(rig, record_id)
        rig.change(record_id, shortDescription="wait")
        await daemon.step(1)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case, record_id)


async def test_an_event_of_an_incident_creates_none(folder):
    occasion = [is_("event.type", "equals", "acknowledge")]
    case = Case("", create(title="t"), "skipped", "there is nothing to create")
    async with staged(folder, rule("try", "pagerduty", occasion, case.action)) as (rig, daemon):
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        await daemon.step(2)
        rig.pd.acknowledge(incident_id, by=JANE)
        await conclude(rig, daemon, case)


async def test_an_incident_is_created_after_a_temporary_refusal(folder):
    """A limit or an outage is no reason for a dead letter: the incident is created late, once."""
    async with staged(folder, rule("try", "salesforce", GO, create())) as (rig, daemon):
        record_id = rig.open_record()
        await daemon.step(1)
        for kind in (FaultKind.TOO_MANY, FaultKind.ERROR_AFTER):
            rig.desk.pagerduty_faults.add(Fault(kind, count=1, method="POST", path="/incidents$"))
        rig.change(record_id, shortDescription="go")
        await daemon.step(6, seconds=70)
        assert len(rig.incidents()) == 1
        assert [link[1:] for link in await daemon.links()] == [(record_id, "active")]
        assert await daemon.dead_letters() == []
