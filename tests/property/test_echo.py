"""Laws of recognising own writes: only expected ones, and no more often than expected."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagerforce.model.expectation import (
    CommentExpected,
    EntryExpected,
    FieldsExpected,
    PageExpected,
    RecordExpected,
    subject_of,
)
from pagerforce.model.record import Record
from pagerforce.model.value import is_equal
from pagerforce.own_writes.matching import (
    find_comment,
    find_created,
    find_entry,
    find_made_record,
    holds,
)
from pagerforce.own_writes.snapshot import with_own_writes
from pagerforce.own_writes.waiting import Expected, Waiting
from property.strategies import (
    T0,
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
def test_an_entry_is_own_only_if_the_whole_expectation_fits(entry, expected):
    index = find_entry(entry, expected)
    if index is None:
        return
    item = expected[index]
    assert isinstance(item, EntryExpected)
    assert (item.type, item.incident_id) == (entry.type, entry.incident_id)
    assert None in (item.actor_id, entry.agent.id) or item.actor_id == entry.agent.id
    assert item.not_before is None or item.not_before <= entry.at
    if item.text is not None:
        assert squeezed(item.text) == squeezed(entry.note)
    if item.assignee is not None and entry.assignees is not None:
        assert item.assignee in {person.id for person in entry.assignees}
    if item.priority is not None and entry.priority is not None:
        assert item.priority in (entry.priority.id, entry.priority.name)


@given(entries(kinds=("annotate",)), many)
def test_a_person_with_other_words_is_no_echo(entry, expected):
    other = replace(entry, note="words that nobody announced")
    texts = [x for x in expected if isinstance(x, EntryExpected) and x.text is not None]
    assert find_entry(other, texts) is None


@given(entries(), expectations)
def test_an_exact_expectation_is_found(entry, item):
    wanted = EntryExpected(entry.type, entry.incident_id, entry.agent.id, entry.note or None)
    assert find_entry(entry, [wanted]) == 0
    assert find_entry(entry, [item, wanted]) in (0, 1)
    assert find_entry(entry, []) is None


@given(entries(), known_people, known_people)
def test_somebody_else_who_does_the_same_is_no_echo(entry, we, somebody):
    wanted = [EntryExpected(entry.type, entry.incident_id, we.id)]
    assert find_entry(replace(entry, agent=somebody), wanted) == (
        0 if somebody.id == we.id else None
    )


@given(comments, many)
def test_a_comment_is_own_only_by_parent_author_and_words(comment, expected):
    index = find_comment(comment, expected)
    if index is not None:
        item = expected[index]
        assert isinstance(item, CommentExpected)
        assert item.parent_id == comment.parent_id
        assert None in (item.actor_id, comment.author.id) or item.actor_id == comment.author.id
        # The org may add a prefix or cut the end off; it does not write other words.
        said, stored = squeezed(item.body).casefold(), squeezed(comment.body).casefold()
        assert said in stored or stored in said


@given(
    records,
    st.dictionaries(st.sampled_from(["Name", "A__c", "X__c"]), st.integers(0, 2), max_size=3),
)
def test_a_row_holds_values_only_if_every_value_is_current(record, values):
    shared = values.keys() & record.fields.keys()
    wanted = bool(shared) and all(is_equal(record.fields[name], values[name]) for name in shared)
    assert holds(record, values) == wanted
    if wanted:
        item = RecordExpected(record.object, values)
        assert find_made_record(record, [item]) == 0
        assert find_made_record(record, [replace(item, object="Other")]) is None


@given(incidents)
def test_an_incident_is_own_by_its_key_alone(incident):
    wanted = [PageExpected("k1"), PageExpected("k2")]
    index = find_created(incident, wanted)
    assert index == ({"k1": 0, "k2": 1}.get(incident.incident_key))
    assert find_created(None, wanted) is None


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 12))
def test_an_expectation_matches_no_more_often_than_its_count(counts, draws):
    waiting = Waiting(
        [Expected(n, "a", count, EntryExpected("annotate", "P")) for n, count in enumerate(counts)]
    )
    taken = []
    for _ in range(draws):
        left = waiting.open()
        if not left:
            break
        waiting.use(left[0])
        taken.append(left[0].seq)
    assert sorted(waiting.seen()) == sorted(taken)
    assert len(taken) == min(draws, sum(counts))
    assert all(taken.count(n) <= count for n, count in enumerate(counts))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), expectations), max_size=8),
    st.lists(st.integers(0, 7), max_size=8),
    st.sets(st.sampled_from("abcd")),
)
def test_the_index_finds_what_a_search_of_all_finds(items, used, among):
    waiting = Waiting(
        [Expected(seq, action, left, what) for seq, (action, left, what) in enumerate(items)]
    )
    for seq in used:
        if seq < len(items):
            waiting.use(waiting.expected[seq])
    left = [item for item in waiting.expected if item.remaining > used.count(item.seq)]
    assert waiting.open() == left
    assert waiting.open(among) == [item for item in left if item.action_id in among]
    for subject in {subject_of(what) for _, _, what in items} | {"nothing"}:
        assert waiting.about(subject) == [x for x in left if subject_of(x.what) == subject]


def test_rows_of_a_burst_look_only_at_their_own_expectations(monkeypatch):
    """1,000 rows and as many expectations: the work grows with the rows, not with their square."""
    ids = [f"a0B{number:012d}" for number in range(1000)]
    waiting = Waiting(
        [
            Expected(seq, f"a{seq}", 1, FieldsExpected(key, {"Name": "after"}), is_done=True)
            for seq, key in enumerate(ids)
        ]
    )
    compared = []
    monkeypatch.setattr(
        "pagerforce.own_writes.snapshot.isinstance",
        lambda what, kind: compared.append(what) or isinstance(what, kind),
        raising=False,
    )
    for key in ids:
        before = Record("Case", key, {"Name": "before"}, T0, T0, T0)
        after = replace(before, fields={"Name": "after"})
        assert with_own_writes(before, after, waiting).fields == {"Name": "after"}
    assert waiting.open() == []
    assert len(compared) == len(ids)
