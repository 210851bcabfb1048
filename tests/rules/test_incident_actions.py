"""The actions on an incident, from a rule on its record: each success, each way to fail."""

import pytest

from pagerforce.sandbox.faults import Fault, FaultKind
from rig import INTEGRATION, JANE, SAM
from rules.kit import PAGE, SHORT, Case, conclude, is_, rule, staged, table

GO = [is_(f"record.{SHORT}", "changed_to", "go")]
ACKNOWLEDGE = {"do": "pagerduty.acknowledge"}
RESOLVE = {"do": "pagerduty.resolve"}


def priority(name):
    return {"do": "pagerduty.set_priority", "priority": name}


def people(*names):
    return {"do": "pagerduty.reassign", "assignees": list(names)}


def policy(name):
    return {"do": "pagerduty.reassign", "escalation_policy": name}


def note(text):
    return {"do": "pagerduty.add_note", "text": text}


def play(name):
    return {"do": "pagerduty.run_response_play", "response_play": name}


def workflow(name):
    return {"do": "pagerduty.run_workflow", "workflow": name}


# What happens before, or meanwhile -----------------------------------------------------------


def acknowledged(rig, record_id, incident_id):
    rig.pd.acknowledge(incident_id, by=JANE)


def resolved(rig, record_id, incident_id):
    rig.pd.resolve(incident_id, by=JANE)


def hidden(rig, record_id, incident_id):
    rig.pd.hide_incident(incident_id)


def prioritised(rig, record_id, incident_id):
    rig.pd.set_priority(incident_id, "P2", by=JANE)


def given_to_sam(rig, record_id, incident_id):
    rig.pd.reassign(incident_id, [SAM], by=JANE)


def full_of_notes(rig, record_id, incident_id):
    incident = rig.pd.state.incidents[incident_id]
    rig.pd.annotate(incident_id, "one of many", by=JANE)
    incident.notes.extend(incident.notes * 1999)


def without(**plan):
    def change(rig, record_id, incident_id):
        for name, value in plan.items():
            setattr(rig.pd.plan, name, value)

    return change


def losing(path):
    """The answer to the next such request is lost, though its work is done."""

    def arm(rig, record_id, incident_id):
        rig.desk.pagerduty_faults.add(Fault(FaultKind.DROP_AFTER, method="POST", path=path))

    return arm


def nobody_on_call(rig, record_id, incident_id):
    rig.pd.state.directory.policies["PEPDBA1"].levels.clear()


# What is there afterwards --------------------------------------------------------------------


def has(**wanted):
    def check(rig, record_id, incident_id):
        incident = rig.pd.incident(incident_id)
        for name, value in wanted.items():
            found = incident[name]
            assert (found["id"] if isinstance(found, dict) else found) == value

    return check


def is_with(*users):
    def check(rig, record_id, incident_id):
        found = [one["assignee"]["id"] for one in rig.pd.incident(incident_id)["assignments"]]
        assert sorted(found) == sorted(users)

    return check


def says(*notes):
    def check(rig, record_id, incident_id):
        assert rig.notes_of(incident_id) == list(notes)

    return check


def is_resolved_with(text):
    def check(rig, record_id, incident_id):
        has(status="resolved")(rig, record_id, incident_id)
        (entry,) = [x for x in rig.pd.entries(incident_id) if x["type"] == "resolve_log_entry"]
        assert text in str(entry)

    return check


def ran(*, plays=0, workflows=0):
    def check(rig, record_id, incident_id):
        runs = (rig.pd.play_runs, rig.pd.workflow_runs)
        assert [len(one) for one in runs] == [plays, workflows]
        assert all(run.incident_id == incident_id for one in runs for run in one)

    return check


