"""Every field that has a name of its own x every operator x true, false, absent, over HTTP.

The incident's values are read from the sandbox first, and the operands are derived from them by hand-written
tables (``samples.py``); then one life of the daemon sees it change, and the journal shows the result.
"""

from datetime import datetime, timedelta

import pytest

from pagerforce.rules.fields import all_names
from pagerforce.sandbox.pagerduty.directory import CustomField
from rig import JANE, SAM, open_rig
from rules.kit import rule, toml
from rules.samples import CHANGES, WHEN_ABSENT, Sample, condition, ordered, truth, truths
from rules.test_named_fields import PEOPLE, text

NOTE = {"do": "pagerduty.add_note", "text": "x"}
UNLINKED = "an unlinked record"


def instant(at):
    moment = datetime.fromisoformat(at)
    earlier, later = moment - timedelta(seconds=1), moment + timedelta(seconds=1)
    return ordered(at, None, same=at, lower=earlier.isoformat(), higher=later.isoformat())


def samples_of(incident):
    """The values of an acknowledged incident, as the sandbox shows them."""
    number = incident["incident_number"]
    priority, policy = incident["priority"], incident["escalation_policy"]
    return {
        "id": text(incident["id"], None, "PXXXXXX"),
        "number": ordered(
            number, None, same=float(number), lower=str(number - 1), higher=number + 1
        ),
        "title": text(incident["title"], None, "Disk"),
        "status": text("acknowledged", "triggered", "resolved"),
        "urgency": text(incident["urgency"], None, "low"),
        "html_url": text(incident["html_url"], None, "https://a/3"),
        "created_at": instant(incident["created_at"]),
        "service.id": text(incident["service"]["id"], None, "PNET002"),
        "service.name": text(incident["service"]["summary"], None, "Net"),
        "escalation_policy.id": text(policy["id"], None, "PESC003"),
        "escalation_policy.name": text(policy["summary"], None, "Third"),
        "priority.id": text(priority["id"], None, "PPRI003"),
        "priority.name": text(priority["summary"], None, "Other"),
        "assignees": Sample(None, None, _people()),
        "resolve_reason": None,
        "custom_fields.region": text("Europe", None, "Asia"),
        "custom_fields.count": ordered(3, None, same="3", lower=2, higher=4),
    }


