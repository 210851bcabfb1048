"""A small catalog that mirrors the table of actions, and builders for rules and events."""

from datetime import UTC, datetime

from pagerforce.model.action import ActionSpec, FieldState, Param, ParamKind, TargetKind
from pagerforce.model.event import CommentText, Event
from pagerforce.model.ids import EventId, IncidentId, RecordId, Side
from pagerforce.model.incident import Incident, IncidentStatus, Person, Ref
from pagerforce.rules.evaluate import Facts, RuleBook
from pagerforce.rules.parse import parse_rulesets

INCIDENT_OBJECT = "BMCServiceDesk__Incident__c"
OBJECTS = (INCIDENT_OBJECT, "Case")
MAPS = {
    "priority": {"P1": "1", "P2": "2", "default": "3"},
    "strict": {"P1": 1, "On": True},
}
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _pagerduty(do, target, *params, **more):
    return ActionSpec(do, Side.PAGERDUTY, target, params, "", **more)


def _salesforce(do, target, *params, **more):
    return ActionSpec(do, Side.SALESFORCE, target, params, "", **more)


CATALOG = (
    _pagerduty(
        "pagerduty.create_incident",
        TargetKind.NEW_INCIDENT,
        Param("title", required=True),
        Param("service"),
        Param("urgency", ParamKind.CHOICE, choices=("high", "low")),
        Param("priority"),
        Param("body"),
        Param("escalation_policy"),
        Param("assignees", ParamKind.LIST),
        Param("unless_linked", ParamKind.CHOICE, choices=("any", "open"), default="any"),
        at_most_one_of=(("escalation_policy", "assignees"),),
        is_page=True,
    ),
    _pagerduty("pagerduty.acknowledge", TargetKind.INCIDENT),
    _pagerduty("pagerduty.resolve", TargetKind.INCIDENT, Param("resolution")),
    _pagerduty("pagerduty.set_priority", TargetKind.INCIDENT, Param("priority", required=True)),
    _pagerduty(
        "pagerduty.run_response_play",
        TargetKind.INCIDENT,
        Param("response_play", required=True),
        is_repeatable=False,
    ),
    _pagerduty(
        "pagerduty.run_workflow",
        TargetKind.INCIDENT,
        Param("workflow", required=True),
        is_repeatable=False,
    ),
    _pagerduty(
        "pagerduty.reassign",
        TargetKind.INCIDENT,
        Param("assignees", ParamKind.LIST),
        Param("escalation_policy"),
        exactly_one_of=(("assignees", "escalation_policy"),),
    ),
    _pagerduty("pagerduty.add_note", TargetKind.INCIDENT_ANY, Param("text", required=True)),
    _salesforce(
        "salesforce.set_field",
        TargetKind.RECORD,
        Param("field", ParamKind.NAME, required=True),
        Param("value", ParamKind.VALUE),
        Param("lookup", ParamKind.LOOKUP),
        exactly_one_of=(("value", "lookup"),),
        sets=FieldState("field"),
    ),
    _salesforce(
        "salesforce.create_record",
        TargetKind.NEW_RECORD,
        Param("fields", ParamKind.FIELDS, required=True),
        Param("object", ParamKind.NAME),
    ),
    _salesforce("salesforce.add_comment", TargetKind.RECORD, Param("text", required=True)),
)

NOTE = {"do": "pagerduty.add_note", "text": "seen"}


def rule_table(**keys):
    """A rule as parsed from TOML; a valid one by default."""
    table = {
        "name": "r",
        "object": INCIDENT_OBJECT,
        "run_on": "salesforce",
        "actions": [dict(NOTE)],
    }
    table.update(keys)
    return {key: value for key, value in table.items() if value is not ...}


def parse(*rules, maps=MAPS, objects=OBJECTS, name="set"):
    """Parses one ruleset of these rules."""
    items = [("c.toml: rulesets[0]", {"name": name, "rules": list(rules)})]
    return parse_rulesets(items, catalog=CATALOG, objects=objects, maps=maps)


def rules_of(*rules, **more):
    """The rules, which must have no problem."""
    found, problems = parse(*rules, **more)
    assert problems == ()
    return found


def problems_of(*rules, **more):
    """All problems, as text."""
    _, problems = parse(*rules, **more)
    return [str(problem).removeprefix("c.toml: rulesets[0].") for problem in problems]


def book_of(*rules, maps=MAPS):
    return RuleBook(rules_of(*rules, maps=maps), maps)


def record_event(type="update", *, record=None, old=None, changed=None, **keys):  # noqa: A002
    """A Salesforce event; fields that differ between old and new count as changed."""
    record = {} if record is None else record
    old = {} if old is None else old
    differing = {name for name in old if old[name] != record.get(name)}
    return Event(
        id=EventId("e1"),
        source=Side.SALESFORCE,
        type=type,
        at=keys.pop("at", AT),
        object=keys.pop("object", INCIDENT_OBJECT),
        record_id=RecordId("a0C000000000001EAA"),
        record=record,
        old_record=old,
        changed=frozenset(differing if changed is None else changed),
        **keys,
    )