KNOWN = "the linked incident is resolved"
GONE = "is gone from PagerDuty or not visible to the API key"
CASES = table(
    Case("acknowledge", ACKNOWLEDGE, "delivered", "acknowledged", has(status="acknowledged")),
    Case("acknowledge twice", ACKNOWLEDGE, "skipped", "acknowledged already", before=acknowledged),
    Case("acknowledge what is resolved", ACKNOWLEDGE, "skipped", KNOWN, has(status="resolved"), before=resolved),
    Case("acknowledge what was resolved meanwhile", ACKNOWLEDGE, "skipped", "would reopen it", has(status="resolved"), meanwhile=resolved),
    Case("acknowledge what is gone", ACKNOWLEDGE, "dead_letter", GONE, meanwhile=hidden),

    Case("resolve", RESOLVE, "delivered", "resolved", has(status="resolved")),
    Case("resolve with a resolution", RESOLVE | {"resolution": "{{ record.Name }} is done"}, "delivered", after=is_resolved_with("00000001 is done")),
    Case("resolve what is acknowledged", RESOLVE, "delivered", after=has(status="resolved"), before=acknowledged),
    Case("resolve what is resolved", RESOLVE, "skipped", KNOWN, before=resolved),
    Case("resolve what was resolved meanwhile", RESOLVE, "skipped", "resolved already", meanwhile=resolved),
    Case("resolve what is gone", RESOLVE, "dead_letter", GONE, meanwhile=hidden),

    Case("priority by name", priority("p2"), "delivered", "set priority PPRIO02", has(priority="PPRIO02")),
    Case("priority by id", priority("PPRIO04"), "delivered", after=has(priority="PPRIO04")),
    Case("priority from a map", priority("P{{ 'P1' | translate('priority') }}"), "delivered", after=has(priority="PPRIO01")),
    Case("the same priority", priority("P2"), "skipped", "has this priority already", before=prioritised),
    Case("no such priority", priority("P9"), "dead_letter", "PagerDuty has no priority 'P9'"),
    Case("an empty priority", priority("{{ record.BMCServiceDesk__note__c }}"), "dead_letter", "the priority is empty"),
    Case("no priorities in the plan", priority("P1"), "dead_letter", "HTTP 402", before=without(priorities=False)),
    Case("priority of what is resolved", priority("P1"), "skipped", KNOWN, before=resolved),
    Case("priority of what was resolved meanwhile", priority("P1"), "skipped", "the incident is resolved", meanwhile=resolved),
    Case("priority of what is gone", priority("P1"), "dead_letter", GONE, meanwhile=hidden),

    Case("reassign by e-mail", people("Sam.Lee@example.com"), "delivered", "reassigned", is_with(SAM)),
    Case("reassign by id", people(SAM), "delivered", after=is_with(SAM)),
    Case("reassign to two", people(SAM, "integration@example.com", SAM), "delivered", after=is_with(SAM, "PINTEG1")),
    Case("reassign to a policy by name", policy("database on call"), "delivered", after=has(escalation_policy="PEPDBA1")),
    Case("reassign to a policy by id", policy("PEPDBA1"), "delivered", after=is_with(SAM)),
    Case("reassign to whom it is", people(SAM), "skipped", "assigned so already", before=given_to_sam),
    Case("reassign to no such e-mail", people("nobody@example.com"), "dead_letter", "no PagerDuty user has the e-mail nobody@example.com"),
    Case("reassign to no such id", people("PNOBODY"), "dead_letter", "name an assignee who is a user of this account"),
    Case("reassign to no such policy", policy("Nobody"), "dead_letter", "PagerDuty has no escalation policy 'Nobody'"),
    Case("reassign to nobody on call", policy("PEPDBA1"), "dead_letter", "put somebody on call", before=nobody_on_call),
    Case("reassign to an empty list", people("{{ record.BMCServiceDesk__note__c }}"), "dead_letter", "neither assignees nor an escalation policy"),
    Case("reassign what is resolved", people(SAM), "skipped", KNOWN, before=resolved),
    Case("reassign what was resolved meanwhile", people(SAM), "skipped", "the incident is resolved", meanwhile=resolved),
    Case("reassign what is gone", people(SAM), "dead_letter", GONE, meanwhile=hidden),

    Case("note", note("{{ record.Name }}:\n\tÜber 2 Zeilen 🙂"), "delivered", "added note", says("00000001:\n\tÜber 2 Zeilen 🙂")),
    Case("note on what is resolved", note("late"), "delivered", after=says("late"), before=resolved),
    Case("note on what was resolved meanwhile", note("late"), "delivered", after=says("late"), meanwhile=resolved),
    Case("an empty note", note("{{ record.BMCServiceDesk__note__c }}"), "skipped", "the text of the note is empty"),
    Case("one note too many", note("x"), "dead_letter", "free some room in PagerDuty", meanwhile=full_of_notes),
    Case("note on what is gone", note("x"), "dead_letter", "404", meanwhile=hidden),

    Case("response play", play("PPLAY01"), "delivered", "ran response play", ran(plays=1)),
    Case("no such play", play("PNONE01"), "dead_letter", "use pagerduty.run_workflow instead"),
    Case("plays have ended", play("PPLAY01"), "dead_letter", "PagerDuty has ended response plays", ran(), before=without(response_plays=False)),
    Case("an empty play", play("{{ record.BMCServiceDesk__note__c }}"), "dead_letter", "the response play is empty"),
    Case("play on what is resolved", play("PPLAY01"), "skipped", KNOWN, before=resolved),
    Case("play on what was resolved meanwhile", play("PPLAY01"), "skipped", "nobody needs to be called", ran(), meanwhile=resolved),
    Case("play on what is gone", play("PPLAY01"), "dead_letter", GONE, meanwhile=hidden),

    Case("workflow by name", workflow("bridge call"), "delivered", "started workflow PWFLOW1", ran(workflows=1)),
    Case("workflow by id", workflow("PWFLOW1"), "delivered", after=ran(workflows=1)),
    Case("no such workflow", workflow("Nothing"), "dead_letter", "PagerDuty has no incident workflow 'Nothing'"),
    Case("no workflows in the plan", workflow("Bridge call"), "dead_letter", "HTTP 402", before=without(workflows=False)),
    Case("an empty workflow", workflow("{{ record.BMCServiceDesk__note__c }}"), "dead_letter", "the workflow is empty"),
    Case("workflow on what is resolved", workflow("PWFLOW1"), "skipped", KNOWN, before=resolved),
    Case("workflow on what was resolved meanwhile", workflow("PWFLOW1"), "skipped", "nobody needs to be called", ran(), meanwhile=resolved),
    Case("workflow on what is gone", workflow("PWFLOW1"), "dead_letter", GONE, meanwhile=hidden),
)  # fmt: skip


