"""Laws of comparing and merging rows with their snapshots."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagerforce.diff.record import compare, event_id, merged
from pagerforce.model.value import is_equal
from property.strategies import T0, fields, names, records

quiet = st.sets(names, max_size=2)


@given(records, quiet)
def test_the_same_row_is_no_change(row, quiet):
    assert compare(row, row, start_at=T0, quiet=quiet) is None


@given(records, records, quiet)
def test_a_row_that_was_merged_is_no_change_when_it_is_read_again(before, now, quiet):
    change = compare(before, now, start_at=T0, quiet=quiet)
    after = merged(before, now, change.changed if change else ())
    assert compare(after, now, start_at=T0, quiet=quiet) is None
    assert merged(after, now) == after


@given(records, records, quiet)
def test_exactly_the_fields_that_differ_and_are_not_quiet_have_changed(before, now, quiet):
    change = compare(before, now, start_at=T0, quiet=quiet)
    differing = {
        name
        for name in before.fields.keys() & now.fields.keys() - quiet
        if not is_equal(before.fields[name], now.fields[name])
    }
    if before.is_deleted != now.is_deleted:
        assert change.type == ("delete" if now.is_deleted else "undelete")
        assert change.changed == differing
    elif now.is_deleted or not differing:
        assert change is None
    else:
        assert (change.type, change.changed) == ("update", differing)
    if change is not None:
        assert change.old == before.fields


@given(records, records, quiet)
def test_no_field_is_lost_and_what_was_read_is_kept(before, now, quiet):
    change = compare(before, now, start_at=T0, quiet=quiet)
    changed = change.changed if change else frozenset()
    after = merged(before, now, changed)
    assert after.fields == {**before.fields, **now.fields}
    assert after.changed_at == {**before.changed_at, **dict.fromkeys(changed, now.modified_at)}
    assert replace(after, fields=now.fields, changed_at=now.changed_at) == now


@given(records, records)
def test_there_and_back_are_the_same_fields(left, right):
    there = compare(left, right, start_at=T0)
    back = compare(right, left, start_at=T0)
    if left.is_deleted == right.is_deleted:
        assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there.changed == back.changed


@given(records)
def test_a_row_never_seen_is_new_unless_it_is_deleted(row):
    change = compare(None, row, start_at=T0)
    if row.is_deleted:
        assert change is None
    else:
        assert (change.type, change.changed, change.old) == ("create", frozenset(), {})
    assert merged(None, row) == row


@given(records, records)
def test_the_same_change_has_one_id_and_another_change_another(before, now):
    change = compare(before, now, start_at=T0)
    if change is None:
        return
    after = merged(before, now, change.changed)
    assert event_id(after, change) == event_id(merged(before, now, change.changed), change)
    later = replace(after, stamp=after.stamp.replace(year=2027))
    assert event_id(later, change) != event_id(after, change)


@given(records, fields)
def test_a_quiet_field_is_stored_without_an_event(before, values):
    row = replace(before, fields={**before.fields, **values})
    assert compare(before, row, start_at=T0, quiet=set(values)) is None
    assert merged(before, row).fields == row.fields
