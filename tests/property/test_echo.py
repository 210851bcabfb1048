"""Laws of recognising our own writes: only what was announced, and no more often than that."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pagerforce.diff.echo import find_comment, find_created, find_entry, find_made_record, holds
from pagerforce.model.value import is_equal
from pagerforce.model.verdict import Expectation
from pagerforce.pipeline.entries import Hopes
from pagerforce.store.traces import Expected
from property.strategies import (
    comments,
    entries,
    expectations,
    incidents,
    known_people,
    records,
)

many = st.lists(expectations, max_size=4)


def squeezed(text):
    return " ".join((text or "").split())


@given(entries(), many)
def test_an_entry_is_ours_only_where_everything_said_fits(entry, expected):
    index = find_entry(entry, expected)
    if index is None:
        return
    item = expected[index]
    assert (item.kind, item.subject) == (entry.type, entry.incident_id)
    assert None in (item.actor_id, entry.agent.id) or item.actor_id == entry.agent.id
    if "text" in item.values:
        assert squeezed(item.values["text"]) == squeezed(entry.note)
    if "assignee" in item.values and entry.assignees is not None:
        assert item.values["assignee"] in {person.id for person in entry.assignees}
    if "priority" in item.values and entry.priority is not None:
        assert item.values["priority"] in (entry.priority.id, entry.priority.name)


@given(entries(kinds=("annotate",)), many)
def test_a_person_with_other_words_is_heard(entry, expected):
    other = replace(entry, note="words that nobody announced")
    texts = [item for item in expected if "text" in item.values]
    assert find_entry(other, texts) is None


@given(entries(), expectations)
def test_what_is_announced_exactly_is_found(entry, item):
    values = {"text": entry.note} if entry.note else {}
    wanted = Expectation(entry.type, entry.incident_id, values, entry.agent.id)
    assert find_entry(entry, [wanted]) == 0
    assert find_entry(entry, [item, wanted]) in (0, 1)
    assert find_entry(entry, []) is None


@given(entries(), known_people, known_people)
def test_somebody_else_who_does_the_same_is_heard(entry, we, somebody):
    wanted = [Expectation(entry.type, entry.incident_id, {}, we.id)]
    assert find_entry(replace(entry, agent=somebody), wanted) == (
        0 if somebody.id == we.id else None
    )


@given(comments, many)
def test_a_comment_is_ours_only_by_place_maker_and_words(comment, expected):
    index = find_comment(comment, expected)
    if index is not None:
        item = expected[index]
        assert (item.kind, item.subject) == ("comment", comment.parent_id)
        assert None in (item.actor_id, comment.author.id) or item.actor_id == comment.author.id
        # An announcement without words fits only a comment without any.
        wanted = str(item.values.get("body"))
        assert squeezed(wanted) == squeezed(comment.body)


@given(
    records,
    st.dictionaries(st.sampled_from(["Name", "A__c", "X__c"]), st.integers(0, 2), max_size=3),
)
def test_a_row_holds_values_only_if_every_one_it_carries_stands(record, values):
    shared = values.keys() & record.fields.keys()
    wanted = bool(shared) and all(is_equal(record.fields[name], values[name]) for name in shared)
    assert holds(record, values) == wanted
    if wanted:
        item = Expectation("record", record.object, values)
        assert find_made_record(record, [item]) == 0
        assert find_made_record(record, [replace(item, subject="Other")]) is None


@given(incidents)
def test_an_incident_is_ours_by_its_key_alone(incident):
    wanted = [Expectation("incident", "k1"), Expectation("incident", "k2")]
    index = find_created(incident, wanted)
    assert index == ({"k1": 0, "k2": 1}.get(incident.incident_key))
    assert find_created(None, wanted) is None


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 12))
def test_an_expectation_is_good_for_its_count_and_no_more(counts, draws):
    hopes = Hopes(
        [Expected(n, "a", count, Expectation("annotate", "P")) for n, count in enumerate(counts)],
        {},
    )
    taken = []
    for _ in range(draws):
        left = hopes.open()
        if not left:
            break
        hopes.consume(left[0])
        taken.append(left[0].seq)
    assert len(taken) == min(draws, sum(counts))
    assert all(taken.count(n) <= count for n, count in enumerate(counts))