@pytest.mark.parametrize(**CASES)
async def test_an_action_on_the_linked_incident(folder, case):
    tried = rule("try", "salesforce", GO, case.action)
    async with staged(folder, PAGE, tried) as (rig, daemon):
        record_id, incident_id = await rig.paged(daemon)
        case.before(rig, record_id, incident_id)
        await daemon.step(2)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case, record_id, incident_id)


ACTIONS = [ACKNOWLEDGE, RESOLVE, priority("P1"), people(SAM), note("x"), play("PPLAY01"), workflow("PWFLOW1")]  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["do"])
async def test_nothing_is_linked(folder, action):
    case = Case("", action, "skipped", "nothing linked")
    async with staged(folder, rule("try", "salesforce", GO, action)) as (rig, daemon):
        rig.pd.trigger("PNET001", "of another record")
        record_id = rig.open_record()
        await daemon.step(2)
        rig.change(record_id, shortDescription="go")
        await conclude(rig, daemon, case, record_id)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["do"])
async def test_a_rule_on_incidents_acts_on_the_incident_itself(folder, action):
    occasion = [is_("event.type", "equals", "custom")]
    case = Case("", action, "delivered")
    async with staged(folder, rule("try", "pagerduty", occasion, action)) as (rig, daemon):
        others = rig.pd.trigger("PDBA001", "of no concern")
        incident_id = rig.pd.trigger("PNET001", "Flapping")["id"]
        await daemon.step(2)
        rig.pd.custom_action(incident_id, "Go", by=JANE)
        done = await conclude(rig, daemon, case, incident_id)
        assert done["incident"] == incident_id
        assert rig.pd.incident(others["id"]) == others
        assert rig.notes_of(others["id"]) == []


