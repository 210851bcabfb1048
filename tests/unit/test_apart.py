"""New records of an object without an external id are created one at a time."""

import pytest

from pagerforce.pipeline.apart import Creation, held_apart


def new(name, object_name="case"):
    return Creation(name, object_name, is_sought=False)


def sought(name, object_name="case"):
    return Creation(name, object_name, is_sought=True)


@pytest.mark.parametrize(
    ("ready", "under_way", "unsettled", "held"),
    [
        ([], [sought("x")], [], ""),
        ([new("a"), new("b")], [], [], "b"),
        ([new("a"), new("b")], [new("x")], [], "ab"),
        ([new("a"), new("b")], [sought("x")], [], "ab"),
        ([new("a"), new("b", "other"), new("c")], [], [], "c"),
        ([new("a"), sought("b")], [], [], "a"),
        ([sought("a"), sought("b"), new("c")], [], [], "bc"),
        ([sought("a"), new("b")], [new("x")], [], "ab"),
        ([sought("a")], [new("x", "other"), sought("y", "other")], [], ""),
        ([sought("a"), new("b", "other")], [new("x", "other")], [], "b"),
        ([new("a")], [], [sought("x")], "a"),
        ([sought("a"), new("b")], [], [sought("x")], "b"),
        ([new("a")], [], [sought("x", "other")], ""),
    ],
)
def test_who_waits(ready, under_way, unsettled, held):
    assert held_apart(ready, under_way, unsettled) == frozenset(held)