def _people():
    """The table of ``test_named_fields`` with the sandbox's Jane, who is the assignee, and Sam."""
    names = {"PUSR001": JANE, "PUSR002": SAM, "jane doe": JANE, "sam lee": SAM, "JANE@example.com": "JANE.DOE@example.com"}  # fmt: skip

    def swap(value):
        if isinstance(value, list):
            return [names.get(item, item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    return {
        op: (swap(true), swap(false))
        for op, (true, false) in PEOPLE.operands.items()
        if op not in CHANGES
    }


HAPPENS_AT = "2026-03-02T08:00:04Z"  # the rig's clock, four seconds later once the daemon runs
EVENTS = {
    "event.source": text("pagerduty", None, "salesforce"),
    "event.type": text("annotate", None, "trigger"),
    "event.at": instant(HAPPENS_AT),
    "event.actor.id": text(JANE, None, SAM),
    "event.actor.name": text("Jane Doe", None, "Jane"),
    "event.actor.email": text("jane.doe@example.com", None, "sam.lee@example.com"),
    "event.note": text("on my way", None, "on your way"),
    "event.message": None,  # of a status update only
    "event.subject": None,
    "comment.body": text("on my way", None, "on your way"),
    "comment.author": text("Jane Doe", None, "Jane"),
    "comment.created_at": instant(HAPPENS_AT),
}


def cases(samples, prefix=""):
    """(field, operator, operand, whether it holds) for operators without an earlier value."""
    for field, sample in samples.items():
        for op, operand, expected in truths(sample) if sample else ():
            if op not in CHANGES or (field == "status" and not prefix):
                yield f"{prefix}{field}", op, operand, expected


def tried(run_on, found):
    rules = [
        rule(f"{number} {field} {op}", run_on, [condition(field, op, operand)], NOTE)
        for number, (field, op, operand, _) in enumerate(found)
    ]
    return rules, [item["name"] for item in rules]


def fired(entry):
    return {trace["rule"] for trace in entry["rules"] if trace["matched"]}


def entries(log, kind):
    return [item for item in log if item["event"] == kind]


@pytest.fixture
async def rig(tmp_path):
    async with open_rig(tmp_path) as opened:
        (kind,) = opened.pd.state.directory.incident_types.values()
        kind.fields += [
            CustomField("PFIELD2", "region", "Region"),
            CustomField("PFIELD3", "count", "Count", data_type="integer"),
        ]
        yield opened


def use(rig, *rules):
    (rig.desk.folder / "rules.d" / "rules.toml").write_text(toml(*rules))


async def test_every_field_is_true_or_false(rig):
    incident_id = rig.pd.trigger("PNET001", "Disk full on web-1")["id"]
    rig.pd.set_priority(incident_id, "P2", by=SAM)
    rig.pd.set_custom_field(incident_id, "region", "Europe", by=SAM)
    rig.pd.set_custom_field(incident_id, "count", 3, by=SAM)
    rig.pd.reassign(incident_id, [JANE], by=SAM)
    now = rig.pd.incident(incident_id)
    found = list(cases(samples_of(now), "incident."))
    rules, names = tried("pagerduty", found)
    words = list(cases(EVENTS))
    more, more_names = tried("pagerduty", words)
    linked = truth(value=True, before=False)
    about = [
        ("linked", op, operand, held) for op, operand, held in truths(linked) if op not in CHANGES
    ]
    last, last_names = tried("pagerduty", about)
    use(rig, *rules, *({**x, "name": f"e {x['name']}"} for x in more), *({**x, "name": f"l {x['name']}"} for x in last))  # fmt: skip
    async with rig.daemon(is_shadow=True) as daemon:
        assert rig.remote.now() == datetime.fromisoformat(HAPPENS_AT)
        rig.pd.acknowledge(incident_id, by=JANE)
        rig.pd.annotate(incident_id, "on my way", by=JANE)
        await daemon.step(2)
        (acknowledged,) = entries(await daemon.log(), "acknowledge")
        (annotated,) = entries(await daemon.log(), "annotate")
    seen = fired(acknowledged)
    for name, (field, op, operand, expected) in zip(names, found, strict=True):
        assert (name in seen) is expected, (field, op, operand)
    heard = fired(annotated)
    for name, (field, op, operand, expected) in zip(more_names, words, strict=True):
        # A rule that names neither the type nor a comment does not see annotations.
        told = seen if field.startswith(("event.source", "event.actor", "event.at")) else heard
        assert (f"e {name}" in told) is expected, (field, op, operand)
    for name, (_, op, operand, expected) in zip(last_names, about, strict=True):
        is_so = (
            expected
            if op in ("is_empty", "is_not_empty") or operand == [False, True]
            else not expected
        )
        assert (f"l {name}" in seen) is is_so, ("not linked", op, operand)


async def test_every_field_is_absent_where_nothing_is_linked(rig):
    incident_id = rig.pd.trigger("PNET001", "Disk full on web-1")["id"]
    rig.pd.set_priority(incident_id, "P2", by=SAM)
    now = rig.pd.incident(incident_id)
    samples = samples_of(now) | {"resolve_reason": text("merge_resolve_reason", None, "x")}
    found = [case for case in cases(samples, "incident.") if case[1] not in CHANGES]
    rules, names = tried("salesforce", found)
    use(rig, *rules)
    async with rig.daemon(is_shadow=True) as daemon:
        rig.open_record(UNLINKED)
        await daemon.step(2)
        (created,) = entries(await daemon.log(), "create")
    seen = fired(created)
    for name, (field, op, operand, _) in zip(names, found, strict=True):
        assert (name in seen) is WHEN_ABSENT[op], (field, op, operand)


def test_no_field_is_left_out():
    fake = {"id": "P1ABCDE", "incident_number": 1, "title": "some title", "urgency": "high",
            "html_url": "https://a/1", "created_at": "2026-03-02T08:00:00Z",
            "service": {"id": "P1SERVI", "summary": "Service"},
            "escalation_policy": {"id": "P1POLIC", "summary": "Policy"},
            "priority": {"id": "P1PRIOR", "summary": "Priority"}}  # fmt: skip
    named = {f"incident.{name}" for name in samples_of(fake)} | set(EVENTS) | {"linked"}
    assert set(all_names()) <= named


MOVES = {
    "status": (lambda rig, one: rig.pd.acknowledge(one, by=JANE), "acknowledge", "triggered", "acknowledged"),
    "urgency": (lambda rig, one: rig.pd.set_urgency(one, "low", by=JANE), "urgency_change", "high", "low"),
    "priority.name": (lambda rig, one: rig.pd.set_priority(one, "P1", by=JANE), "priority_change", "P2", "P1"),
    "assignees": (lambda rig, one: rig.pd.reassign(one, [SAM], by=JANE), "assign", JANE, SAM),
    "title": (lambda rig, one: rig.pd.set_title(one, "Disk fine"), "update", "Disk full", "Disk fine"),
    "service.id": (lambda rig, one: rig.pd.move_service(one, "PDBA001"), "update", "PNET001", "PDBA001"),
    "custom_fields.region": (lambda rig, one: rig.pd.set_custom_field(one, "region", "Asia", by=JANE), None, "Europe", "Asia"),
}  # fmt: skip


async def test_changes_are_those_of_the_event_that_made_them(rig):
    incident_id = rig.pd.trigger("PNET001", "Disk full")["id"]
    rig.pd.set_priority(incident_id, "P2", by=SAM)
    rig.pd.set_custom_field(incident_id, "region", "Europe", by=SAM)
    rig.pd.reassign(incident_id, [JANE], by=SAM)
    table = []
    for field, (_, kind, before, after) in MOVES.items():
        for op, operand, expected in (
            ("changed", None, True),
            ("changed_from", before, True),
            ("changed_from", after, False),
            ("changed_to", after, True),
            ("changed_to", before, False),
        ):
            table.append((field, kind, op, operand, expected))
    rules = [
        rule(
            f"{number}",
            "pagerduty",
            [
                {"field": f"incident.{field}", "op": op}
                | ({} if operand is None else {"value": operand})
            ],
            NOTE,
        )
        for number, (field, _, op, operand, _) in enumerate(table)
    ]
    use(rig, *rules)
    async with rig.daemon(is_shadow=True) as daemon:
        await daemon.step(1, seconds=400)
        known = len(await daemon.log())
        for field, (move, *_) in MOVES.items():
            move(rig, incident_id)
            await daemon.step(3, seconds=400)
            fresh = [x for x in (await daemon.log())[known:] if not x["echo_of"]]
            known = len(await daemon.log())
            seen = set().union(*(fired(entry) for entry in fresh))
            for number, (name, _, op, operand, expected) in enumerate(table):
                wanted = expected and name == field
                assert (f"{number}" in seen) is wanted, (field, name, op, operand)
            if field == "status":  # an assignment would end it as well
                rig.pd.unacknowledge(incident_id)
                await daemon.step(1, seconds=400)
                known = len(await daemon.log())
        fresh_id = rig.pd.trigger("PNET001", "Another")["id"]
        await daemon.step(1)
        first = next(
            x for x in await daemon.log() if x["incident"] == fresh_id and x["event"] == "trigger"
        )
        assert fired(first) == set(), "nothing changes on a create"