ONCE = table(
    Case("play", play("PPLAY01"), "dead_letter", "its outcome is unknown and it is not sent again", ran(plays=1), meanwhile=losing("/run$")),
    Case("workflow", workflow("PWFLOW1"), "dead_letter", "its outcome is unknown and it is not sent again", ran(workflows=1), meanwhile=losing("/instances$")),
)  # fmt: skip


@pytest.mark.parametrize(**ONCE)
async def test_what_cannot_be_looked_for_is_sent_at_most_once(folder, case):
    async with staged(folder, PAGE, rule("try", "salesforce", GO, case.action)) as (rig, daemon):
        where = await rig.paged(daemon)
        rig.change(where[0], shortDescription="go")
        for _ in range(2):
            rig.advance(2)
            await daemon.poll()
        case.meanwhile(rig, *where)
        await daemon.deliver()
        await daemon.step(4, seconds=70)
        case.after(rig, *where)
        (dead,) = await daemon.dead_letters()
        assert case.words in dead["reason"]


async def test_actions_of_one_event_keep_their_order_and_see_the_link(folder):
    actions = [
        {"do": "pagerduty.create_incident", "title": "t", "service": "PNET001"},
        note("first, on #{{ incident.number }}"),
        ACKNOWLEDGE,
        note("second"),
        RESOLVE,
    ]
    async with staged(folder, rule("try", "salesforce", GO, *actions)) as (rig, daemon):
        record_id = rig.open_record()
        await daemon.step(1)
        rig.change(record_id, shortDescription="go")
        await daemon.step(3)
        (incident,) = rig.incidents()
        number = incident["incident_number"]
        assert rig.notes_of(incident["id"]) == [f"first, on #{number}", "second"]
        assert incident["status"] == "resolved"
        assert await daemon.outcomes() == {
            "pagerduty.create_incident delivered": 1,
            "pagerduty.add_note delivered": 2,
            "pagerduty.acknowledge delivered": 1,
            "pagerduty.resolve delivered": 1,
        }


async def test_a_person_who_uses_our_account_is_acted_upon(folder):
    async with staged(folder, PAGE, rule("try", "salesforce", GO, ACKNOWLEDGE)) as (rig, daemon):
        record_id, incident_id = await rig.paged(daemon)
        rig.change(record_id, by=INTEGRATION, shortDescription="go")
        await daemon.step(2)
        assert rig.pd.incident(incident_id)["status"] == "acknowledged"


async def test_a_note_in_parts_does_not_come_back_as_comments(folder):
    long = " ".join(f"wörd{number}" for number in range(400))
    async with staged(folder, PAGE, rule("try", "salesforce", GO, note(long))) as (rig, daemon):
        record_id, incident_id = await rig.paged(daemon)
        rig.pd.plan.note_limit = 1024
        rig.change(record_id, shortDescription="go")
        await daemon.step(4)
        notes = rig.notes_of(incident_id)
        assert [one.split(" ")[0] for one in notes] == ["(1/4)", "(2/4)", "(3/4)", "(4/4)"]
        assert rig.comments_of(record_id) == []
        assert (await daemon.outcomes())["pagerduty.add_note delivered"] == 1
        rig.pd.annotate(incident_id, "a person's own", by=JANE)
        await daemon.step(2)
        assert len(rig.comments_of(record_id)) == 1
