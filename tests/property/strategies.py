"""Generators of the project's own data: small alphabets, so that equal values occur."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from pagerforce.model.expectation import CommentExpected, EntryExpected, FieldsExpected
from pagerforce.model.incident import Incident, IncidentStatus, LogEntry, Person, Ref
from pagerforce.model.record import Comment, Record

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PAGE = "PABC"
RECORD = "a0B000000000001EAA"

moments = st.integers(0, 6).map(lambda n: T0 + timedelta(seconds=n))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(["", " ", "a", "A", "1", "true", "2026-01-01T00:00:00Z", RECORD, RECORD[:15]])
    | st.text(max_size=4)
)
names = st.sampled_from(["Name", "A__c", "B__c", "C__r.Name", "Now__c"])
fields = st.dictionaries(names, scalars, max_size=5)
people = st.builds(
    Person,
    st.none() | st.sampled_from(["PJ", "PS", "PB"]),
    st.none() | st.text(max_size=3),
    st.none() | st.sampled_from(["j@example.com", "S@example.com"]),
)
known_people = people.filter(lambda person: person.id is not None)
refs = st.builds(Ref, st.sampled_from(["P1", "P2", "P3"]), st.none() | st.text(max_size=3))
statuses = st.sampled_from(IncidentStatus)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
texts = st.none() | st.text(min_size=1, max_size=5)
incidents = st.builds(
    Incident,
    st.just(PAGE),
    number=st.none() | st.integers(1, 9),
    title=texts,
    status=st.none() | statuses,
    urgency=st.none() | st.sampled_from(["high", "low"]),
    html_url=texts,
    incident_key=st.none() | st.sampled_from(["k1", "k2"]),
    created_at=st.none() | st.just(T0),
    updated_at=st.none() | moments,
    status_changed_at=st.none() | moments,
    service=st.none() | refs,
    escalation_policy=st.none() | refs,
    priority=st.none() | refs,
    assignees=st.lists(known_people, max_size=2).map(tuple),
    resolve_reason=texts,
    merged_into=st.none() | st.just("PXYZ"),
    conference_bridge=texts,
    custom_fields=st.dictionaries(st.text(max_size=2), json_values, max_size=2),
)
records = st.builds(
    Record,
    object=st.just("Case"),
    id=st.just(RECORD),
    fields=fields,
    stamp=moments,
    created_at=moments,
    modified_at=moments,
    created_by=people,
    modified_by=people,
    is_deleted=st.booleans(),
    merged_into=st.none() | st.just(RECORD),
    changed_at=st.dictionaries(names, moments, max_size=2),
)
comments = st.builds(
    Comment,
    object=st.just("CaseComment"),
    id=st.just("00a000000000001EAA"),
    parent_object=st.just("Case"),
    parent_id=st.sampled_from([RECORD, "a0B000000000002EAA"]),
    body=st.sampled_from(["", "a", "a b", " a  b\n", "c"]),
    author=people,
    created_at=moments,
    stamp=moments,
)
KINDS = (
    "trigger",
    "acknowledge",
    "unacknowledge",
    "resolve",
    "assign",
    "escalate",
    "delegate",
    "priority_change",
    "urgency_change",
    "annotate",
    "custom_field_value_change",
    "never_heard_of",
)


def entries(kinds=KINDS, current=None):
    """Log entries of one incident; the id depends on the content, so that equal ids are equal entries."""
    return st.builds(
        LogEntry,
        id=st.uuids().map(str),
        type=st.sampled_from(kinds),
        at=moments,
        incident_id=st.just(PAGE),
        current=incidents if current is None else current,
        agent=people,
        note=st.none() | st.sampled_from(["a", "a b", " a  b\n", "c"]),
        assignees=st.none() | st.lists(known_people, max_size=2).map(tuple),
        priority=st.none() | refs,
        had_priority=st.booleans(),
        urgency=st.none() | st.sampled_from(["high", "low"]),
        service=st.none() | refs,
    )


actors = st.none() | st.sampled_from(["PJ", "PB"])
words = st.sampled_from(["a", "a b", "c"])
expectations = (
    st.builds(
        EntryExpected,
        type=st.sampled_from(["annotate", "acknowledge", "assign", "priority_change"]),
        incident_id=st.sampled_from([PAGE, "POTHER"]),
        actor_id=actors,
        text=st.none() | words,
        assignee=st.none() | st.sampled_from(["PJ", "PS"]),
        priority=st.none() | st.sampled_from(["P1", "P2"]),
        not_before=st.none() | moments,
        count=st.integers(1, 3),
    )
    | st.builds(CommentExpected, st.just(RECORD), words, actors)
    | st.builds(FieldsExpected, st.just(RECORD), st.just({"Name": "a"}), actors)
)
