from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pagerforce.diff.record import compare, event_id, merged
from pagerforce.model.ids import RecordId
from pagerforce.model.record import Record

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def row(fields, *, seconds=0, deleted=False, created=-100):
    moment = T0 + timedelta(seconds=seconds)
    return Record(
        "Case", RecordId("500000000000001AAA"), fields, moment,
        T0 + timedelta(seconds=created), moment, is_deleted=deleted,
    )  # fmt: skip


def test_new_rows_are_creations_only_since_the_start():
    assert compare(None, row({}, created=0), start_at=T0).type == "create"
    assert compare(None, row({}, created=-1), start_at=T0).type == "update"
    assert compare(None, row({}, deleted=True), start_at=T0) is None


def test_update_has_what_changed_and_the_values_before():
    change = compare(row({"A": "1", "B": 2}), row({"A": "2", "B": 2}), start_at=T0)
    assert (change.type, change.changed, change.old) == ("update", {"A"}, {"A": "1", "B": 2})


def test_fields_read_for_the_first_time_and_quiet_ones_make_no_event():
    assert compare(row({"A": 1}), row({"A": 1, "B": 2}), start_at=T0) is None
    assert compare(row({"A": 1}), row({"A": 2}), start_at=T0, quiet={"A"}) is None
    assert compare(row({"A": ""}), row({"A": None}), start_at=T0) is None


def test_delete_and_undelete():
    assert compare(row({}), row({}, deleted=True), start_at=T0).type == "delete"
    assert compare(row({}, deleted=True), row({}), start_at=T0).type == "undelete"
    assert compare(row({"A": 1}, deleted=True), row({"A": 2}, deleted=True), start_at=T0) is None


VALUES = st.dictionaries(
    st.sampled_from("ABC"),
    st.one_of(st.none(), st.integers(0, 3), st.booleans(), st.text(max_size=3)),
)


@given(VALUES, VALUES)
def test_what_was_kept_is_never_a_change_again(before, after):
    kept = merged(row(before), row(after))
    assert compare(kept, row(after), start_at=T0) is None


@given(VALUES, VALUES)
def test_the_same_change_has_the_same_id_and_another_a_different_one(before, after):
    first, second = row(before), row(after, seconds=5)
    change = compare(first, second, start_at=T0)
    if change is not None:
        assert event_id(second, change) == event_id(second, compare(first, second, start_at=T0))
        back = compare(second, row(before, seconds=5), start_at=T0)
        if back is not None:
            assert event_id(row(before, seconds=5), back) != event_id(second, change)


def test_a_change_by_somebody_else_is_remembered_with_its_time():
    kept = merged(row({"A": 1}), row({"A": 2}, seconds=9), {"A"})
    assert kept.changed_at == {"A": T0 + timedelta(seconds=9)}