def incident(**keys):
    """An incident with a value in every field."""
    values = {
        "id": IncidentId("PINC001"),
        "number": 7,
        "title": "Disk full on db-1",
        "status": IncidentStatus.TRIGGERED,
        "urgency": "high",
        "html_url": "https://acme.pagerduty.com/incidents/PINC001",
        "created_at": AT,
        "service": Ref("PNET001", "Network"),
        "escalation_policy": Ref("PESC001", "Default"),
        "priority": Ref("PPRI001", "P1"),
        "assignees": (Person("PUSR001", "Jane Doe", "jane@example.com"),),
        "resolve_reason": None,
        "custom_fields": {"region": "EU", "tags": ["a", "b"], "count": 3, "items": "none"},
    }
    values.update(keys)
    return Incident(**values)


def incident_event(type="trigger", *, now=None, old=None, **keys):  # noqa: A002
    """A PagerDuty event."""
    return Event(
        id=EventId("e2"),
        source=Side.PAGERDUTY,
        type=type,
        at=keys.pop("at", AT),
        incident_id=IncidentId("PINC001"),
        incident=incident() if now is None else now,
        old_incident=old,
        **keys,
    )


def comment(body="hello", author="Jane Doe"):
    return CommentText(body, author, AT)


def holds(condition, facts, *, run_on=None):
    """Whether a rule with this condition alone matches; the condition's trace."""
    side = facts.event.source if run_on is None else run_on
    book = book_of(rule_table(run_on=str(side), conditions=[condition]))
    (trace,) = book.evaluate(facts, AT).traces
    return trace.matched, trace.conditions[0]


def record_facts(record=None, **keys):
    return Facts(record_event(record=record, **keys))


def equals(field, value):
    return {"field": field, "op": "equals", "value": value}


def names(evaluation):
    return [(trace.rule, trace.matched) for trace in evaluation.traces]


def many_rules(count):
    return [
        rule_table(
            name=f"rule {place}",
            conditions=[
                {"field": "event.type", "op": "in", "value": ["create", "update"]},
                equals("record.Priority__c", str(place % 5)),
                {"field": "record.Category__c", "op": "in", "value": [f"cat {place // 5}", "all"]},
            ],
        )
        for place in range(count)
    ]


# op, value, values that hold, values that do not, what an absent value gives
OPERATORS = [
    ("equals", "Open", ["open", "OPEN"], ["Opened", "", 1, True], False),
    ("equals", 1, [1, 1.0, "1", "1.0"], [2, "one", True, ""], False),
    ("equals", True, [True, "true"], [False, 1, "yes"], False),
    ("equals", "", ["", "  ", None], ["x", 0, False], True),
    ("equals", "2026-01-02T03:04:05Z", ["2026-01-02T03:04:05.000+0000"], ["2026-01-02"], False),
    ("equals", "a0C000000000001", ["a0C000000000001EAA"], ["a0c000000000001EAA"], False),
    ("not_equals", "Open", ["Closed", "", 1], ["open"], True),
    ("not_equals", "", ["x", 0], ["", None], False),
    ("in", ["Open", 2], ["open", 2, "2"], ["x", 3, ""], False),
    ("in", ["", "x"], ["", "X"], ["y"], True),
    ("not_in", ["Open", 2], ["x", ""], ["OPEN", 2], True),
    ("contains", "disk", ["The DISK is full", "disk"], ["dis", "", 5], False),
    ("not_contains", "disk", ["memory", ""], ["disk", 5], True),
    ("starts_with", "INC", ["inc-1"], ["x INC", "", 5], False),
    ("ends_with", "ß", ["Strass", "Straß"], ["Stra", ""], False),
    ("matches", "^db-[0-9]+$", ["DB-17"], ["db-", "xdb-1", "", 5, "\ud800"], False),
    ("matches", "(?-i)DB", ["a DB"], ["a db"], False),
    ("greater_than", 5, [6, "6", 5.5], [5, 4, "x", "", True], False),
    ("at_least", 5, [5, "5.0"], [4.9, ""], False),
    ("less_than", 5, [4, "-1"], [5, ""], False),
    ("at_most", 5, [5, 4], [6, ""], False),
    ("at_least", "2026-01-02", ["2026-01-02", "2026-01-02T00:00:00Z"], ["2026-01-01", 5], False),
    ("less_than", "10:00", ["09:59:00.000Z"], ["10:00:00.000Z", "x"], False),
    ("is_empty", None, ["", " ", None], ["x", 0, False], True),
    ("is_not_empty", None, ["x", 0, False], ["", None], False),
]


def condition(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def rule_with(**keys):
    return rule_table(conditions=[keys])


def pagerduty_rule_with(**keys):
    return rule_table(run_on="pagerduty", conditions=[keys])


def rule_doing(**keys):
    return rule_table(actions=[keys])
